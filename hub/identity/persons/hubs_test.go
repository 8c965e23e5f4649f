package persons_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/internal/fhir"
	"concord/storage/index"
	"concord/storage/keeper/keepertest"
)

// Hubs that write, judge and decide at the same time, one of which stops in the middle of it and another of which is started, come
// to the groups that one hub makes of the outcome.
func TestHubsSideBySideDoTheWorkOfOne(t *testing.T) {
	t.Run("on a keeper", func(t *testing.T) { sideBySide(t, open(t, 3)) })
	t.Run("on Redis", func(t *testing.T) {
		conn, err := index.Connect("redis://" + keepertest.StartRedis(t) + "/0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		sideBySide(t, openOn(t, index.Open(conn, index.StandardLayout(0)), 3))
	})
}

func sideBySide(t *testing.T, w *world) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	dying, kill := context.WithCancel(ctx)
	var linkers, writers sync.WaitGroup
	link := func(ctx context.Context, h *one) {
		h.linker.Poll = time.Millisecond
		linkers.Go(func() { h.linker.Run(ctx) })
	}
	w.hubs[0].linker.Observe = func(uint64, int) { kill() }
	link(dying, w.hubs[0])
	link(ctx, w.hubs[1])
	charts := charts()
	var ids []string
	bodies := map[string]string{}
	for n := range 24 {
		ids = append(ids, fmt.Sprintf("p%02d", n))
		bodies[ids[n]] = charts[(n*5)%len(charts)].body()
	}
	for k, h := range slices.Clone(w.hubs) {
		writers.Go(func() {
			for round := range 3 {
				for n := k; n < len(ids); n += 3 {
					body := bodies[ids[n]]
					if round < 2 {
						body = charts[(n+round)%len(charts)].body()
					}
					if err := h.write(ctx, ids[n], body); err != nil {
						t.Error(err)
					}
				}
			}
		})
		writers.Go(func() {
			for n := range 5 {
				x, y := ids[(n+7*k)%24], ids[(3*n+k+11)%24]
				_, err := h.board.Separate(ctx, engineer, x, y, "seen")
				if hub.Is(err, hub.NotFound) || hub.Is(err, hub.Invalid) {
					continue // not written yet
				}
				if err == nil {
					_, err = h.board.Undo(ctx, engineer, x, y, "it was not so")
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	linkers.Go(func() { writers.Wait(); kill() }) // should the others have done it all
	<-dying.Done()
	late := w.start()
	w.hubs = append(w.hubs, late)
	link(ctx, late)
	writers.Wait()
	stop()
	linkers.Wait()
	w.settle()
	live := w.groups(ids)
	if wrong := soundGroups(w.model, live, bodies); wrong != "" {
		t.Fatal(wrong)
	}
	fresh := open(t, 1)
	for _, id := range ids {
		fresh.put("m"+id, "Patient/"+id, bodies[id])
	}
	fresh.settle()
	if again := fresh.groups(ids); !slices.Equal(again, live) {
		t.Fatalf("the groups are\n%s\nand of the outcome alone\n%s", strings.Join(live, "\n"), strings.Join(again, "\n"))
	}
}

// write writes a Patient at this hub.
func (h *one) write(ctx context.Context, id, body string) error {
	doc, err := fhir.Parse([]byte(body), fhir.Limits{})
	if err != nil {
		return err
	}
	name := hub.Name{Type: "Patient", ID: id}
	_, err = h.writer.Submit(ctx, commit.Write{Member: "m" + id, Names: []hub.Name{name}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: name, Member: "m" + id, Body: func(v uint64, at time.Time) []byte { return doc.Splice(id, v, at) }}}, nil
	}})
	return err
}

// lapsing is an index that has lost half of its commits at one look, as one that was emptied and is being made anew.
type lapsing struct {
	hub.Index
	looks atomic.Int64
	at    int64
}

func (l *lapsing) Marks(ctx context.Context, p hub.Partition) (hub.Marks, error) {
	m, err := l.Index.Marks(ctx, p)
	if l.looks.Add(1) == l.at {
		m.Applied /= 2
	}
	return m, err
}

// What was judged once is not judged again because the index was emptied at the moment when the linker looked how far to go.
func TestAnIndexThatIsMadeAnewIsNotFollowedFromTheBeginning(t *testing.T) {
	w := open(t, 1)
	for n := range 6 {
		w.put("village", fmt.Sprintf("Patient/p%d", n), charts()[n].body())
	}
	w.settle()
	h := w.hubs[0]
	through, err := h.follower.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(1); at <= 8; at++ {
		seam := &lapsing{Index: w.index, at: at}
		w.index = seam
		again := w.start()
		w.index = seam.Index
		seam.looks.Store(0)
		for range 3 {
			if _, err := again.linker.Advance(t.Context()); err != nil && !hub.Is(err, hub.Unavailable) {
				t.Fatal(err)
			}
		}
		if now, err := h.follower.Complete(t.Context()); err != nil || now != through {
			t.Errorf("lost at look %d: %d commits instead of %d, %v", at, now, through, err)
			through = now
		}
	}
}
