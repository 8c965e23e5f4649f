package index

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
	"concord/storage/keeper"
	"concord/storage/keeper/keepertest"
)

func smallLayout() Layout {
	return Layout{Partitions: map[hub.Partition]PartitionLayout{"records": {Tag: "r", Slots: 4, Buckets: 4}}}
}

func overKeeper(t *testing.T) *Index {
	k := keeper.New(keeper.Options{})
	client := ConnectLocal(k)
	t.Cleanup(func() { client.Close(); k.Close() })
	return Open(client, smallLayout())
}

func change(num, version, seq uint64, id string, old, now *hub.Entry) hub.Change {
	return hub.Change{Old: old, New: now, Record: &hub.Record{Name: hub.Name{Type: "Observation", ID: id}, Num: num, Version: version,
		Deleted: now == nil, Prev: hub.Loc{Seq: seq - 1, Off: uint32(num), Len: 9}, Loc: hub.Loc{Seq: seq, Off: uint32(num), Len: 9}}}
}

func route(r string, codes ...string) *hub.Entry {
	e := &hub.Entry{Route: r}
	for _, c := range codes {
		e.Terms = append(e.Terms, hub.Term{Param: "code", Text: c})
	}
	return e
}

func codeIs(code string) hub.Query {
	return hub.Query{Type: "Observation", Limit: 10, All: []hub.Clause{{Param: "code", Any: []hub.Match{{Kind: hub.Equals, Text: code}}}}}
}

