package index

import (
	"fmt"
	"math"
	"testing"

	"concord/hub"
)

// What one hub remembers ends with what another one changes: a date, a code, an order, a thing that goes, an index made anew.
func TestAHubForgetsWhatAnotherOneChanges(t *testing.T) {
	mine, ctx := overKeeper(t), t.Context()
	theirs := Open(mine.client, smallLayout())
	entry := func(code string, date float64) *hub.Entry {
		return &hub.Entry{Route: "Patient/1", Terms: []hub.Term{{Param: "code", Text: code}, {Param: "date", Kind: hub.Range, Lo: date, Hi: date + 999}}}
	}
	was := map[uint64]*hub.Entry{}
	seq := uint64(0)
	commit := func(num, version uint64, e *hub.Entry) {
		t.Helper()
		seq++
		if err := theirs.Apply(ctx, "records", seq, []hub.Change{change(num, version, seq, fmt.Sprint("o", num), was[num], e)}); err != nil {
			t.Fatal(err)
		}
		was[num] = e
	}
	find := func(want string) {
		t.Helper()
		for range 6 { // often enough for sets to be read whole and remembered
			page, err := mine.Search(ctx, []hub.Partition{"records"}, hub.Query{Type: "Observation", Limit: 10, Sort: []hub.Sort{{Param: "date", Desc: true}}, All: []hub.Clause{
				{Param: "code", Any: []hub.Match{{Text: "x"}}},
				{Param: "date", Any: []hub.Match{{Kind: hub.Within, LoMin: math.Inf(-1), LoMax: 9e5, HiMin: 1e5, HiMax: math.Inf(1)}}},
			}})
			got := ""
			for _, h := range page.Hits {
				got += fmt.Sprint(h.Head.Num, " ")
			}
			if err != nil || got != want {
				t.Fatalf("found %q, %v; want %q", got, err, want)
			}
		}
	}
	begin := func() {
		if _, err := theirs.Begin(ctx, "records"); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	commit(1, 1, entry("x", 2e5))
	commit(2, 1, entry("x", 3e5))
	find("2 1 ")
	commit(3, 1, entry("x", 25e4)) // an addition
	find("2 3 1 ")
	commit(1, 2, entry("x", 8e5)) // another place in the order
	find("1 2 3 ")
	commit(2, 2, entry("x", 95e4)) // outside of the interval
	find("1 3 ")
	commit(3, 2, entry("y", 25e4)) // another code, and the set
	commit(4, 1, entry("x", 5e5))  // is as large as it was
	find("1 4 ")
	commit(1, 3, nil)
	find("4 ")
	if err := theirs.Reset(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	was, seq = map[uint64]*hub.Entry{}, 0
	begin()
	commit(1, 1, entry("x", 2e5))
	commit(4, 1, entry("x", 1e5))
	find("1 4 ")
}
