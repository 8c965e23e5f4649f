package messages_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"concord/hub/messages"
	"concord/internal/memobjects"
	"concord/storage/index"
	"concord/storage/keeper"
)

// fresh is an index that has nothing.
func fresh(t *testing.T) *index.Index {
	t.Helper()
	k := keeper.New(keeper.Options{})
	conn := index.ConnectDialer(k.Dial)
	t.Cleanup(func() { conn.Close(); k.Close() })
	return index.Open(conn, index.StandardLayout(0))
}

func TestWhatWasAnsweredIsThereOnceAfterACrash(t *testing.T) {
	store := &memobjects.Store{}
	var puts atomic.Int64
	crashed, crash := context.WithCancel(t.Context())
	store.AfterPut = func(ctx context.Context, key string) error {
		switch n := puts.Add(1); {
		case n == 40: // the process ends: nothing is answered any more
			crash()
			return errors.New("killed")
		case n > 40:
			return errors.New("killed")
		case n%7 == 0: // the store's answer is lost, what it did is not
			return errors.New("connection reset")
		}
		return nil
	}
	store.BeforePut = func(context.Context, string) error {
		if crashed.Err() != nil {
			return errors.New("killed")
		}
		return nil
	}
	const senders, each = 20, 30
	var mu sync.Mutex
	answered := map[string]bool{}
	first := openWorld(t, store, fresh(t))
	var wg sync.WaitGroup
	text := func(s, i int) (control, text string) {
		control = fmt.Sprintf("%d-%d", s, i)
		return control, report(control, "K=4.1", "Na=140")
	}
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				control, text := text(s, i)
				out, err := first.intake.Take(crashed, as("m"), incoming(control, "", text))
				if err != nil {
					return
				}
				mu.Lock()
				answered[control] = true
				mu.Unlock()
				if out.Message.Status != messages.Mapped {
					t.Errorf("%s came out as %s", control, out.Message.Status)
				}
			}
		})
	}
	wg.Wait()
	if len(answered) == 0 || len(answered) == senders*each {
		t.Fatalf("%d messages were answered before the crash", len(answered))
	}

	store.AfterPut, store.BeforePut = nil, nil
	second := openWorld(t, store, fresh(t)) // another process, with an index of its own
	kept := second.all(messages.Type)
	for s := range senders {
		for i := range each {
			control, text := text(s, i)
			there := slices.Contains(kept, messages.Type+"/"+messages.ID("m", "fake", "LIS|LAB", control))
			if answered[control] && !there {
				t.Errorf("%s was answered and is lost", control)
			}
			if out := second.send("m", control, "", text); out.Again != there {
				t.Errorf("%s, there: %v, was taken again: %v", control, there, !out.Again)
			}
		}
	}
	if n := len(second.all(messages.Type)); n != senders*each {
		t.Errorf("%d messages are kept, not %d", n, senders*each)
	}
	for _, name := range second.all("Observation") {
		if _, version := second.body(name); version != 1 {
			t.Errorf("%s has version %d", name, version)
		}
	}
	for _, name := range second.all("Provenance") {
		if body, _ := second.body(name); strings.Count(body, "DiagnosticReport/") != 1 {
			t.Errorf("%s is %s", name, body)
		}
	}
}

func TestTwoHubsTakeTheSameMessageOnce(t *testing.T) {
	store, ix := &memobjects.Store{}, fresh(t)
	hubs := []*world{openWorld(t, store, ix), openWorld(t, store, ix)}
	var wg sync.WaitGroup
	var again atomic.Int64
	for i := range 60 {
		for _, w := range hubs {
			wg.Go(func() {
				out, err := w.intake.Take(t.Context(), as("m"), incoming(fmt.Sprint(i), "", report(fmt.Sprint(i), "K=4.1")))
				if err != nil {
					t.Error(err)
				}
				if out.Again {
					again.Add(1)
				}
			})
		}
	}
	wg.Wait()
	if n := len(hubs[0].all(messages.Type)); n != 60 || again.Load() != 60 {
		t.Errorf("%d messages are kept, %d were answered again", n, again.Load())
	}
}
