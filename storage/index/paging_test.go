package index

import (
	"fmt"
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
