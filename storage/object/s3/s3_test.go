package s3

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"concord/hub"
	"concord/storage/object"
	"concord/storage/object/miniotest"
	"concord/storage/object/objecttest"
)

func TestS3KeepsTheContract(t *testing.T) {
	url := miniotest.Start(t)
	objecttest.Run(t, func(t *testing.T) hub.Objects { return open(t, url, Options{}) })
}

func open(t testing.TB, url string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Bodies larger than Options.SinglePut go in parts; the same must hold for them.
func TestAnObjectInPartsIsCreatedOnce(t *testing.T) {
	const size = 11 << 20 // three parts
	s, ctx := open(t, miniotest.Start(t), Options{SinglePut: 1 << 20, PartSize: 5 << 20}), t.Context()

	var wg sync.WaitGroup
	var winners atomic.Int32
	for i := range 4 {
		wg.Go(func() {
			body := bytes.NewReader(bytes.Repeat([]byte{'a' + byte(i)}, size))
			// The racers all pass the look ahead; only the condition on the last request decides.
			err := s.putParts(ctx, "a", size, object.Exactly(ctx, body, size), createOnly())
			switch {
			case err == nil:
				winners.Add(1)
			case !hub.Is(s.failure("create", "a", err), hub.Exists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if winners.Load() != 1 {
		t.Errorf("%d writers won", winners.Load())
	}
	f, err := s.Open(ctx, "a", size-3, 10)
	must(t, err)
	defer f.Close()
	if data, err := io.ReadAll(f); err != nil || len(data) != 3 {
		t.Errorf("read %d bytes of the end, %v", len(data), err)
	}

	if err := s.PutNew(ctx, "a", size, bytes.NewReader(nil)); !hub.Is(err, hub.Exists) {
		t.Errorf("PutNew of a taken key: %v, want an Exists error before the body is read", err)
	}
	if err := s.PutNew(ctx, "b", size, bytes.NewReader(make([]byte, size-1))); !hub.Is(err, hub.Invalid) {
		t.Errorf("short body: %v, want an Invalid error", err)
	}
	if _, err := s.Open(ctx, "b", 0, -1); !hub.Is(err, hub.NotFound) {
		t.Errorf("a short body is visible: %v", err)
	}
	for _, key := range []string{"a", "b"} { // MinIO lists incomplete uploads of an exact key only
		for left := range s.core.ListIncompleteUploads(ctx, s.bucket, key, true) {
			t.Errorf("an incomplete upload of %s was left: %v", left.Key, left.Err)
		}
	}
}

func TestAStagedBodyThatFillsTheMemoryGoesToAFile(t *testing.T) {
	s, ctx := open(t, miniotest.Start(t), Options{SpoolDir: t.TempDir(), SpoolEach: 1 << 20, SpoolAll: 1 << 20}), t.Context()
	body := bytes.Repeat([]byte("0123456789"), 90_000)
	for i := range 3 {
		st, err := s.Stage(ctx)
		must(t, err)
		defer st.Discard()
		_, err = st.Write(body)
		must(t, err)
		if held := s.spooler.Held(); held > 1<<20 {
			t.Errorf("%d bytes are held in memory", held)
		}
		if i > 0 {
			must(t, st.Publish(ctx, fmt.Sprint("a", i)))
		}
	}
	f, err := s.Open(ctx, "a1", 0, -1)
	must(t, err)
	defer f.Close()
	if data, err := io.ReadAll(f); err != nil || !bytes.Equal(data, body) {
		t.Errorf("read %d bytes, %v", len(data), err)
	}
}

func TestALocationIsReadAndItsSecretKept(t *testing.T) {
	for location, want := range map[string]place{
		"http://k:s@h:9000/b":                   {host: "h:9000", bucket: "b", key: "k", secret: "s"},
		"https://k:s%2F%40@h/b/?region=cn-bj-1": {host: "h", bucket: "b", key: "k", secret: "s/@", region: "cn-bj-1", secure: true},
	} {
		if got, err := parse(location); err != nil || got != want {
			t.Errorf("%s: %+v, %v", location, got, err)
		}
	}
	for _, location := range []string{"", "h:9000/b", "ftp://k:hush@h/b", "http://h/b", "http://k@h/b", "http://k:hush@h", "http://k:hush@/b",
		"http://k:hush@h/b/c", "http://k:hush@h/b?regoin=x", "http://k:hush%zz@h/b", "http://k:hush@h:port/b"} {
		_, err := parse(location)
		if !hub.Is(err, hub.Invalid) || strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("%s: %v, want an Invalid error without the secret", location, err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
