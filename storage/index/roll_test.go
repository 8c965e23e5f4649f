package index

import (
	"context"
	"slices"
	"testing"

	"concord/hub"
)

// A replica that becomes the server may lack the last commits; what the hub remembers having written is not there then.
func TestRollsAreWrittenAgainWhenTheServerLostThem(t *testing.T) {
	ix, ctx := overKeeper(t), context.Background()
	if _, err := ix.Begin(ctx, "records"); err != nil {
		t.Fatal(err)
	}
	dated := route("Patient/1", "x")
	dated.Terms = append(dated.Terms, hub.Term{Param: "date", Kind: hub.Range, Lo: 5, Hi: 5})
	commits := [][]hub.Change{{change(1, 1, 1, "a", nil, dated)}, {change(2, 1, 2, "b", nil, dated)}}
	apply := func() {
		for i, c := range commits {
			if err := ix.Apply(ctx, "records", uint64(i+1), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	apply()
	before := dumped(t, ix)
	p := ix.partitions["records"]
	ix.client.Del(ctx, p.typesKey(), p.hoursKey("Observation"), p.pagesKey(near, "Observation", "date"))
	ix.client.HSet(ctx, p.metaKey(), "applied", 0)
	apply()
	if after := dumped(t, ix); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if types, err := ix.Types(ctx, "records"); err != nil || !slices.Equal(types, []string{"Observation"}) {
		t.Errorf("types %v, %v", types, err)
	}
}
