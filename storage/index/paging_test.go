package index

import (
	"fmt"
	"math"
	"testing"

	"concord/hub"
)

// All pages together are everything, whatever was remembered on the way.
func TestPagesAreEverything(t *testing.T) {
	few, ctx := overKeeper(t), t.Context()
	ix := Open(few.client, StandardLayout(1))
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	const all = 5000
	var changes []hub.Change
	for n := range uint64(all) {
		changes = append(changes, change(n+1, 1, 1, fmt.Sprint("o", n), nil, route(fmt.Sprint("Observation/o", n), "x")))
	}
	if err := ix.Apply(ctx, "records", 1, changes); err != nil {
		t.Fatal(err)
	}
	for n := range uint64(3) {
		if err := ix.Apply(ctx, "records", 2+n, []hub.Change{change(all+n+1, 1, 2+n, fmt.Sprint("p", n), nil, route(fmt.Sprint("Observation/p", n), "x"))}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		for name, q := range map[string]hub.Query{"everything": {Type: "Observation"}, "the newest": {Type: "Observation", Sort: []hub.Sort{{Param: hub.LastUpdated, Desc: true}}}, "a code": codeIs("x")} {
			q.Limit = 100
			found := 0
			for more := true; more; {
				page, err := ix.Search(ctx, []hub.Partition{"records"}, q)
				if err != nil {
					t.Fatal(err)
				}
				if more = page.More; more {
					q.After = &page.Hits[len(page.Hits)-1].Pos
				}
				found += len(page.Hits)
			}
			if found != all+3 {
				t.Errorf("round %d, %s: %d of %d", round, name, found, all)
			}
		}
	}
}

// Each commit brings values that no page of the index had before.
func TestAnswersGrowWithTheIndex(t *testing.T) {
	few, ctx := overKeeper(t), t.Context()
	ix := Open(few.client, StandardLayout(1))
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	const each = 300
	for month := range uint64(6) {
		var changes []hub.Change
		for n := range uint64(each) {
			at := float64(1_500_000_000_000 + month*3_000_000_000 + n)
			e := route(fmt.Sprint("Patient/", n), "x")
			e.Terms = append(e.Terms, hub.Term{Param: "date", Kind: hub.Range, Lo: at, Hi: at})
			changes = append(changes, change(month*each+n+1, 1, month+1, fmt.Sprint(month, "-", n), nil, e))
		}
		if err := ix.Apply(ctx, "records", month+1, changes); err != nil {
			t.Fatal(err)
		}
		since := hub.Clause{Param: "date", Any: []hub.Match{{Kind: hub.Within, LoMin: 1_400_000_000_000, LoMax: math.Inf(1), HiMin: math.Inf(-1), HiMax: math.Inf(1)}}}
		for name, q := range map[string]hub.Query{
			"an interval":  {All: []hub.Clause{since}},
			"by date":      {Sort: []hub.Sort{{Param: "date", Desc: true}}},
			"by update":    {Sort: []hub.Sort{{Param: hub.LastUpdated, Desc: true}}},
			"both ordered": {All: []hub.Clause{since}, Sort: []hub.Sort{{Param: "date"}}},
		} {
			q.Type, q.Count, q.Limit = "Observation", true, 10
			all := int(month+1) * each
			if page, err := ix.Search(ctx, []hub.Partition{"records"}, q); err != nil || page.Total != int64(all) || len(page.Hits) != 10 {
				t.Errorf("month %d, %s: %d of %d, %d hits, %v", month, name, page.Total, all, len(page.Hits), err)
			}
		}
	}
}
