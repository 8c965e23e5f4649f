package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"concord/hub"
	"concord/hub/audit"
	"concord/hub/projection"
	"concord/hub/settings"
	"concord/internal/memobjects"
)

func logOf(store hub.Objects) *projection.Log {
	return &projection.Log{Objects: store, Partition: settings.Audit}
}

// read returns the ids in the Token field, in the order of the trail.
func read(t testing.TB, store hub.Objects, from time.Time) (tokens []string) {
	t.Helper()
	err := audit.Events(context.Background(), logOf(store), from, func(e audit.Event) error {
		tokens = append(tokens, e.Token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func closed(t testing.TB, trail *audit.Trail) {
	t.Helper()
	if err := trail.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestWhatWasNotedIsReadBackWhole(t *testing.T) {
	store := &memobjects.Store{}
	trail := audit.Open(store, audit.Options{})
	ctx := audit.WithAddress(t.Context(), "10.1.2.3")
	want := audit.Event{Action: audit.Search, Member: "county", Token: "t1", Type: "Observation", Query: "code,patient",
		Names: []hub.Name{{Type: "Observation", ID: "a"}, {Type: "Observation", ID: "b"}}, Count: 2}
	if err := trail.Note(ctx, want); err != nil {
		t.Fatal(err)
	}
	var got []audit.Event
	if err := trail.Events(t.Context(), time.Time{}, func(e audit.Event) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	closed(t, trail)
	if len(got) != 1 || got[0].At.IsZero() {
		t.Fatalf("%+v", got)
	}
	want.At, want.Address = got[0].At, "10.1.2.3"
	if fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Fatalf("got %+v, want %+v", got[0], want)
	}
}

func TestAQueuedEventIsDurableWithinAMomentWithoutBeingAsked(t *testing.T) {
	store := &memobjects.Store{}
	trail := audit.Open(store, audit.Options{})
	defer closed(t, trail)
	if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: "1"}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Second); len(store.Keys()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was written within a second")
		}
	}
}

func TestManyEventsGoIntoFewCommitsAndNoneIsLostOrDoubled(t *testing.T) {
	store := &memobjects.Store{}
	trail := audit.Open(store, audit.Options{Every: 20 * time.Millisecond})
	const writers, each = 8, 5000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: fmt.Sprintf("%d-%d", w, i)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	closed(t, trail)
	once(t, read(t, store, time.Time{}), writers*each)
	if n := len(store.Keys()); n > 100 {
		t.Errorf("%d commits for %d events", n, writers*each)
	}
}

func once(t *testing.T, tokens []string, want int) {
	t.Helper()
	seen := map[string]bool{}
	for _, tok := range tokens {
		if seen[tok] {
			t.Fatalf("event %s is there twice", tok)
		}
		seen[tok] = true
	}
	if len(seen) != want {
		t.Fatalf("%d events in the trail, want %d", len(seen), want)
	}
}

// Each commit costs an fsync, so events that come without a pause must gather too.
func TestEventsThatComeWithoutAPauseAreCommittedTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		noted := map[string]time.Time{}
		store := &memobjects.Store{}
		store.BeforePut = func(context.Context, string) error { time.Sleep(5 * time.Millisecond); return nil }
		trail := audit.Open(store, audit.Options{})
		store.AfterPut = func(context.Context, string) error { commits++; return nil }
		for i := range 2000 {
			token := fmt.Sprint(i)
			noted[token] = time.Now()
			if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: token}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		closed(t, trail)
		if commits < 15 || commits > 22 {
			t.Errorf("%d commits in two seconds", commits)
		}
		err := audit.Events(t.Context(), logOf(store), time.Time{}, func(e audit.Event) error {
			delete(noted, e.Token)
			return nil
		})
		if err != nil || len(noted) > 0 {
			t.Errorf("%d events are not in the trail, %v", len(noted), err)
		}
	})
}

