package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"

	"concord/hub"
	"concord/storage/object"
)

// What is staged stays in memory while it is small and there is room, and touches the disk in Publish only: creating a
// file waits for the disk's journal, and the sender's next bytes should not have to. What is larger goes to a
// temporary file as it comes.
const (
	stageBuffer  = 1 << 20
	stageBuffers = 64 // of all uploads together
)

// Stage implements hub.Stager.
func (s *Store) Stage(ctx context.Context) (hub.Stage, error) {
	if err := ctx.Err(); err != nil {
		return nil, failure("stage", "", err)
	}
	g := &stage{store: s}
	var ok bool
	if g.small, ok = s.staged.take(); !ok {
		if err := g.spill(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// shelf lends the buffers of what is staged. What was given back last is lent first, for the processor still has it in its
// cache, so that as many are made as were ever needed at a time.
type shelf struct {
	mu   sync.Mutex
	free [][]byte
	lent int
}

// take lends an empty buffer; ok is false when all are lent.
func (s *shelf) take() (b []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lent == stageBuffers {
		return nil, false
	}
	s.lent++
	n := len(s.free)
	if n == 0 {
		return alignedBuffer(stageBuffer), true
	}
	b = s.free[n-1]
	s.free = s.free[:n-1]
	return b, true
}

func (s *shelf) giveBack(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lent--
	s.free = append(s.free, b[:0])
}

type stage struct {
	store *Store
	small []byte   // the bytes so far, while they are in memory: lent by store.staged
	file  *os.File // where they are otherwise
	err   error    // of the first Write that had one
	ended bool
}

// Write implements io.Writer. After an error the upload cannot be published any more.
func (g *stage) Write(p []byte) (int, error) {
	if g.ended {
		return 0, os.ErrClosed
	}
	if g.err != nil {
		return 0, g.err
	}
	if g.file == nil {
		if len(g.small)+len(p) <= cap(g.small) {
			g.small = append(g.small, p...)
			return len(p), nil
		}
		if g.err = g.spill(); g.err != nil {
			return 0, g.err
		}
	}
	n, err := g.file.Write(p)
	if err != nil {
		g.err = failure("stage", "", err)
	}
	return n, g.err
}

// Reader implements hub.Stage.
func (g *stage) Reader() io.Reader {
	if g.file == nil {
		return bytes.NewReader(g.small)
	}
	return io.NewSectionReader(g.file, 0, math.MaxInt64)
}

// spill goes on in a file.
func (g *stage) spill() error {
	file, err := g.store.create()
	if err != nil {
		return failure("stage", "", err)
	}
	g.file = file
	if _, err := file.Write(g.small); err != nil {
		return failure("stage", "", err)
	}
	g.release()
	return nil
}

// Publish implements hub.Stage.
func (g *stage) Publish(ctx context.Context, key string) error {
	defer g.Discard()
	if g.ended {
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
	if g.file != nil {
		if g.store.taken(key) {
			return object.Taken(key)
		}
		return g.store.publishStaged(g.file, key)
	}
	return g.store.publishSmall(g.small, key)
}

// Discard implements hub.Stage.
func (g *stage) Discard() {
	g.ended = true
	g.release()
	if g.file != nil {
		discard(g.file)
		g.file = nil
	}
}

func (g *stage) release() {
	if g.small != nil {
		g.store.staged.giveBack(g.small)
		g.small = nil
	}
}

// publishStaged is publish in the other order: the name first, then the fsyncs of file and folder side by side, which wait
// for the disk's journal once. A power cut in between leaves a file under its key that may be cut short. That is good
// enough for what is staged, whose key nobody knows until Publish has returned; it is not for commits, which others look for.
func (s *Store) publishStaged(file *os.File, key string) error {
	folder, err := s.place(os.Link, file.Name(), key)
	switch {
	case errors.Is(err, fs.ErrExist) && s.taken(key):
		return object.Taken(key)
	case err != nil:
		return failure("create", key, err)
	}
	return s.settle(file, folder, key)
}

// publishSmall is publishStaged for bytes in memory: the file is made under its key at once, which asks one entry of the
// journal instead of three.
func (s *Store) publishSmall(data []byte, key string) error {
	var file *os.File
	folder, err := s.place(func(_, path string) (err error) {
		file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
		return err
	}, "", key)
	switch {
	case errors.Is(err, fs.ErrExist) && s.taken(key):
		return object.Taken(key)
	case err != nil:
		return failure("create", key, err)
	}
	defer file.Close()
	if err := fill(file, data); err != nil {
		os.Remove(s.path(key))
		return failure("create", key, err)
	}
	return s.settle(file, folder, key)
}

// settle makes a file that has its name durable, or takes the name away again. File and folder are fsynced at the same time:
// each is needed, neither waits for the other.
func (s *Store) settle(file *os.File, folder *folder, key string) error {
	named := make(chan error, 1)
	go func() { named <- folder.sync() }()
	err := s.sync.file(file)
	if err != nil {
		err = failure("fsync", key, err)
	}
	if unnamed := <-named; unnamed != nil && err == nil {
		err = failure("fsync the folder of", key, unnamed)
	}
	if err != nil {
		os.Remove(s.path(key)) // it was not published
	}
	return err
}
