package indextest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"concord/hub"
	"concord/storage/index"
	"concord/storage/keeper"
)

// A snapshot is not of one moment: what it takes late is ahead of the mark, and the replay must not mind.
func TestASnapshotTakenWhileCommitsComeIsCaughtUpFromTheLog(t *testing.T) {
	l := randomLog(records, 60)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for name, lim := range limits {
		options := keeper.Options{First: layout(lim).MetaTags()}
		for before := 1; before < 50; before += 7 {
			live, r := overKeeper(t, ctx, options, lim)
			r.fresh(t, records)
			applied := 0
			apply := func() {
				if applied < len(l.Commits) {
					must(t, r.Apply(ctx, records, uint64(applied+1), l.Commits[applied]))
					applied++
				}
			}
			for range before {
				apply()
			}
			var snapshot bytes.Buffer
			must(t, live.SnapshotTo(writer(func(p []byte) (int, error) {
				apply() // between any two of its spaces
				return snapshot.Write(p)
			})))
			late := applied
			for applied < len(l.Commits) {
				apply()
			}
			want := r.dump(t, records)

			restored, r := overKeeper(t, ctx, options, lim)
			must(t, restored.Restore(&snapshot))
			m, err := r.Begin(ctx, records)
			must(t, err)
			for seq := m.Applied; seq < uint64(len(l.Commits)); seq++ {
				must(t, r.Apply(ctx, records, seq+1, l.Commits[seq]))
			}
			if got := r.dump(t, records); got != want {
				t.Fatalf("%s: a snapshot of commits %d to %d comes back otherwise:\n%s", name, m.Applied, late, difference(want, got))
			}
			checkHeads(t, r, l)
			q := hub.Query{Type: "Observation", Limit: 100, Count: true, Sort: []hub.Sort{{Param: "date"}}}
			checkPages(t, r, []hub.Partition{records}, q, expect(q, l))
			if late < before+3 {
				t.Fatal(fmt.Sprint("no commits came while the snapshot was taken: ", before, late))
			}
		}
	}
}

func overKeeper(t *testing.T, ctx context.Context, options keeper.Options, lim index.Limits) (*keeper.Keeper, *room) {
	k := keeper.New(options)
	client := index.ConnectLocal(k)
	t.Cleanup(func() { client.Close(); k.Close() })
	return k, &room{index.Open(client, layout(lim)), client, ctx}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