func TestAStoreThatFailsStopsDisclosuresUntilItIsBack(t *testing.T) {
	var down atomic.Bool
	refuse := func(context.Context, string) error {
		if down.Load() {
			return errors.New("store down")
		}
		return nil
	}
	store := &memobjects.Store{BeforePut: refuse, BeforeOpen: refuse}
	trail := audit.Open(store, audit.Options{Every: 5 * time.Millisecond, Patience: 100 * time.Millisecond})
	note := func(token string) error {
		return trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: token})
	}
	if err := note("before"); err != nil {
		t.Fatal(err)
	}
	if err := trail.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	accepted := 0
	var err error
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = note(fmt.Sprint(accepted)); err != nil {
			break
		}
		accepted++
	}
	if !hub.Is(err, hub.Unavailable) {
		t.Fatalf("the store is down and Note says %v", err)
	}
	if err := trail.Check(); !hub.Is(err, hub.Unavailable) {
		t.Errorf("Check says %v", err)
	}
	down.Store(false)
	for end := time.Now().Add(3 * time.Second); note("after") != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the store is back and Note still refuses")
		}
	}
	closed(t, trail)
	once(t, read(t, store, time.Time{}), accepted+2) // what was accepted before the failure showed is not lost
}

func TestAStoreThatHangsStopsDisclosuresToo(t *testing.T) {
	gate := make(chan struct{})
	store := &memobjects.Store{BeforePut: func(ctx context.Context, _ string) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	trail := audit.Open(store, audit.Options{Every: time.Millisecond, Patience: 50 * time.Millisecond})
	if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: "1"}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: "2"}); !hub.Is(err, hub.Unavailable) {
		t.Fatalf("the store hangs and Note says %v", err)
	}
	close(gate)
	for until := time.Now().Add(10 * time.Second); trail.Check() != nil && time.Now().Before(until); {
		time.Sleep(time.Millisecond) // Close has no more patience with the store than Note
	}
	closed(t, trail)
	once(t, read(t, store, time.Time{}), 1)
}

func TestAFullQueueRefuses(t *testing.T) {
	trail := audit.Open(&memobjects.Store{}, audit.Options{Capacity: 10, Every: time.Hour})
	for i := range 10 {
		if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := trail.Note(t.Context(), audit.Event{Action: audit.Read}); !hub.Is(err, hub.Unavailable) {
		t.Fatalf("the eleventh of ten: %v", err)
	}
	closed(t, trail)
	if err := trail.Note(t.Context(), audit.Event{Action: audit.Read}); !hub.Is(err, hub.Unavailable) {
		t.Fatalf("after Close: %v", err)
	}
}

func TestABatchWhoseAnswerWasLostIsInTheTrailOnce(t *testing.T) {
	var puts atomic.Int32
	store := &memobjects.Store{
		AfterPut: func(context.Context, string) error { // written, but the store says no more for a while
			if puts.Add(1) <= 1 {
				return errors.New("connection reset")
			}
			return nil
		},
	}
	silent := func(context.Context, string) error {
		if n := puts.Load(); n >= 1 && n < 6 {
			puts.Add(1)
			return errors.New("no answer")
		}
		return nil
	}
	store.BeforePut, store.BeforeOpen = silent, silent
	trail := audit.Open(store, audit.Options{Every: time.Millisecond, Patience: 30 * time.Millisecond})
	if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: "1"}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	for end := time.Now().Add(5 * time.Second); trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: "2"}) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the trail does not recover")
		}
	}
	closed(t, trail)
	once(t, read(t, store, time.Time{}), 2)
}

func TestDurableEventsAreThereWhenNoteReturnsEvenIfTheProcessDies(t *testing.T) {
	slow := func(context.Context, string) error { time.Sleep(2 * time.Millisecond); return nil } // as a disk is
	store := &memobjects.Store{BeforePut: slow}
	trail := audit.Open(store, audit.Options{Mode: audit.Durable})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	once(t, read(t, store, time.Time{}), 200) // nothing was closed or flushed: this is what a killed process leaves

	next := audit.Open(store, audit.Options{Mode: audit.Durable})
	if err := next.Note(t.Context(), audit.Event{Action: audit.Read, Token: "after"}); err != nil {
		t.Fatal(err)
	}
	once(t, read(t, store, time.Time{}), 201)
	if n := len(store.Keys()); n > 100 {
		t.Errorf("%d commits: concurrent notes do not share them", n)
	}
	closed(t, next)
	closed(t, trail)
}

