package objecttest

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"concord/hub"
)

func (s *suite) staged() {
	for name, size := range map[string]int{"empty": 0, "small": 1000, "large": 10 << 20} {
		key, body := s.at+name, pattern(size)
		st := s.stage(body)
		if keys := s.list(s.at, ""); len(keys) > 0 {
			s.Errorf("%s: visible before Publish: %v", name, keys)
		}
		if _, err := s.Open(s.Context(), key, 0, -1); !hub.Is(err, hub.NotFound) {
			s.Errorf("%s: readable before Publish: %v", name, err)
		}
		for _, from := range []int{0, size / 3, size - 1, size, 0} {
			from = max(0, from)
			if got, err := io.ReadAll(st.Reader(int64(from))); err != nil || !bytes.Equal(got, body[from:]) {
				s.Errorf("%s: before Publish %d bytes of %d from %d on are read, or others: %v", name, len(got), size, from, err)
			}
		}
		if err := st.Publish(s.Context(), key); err != nil {
			s.Fatalf("%s: %v", name, err)
		}
		st.Discard()
		if got := s.read(key, 0, -1); !bytes.Equal(got, body) {
			s.Errorf("%s: %d bytes of %d, or others", name, len(got), size)
		}
		if err := st.Publish(s.Context(), key+"-again"); err == nil {
			s.Errorf("%s: published twice", name)
		}
		s.at += "next/"
	}
	st := s.stage([]byte("nobody wants this"))
	st.Discard()
	st.Discard()
	if keys := s.list(s.at, ""); len(keys) > 0 {
		s.Errorf("a discarded upload left %v", keys)
	}
}

// stagedTruncated takes bytes back at places inside and between whatever units a driver stages in.
func (s *suite) stagedTruncated() {
	const mb = 1 << 20
	for i, c := range []struct{ first, back, then int }{
		{1000, 1000, 10}, {1000, 1, 5}, {1000, 0, 0}, {mb + 5, mb + 1, 7}, {3*mb + 1, mb + 4097, 100}, {3*mb + 1, mb + 4097, 4 * mb}, {3 * mb, 2 * mb, 0},
		{2*mb + 3, 5, 6}, {5 * mb, 0, 3}, {10 * mb, 9*mb + 9, mb}, {10 * mb, 20 * mb, mb},
	} {
		key, first, then := fmt.Sprint(s.at, i), pattern(c.first), bytes.Repeat([]byte{'t'}, c.then)
		want := append(first[:min(c.back, c.first):min(c.back, c.first)], then...)
		st := s.stage(first)
		for range 2 {
			if err := st.Truncate(int64(c.back)); err != nil {
				s.Fatalf("%v: %v", c, err)
			}
		}
		if _, err := st.Write(then); err != nil {
			s.Fatalf("%v: %v", c, err)
		}
		if got, err := io.ReadAll(st.Reader(0)); err != nil || !bytes.Equal(got, want) {
			s.Errorf("%v: before Publish %d bytes, or others: %v", c, len(got), err)
		}
		if err := st.Publish(s.Context(), key); err != nil {
			s.Fatalf("%v: %v", c, err)
		}
		if got := s.read(key, 0, -1); !bytes.Equal(got, want) {
			s.Errorf("%v: %d bytes of %d, or others", c, len(got), len(want))
		}
		if st.Truncate(0) == nil {
			s.Errorf("%v: truncated after Publish", c)
		}
	}
}

func (s *suite) stagedTaken() {
	s.put(s.at+"a", "first")
	st := s.stage([]byte("second"))
	if err := st.Publish(s.Context(), s.at+"a"); !hub.Is(err, hub.Exists) {
		s.Errorf("Publish: %v, want an Exists error", err)
	}
	st.Discard()
	if got := s.read(s.at+"a", 0, -1); string(got) != "first" {
		s.Errorf("the key holds %q", got)
	}
}

func (s *suite) derived() {
	ctx, key := s.Context(), "derived/"+s.at+"a/b"
	for _, body := range []string{"first", "the second", ""} {
		if err := s.kept.Put(ctx, key, int64(len(body)), strings.NewReader(body)); err != nil {
			s.Fatal(err)
		}
		if got := s.read(key, 0, -1); string(got) != body {
			s.Errorf("derived object is %q, want %q", got, body)
		}
	}
	if err := s.kept.Put(ctx, key, 5, strings.NewReader("cut")); !hub.Is(err, hub.Invalid) {
		s.Errorf("short body: %v, want an Invalid error", err)
	}
	if got := s.read(key, 0, -1); string(got) != "" {
		s.Errorf("a broken Put changed the object to %q", got)
	}
	for range 2 {
		if err := s.kept.Delete(ctx, key); err != nil {
			s.Errorf("Delete: %v", err)
		}
	}
	if _, err := s.Open(ctx, key, 0, -1); !hub.Is(err, hub.NotFound) {
		s.Errorf("after Delete: %v, want a NotFound error", err)
	}
}

func (s *suite) stage(body []byte) hub.Stage {
	s.Helper()
	st, err := s.stager.Stage(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for rest := body; len(rest) > 0; {
		n, err := st.Write(rest[:min(len(rest), 100_000)])
		if err != nil {
			s.Fatal(err)
		}
		rest = rest[n:]
	}
	return st
}
