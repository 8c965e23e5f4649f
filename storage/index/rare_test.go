package index

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// commands counts what goes in pipelines.
type commands struct{ n int }

func (*commands) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*commands) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (c *commands) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n += len(cmds)
		return next(ctx, cmds)
	}
}

// A thing is found by its identifier without asking all slots, also after it has moved to another one, and no longer by one that it lost.
func TestAnIdentifierLeadsToItsSlot(t *testing.T) {
	ix, ctx := overKeeper(t), t.Context()
	known := func(r string, ids ...string) *hub.Entry {
		e := &hub.Entry{Route: r}
		for _, id := range ids {
			e.Terms = append(e.Terms, hub.Term{Param: "identifier", Text: id})
		}
		return e
	}
	first, second := "Patient/1", "Patient/2"
	for i := '3'; ix.SlotOf("records", second) == ix.SlotOf("records", first); i++ {
		second = "Patient/" + string(i)
	}
	was, is := known(first, "s|1", "s|2"), known(second, "s|2", "s|3")
	_, err := ix.Begin(ctx, "records")
	if err == nil {
		err = ix.Apply(ctx, "records", 1, []hub.Change{change(1, 1, 1, "a", nil, was), change(2, 1, 1, "b", nil, known(first, "s|9"))})
	}
	if err == nil {
		err = ix.Apply(ctx, "records", 2, []hub.Change{change(1, 2, 2, "a", was, is)})
	}
	if err != nil {
		t.Fatal(err)
	}
	sent := &commands{}
	ix.client.AddHook(sent)
	for id, want := range map[string]int{"s|1": 0, "s|2": 1, "s|3": 1, "s|4": 0, "s|9": 1} {
		sent.n = 0
		q := hub.Query{Type: "Observation", Limit: 10, Count: true, All: []hub.Clause{{Param: "identifier", Any: []hub.Match{{Text: id}}}}}
		page, err := ix.Search(ctx, []hub.Partition{"records"}, q)
		if err != nil || len(page.Hits) != want || page.Total != int64(want) {
			t.Errorf("%s: %d hits of %d, %v; want %d", id, len(page.Hits), page.Total, err, want)
		}
		if sent.n > 12 {
			t.Errorf("%s: %d commands", id, sent.n)
		}
		counts, _, err := ix.Counts(ctx, []hub.Tally{{Partition: "records", Type: "Observation", Param: "identifier", Text: id}, {Partition: "records", Type: "Observation", Param: "identifier", Text: "s|9"}}, "", nil)
		if err != nil || counts[0] != int64(want) || counts[1] != 1 {
			t.Errorf("%s: counted %v, %v", id, counts, err)
		}
	}
	if err := ix.Apply(ctx, "records", 3, []hub.Change{change(1, 3, 3, "a", is, nil)}); err != nil {
		t.Fatal(err)
	}
	q := hub.Query{Type: "Observation", Limit: 10, All: []hub.Clause{{Param: "identifier", Any: []hub.Match{{Text: "s|2"}}}}}
	if page, err := ix.Search(ctx, []hub.Partition{"records"}, q); err != nil || len(page.Hits) != 0 {
		t.Errorf("what was deleted is found by its identifier: %d hits, %v", len(page.Hits), err)
	}
}
