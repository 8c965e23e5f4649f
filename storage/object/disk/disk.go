// Package disk keeps objects as files below one folder: the key is the path.
//
//	<root>/log/records/0000000000000001   key log/records/0000000000000001
//	<root>/@tmp/…                         uploads on their way; '@' cannot occur in a key
//
// An object of PutNew is written to a temporary file, fsynced, and given its name by link(2), which fails when the name is
// taken: of several racers exactly one wins, and nothing half written ever has a name. The folder is then fsynced; writers
// that wait for the same folder share one fsync. What is staged has its name before its fsync, see Stage, and goes past the
// page cache when it is large.
package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"concord/hub"
	"concord/storage/object"
)

var (
	_ hub.Objects = (*Store)(nil)
	_ hub.Stager  = (*Store)(nil)
	_ hub.Derived = (*Store)(nil)
)

// Options may be left zero.
type Options struct {
	// StaleAfter is the age at which Open removes an upload that a crash left behind; a day unless set.
	StaleAfter time.Duration
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Store is a folder of objects. It is safe for concurrent use, also by several processes on one machine.
type Store struct {
	root    string
	temp    string
	sync    syncer
	folders *folders
	buffers sync.Pool // *[]byte for copying
	staged  shelf
}

const copyBuffer = 256 << 10

// syncer makes what was written durable. Tests look on with one of their own.
type syncer struct {
	file   func(*os.File) error
	folder func(path string) error
}

// Open makes the folder when it is not there and clears it of uploads that a crash left behind.
func Open(root string, opts Options) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, unusable(root, err)
	}
	s := &Store{root: root, temp: filepath.Join(root, "@tmp"), sync: syncer{(*os.File).Sync, syncFolder}}
	s.folders = newFolders(root, func(path string) error { return s.sync.folder(path) })
	s.buffers.New = func() any { b := make([]byte, copyBuffer); return &b }
	if err := os.MkdirAll(s.temp, 0o750); err != nil {
		return nil, unusable(root, err)
	}
	if err := syncFolder(filepath.Dir(root)); err != nil {
		return nil, unusable(root, err)
	}
	now, stale := opts.Now, opts.StaleAfter
	if now == nil {
		now = time.Now
	}
	if stale <= 0 {
		stale = 24 * time.Hour
	}
	if err := s.removeStale(now().Add(-stale)); err != nil {
		return nil, unusable(root, err)
	}
	return s, nil
}

// PutNew implements hub.Objects.
func (s *Store) PutNew(ctx context.Context, key string, size int64, r io.Reader) error {
	if err := object.CheckKey(key); err != nil {
		return err
	}
	if s.taken(key) {
		return object.Taken(key)
	}
	file, err := s.receive(ctx, key, size, r)
	if err != nil {
		return err
	}
	defer discard(file)
	return s.publish(file, key)
}

// Put implements hub.Derived. It does not fsync: after a power cut a derived object may be old, empty or cut short, and
// whoever reads one back must be able to tell.
func (s *Store) Put(ctx context.Context, key string, size int64, r io.Reader) error {
	if err := object.CheckDerived(key); err != nil {
		return err
	}
	file, err := s.receive(ctx, key, size, r)
	if err != nil {
		return err
	}
	defer discard(file)
	if _, err := s.place(os.Rename, file.Name(), key); err != nil {
		return failure("replace", key, err)
	}
	return nil
}

// Delete implements hub.Derived. A key that is not there is no error.
func (s *Store) Delete(_ context.Context, key string) error {
	if err := object.CheckDerived(key); err != nil {
		return err
	}
	if err := os.Remove(s.path(key)); err != nil && !absent(err) {
		return failure("delete", key, err)
	}
	return nil
}

// receive writes a body of known size to a temporary file.
func (s *Store) receive(ctx context.Context, key string, size int64, r io.Reader) (*os.File, error) {
	file, err := s.create()
	if err != nil {
		return nil, failure("create", key, err)
	}
	body := object.Exactly(ctx, r, size)
	buffer := s.buffers.Get().(*[]byte)
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, body, *buffer)
	s.buffers.Put(buffer)
	switch {
	case body.Err() != nil:
		err = fmt.Errorf("create object %s: %w", key, body.Err())
	case err != nil:
		err = failure("create", key, err)
	default:
		return file, nil
	}
	discard(file)
	return nil, err
}

func (s *Store) create() (*os.File, error) {
	return os.OpenFile(filepath.Join(s.temp, rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
}

// publish gives a temporary file its name, durably and only if the name is free.
func (s *Store) publish(file *os.File, key string) error {
	if err := s.sync.file(file); err != nil {
		return failure("fsync", key, err)
	}
	folder, err := s.place(os.Link, file.Name(), key)
	switch {
	case errors.Is(err, fs.ErrExist) && s.taken(key):
		return object.Taken(key)
	case err != nil:
		return failure("create", key, err)
	}
	if err := folder.sync(); err != nil {
		return failure("fsync the folder of", key, err)
	}
	return nil
}

// place links or renames a temporary file to its key. Folders that were removed behind our back (derived/ may be, at
// any time) are made anew.
func (s *Store) place(do func(from, to string) error, temp, key string) (*folder, error) {
	path := s.path(key)
	for again := false; ; again = true {
		folder, err := s.folders.ensure(filepath.Dir(path))
		if err == nil {
			err = do(temp, path)
		}
		if errors.Is(err, fs.ErrNotExist) && !again {
			s.folders.forget()
			continue
		}
		return folder, err
	}
}

func (s *Store) taken(key string) bool {
	info, err := os.Lstat(s.path(key))
	return err == nil && info.Mode().IsRegular()
}

func (s *Store) path(key string) string { return filepath.Join(s.root, filepath.FromSlash(key)) }

func (s *Store) removeStale(before time.Time) error {
	entries, err := os.ReadDir(s.temp)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.ModTime().After(before) {
			continue // it was published meanwhile, or is on its way
		}
		if err := os.Remove(filepath.Join(s.temp, e.Name())); err != nil && !absent(err) {
			return err
		}
	}
	return nil
}

func discard(file *os.File) {
	file.Close()
	os.Remove(file.Name())
}

// absent also holds where a parent of the path is a file: there is no such key then either.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func failure(verb, key string, err error) error {
	e := &hub.Error{Kind: hub.Unavailable, Msg: verb + " object " + key, Err: err}
	switch {
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist):
		e.Kind = hub.Conflict
		e.Hint = "a key must not be the folder of another"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Hint = "the disk is full"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		e.Hint = "the hub's user needs to write in its data folder"
	}
	return e
}

func unusable(root string, err error) error {
	return &hub.Error{Kind: hub.Unavailable, Msg: "open the object folder " + root, Err: err,
		Hint: "it must be a folder that the hub's user may write"}
}
