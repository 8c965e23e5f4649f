package index

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"concord/hub"
)

// What is asked for, in any order of batches and slots, the cache either knows as it was told or lists as unknown.
func TestTheCacheRecallsWhatItWasTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, p := newCache(1<<30), &partition{}
		id := columnID{p, "date"}
		told := map[uint64]span{} // even numbers lie in slot 0, odd ones in slot 1
		for range rapid.IntRange(1, 8).Draw(t, "batches") {
			slot := rapid.IntRange(0, 1).Draw(t, "slot")
			at := c.eraOf(p, slot, mark{gen: "g", seq: 9, changed: 3})
			read := map[uint64]value{}
			for _, n := range rapid.SliceOfN(rapid.Uint64Range(0, 6000), 0, 200).Draw(t, "read") {
				n = 2*n + uint64(slot)
				s := span{float64(n) / 8, float64(n)/8 + rapid.SampledFrom([]float64{0, 999, 59999, 86399999, 0.125}).Draw(t, "width")}
				if _, has := told[n]; !has {
					told[n], read[n] = s, value{span: s}
				}
			}
			c.remember(id, at, read, true)
			asked := rapid.SliceOfN(rapid.Uint64Range(0, 6500), 0, 300).Draw(t, "asked")
			for i := range asked {
				asked[i] = 2*asked[i] + uint64(slot)
			}
			asked = distinct(asked)
			spans := make([]span, len(asked))
			unknown := c.recall(id, at, asked, spans, nil)
			for i, n := range asked {
				if s, has := told[n]; has == slices.Contains(unknown, n) || has && spans[i] != s {
					t.Fatalf("%d: %v, unknown %v; told %v %v", n, spans[i], unknown, s, has)
				}
			}
		}
	})
}

func TestTheCacheForgets(t *testing.T) {
	c, p := newCache(1<<20), &partition{}
	id := columnID{p, "date"}
	at := c.eraOf(p, 7, mark{gen: "g", changed: 3})
	c.remember(id, at, map[uint64]value{1: {span: span{1, 1}}, 2: noValue, 3: {span: span{1, 1}, passing: true}, 4: {span: span{1, 1}, several: "x"},
		5: {span: span{-math.MaxFloat64, 7}}, 6: {span: span{0, 16777218}}}, false)
	asked := []uint64{1, 2, 3, 4, 5, 6}
	recall := func(at era) []uint64 { return c.recall(id, at, asked, make([]span, len(asked)), nil) }
	if unknown := recall(at); !slices.Equal(unknown, asked[1:]) {
		t.Errorf("an absence that may be a commit on its way, a time that passes, several values, and widths that would lose digits are not remembered: %v unknown", unknown)
	}
	if c.eraOf(p, 7, mark{gen: "g", changed: 2}) != 0 || len(recall(0)) != len(asked) {
		t.Error("a search that began before the last change has no use for what came after it")
	}
	c.rememberSet("a", at, 0, []uint64{1, 2})
	if _, has := c.set("a", at, 3); has {
		t.Error("a set that has grown since is read again")
	}
	if nums, has := c.set("a", at, 2); !has || len(nums) != 2 || cap(nums) != 2 {
		t.Errorf("a set of the same size in the same era: %v %v", nums, has)
	}
	if other := c.eraOf(p, 8, mark{gen: "g", changed: 3}); other == at {
		t.Error("each slot has eras of its own")
	}
	for _, next := range []mark{{gen: "g", changed: 4}, {gen: "h", changed: 4}} {
		later := c.eraOf(p, 7, next)
		if later == at || len(recall(later)) != len(asked) {
			t.Error("a change in the slot, or another index, ends what was true before it")
		}
		if _, has := c.set("a", later, 2); has {
			t.Error("after a change a set of the same size may be another one")
		}
	}
	at = c.eraOf(p, 7, mark{gen: "h", changed: 4})
	for k := range uint64(40) {
		c.remember(id, at, map[uint64]value{k * tabletSize: {span: span{1, 1}}}, true)
	}
	if c.size > c.most {
		t.Errorf("%d bytes, may have %d", c.size, c.most)
	}
}

func TestTheCacheRecallsHeads(t *testing.T) {
	c, p := newCache(1<<20), &partition{}
	at := c.eraOf(p, 0, mark{gen: "g", changed: 3})
	heads := map[uint64]head{
		1: {version: 1, at: hub.Loc{Seq: 9, Off: 40, Len: 7}},
		2: {version: 3, deleted: true, at: hub.Loc{Seq: 10, Off: 1, Len: 2}},
		3: {}, // there is none
		4: {version: math.MaxUint32},
	}
	c.rememberHeads(p, at, []uint64{1, 2, 3, 4}, heads)
	told := map[uint64]head{}
	if unknown := c.recallHeads(p, at, []uint64{1, 2, 3, 4, 5}, told); !slices.Equal(unknown, []uint64{3, 4, 5}) || told[1] != heads[1] || told[2] != heads[2] {
		t.Errorf("recalled %v, not %v", told, unknown)
	}
	later := c.eraOf(p, 0, mark{gen: "g", changed: 4})
	for name, unknown := range map[string][]uint64{
		"after a change":       c.recallHeads(p, later, []uint64{1, 2}, told),
		"in no era":            c.recallHeads(p, 0, []uint64{1, 2}, told),
		"of another partition": c.recallHeads(&partition{}, at, []uint64{1, 2}, told),
	} {
		if len(unknown) != 2 {
			t.Errorf("%s only %v are read anew", name, unknown)
		}
	}
	for k := range uint64(40) {
		n := k * tabletSize
		c.rememberHeads(p, later, []uint64{n}, map[uint64]head{n: {version: 1}})
	}
	if c.size > c.most {
		t.Errorf("%d bytes, may have %d", c.size, c.most)
	}
}

// Sets of few members come back as they were, and some make room for others.
func TestTheCacheRecallsSmallSets(t *testing.T) {
	c, p := newCache(100*smallSize), &partition{}
	at := c.eraOf(p, 0, mark{gen: "g", changed: 3})
	for n := range uint64(smallMost + 1) {
		set := []uint64{10, 20, 30, 40, 50}[:n]
		c.rememberSet("k", at, 0, set)
		if got, has := c.set("k", at, int(n)); !has || !slices.Equal(got, set) {
			t.Errorf("%d members: %v, %v", n, got, has)
		}
		if _, has := c.set("k", at, int(n)+1); has {
			t.Errorf("%d members: recalled though it has grown", n)
		}
		if _, has := c.set("k", c.eraOf(p, 1, mark{gen: "g"}), int(n)); has {
			t.Errorf("%d members: recalled in another era", n)
		}
	}
	for i := range 1000 {
		c.rememberSet(fmt.Sprint(i), at, 0, []uint64{1})
	}
	if int64(len(c.small))*smallSize > c.most/8 {
		t.Errorf("%d small sets are kept", len(c.small))
	}
}
