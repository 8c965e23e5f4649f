package messages_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"concord/hub/commit"
	"concord/hub/messages"
	"concord/internal/memobjects"
	"concord/storage/index"
	"concord/storage/keeper"
)

// fresh is an index that has nothing.
func fresh(t *testing.T) *index.Index {
	t.Helper()
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	return index.Open(conn, index.StandardLayout(0))
}

// dying is the store as a process sees it that is killed at its fortieth write.
type dying struct {
	*memobjects.Store
	puts    atomic.Int64
	crashed context.Context
	crash   func()
}

func (d *dying) PutNew(ctx context.Context, key string, size int64, r io.Reader) error {
	n := d.puts.Add(1)
	if n > 40 {
		return errors.New("killed")
	}
	err := d.Store.PutNew(ctx, key, size, r)
	switch {
	case n == 40: // what it did is there, and nothing is answered any more
		d.crash()
		return errors.New("killed")
	case n%7 == 0: // the store's answer is lost
		return errors.New("connection reset")
	}
	return err
}

func TestWhatWasAnsweredIsThereOnceAfterACrash(t *testing.T) {
	store := &memobjects.Store{}
	crashed, crash := context.WithCancel(t.Context())
	dying := &dying{Store: store, crashed: crashed, crash: crash}
	const senders, each = 20, 30
	var mu sync.Mutex
	answered := map[string]bool{}
	first := openWorld(t, dying, fresh(t), commit.Options{Resolve: 2 * time.Second}) // then it gives up
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