// A hub that dies in the middle of a commit leaves some slots ahead of the visible mark.
func TestHalfACommitIsNotSeenAndAnybodyCompletesIt(t *testing.T) {
	for _, reach := range []string{"arrivals", "redirects", "some slots", "all slots"} {
		t.Run("it died after "+reach, func(t *testing.T) {
			ix, ctx := overKeeper(t), context.Background()
			m, err := ix.Begin(ctx, "records")
			if err != nil {
				t.Fatal(err)
			}
			p := ix.partitions["records"]
			names := []hub.Name{{Type: "Observation", ID: "a"}, {Type: "Observation", ID: "b"}, {Type: "Observation", ID: "c"}}
			routes := map[int]string{} // one for each slot
			for i := 0; len(routes) < p.slots; i++ {
				r := "Patient/" + strings.Repeat("x", i)
				routes[p.slotOf(r)] = r
			}
			first := []hub.Change{change(1, 1, 1, "a", nil, route(routes[0], "old")), change(2, 1, 1, "b", nil, route(routes[1], "old"))}
			second := []hub.Change{change(1, 2, 2, "a", first[0].New, route(routes[2], "new")), change(2, 2, 2, "b", first[1].New, nil),
				change(3, 1, 2, "c", nil, route(routes[3], "new"))}
			if err := ix.Apply(ctx, "records", 1, first); err != nil {
				t.Fatal(err)
			}
			pl := planOf(p, second)
			s := &staged{ix: ix, p: p, seq: 2, gen: m.Generation}
			write := func(units units, final bool, most int) {
				for i, slot := range touched(units) {
					if i < most {
						if err := s.pieces(ctx, slot, units.bySlot[slot], nil, final); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			write(pl.arrivals, false, 9)
			if reach != "arrivals" {
				write(pl.redirects, false, 9)
			}
			switch reach {
			case "some slots":
				write(pl.slots, true, 2)
			case "all slots":
				write(pl.slots, true, 9)
			}
			heads, err := ix.Heads(ctx, "records", names)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []uint64{1, 1, 0} {
				if heads[i].Version != want || heads[i].Deleted || (want > 0 && heads[i].Loc.Seq != 1) {
					t.Errorf("head of %s is %+v, want version %d", names[i], heads[i], want)
				}
			}
			if locs, err := ix.Versions(ctx, heads[0]); err != nil || len(locs) != 1 {
				t.Errorf("versions %v, %v, want the visible one", locs, err)
			}
			page, err := ix.Search(ctx, []hub.Partition{"records"}, codeIs("old"))
			if !hub.Is(err, hub.Unavailable) && (err != nil || len(page.Hits) != 2) {
				t.Errorf("search found %+v, %v; want both things, or to be told to come back", page.Hits, err)
			}
			page, err = ix.Search(ctx, []hub.Partition{"records"}, codeIs("new"))
			if !hub.Is(err, hub.Unavailable) && (err != nil || len(page.Hits) != 0) {
				t.Errorf("search found %+v, %v of a commit that is not visible", page.Hits, err)
			}
			if err := ix.applyStaged(ctx, planOf(p, second), 2); err != nil {
				t.Fatal(err)
			}
			page, err = ix.Search(ctx, []hub.Partition{"records"}, codeIs("new"))
			if err != nil || len(page.Hits) != 2 {
				t.Errorf("after completion: %+v, %v", page.Hits, err)
			}
			completed := dumped(t, ix)
			if err := ix.Reset(ctx, "records"); err != nil {
				t.Fatal(err)
			}
			if _, err := ix.Begin(ctx, "records"); err != nil {
				t.Fatal(err)
			}
			for i, c := range [][]hub.Change{first, second} {
				if err := ix.Apply(ctx, "records", uint64(i+1), c); err != nil {
					t.Fatal(err)
				}
			}
			if rebuilt := dumped(t, ix); rebuilt != completed {
				t.Errorf("completed:\n%s\nrebuilt:\n%s", completed, rebuilt)
			}
		})
	}
}

func dumped(t *testing.T, ix *Index) string {
	t.Helper()
	var b strings.Builder
	if err := ix.Dump(context.Background(), &b, "records"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestACommitOnItsWayFindsNoPlaceInAnEmptiedIndex(t *testing.T) {
	ix, ctx := overKeeper(t), context.Background()
	old, err := ix.Begin(ctx, "records")
	if err != nil {
		t.Fatal(err)
	}
	if err := ix.Reset(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	before := dumped(t, ix)
	pl := planOf(ix.partitions["records"], []hub.Change{change(1, 1, 5, "a", nil, route("Patient/1", "x"))})
	s := &staged{ix: ix, p: pl.p, seq: 5, gen: old.Generation}
	for slot, u := range pl.slots.bySlot {
		if err := s.pieces(ctx, slot, u, nil, true); !hub.Is(err, hub.Unavailable) {
			t.Errorf("slot %d took a commit of an earlier generation: %v", slot, err)
		}
	}
	if after := dumped(t, ix); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

func TestAResetThatWasInterruptedIsCompletedByTheNext(t *testing.T) {
	ix, ctx := overKeeper(t), context.Background()
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	meta := ix.partitions["records"].metaKey()
	if err := ix.client.HSet(ctx, meta, "emptying", alive("somebody")).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := ix.Begin(ctx, "records"); !hub.Is(err, hub.Unavailable) {
		t.Fatalf("begin while it is being emptied: %v", err)
	}
	if err := ix.Reset(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	if m, err := ix.Begin(ctx, "records"); err != nil || m.Generation == "" {
		t.Fatal(m, err)
	}
}

func TestAResetWhoseProcessDiedIsCompletedByWhoeverBegins(t *testing.T) {
	ix, ctx := overKeeper(t), context.Background()
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Minute).UnixMilli()
	if err := ix.client.HSet(ctx, ix.partitions["records"].metaKey(), "emptying", fmt.Sprintf("somebody %d", long)).Err(); err != nil {
		t.Fatal(err)
	}
	if m, err := ix.Begin(ctx, "records"); err != nil || m.Generation == "" || m.Applied != 0 {
		t.Fatalf("begin after a reset that nobody is at any more: %v, %v", m, err)
	}
}

func TestAnIndexOutOfReachIsUnavailable(t *testing.T) {
	client, err := Connect("redis://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ix, ctx := Open(client, smallLayout()), context.Background()
	_, marks := ix.Marks(ctx, "records")
	_, begin := ix.Begin(ctx, "records")
	_, search := ix.Search(ctx, []hub.Partition{"records"}, codeIs("x"))
	_, heads := ix.Heads(ctx, "records", []hub.Name{{Type: "Patient", ID: "1"}})
	_, _, counts := ix.Counts(ctx, []hub.Tally{{Partition: "records", Type: "Patient", Param: "x", Text: "y"}}, "", nil)
	for doing, err := range map[string]error{"marks": marks, "begin": begin, "search": search, "heads": heads, "counts": counts,
		"apply": ix.Apply(ctx, "records", 1, nil), "reset": ix.Reset(ctx, "records")} {
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != hub.Unavailable || e.Retry == 0 {
			t.Errorf("%s: %v, want Unavailable and when to come back", doing, err)
		}
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := ix.Search(done, []hub.Partition{"records"}, codeIs("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search: %v", err)
	}
}

func TestARedisThatComesBackIsUsedAgain(t *testing.T) {
	addr := keepertest.StartRedis(t)
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	broken := make(chan struct{}, 1)
	client := ConnectDialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
		select {
		case <-broken:
			return nil, errors.New("no route")
		default:
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	})
	defer client.Close()
	ix, ctx := Open(client, smallLayout()), context.Background()
	broken <- struct{}{}
	if _, err := ix.Marks(ctx, "records"); !hub.Is(err, hub.Unavailable) {
		t.Fatalf("without a connection: %v", err)
	}
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatalf("with one: %v", err)
	}
}

// A search makes few trips, however many slots it asks.
func TestTripsOfASearch(t *testing.T) {
	ctx := context.Background()
	client, err := Connect("redis://" + keepertest.StartRedis(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ix := Open(client, StandardLayout(0))
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	var changes []hub.Change
	for i := range uint64(1500) {
		patient := "Patient/" + string(rune('a'+i%3))
		changes = append(changes, change(i+1, 1, 1, string(rune(0x4e00+i)), nil, route(patient, patient, "common", "also")))
	}
	if err := ix.Apply(ctx, "records", 1, changes); err != nil {
		t.Fatal(err)
	}
	ofPatient := hub.Query{Type: "Observation", Routes: []string{"Patient/a"}, Limit: 20, Sort: []hub.Sort{{Param: hub.LastUpdated, Desc: true}},
		All: slices.Concat(codeIs("Patient/a").All, codeIs("common").All, codeIs("also").All)}
	for _, c := range []struct {
		name string
		q    hub.Query
		most int
	}{
		{"three clauses about one patient", ofPatient, 3},
		{"one value in all slots", codeIs("Patient/b"), 4},
		{"a value that nothing has", codeIs("nothing"), 1},
	} {
		trips := &counter{}
		counted, err := Connect("redis://" + client.(*redis.Client).Options().Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer counted.Close()
		ix := Open(counted, StandardLayout(0))
		if _, err := ix.Search(ctx, []hub.Partition{"records"}, c.q); err != nil { // dials
			t.Fatal(err)
		}
		counted.AddHook(trips)
		page, err := ix.Search(ctx, []hub.Partition{"records"}, c.q)
		if err != nil {
			t.Fatal(err)
		}
		if trips.n > c.most {
			t.Errorf("%s: %d hits in %d trips, want %d at most", c.name, len(page.Hits), trips.n, c.most)
		}
	}
}

// counter counts pipelines and lone commands.
type counter struct{ n int }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.n++; return next(ctx, cmd) }
}
func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n++
		return next(ctx, cmds)
	}
}

func TestWaitingForACommitEndsWithTheContext(t *testing.T) {
	ix := overKeeper(t)
	if _, err := ix.Begin(t.Context(), "records"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := ix.settle(ctx, ix.partitions["records"], 9); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestARedisThatEvictsIsRefused(t *testing.T) {
	client, err := Connect("redis://" + keepertest.StartRedis(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	client.ConfigSet(ctx, "maxmemory", "100mb")
	client.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru")
	ix := Open(client, smallLayout())
	if _, err := ix.Begin(ctx, "records"); err == nil || !strings.Contains(err.Error(), "noeviction") {
		t.Fatalf("got %v, want the remedy", err)
	}
	client.ConfigSet(ctx, "maxmemory-policy", "noeviction")
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatal(err)
	}
}
