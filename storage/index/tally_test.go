package index

import (
	"fmt"
	"testing"

	"concord/hub"
)

// What one hub counted ends with what another one adds or takes away, and with an index made anew.
func TestAHubCountsAnewWhatAnotherOneChanges(t *testing.T) {
	client, ctx, p := overKeeper(t).client, t.Context(), hub.Partition("images")
	layout := Layout{Partitions: map[hub.Partition]PartitionLayout{p: {Tag: "d", Slots: 1}}}
	mine, theirs := Open(client, layout), Open(client, layout)
	in := &hub.Entry{Route: "s", Terms: []hub.Term{{Param: "study", Text: "s"}}}
	seq := uint64(0)
	commit := func(num, version uint64, old, new *hub.Entry) {
		t.Helper()
		seq++
		c := change(num, version, seq, fmt.Sprint("o", num), old, new)
		if err := theirs.Apply(ctx, p, seq, []hub.Change{c}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(want int64) {
		t.Helper()
		of := []hub.Tally{{Partition: p, Type: "Observation", Param: "study", Text: "s"}, {Partition: p, Type: "Observation", Param: "study", Text: "other"}}
		for range 3 {
			counts, marks, err := mine.Counts(ctx, of, "", nil)
			if err != nil || counts[0] != want || counts[1] != 0 || marks[p].Applied != seq {
				t.Fatalf("counted %v at %v, %v; want %d at %d", counts, marks, err, want, seq)
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
	count(0)
	commit(1, 1, nil, in)
	count(1)
	commit(2, 1, nil, in)
	count(2)
	commit(1, 2, in, nil)
	count(1)
	if err := theirs.Reset(ctx, p); err != nil {
		t.Fatal(err)
	}
	seq = 0
	begin()
	count(0)
	for i := range uint64(3) {
		commit(i+1, 1, nil, in)
	}
	count(3)
	// What is known of the marks of a search is told without a trip, and only of those.
	of := []hub.Tally{{Partition: p, Type: "Observation", Param: "study", Text: "s"}}
	search := func() map[hub.Partition]hub.Marks {
		t.Helper()
		page, err := mine.Search(ctx, []hub.Partition{p}, hub.Query{Type: "Observation", Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return page.Marks
	}
	told := func(at map[hub.Partition]hub.Marks, want int64, asked bool) {
		t.Helper()
		counts, marks, err := mine.Counts(ctx, of, "", at)
		if err != nil || counts[0] != want || (marks != nil) != asked {
			t.Errorf("counted %v, at %v, %v; want %d, asked: %v", counts, marks, err, want, asked)
		}
	}
	at := search()
	told(at, 3, false)
	of[0].Text = "never counted"
	told(at, 0, true)
	of[0].Text = "s"
	commit(4, 1, nil, in)
	told(at, 3, false)
	later := search()
	told(later, 4, true)
	told(later, 4, false)
	told(at, 4, true)
	told(nil, 4, true)
	if got := len(mine.tallies.of[mine.partitions[p]].known); got != 3 {
		t.Errorf("%d texts are remembered, want 3", got)
	}
}
