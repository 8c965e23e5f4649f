package disk

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/storage/object/objecttest"
)

func TestDiskKeepsTheContract(t *testing.T) {
	root := t.TempDir()
	objecttest.Run(t, func(t *testing.T) hub.Objects { return open(t, root) })
}

func open(t testing.TB, root string) *Store {
	s, err := Open(root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenRemovesOnlyStaleUploads(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	for _, name := range []string{"old", "new"} {
		if err := os.WriteFile(filepath.Join(s.temp, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	twoDaysAgo := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(filepath.Join(s.temp, "old"), twoDaysAgo, twoDaysAgo); err != nil {
		t.Fatal(err)
	}
	open(t, root)
	if got := tempFiles(t, s); len(got) != 1 || got[0] != "new" {
		t.Errorf("left in @tmp: %v, want the new one", got)
	}
}

func TestEveryEndOfAnUploadClearsItsTemporaryFile(t *testing.T) {
	s, ctx := open(t, t.TempDir()), t.Context()
	must(t, s.PutNew(ctx, "a", 1, strings.NewReader("x")))
	s.PutNew(ctx, "a", 1, strings.NewReader("x"))
	s.PutNew(ctx, "b", 2, strings.NewReader("x"))
	must(t, s.Put(ctx, "derived/a", 1, strings.NewReader("x")))
	for _, key := range []string{"c", "a", "../c"} {
		st, err := s.Stage(ctx)
		must(t, err)
		st.Write([]byte("x"))
		st.Publish(ctx, key)
	}
	if got := tempFiles(t, s); len(got) > 0 {
		t.Errorf("left in @tmp: %v", got)
	}
}

func TestFoldersRemovedBehindTheStoresBackAreMadeAgain(t *testing.T) {
	s, ctx := open(t, t.TempDir()), t.Context()
	for range 2 {
		must(t, s.Put(ctx, "derived/a/b/c", 1, strings.NewReader("x")))
		must(t, s.PutNew(ctx, "derived/a/n/d", 1, strings.NewReader("x")))
		must(t, os.RemoveAll(filepath.Join(s.root, "derived")))
	}
}

func TestAKeyCannotBeTheFolderOfAnother(t *testing.T) {
	s, ctx := open(t, t.TempDir()), t.Context()
	must(t, s.PutNew(ctx, "a/b", 1, strings.NewReader("x")))
	for _, key := range []string{"a", "a/b/c", "a/b/c/d"} {
		if err := s.PutNew(ctx, key, 1, strings.NewReader("x")); !hub.Is(err, hub.Conflict) {
			t.Errorf("PutNew %s: %v, want a Conflict error", key, err)
		}
	}
}

func TestWritersOfOneFolderShareItsFsync(t *testing.T) {
	f := &folder{path: t.TempDir(), fsync: syncFolder}
	f.syncing.Lock() // an fsync is under way
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { must(t, f.sync()) })
	}
	for f.waiting() == nil {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	r := f.waiting()
	f.syncing.Unlock()
	wg.Wait()
	select {
	case <-r.done:
	default:
		t.Error("the writers that came during an fsync did not all wait for the next one")
	}
	if f.waiting() != nil {
		t.Error("a round was left behind")
	}
}

func (f *folder) waiting() *round {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// A response of known length that is copied from a Reader reaches the socket's own ReadFrom with the file, which is
// what sendfile needs.
func TestTheReaderHandsItsFileToTheWriter(t *testing.T) {
	s, ctx := open(t, t.TempDir()), t.Context()
	must(t, s.PutNew(ctx, "a", 10, strings.NewReader("0123456789")))
	f, err := s.Open(ctx, "a", 2, 5)
	must(t, err)
	defer f.Close()
	var w fileTaker
	n, err := io.Copy(&w, f)
	if err != nil || n != 5 || !w.gotFile || w.String() != "23456" {
		t.Errorf("copied %d bytes %q, file handed over: %v, %v", n, w.String(), w.gotFile, err)
	}
	if size := f.(interface{ Size() int64 }).Size(); size != 5 {
		t.Errorf("Size is %d", size)
	}
}

type fileTaker struct {
	bytes.Buffer
	gotFile bool
}

func (w *fileTaker) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if ok {
		_, w.gotFile = limited.R.(*os.File)
	}
	return w.Buffer.ReadFrom(r)
}

func tempFiles(t *testing.T, s *Store) (names []string) {
	entries, err := os.ReadDir(s.temp)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
