package disk

import (
	"context"
	"os"

	"concord/hub"
	"concord/storage/object"
)

// Stage implements hub.Stager: the bytes go straight to the file that Publish gives its name.
func (s *Store) Stage(ctx context.Context) (hub.Stage, error) {
	if err := ctx.Err(); err != nil {
		return nil, failure("stage", "", err)
	}
	file, err := s.create()
	if err != nil {
		return nil, failure("stage", "", err)
	}
	return &stage{store: s, file: file}, nil
}

type stage struct {
	store *Store
	file  *os.File // nil once the upload has ended
	err   error    // of the first Write that had one
}

// Write implements io.Writer. After an error the upload cannot be published any more.
func (g *stage) Write(p []byte) (int, error) {
	if g.file == nil {
		return 0, os.ErrClosed
	}
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.file.Write(p)
	if err != nil {
		g.err = failure("stage", "", err)
	}
	return n, g.err
}

// Publish implements hub.Stage.
func (g *stage) Publish(ctx context.Context, key string) error {
	defer g.Discard()
	if g.file == nil {
		return os.ErrClosed
	}
	if err := object.CheckKey(key); err != nil {
		return err
	}
	if g.err != nil {
		return g.err
	}
	if err := ctx.Err(); err != nil {
		return failure("create", key, err)
	}
	if g.store.taken(key) {
		return object.Taken(key)
	}
	return g.store.publishStaged(g.file, key)
}

// Discard implements hub.Stage.
func (g *stage) Discard() {
	if g.file != nil {
		discard(g.file)
		g.file = nil
	}
}
