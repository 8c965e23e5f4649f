package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
)

// onlooker is a syncer that notes what it finds when a file or folder is made durable.
type onlooker struct {
	mu    sync.Mutex
	steps []string
	fail  string // the step that goes wrong
}

var errNoSpace = errors.New("no space")

// watch notes each fsync of a store: of what, how long the file is then, and whether key has its name already.
func watch(t *testing.T, s *Store, key string) *onlooker {
	o := &onlooker{}
	note := func(what string, do func() error) error {
		named := " without a name"
		if info, err := os.Lstat(s.path(key)); err == nil && info.Mode().IsRegular() {
			named = " with a name"
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.fail == what {
			return errNoSpace
		}
		o.steps = append(o.steps, what+named)
		return do()
	}
	s.sync = syncer{
		file: func(f *os.File) error {
			info, err := f.Stat()
			if err != nil || info.Size() == 0 {
				t.Errorf("a file of %d bytes is made durable: %v", info.Size(), err)
			}
			return note("file", f.Sync)
		},
		folder: func(path string) error {
			if path != filepath.Dir(s.path(key)) {
				return syncFolder(path) // of the folders above
			}
			return note("folder", func() error { return syncFolder(path) })
		},
	}
	return o
}

// Others look for the key of the next commit: under it there must be the whole commit or nothing, after a power cut too.
func TestWhatIsPutIsDurableBeforeItHasItsNameAndItsNameBeforePutNewReturns(t *testing.T) {
	s := open(t, t.TempDir())
	o := watch(t, s, "log/a/1")
	must(t, s.PutNew(t.Context(), "log/a/1", 3, strings.NewReader("abc")))
	if got := strings.Join(o.steps, ", "); got != "file without a name, folder with a name" {
		t.Errorf("the steps are %s", got)
	}
}

// Nobody knows the key of what is staged until Publish returns, so file and name may become durable in any order; both must
// have begun after the bytes were written and the name given, and both must be done.
func TestWhatIsStagedIsDurableWithItsNameBeforePublishReturns(t *testing.T) {
	for name, size := range map[string]int{"small": 1000, "large": 3 * stageBuffer} {
		s := open(t, t.TempDir())
		o := watch(t, s, "blob/a/1")
		must(t, publish(t, s, "blob/a/1", size))
		file, folder := "file with a name", "folder with a name"
		if got := strings.Join(o.steps, ", "); got != file+", "+folder && got != folder+", "+file {
			t.Errorf("%s: the steps are %s", name, got)
		}
	}
}

func TestPublishWaitsForFileAndFolder(t *testing.T) {
	for _, slow := range []string{"file", "folder"} {
		s := open(t, t.TempDir())
		watch(t, s, "blob/a/1")
		under, goOn, other, real := make(chan struct{}), make(chan struct{}), make(chan struct{}), s.sync
		hold := func(what string, do func() error) error {
			if what != slow {
				defer close(other)
				return do()
			}
			close(under)
			<-goOn
			return do()
		}
		s.sync.file = func(f *os.File) error { return hold("file", func() error { return real.file(f) }) }
		s.sync.folder = func(path string) error {
			if path != filepath.Dir(s.path("blob/a/1")) {
				return real.folder(path)
			}
			return hold("folder", func() error { return real.folder(path) })
		}
		done := make(chan error, 1)
		go func() { done <- publish(t, s, "blob/a/1", 1000) }()
		<-under
		<-other
		time.Sleep(10 * time.Millisecond)
		select {
		case <-done:
			t.Errorf("Publish returned before the %s was durable", slow)
		default:
		}
		close(goOn)
		must(t, <-done)
	}
}

func TestWhatCannotBeMadeDurableIsNotPublished(t *testing.T) {
	for _, part := range []string{"file", "folder"} {
		for name, size := range map[string]int{"small": 1000, "large": 3 * stageBuffer} {
			s := open(t, t.TempDir())
			o := watch(t, s, "blob/a/1")
			o.fail = part
			if err := publish(t, s, "blob/a/1", size); !errors.Is(err, errNoSpace) || !hub.Is(err, hub.Unavailable) {
				t.Errorf("%s, %s: %v", part, name, err)
			}
			if s.taken("blob/a/1") {
				t.Errorf("%s, %s: it has its name", part, name)
			}
		}
	}
}

func publish(t *testing.T, s *Store, key string, size int) error {
	g, err := s.Stage(t.Context())
	must(t, err)
	_, err = g.Write(bytes.Repeat([]byte{'x'}, size))
	must(t, err)
	return g.Publish(t.Context(), key)
}
