package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// folders knows which folders below root exist durably.
type folders struct {
	root  string
	fsync func(path string) error
	mu    sync.Mutex
	known map[string]*folder
}

// maxKnown bounds the memory for known folders; forgetting one costs an fsync the next time.
const maxKnown = 1 << 16

func newFolders(root string, fsync func(path string) error) *folders {
	return &folders{root: root, fsync: fsync, known: map[string]*folder{}}
}

// ensure makes path and its parents and returns once all of them would survive a power cut.
func (f *folders) ensure(path string) (*folder, error) {
	f.mu.Lock()
	known := f.known[path]
	f.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if path != f.root {
		parent, err := f.ensure(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		if err := makeFolder(path); err != nil {
			return nil, err
		}
		if err := parent.sync(); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.known[path]; known != nil {
		return known, nil
	}
	if len(f.known) >= maxKnown {
		clear(f.known)
	}
	known = &folder{path: path, fsync: f.fsync}
	f.known[path] = known
	return known, nil
}

// forget makes the next ensure look again.
func (f *folders) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.known)
}

// makeFolder is content with a folder that is there.
func makeFolder(path string) error {
	err := os.Mkdir(path, 0o750)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	}
	return err
}

// folder lets those who changed one folder at about the same time share one fsync.
type folder struct {
	path    string
	fsync   func(path string) error
	syncing sync.Mutex // held by the leader during its fsync

	mu   sync.Mutex
	next *round // not begun yet; nil until somebody waits
}

// round is one fsync and all who wait for it.
type round struct {
	done chan struct{}
	err  error
}

// sync returns once every change made to the folder before the call is durable. The first to join a round leads it: it
// waits for the round before, closes its own to newcomers and fsyncs for all.
func (f *folder) sync() error {
	f.mu.Lock()
	r := f.next
	leads := r == nil
	if leads {
		r = &round{done: make(chan struct{})}
		f.next = r
	}
	f.mu.Unlock()
	if !leads {
		<-r.done
		return r.err
	}
	f.syncing.Lock()
	f.mu.Lock()
	f.next = nil
	f.mu.Unlock()
	r.err = f.fsync(f.path)
	f.syncing.Unlock()
	close(r.done)
	return r.err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
