// Package projection turns logs into the index: it reads the commits of a partition (Log), says what
// each of their records adds (Projectors), applies them in order (Target) and tells readers whether the
// index is at the tail (Follower).
package projection

import (
	"context"
	"errors"
	"fmt"
	"io"

	"concord/hub"
)

// Log reads one partition's log. Commits never change, so what was read once is kept in a Cache.
type Log struct {
	Objects   hub.Objects
	Partition hub.Partition
	Cache     *Cache // may be nil

	recent recent
}

// Commit reads commit seq whole. A commit that is not there yet is a NotFound error.
func (l *Log) Commit(ctx context.Context, seq uint64) (*hub.Commit, []byte, error) {
	data, err := l.read(ctx, seq, 0, -1)
	if err != nil {
		return nil, nil, err
	}
	c, err := hub.DecodeCommit(data)
	if err != nil {
		return nil, nil, err
	}
	if c.Partition != l.Partition || c.Seq != seq {
		return nil, nil, &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("%s holds commit %d of %s", hub.LogKey(l.Partition, seq), c.Seq, c.Partition)}
	}
	return c, data, nil
}

// Kept is Commit for who comes back for the same commit soon: it is taken from the Cache, or put there.
func (l *Log) Kept(ctx context.Context, seq uint64) (*hub.Commit, []byte, error) {
	if data, ok := l.Cache.commit(l.Partition, seq); ok {
		c, err := hub.DecodeCommit(data)
		return c, data, err
	}
	c, data, err := l.Commit(ctx, seq)
	if err == nil {
		l.Cache.AddCommit(l.Partition, seq, data)
	}
	return c, data, err
}

// Record reads the one record at loc, without the rest of its commit. The body must not be changed.
func (l *Log) Record(ctx context.Context, loc hub.Loc) (hub.Record, error) {
	if line, ok := l.Cache.line(l.Partition, loc); ok {
		return decodeAt(line, loc)
	}
	line, err := l.read(ctx, loc.Seq, int64(loc.Off), int64(loc.Len))
	if err != nil {
		return hub.Record{}, fmt.Errorf("read record at %s byte %d: %w", hub.LogKey(l.Partition, loc.Seq), loc.Off, err)
	}
	if len(line) != int(loc.Len) {
		return hub.Record{}, &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("%s ends before byte %d", hub.LogKey(l.Partition, loc.Seq), int64(loc.Off)+int64(loc.Len))}
	}
	l.Cache.addLine(l.Partition, loc, line)
	return decodeAt(line, loc)
}

func decodeAt(line []byte, loc hub.Loc) (hub.Record, error) {
	r, err := hub.DecodeRecord(line)
	r.Loc = loc
	return r, err
}

func (l *Log) read(ctx context.Context, seq uint64, off, n int64) ([]byte, error) {
	r, err := l.Objects.Open(ctx, hub.LogKey(l.Partition, seq), off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if known, ok := r.(interface{ Size() int64 }); ok {
		n = known.Size()
	}
	if n < 0 {
		return io.ReadAll(r)
	}
	buf := make([]byte, n)
	m, err := io.ReadFull(r, buf)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil
	}
	return buf[:m], err
}

// Has reports whether commit seq exists.
func (l *Log) Has(ctx context.Context, seq uint64) (bool, error) {
	r, err := l.Objects.Open(ctx, hub.LogKey(l.Partition, seq), 0, 1)
	if hub.Is(err, hub.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, r.Close()
}

// Tail finds the last commit, given that `from` exists (or is 0): the log is dense, so it gallops ahead and
// then halves, in 2·log₂ of the distance.
func (l *Log) Tail(ctx context.Context, from uint64) (uint64, error) {
	lo, step := from, uint64(1)
	for {
		ok, err := l.Has(ctx, lo+step)
		if err != nil {
			return 0, fmt.Errorf("find the tail of %s: %w", l.Partition, err)
		}
		if !ok {
			break
		}
		lo, step = lo+step, step*2
	}
	hi := lo + step // does not exist
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		ok, err := l.Has(ctx, mid)
		if err != nil {
			return 0, fmt.Errorf("find the tail of %s: %w", l.Partition, err)
		}
		if ok {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo, nil
}

// Commits gives from..to in order, a few ahead of the consumer, and stops at the first error. Those who follow the log share what
// was read for one of them: nothing in a commit, nor its bytes, must be changed. With ErrEnough, yield ends the reading.
func (l *Log) Commits(ctx context.Context, from, to uint64, yield func(*hub.Commit, []byte) error) error {
	for ; from <= to; from++ { // who is near the end needs neither a goroutine nor a reading
		r := l.recent.get(from)
		if r == nil {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(r.commit, r.data); err != nil {
			return unlessEnough(err)
		}
	}
	if from > to {
		return nil
	}
	type result struct {
		read
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const ahead = 8
	queue := make(chan chan result, ahead)
	go func() {
		defer close(queue)
		for seq := from; seq <= to; seq++ {
			slot := make(chan result, 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return
			}
			go func() {
				r, err := l.shared(ctx, seq)
				slot <- result{r, err}
			}()
		}
	}()
	for slot := range queue {
		r := <-slot
		if r.err != nil {
			return r.err
		}
		if err := yield(r.commit, r.data); err != nil {
			return unlessEnough(err)
		}
	}
	return ctx.Err()
}

// ErrEnough is what a reader of commits says who needs no more of them. It is no failure.
var ErrEnough = errors.New("enough was read")

func unlessEnough(err error) error {
	if err == ErrEnough {
		return nil
	}
	return err
}

// Changed reads the records that are wanted of the commits after `after`, through `to` at most. It ends with the commit that makes
// them `most` or more, and says which was the last that it read.
func (l *Log) Changed(ctx context.Context, after, to uint64, most int, wanted func(hub.Name) bool) (recs []hub.Record, reached uint64, err error) {
	reached = after
	err = l.Commits(ctx, after+1, to, func(c *hub.Commit, _ []byte) error {
		for i := range c.Records {
			if wanted(c.Records[i].Name) {
				recs = append(recs, c.Records[i])
			}
		}
		if reached = c.Seq; len(recs) >= most {
			return ErrEnough
		}
		return nil
	})
	return recs, reached, err
}
