// Package objecttest is the suite that every driver of hub.Objects passes. A driver's own test is three lines.
package objecttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"concord/hub"
)

// Run holds a store to the contracts of hub.Objects, hub.Stager and hub.Derived, all of which it must implement. Each
// call of open opens the same place; what is in it already does no harm. With -short the gigabyte is left out.
func Run(t *testing.T, open func(t *testing.T) hub.Objects) {
	for _, c := range []struct {
		name string
		test func(s *suite)
	}{
		{"OneOfManyRacersWins", (*suite).oneRacerWins},
		{"OneOfManyRacersWinsWithLargeBodies", (*suite).oneLargeRacerWins},
		{"ATakenKeyKeepsItsBytes", (*suite).takenKey},
		{"RangesAreExact", (*suite).ranges},
		{"AMissingKeyIsNotFoundOnOpen", (*suite).missing},
		{"ListingIsInByteOrder", (*suite).listOrder},
		{"ListingContinuesAfterAKey", (*suite).listAfter},
		{"AnInterruptedUploadLeavesNothing", (*suite).interrupted},
		{"BadKeysAreRefusedEverywhere", (*suite).badKeys},
		{"WritersOfDifferentKeysDoNotMeet", (*suite).concurrentKeys},
		{"AStagedUploadAppearsWhenPublished", (*suite).staged},
		{"WhatIsTakenBackIsNotPublished", (*suite).stagedTruncated},
		{"AStagedUploadLosesAgainstATakenKey", (*suite).stagedTaken},
		{"DerivedObjectsAreReplacedAndDeleted", (*suite).derived},
		{"ReopeningSeesEverything", (*suite).reopened},
		{"AllSizesInFlatMemory", (*suite).sizes},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, open: open, Objects: open(t), at: "objecttest/" + rand.Text()[:10] + "/"}
			s.stager, _ = s.Objects.(hub.Stager)
			s.kept, _ = s.Objects.(hub.Derived)
			if s.stager == nil || s.kept == nil {
				t.Fatal("a driver implements hub.Stager and hub.Derived too")
			}
			c.test(s)
		})
	}
}

// suite is one test: a store, and a place in it that nobody else writes to.
type suite struct {
	*testing.T
	hub.Objects
	stager hub.Stager
	kept   hub.Derived
	open   func(t *testing.T) hub.Objects
	at     string
}

func (s *suite) oneRacerWins()      { s.race(s.at+"small", 100) }
func (s *suite) oneLargeRacerWins() { s.race(s.at+"large", 3<<20) }

func (s *suite) race(key string, size int) {
	const racers = 32
	errs := make([]error, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte('A' + i)}, size)
			<-start
			errs[i] = s.PutNew(s.Context(), key, int64(size), bytes.NewReader(body))
		})
	}
	close(start)
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			s.Fatalf("racers %d and %d both won", winner, i)
		case err == nil:
			winner = i
		case !hub.Is(err, hub.Exists):
			s.Errorf("racer %d: %v, want an Exists error", i, err)
		}
	}
	if winner < 0 {
		s.Fatal("nobody won")
	}
	if got := s.read(key, 0, -1); !bytes.Equal(got, bytes.Repeat([]byte{byte('A' + winner)}, size)) {
		s.Errorf("%d bytes are there and they are not the winner's", len(got))
	}
}

func (s *suite) takenKey() {
	key := s.at + "a"
	s.put(key, "first")
	if err := s.PutNew(s.Context(), key, 6, strings.NewReader("second")); !hub.Is(err, hub.Exists) {
		s.Errorf("second PutNew: %v, want an Exists error", err)
	}
	if err := s.PutNew(s.Context(), key, 0, strings.NewReader("")); !hub.Is(err, hub.Exists) {
		s.Errorf("empty PutNew: %v, want an Exists error", err)
	}
	if got := s.read(key, 0, -1); string(got) != "first" {
		s.Errorf("the key holds %q", got)
	}
}

func (s *suite) ranges() {
	key := s.at + "digits"
	s.put(key, "0123456789")
	s.put(s.at+"empty", "")
	for _, c := range []struct {
		key            string
		offset, length int64
		want           string
	}{
		{key, 0, -1, "0123456789"}, {key, 3, -1, "3456789"}, {key, 9, -1, "9"}, {key, 10, -1, ""}, {key, 99, -1, ""},
		{key, 0, 1, "0"}, {key, 0, 10, "0123456789"}, {key, 2, 3, "234"}, {key, 9, 1, "9"},
		{key, 0, 11, "0123456789"}, {key, 8, 1 << 40, "89"}, {key, 10, 1, ""}, {key, 1 << 40, 5, ""},
		{key, 0, 0, ""}, {key, 5, 0, ""}, {key, 99, 0, ""},
		{s.at + "empty", 0, -1, ""}, {s.at + "empty", 0, 5, ""}, {s.at + "empty", 5, -1, ""}, {s.at + "empty", 0, 0, ""},
	} {
		if got := s.read(c.key, c.offset, c.length); string(got) != c.want {
			s.Errorf("offset %d, length %d: %q, want %q", c.offset, c.length, got, c.want)
		}
		if got := s.copyOut(c.key, c.offset, c.length); got != c.want {
			s.Errorf("offset %d, length %d: io.Copy gave %q, want %q", c.offset, c.length, got, c.want)
		}
	}
	for _, r := range [][2]int64{{-1, 5}, {0, -2}} {
		if _, err := s.Open(s.Context(), key, r[0], r[1]); !hub.Is(err, hub.Invalid) {
			s.Errorf("offset %d, length %d: %v, want an Invalid error", r[0], r[1], err)
		}
	}
}

