package s3

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/minio/minio-go/v7"

	"concord/hub"
	"concord/storage/object"
	"concord/storage/object/spool"
)

// Stage implements hub.Stager. The bytes wait in memory, or in a file when they are many, until their number is known.
func (s *Store) Stage(ctx context.Context) (hub.Stage, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.failure("stage an upload to", s.bucket, err)
	}
	return &stage{Body: s.spooler.Body(), store: s}, nil
}

type stage struct {
	*spool.Body
	store *Store
}

// uploadMark is the metadata by which a staged upload knows its own object again.
const uploadMark = "Concord-Upload"

// Publish implements hub.Stage. Since the bytes are at hand, it sends them again when an attempt's outcome is unknown,
// and tells its own first attempt from somebody else's by the mark.
func (g *stage) Publish(ctx context.Context, key string) error {
	defer g.Discard()
	if err := object.CheckKey(key); err != nil {
		return err
	}
	if err := g.Err(); err != nil {
		return err
	}
	mark := rand.Text()
	opts := createOnly()
	opts.UserMetadata = map[string]string{uploadMark: mark}
	pause := 100 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := g.store.put(ctx, key, g.Size(), g.Reader(0), opts)
		if attempt > 1 && hub.Is(err, hub.Exists) && g.store.marked(ctx, key, mark) {
			return nil
		}
		const attempts = 3
		if !hub.Is(err, hub.Unavailable) || attempt == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
			pause *= 4
		}
	}
}

// Discard implements hub.Stage.
func (g *stage) Discard() { g.Close() }

func (s *Store) marked(ctx context.Context, key, mark string) bool {
	info, err := s.core.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	return err == nil && info.UserMetadata[uploadMark] == mark
}
