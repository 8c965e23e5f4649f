package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"concord/hub"
)

func TestABodyComesBackWholeFromMemoryAndFile(t *testing.T) {
	for name, c := range map[string]struct {
		each, budget int64
		size         int
		inMemory     bool
	}{
		"empty":                 {1 << 20, 1 << 20, 0, true},
		"one byte":              {1 << 20, 1 << 20, 1, true},
		"just fits":             {1 << 20, 1 << 20, 1 << 20, true},
		"one byte too many":     {1 << 20, 1 << 30, 1<<20 + 1, false},
		"budget spent":          {1 << 20, chunk, chunk + 1, false},
		"no budget from begin":  {1 << 20, 0, 1, false},
		"many times the memory": {1 << 20, 1 << 20, 5 << 20, false},
	} {
		s := New(t.TempDir(), c.each, c.budget)
		body := s.Body()
		want := make([]byte, c.size)
		for i := range want {
			want[i] = byte(i % 251)
		}
		for rest := want; len(rest) > 0; {
			n, err := body.Write(rest[:min(len(rest), 10_007)])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			rest = rest[n:]
		}
		for range 2 {
			if got, err := io.ReadAll(body.Reader(0)); err != nil || !bytes.Equal(got, want) || body.Size() != int64(c.size) {
				t.Errorf("%s: read %d of %d bytes, or others, %v", name, len(got), c.size, err)
			}
		}
		if inMemory := body.file == nil; inMemory != c.inMemory {
			t.Errorf("%s: in memory: %v", name, inMemory)
		}
		if s.Held() > c.budget {
			t.Errorf("%s: %d bytes held, %d allowed", name, s.Held(), c.budget)
		}
		body.Close()
		body.Close()
		if s.Held() != 0 {
			t.Errorf("%s: %d bytes held after Close", name, s.Held())
		}
		if _, err := body.Write([]byte("x")); err == nil {
			t.Errorf("%s: a closed body takes bytes", name)
		}
	}
}

func TestTheFileHasNoName(t *testing.T) {
	dir := t.TempDir()
	body := New(dir, 1, 1).Body()
	defer body.Close()
	if _, err := body.Write([]byte("more than one")); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestAFolderThatIsNotThereIsUnavailable(t *testing.T) {
	body := New(t.TempDir()+"/nowhere", 1, 1).Body()
	defer body.Close()
	_, err := body.Write([]byte("xx"))
	if !hub.Is(err, hub.Unavailable) || !errors.Is(err, os.ErrNotExist) || body.Err() == nil {
		t.Errorf("%v, want an Unavailable error", err)
	}
}
