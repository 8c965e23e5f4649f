package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"sync"

	"concord/hub"
	"concord/storage/object"
)

// probe proves that the store creates a key only once: one writer after the other, then several at the same time. A
// store without this would let two hubs write the same commit, and the later would erase the earlier.
func (s *Store) probe(ctx context.Context) error {
	key := object.DerivedPrefix + "probe/" + rand.Text()
	defer s.sweep(ctx, key)
	if err := s.create(ctx, key, 'a'); err != nil {
		return err
	}
	switch err := s.create(ctx, key, 'b'); {
	case err == nil:
		return overwrites("a second writer was let through")
	case !hub.Is(err, hub.Exists):
		return err
	}
	if winner, err := s.winner(ctx, key); err != nil {
		return err
	} else if winner != 'a' {
		return overwrites("a second writer was refused, but its bytes are there")
	}
	return s.probeRace(ctx)
}

// probeRace lets eight writers create one key at the same time. That none of them wins is allowed to a busy store now
// and then (S3 answers 409 for a conflict it cannot decide), so it is tried again.
func (s *Store) probeRace(ctx context.Context) (err error) {
	for range 5 {
		key := object.DerivedPrefix + "probe/" + rand.Text()
		var first byte
		first, err = s.race(ctx, key)
		if err == nil {
			var winner byte
			if winner, err = s.winner(ctx, key); err == nil && winner != first {
				err = overwrites("of writers at the same time one won, but another's bytes are there")
			}
		}
		s.sweep(ctx, key)
		if !hub.Is(err, hub.Unavailable) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// race returns the only writer that won.
func (s *Store) race(ctx context.Context, key string) (winner byte, err error) {
	const writers = 8
	var errs [writers]error
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { errs[i] = s.create(ctx, key, 'a'+byte(i)) })
	}
	wg.Wait()
	for i, e := range errs {
		switch {
		case e == nil && winner != 0:
			return 0, overwrites("two writers at the same time both won")
		case e == nil:
			winner = 'a' + byte(i)
		case !hub.Is(e, hub.Exists):
			err = e
		}
	}
	if winner != 0 {
		return winner, nil
	}
	if err == nil {
		err = &hub.Error{Kind: hub.Unavailable, Msg: "probe the store: of writers at the same time none won"}
	}
	return 0, err
}

// probeBody is the size of what a writer of the probe writes; each has its own letter.
const probeBody = 512

func (s *Store) create(ctx context.Context, key string, letter byte) error {
	return s.put(ctx, key, probeBody, bytes.NewReader(bytes.Repeat([]byte{letter}, probeBody)), createOnly())
}

// winner is the letter of the writer whose bytes are there.
func (s *Store) winner(ctx context.Context, key string) (byte, error) {
	f, err := s.Open(ctx, key, 0, -1)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, probeBody+1))
	if err != nil {
		return 0, err
	}
	if len(data) != probeBody || bytes.Count(data, data[:1]) != probeBody {
		return 0, &hub.Error{Kind: hub.Corrupt, Msg: "probe the store: it gave back other bytes than were written"}
	}
	return data[0], nil
}

// sweep removes what a probe wrote; what it leaves is under derived/ and does no harm.
func (s *Store) sweep(ctx context.Context, key string) { _ = s.Delete(context.WithoutCancel(ctx), key) }

func overwrites(what string) error {
	return &hub.Error{Kind: hub.Unsupported,
		Msg: "this object store overwrites: it ignored If-None-Match: * on a PUT (" + what + "), so commits could be lost",
		Hint: "use a store with conditional writes (Amazon S3, a recent MinIO, Ceph from Squid on), and no proxy in front of it that drops the header; " +
			"or keep the objects on disk with --data"}
}
