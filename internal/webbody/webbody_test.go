package webbody_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"concord/hub"
	"concord/internal/webbody"
)

func zip(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func request(body io.Reader, coding string) *http.Request {
	r := httptest.NewRequest("POST", "/", body)
	if coding != "" {
		r.Header.Set("Content-Encoding", coding)
	}
	return r
}

func TestBodiesAreReadWithinTheirLimit(t *testing.T) {
	text := strings.Repeat("a record ", 100)
	unsized := func(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b)) }
	cases := map[string]struct {
		body   io.Reader
		coding string
		limit  int64
		kind   hub.ErrKind
		ok     bool
	}{
		"as it is":                          {strings.NewReader(text), "", 900, 0, true},
		"exactly the limit, length unknown": {unsized([]byte(text)), "", 900, 0, true},
		"one byte over, announced":          {strings.NewReader(text), "", 899, hub.TooLarge, false},
		"one byte over, length unknown":     {unsized([]byte(text)), "identity", 899, hub.TooLarge, false},
		"gzip":                              {bytes.NewReader(zip(t, []byte(text))), "gzip", 900, 0, true},
		"gzip in other letters":             {bytes.NewReader(zip(t, []byte(text))), "GZIP", 900, 0, true},
		"gzip that inflates over":           {bytes.NewReader(zip(t, []byte(text))), "gzip", 899, hub.TooLarge, false},
		"gzip that is none":                 {strings.NewReader(text), "gzip", 900, hub.Invalid, false},
		"gzip that is cut":                  {bytes.NewReader(zip(t, []byte(text))[:30]), "gzip", 900, hub.Invalid, false},
		"gzip twice":                        {bytes.NewReader(zip(t, zip(t, []byte(text)))), "gzip, gzip", 900, hub.Unsupported, false},
		"brotli":                            {strings.NewReader(text), "br", 900, hub.Unsupported, false},
		"no limit":                          {strings.NewReader(text), "", 0, 0, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []byte
			r, err := webbody.Reader(request(c.body, c.coding), c.limit)
			if err == nil {
				got, err = io.ReadAll(r)
			}
			if c.ok && (err != nil || string(got) != text) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if !c.ok && !hub.Is(err, c.kind) {
				t.Fatalf("%v, want %v", err, c.kind)
			}
			if c.limit > 0 && int64(len(got)) > c.limit {
				t.Fatalf("%d bytes came through", len(got))
			}
		})
	}
}

func TestAGzipBombIsCutWhileMemoryStaysFlat(t *testing.T) {
	bomb := zip(t, make([]byte, 48<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := webbody.Reader(request(bytes.NewReader(bomb), "gzip"), 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	runtime.ReadMemStats(&after)
	if !hub.Is(err, hub.TooLarge) {
		t.Fatalf("%d bytes came through with %v", n, err)
	}
	if n > 16<<20 {
		t.Errorf("%d bytes came through before the cut", n)
	}
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 4<<20 {
		t.Errorf("%d bytes were allocated", grew)
	}
}

func TestNothingIsReadBeforeItIsAskedFor(t *testing.T) {
	body := &untouched{}
	for _, coding := range []string{"", "gzip"} {
		if _, err := webbody.Reader(request(body, coding), 100); err != nil {
			t.Fatal(err)
		}
	}
	if body.read {
		t.Fatal("the body was read")
	}
}

type untouched struct{ read bool }

func (u *untouched) Read([]byte) (int, error) { u.read = true; return 0, errors.New("read") }

func FuzzAnyGzipEndsWithinItsLimit(f *testing.F) {
	f.Add(zip(f, []byte("{}")))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := webbody.Reader(request(bytes.NewReader(data), "gzip"), 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := io.Copy(io.Discard, r); n > 1<<16 {
			t.Fatalf("%d bytes", n)
		}
	})
}