func (s *suite) missing() {
	s.put(s.at+"folder/a", "x")
	for _, key := range []string{"nothing", "folder", "folder/a/b", "folder/b"} {
		for _, r := range [][2]int64{{0, -1}, {0, 0}, {3, 4}} {
			if f, err := s.Open(s.Context(), s.at+key, r[0], r[1]); !hub.Is(err, hub.NotFound) {
				s.Errorf("%s, offset %d, length %d: %v, want a NotFound error", key, r[0], r[1], err)
				if err == nil {
					f.Close()
				}
			}
		}
	}
}

func (s *suite) interrupted() {
	const size = 1 << 20
	half := bytes.Repeat([]byte{'x'}, size/2)
	broken := &hub.Error{Kind: hub.TooLarge, Msg: "over the member's quota"}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		source io.Reader
		kind   hub.ErrKind
	}{
		"reader-breaks":     {s.Context(), io.MultiReader(bytes.NewReader(half), iotest.ErrReader(broken)), hub.TooLarge},
		"breaks-at-the-end": {s.Context(), io.MultiReader(bytes.NewReader(half), bytes.NewReader(half), iotest.ErrReader(broken)), hub.TooLarge},
		"too-short":         {s.Context(), bytes.NewReader(half), hub.Invalid},
		"empty":             {s.Context(), strings.NewReader(""), hub.Invalid},
		"too-long":          {s.Context(), io.MultiReader(bytes.NewReader(half), bytes.NewReader(half), strings.NewReader("x")), hub.Invalid},
		"cancelled":         {ctx, io.MultiReader(bytes.NewReader(half), onRead(cancel), bytes.NewReader(half)), hub.Unavailable},
	} {
		key := s.at + name
		if err := s.PutNew(c.ctx, key, size, c.source); !hub.Is(err, c.kind) {
			s.Errorf("%s: %v, want kind %s", name, err, c.kind)
		} else if c.kind == hub.TooLarge && !errors.Is(err, broken) {
			s.Errorf("%s: %v does not wrap the reader's error", name, err)
		}
		if _, err := s.Open(s.Context(), key, 0, -1); !hub.Is(err, hub.NotFound) {
			s.Errorf("%s: something is visible: %v", name, err)
		}
	}
	if err := s.PutNew(s.Context(), s.at+"not-empty", 0, strings.NewReader("x")); !hub.Is(err, hub.Invalid) {
		s.Errorf("a body where none was announced: %v, want an Invalid error", err)
	}
	if keys := s.list(s.at, ""); len(keys) > 0 {
		s.Errorf("the listing has %v", keys)
	}
	s.put(s.at+"cancelled", "now it works")
}

func (s *suite) badKeys() {
	ctx := s.Context()
	for _, key := range []string{"", "/a", "a/", "a//b", ".", "..", "../a", "a/./b", "a/../b", "a b", "a\x00b", "a\nb", "检查",
		"%2e%2e/a", "@tmp/a", strings.Repeat("a/", 256) + "a", strings.Repeat("a", 256)} {
		body := func() io.Reader { return strings.NewReader("x") }
		_, openErr := s.Open(ctx, key, 0, -1)
		st, err := s.stager.Stage(ctx)
		if err != nil {
			s.Fatal(err)
		}
		for verb, err := range map[string]error{
			"PutNew":  s.PutNew(ctx, key, 1, body()),
			"Open":    openErr,
			"Publish": st.Publish(ctx, key),
			"Put":     s.kept.Put(ctx, "derived/"+key, 1, body()),
			"Delete":  s.kept.Delete(ctx, "derived/"+key),
		} {
			if !hub.Is(err, hub.Invalid) {
				s.Errorf("%s of %.30q: %v, want an Invalid error", verb, key, err)
			}
		}
	}
	for verb, err := range map[string]error{
		"Put":    s.kept.Put(ctx, s.at+"a", 1, strings.NewReader("x")),
		"Delete": s.kept.Delete(ctx, s.at+"a"),
	} {
		if !hub.Is(err, hub.Invalid) {
			s.Errorf("%s outside derived/: %v, want an Invalid error", verb, err)
		}
	}
}

func (s *suite) concurrentKeys() {
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%sf%d/%d-%d", s.at, i%3, w, i)
				if err := s.PutNew(s.Context(), key, int64(len(key)), strings.NewReader(key)); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	keys := s.list(s.at, "")
	if len(keys) != writers*each {
		s.Errorf("%d keys, want %d", len(keys), writers*each)
	}
	for _, key := range keys {
		if got := s.read(key, 0, -1); string(got) != key {
			s.Errorf("%s holds %q", key, got)
		}
	}
}

func (s *suite) reopened() {
	want := []string{s.at + "a", s.at + "b/c", s.at + "b/d"}
	for _, key := range want {
		s.put(key, key)
	}
	again := &suite{T: s.T, Objects: s.open(s.T), at: s.at}
	if got := again.list(s.at, ""); !slices.Equal(got, want) {
		s.Errorf("after reopening: %v, want %v", got, want)
	}
	if err := again.PutNew(s.Context(), want[0], 1, strings.NewReader("x")); !hub.Is(err, hub.Exists) {
		s.Errorf("after reopening the key is free again: %v", err)
	}
	if got := again.read(want[1], 0, -1); string(got) != want[1] {
		s.Errorf("after reopening: %q", got)
	}
}
