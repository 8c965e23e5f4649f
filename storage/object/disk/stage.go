package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"concord/hub"
	"concord/storage/object"
)

// What is staged stays in memory while it is small and there is room, and touches the disk in Publish only: creating a
// file waits for the disk's journal, and the sender's next bytes should not have to. What is larger goes to a
// temporary file as it comes, a buffer at a time.
const (
	stageBuffer  = 1 << 20
	stageBuffers = 64 // of all uploads together
)

// Stage implements hub.Stager.
func (s *Store) Stage(ctx context.Context) (hub.Stage, error) {
	if err := ctx.Err(); err != nil {
		return nil, failure("stage", "", err)
	}
	return &stage{store: s, block: s.staged.take()}, nil
}

// shelf lends the buffers of what is staged. What was given back last is lent first, for the processor still has it in its
// cache, so that as many are made as were ever needed at a time.
type shelf struct {
	mu   sync.Mutex
	free [][]byte
	lent int
}

// take lends an empty buffer, or nil when all are lent.
func (s *shelf) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lent == stageBuffers {
		return nil
	}
	s.lent++
	n := len(s.free)
	if n == 0 {
		return alignedBuffer(stageBuffer)
	}
	b := s.free[n-1]
	s.free = s.free[:n-1]
	return b
}

func (s *shelf) giveBack(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lent--
	s.free = append(s.free, b[:0])
}

type stage struct {
	store *Store
	block []byte   // the last of the bytes, lent by store.staged; nil when none was left to lend
	file  *os.File // the bytes before them; nil for none
	done  int64    // how many those are: whole blocks of the disk, unless block is nil
	most  int64    // how many the file ever had
	err   error    // of the first call that had one
	ended bool
}

// Write implements io.Writer. After an error the upload cannot be published any more.
func (g *stage) Write(p []byte) (n int, _ error) {
	switch {
	case g.ended:
		return 0, os.ErrClosed
	case g.block == nil && g.err == nil:
		g.pass(p, false)
		return len(p), g.err
	}
	for n < len(p) && g.err == nil {
		k := min(len(p)-n, cap(g.block)-len(g.block))
		g.block = append(g.block, p[n:n+k]...)
		if n += k; len(g.block) == cap(g.block) && n < len(p) {
			g.pass(g.block, true)
			g.block = g.block[:0]
		}
	}
	return n, g.err
}

// pass writes to the file, which is made with the first bytes.
func (g *stage) pass(p []byte, aligned bool) {
	if g.file == nil {
		if g.file, g.err = g.store.create(); g.err != nil {
			g.err = failure("stage", "", g.err)
			return
		}
	}
	if err := fill(g.file, p, g.done, aligned); err != nil {
		g.err = failure("stage", "", err)
		return
	}
	g.done += int64(len(p))
	g.most = max(g.most, g.done)
}

// Reader implements hub.Stage.
func (g *stage) Reader(from int64) io.Reader {
	block := bytes.NewReader(g.block[min(max(0, from-g.done), int64(len(g.block))):])
	if from >= g.done {
		return block
	}
	return io.MultiReader(io.NewSectionReader(g.file, from, g.done-from), block)
}

// Truncate implements hub.Stage. What stays of the disk's block that size lies in comes back into memory.
func (g *stage) Truncate(size int64) error {
	switch {
	case g.ended:
		return os.ErrClosed
	case g.err != nil || size >= g.done+int64(len(g.block)):
		return g.err
	case size >= g.done:
		g.block = g.block[:size-g.done]
		return nil
	case g.block == nil:
		g.done = size
		return nil
	}
	g.done = size &^ (directBlock - 1)
	g.block = g.block[:size-g.done]
	if _, err := g.file.ReadAt(g.block, g.done); err != nil {
		g.err = failure("stage", "", err)
	}
	return g.err
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
	if g.file == nil {
		return g.store.publishSmall(g.block, key)
	}
	if g.store.taken(key) {
		return object.Taken(key)
	}
	if g.pass(g.block, true); g.err != nil {
		return g.err
	}
	if g.most > g.done {
		if err := g.file.Truncate(g.done); err != nil {
			return failure("create", key, err)
		}
	}
	return g.store.publishStaged(g.file, key)
}

// Discard implements hub.Stage.
func (g *stage) Discard() {
	g.ended = true
	if g.block != nil {
		g.store.staged.giveBack(g.block)
		g.block = nil
	}
	if g.file != nil {
		discard(g.file)
		g.file = nil
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
	if err := fill(file, data, 0, true); err != nil {
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