func TestADurableNoteFailsWhenTheStoreDoes(t *testing.T) {
	store := &memobjects.Store{BeforePut: func(context.Context, string) error { return errors.New("store down") }}
	trail := audit.Open(store, audit.Options{Mode: audit.Durable, Patience: 50 * time.Millisecond})
	if err := trail.Note(t.Context(), audit.Event{Action: audit.Read}); !hub.Is(err, hub.Unavailable) {
		t.Fatalf("Note says %v", err)
	}
	if err := trail.Close(t.Context()); !hub.Is(err, hub.Unavailable) || !strings.Contains(err.Error(), "1 audit events") {
		t.Fatalf("Close says %v", err)
	}
}

func TestTwoProcessesShareOneTrail(t *testing.T) {
	store := &memobjects.Store{}
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			trail := audit.Open(store, audit.Options{Every: time.Millisecond})
			for i := range 300 {
				if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: fmt.Sprintf("%d-%d", w, i)}); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			closed(t, trail)
		})
	}
	wg.Wait()
	once(t, read(t, store, time.Time{}), 600)
}

func TestTheTrailIsReadFromAnInstantOn(t *testing.T) {
	store := &memobjects.Store{}
	start := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)
	var second atomic.Int64
	clock := func() time.Time { return start.Add(time.Duration(second.Load()) * time.Second) }
	trail := audit.Open(store, audit.Options{Mode: audit.Durable, Now: clock})
	for i := range 20 {
		if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Token: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		second.Add(1)
	}
	closed(t, trail)
	if got := read(t, store, start.Add(15*time.Second)); fmt.Sprint(got) != "[15 16 17 18 19]" {
		t.Fatalf("%v", got)
	}
	if got := read(t, store, time.Now().Add(time.Hour)); len(got) != 0 {
		t.Fatalf("from the future: %v", got)
	}
	stop := errors.New("enough")
	if err := audit.Events(t.Context(), logOf(store), time.Time{}, func(audit.Event) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("yield's error came back as %v", err)
	}
}

func TestAChangedTrailShows(t *testing.T) {
	store := &memobjects.Store{}
	trail := audit.Open(store, audit.Options{Mode: audit.Durable})
	for _, member := range []string{"county", "village", "city"} {
		if err := trail.Note(t.Context(), audit.Event{Action: audit.Read, Member: member}); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, trail)
	store.Change(hub.LogKey(settings.Audit, 2), func(data []byte) []byte {
		return bytes.ReplaceAll(data, []byte("village"), []byte("another"))
	})
	if err := audit.Events(t.Context(), logOf(store), time.Time{}, func(audit.Event) error { return nil }); !hub.Is(err, hub.Corrupt) {
		t.Fatalf("a changed event was read with %v", err)
	}
}

// BenchmarkQueuedNote measures what a read pays; the writer works between the runs of 800, as many as 100 ms of
// 8,000 reads a second bring.
func BenchmarkQueuedNote(b *testing.B) {
	trail := audit.Open(&forgetful{}, audit.Options{Every: time.Millisecond})
	defer closed(b, trail)
	names := []hub.Name{{Type: "Observation", ID: "0123456789abcdef"}}
	ctx := audit.WithAddress(context.Background(), "10.0.0.1")
	e := audit.Event{Action: audit.Read, Member: "county", Token: "0123456789", Type: "Observation", Names: names, Count: 1}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := trail.Note(ctx, e); err != nil {
			b.Fatal(err)
		}
		if i%800 == 799 {
			b.StopTimer()
			trail.Flush(ctx)
			b.StartTimer()
		}
	}
}

// BenchmarkWrite measures what the writer pays for an event.
func BenchmarkWrite(b *testing.B) {
	trail := audit.Open(&forgetful{}, audit.Options{Every: time.Millisecond})
	defer closed(b, trail)
	e := audit.Event{Action: audit.Read, Member: "county", Token: "0123456789", Type: "Observation", Names: []hub.Name{{Type: "Observation", ID: "0123456789abcdef"}}, Count: 1}
	for i := 0; b.Loop(); i++ {
		if err := trail.Note(context.Background(), e); err != nil {
			b.Fatal(err)
		}
		if i%800 == 799 {
			trail.Flush(context.Background())
		}
	}
}

// forgetful takes what is put and keeps nothing.
type forgetful struct{ memobjects.Store }

func (f *forgetful) PutNew(context.Context, string, int64, io.Reader) error {
	return nil
}
