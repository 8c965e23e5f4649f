package index

import (
	"fmt"
	"math"
	"testing"

	"concord/hub"
)

// A walk that relies on what was asked before finds what another hub wrote meanwhile: to a page that is new, a value
// that spans pages, a thing with several values, a deletion, an index made anew.
func TestAWalkFindsWhatAnotherHubWrote(t *testing.T) {
	client, ctx, p := overKeeper(t).client, t.Context(), hub.Partition("images")
	layout := Layout{Partitions: map[hub.Partition]PartitionLayout{p: {Tag: "d", Slots: 1}}}
	mine, theirs := Open(client, layout), Open(client, layout)
	const day = 86_400_000
	from := func(days ...float64) *hub.Entry {
		e := &hub.Entry{Route: "s"}
		for _, d := range days {
			e.Terms = append(e.Terms, hub.Term{Param: "date", Kind: hub.Range, Lo: d * day, Hi: d*day + day - 1})
		}
		return e
	}
	was, seq := map[uint64]*hub.Entry{}, uint64(0)
	commit := func(num, version uint64, e *hub.Entry) {
		t.Helper()
		seq++
		if err := theirs.Apply(ctx, p, seq, []hub.Change{change(num, version, seq, fmt.Sprint("o", num), was[num], e)}); err != nil {
			t.Fatal(err)
		}
		was[num] = e
	}
	find := func(newest, interval string) {
		t.Helper()
		for range 4 {
			for i, want := range []string{newest, interval} {
				q := hub.Query{Type: "Observation", Limit: 10, Sort: []hub.Sort{{Param: "date", Desc: true}}}
				if i == 1 {
					q.All = []hub.Clause{{Param: "date", Any: []hub.Match{{Kind: hub.Within, LoMin: 20000 * day, LoMax: math.Inf(1), HiMin: math.Inf(-1), HiMax: 21000*day - 1}}}}
				}
				page, err := mine.Search(ctx, []hub.Partition{p}, q)
				got := ""
				for _, h := range page.Hits {
					got += fmt.Sprint(h.Head.Num, " ")
				}
				if err != nil || got != want {
					t.Fatalf("found %q, %v; want %q", got, err, want)
				}
			}
		}
	}
	begin := func() {
		t.Helper()
		if _, err := theirs.Begin(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	find("", "")
	commit(1, 1, from(20100))
	find("1 ", "1 ")
	commit(2, 1, from(20900))
	find("2 1 ", "2 1 ")
	commit(3, 1, from(3000))
	find("2 1 3 ", "2 1 ")
	commit(4, 1, from(19000, 20200)) // met at its least value
	find("2 1 4 3 ", "2 1 4 ")
	commit(2, 2, nil)
	find("1 4 3 ", "1 4 ")
	commit(1, 2, from(22000))
	find("1 4 3 ", "4 ")
	commit(4, 2, from())
	find("1 3 4 ", "")
	if err := theirs.Reset(ctx, p); err != nil {
		t.Fatal(err)
	}
	was, seq = map[uint64]*hub.Entry{}, 0
	begin()
	for n := range uint64(8) { // as many commits as before, to the same mark
		commit(n+1, 1, from(20000+100*float64(n)))
	}
	find("8 7 6 5 4 3 2 1 ", "8 7 6 5 4 3 2 1 ")
}
