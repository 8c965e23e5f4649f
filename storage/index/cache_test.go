package index

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What a column is asked for in any order of batches, it either knows as it was told or lists as unknown.
func TestAColumnRecallsWhatItWasTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCache(1 << 20)
		id, at := columnID{param: "date"}, mark{gen: "g", seq: 9, changed: 3}
		col := c.column(id, at)
		told := map[uint64]float64{}
		for range rapid.IntRange(1, 8).Draw(t, "batches") {
			read := map[uint64]value{}
			for _, n := range rapid.SliceOfN(rapid.Uint64Range(1, 400), 0, 200).Draw(t, "read") {
				if _, has := told[n]; !has {
					told[n] = float64(n) / 2
					read[n] = value{span: span{float64(n) / 2, float64(n)}}
				}
			}
			c.remember(col, at, read, true)
			asked := rapid.SliceOfN(rapid.Uint64Range(1, 450), 0, 300).Draw(t, "asked")
			asked = distinct(asked)
			vals := make([]value, len(asked))
			unknown := col.recall(at, asked, vals)
			for i, n := range asked {
				if lo, has := told[n]; has == slices.Contains(unknown, i) || has && vals[i].lo != lo {
					t.Fatalf("%d: %v, unknown %v; told %v %v", n, vals[i], unknown, lo, has)
				}
			}
		}
		if c.size.Load() != valueSize*int64(len(told)) {
			t.Fatalf("%d bytes for %d values", c.size.Load(), len(told))
		}
	})
}

func TestTheCacheForgets(t *testing.T) {
	c := newCache(1 << 20)
	id, at := columnID{param: "date"}, mark{gen: "g", changed: 3}
	col := c.column(id, at)
	c.remember(col, at, map[uint64]value{1: {span: span{1, 1}}, 2: noValue, 3: {span: span{1, 1}, passing: true}, 4: {span: span{1, 1}, several: "x"}}, false)
	asked := []uint64{1, 2, 3, 4}
	if unknown := col.recall(at, asked, make([]value, 4)); !slices.Equal(unknown, []int{1, 2, 3}) {
		t.Errorf("an absence that may be a commit on its way, a time that passes, and several values are not remembered: %v unknown", unknown)
	}
	if c.column(id, mark{gen: "g", changed: 2}) != nil {
		t.Error("a search that began before the last change has no use for what came after it")
	}
	later := mark{gen: "g", changed: 4}
	if now := c.column(id, later); len(now.recall(later, asked, make([]value, 4))) != 4 || len(col.recall(at, asked, make([]value, 4))) != 4 {
		t.Error("a change in the slot ends what was true before it, also for those who hold it")
	}
	c.rememberSet("a", at, []uint64{1, 2})
	if _, has := c.set("a", at, 3); has {
		t.Error("a set that has grown since is read again")
	}
	if nums, has := c.set("a", at, 2); !has || len(nums) != 2 || cap(nums) != 2 {
		t.Errorf("a set of the same size at the same mark: %v %v", nums, has)
	}
	if _, has := c.set("a", later, 2); has {
		t.Error("after a change a set of the same size may be another one")
	}
	big := make(map[uint64]value)
	for i := range uint64(50_000) {
		big[i] = value{span: span{math.Pi, math.Pi}}
	}
	c.remember(c.column(columnID{param: "new"}, at), at, big, true)
	if c.size.Load() > c.most {
		t.Errorf("%d bytes, may have %d", c.size.Load(), c.most)
	}
}
