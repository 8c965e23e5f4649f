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
			counts, marks, err := mine.Counts(ctx, of, "")
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
	if got := len(mine.tallies.of[mine.partitions[p]].known); got != 2 {
		t.Errorf("%d numbers are remembered, want 2", got)
	}
}
