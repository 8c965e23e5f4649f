package objecttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"concord/hub"
)

func (s *suite) listOrder() {
	// '-' and '.' sort before '/', digits and letters after it.
	want := []string{"a-b/x", "a-c", "a.b", "a/b", "a/b-c", "a/c/d", "a/c0", "a0", "a_", "aa/a", "aa/b", "b/A", "b/a", "c"}
	s.putAll(want)
	if !slices.IsSorted(want) {
		s.Fatal("the test's own keys are not in order")
	}
	for _, c := range []struct{ prefix, after string }{
		{"", ""}, {"a", ""}, {"a/", ""}, {"a/c", ""}, {"aa", ""}, {"aa/", ""}, {"a-", ""}, {"b/a", ""}, {"zz", ""}, {"c/", ""},
		{"", "a/b"}, {"", "a-b"}, {"", "a/"}, {"", "a/c"}, {"", "a/zzz"}, {"", "c"}, {"", "a."},
		{"a", "a.b"}, {"a/", "a/b"}, {"a/", "a/c/d"}, {"b/", "a"}, {"a", "b"}, {"a/c", "a/c/a"}, {"aa/", "aa/a"},
	} {
		var expected []string
		for _, key := range want {
			if strings.HasPrefix(key, c.prefix) && (c.after == "" || key > c.after) {
				expected = append(expected, s.at+key)
			}
		}
		after := c.after
		if after != "" {
			after = s.at + after
		}
		if got := s.list(s.at+c.prefix, after); !slices.Equal(got, expected) {
			s.Errorf("prefix %q after %q:\n got %v\nwant %v", c.prefix, c.after, got, expected)
		}
	}
	for key, err := range s.List(s.Context(), s.at, "") {
		if err != nil || key != s.at+want[0] {
			s.Errorf("first key: %q, %v", key, err)
		}
		break // a caller may stop at any time
	}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	for key, err := range s.List(ctx, s.at, "") {
		if !hub.Is(err, hub.Unavailable) {
			s.Errorf("cancelled listing: %q, %v", key, err)
		}
	}
	for key, err := range s.List(s.Context(), "../", "") {
		if !hub.Is(err, hub.Invalid) {
			s.Errorf("listing above the root: %q, %v", key, err)
		}
	}
}

func (s *suite) listAfter() {
	const n = 1100 // more than a page of S3
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("log/%016d", i+1))
	}
	s.putAll(append(want, "kog/a", "log-/a", "mog/a"))
	for i := range want {
		want[i] = s.at + want[i]
	}
	if got := s.list(s.at+"log/", ""); !slices.Equal(got, want) {
		s.Errorf("%d keys or not in order, want %d", len(got), n)
	}
	for _, i := range []int{0, 998, 999, 1000, n - 2, n - 1} {
		if got := s.list(s.at+"log/", want[i]); !slices.Equal(got, want[i+1:]) {
			s.Errorf("after key %d: %d keys, want %d", i+1, len(got), n-1-i)
		}
	}
}

func (s *suite) putAll(keys []string) {
	s.Helper()
	var wg sync.WaitGroup
	free := make(chan struct{}, 16)
	for _, key := range keys {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			if err := s.PutNew(s.Context(), s.at+key, 1, strings.NewReader("x")); err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
}
