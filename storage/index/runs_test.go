package index

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// However numbers come, they are ascending afterwards, each once.
func TestDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var nums []uint64
		for range rapid.IntRange(0, mostRuns+4).Draw(t, "sets") {
			set := rapid.SliceOfN(rapid.Uint64Range(0, 200), 0, 12).Draw(t, "set")
			slices.Sort(set)
			nums = append(nums, set...)
		}
		want := slices.Clone(nums)
		slices.Sort(want)
		want = slices.Compact(want)
		if got := distinct(nums); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// The first of what is offered are kept, in the order, whatever the order they come in.
func TestTop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := order{{Param: "date", Desc: rapid.Bool().Draw(t, "desc")}, {Param: "number"}}
		kept := top{order: o, need: rapid.IntRange(0, 9).Draw(t, "need")}
		sh := &shard{p: &partition{name: "p"}}
		value := rapid.SampledFrom([]float64{-1.5, 0, 1, 2, noValue.lo})
		var all []place
		for n := range uint64(rapid.IntRange(0, 40).Draw(t, "things")) {
			p := place{[]float64{value.Draw(t, "date"), value.Draw(t, "number")}, n, "p"}
			all = append(all, p)
		}
		for _, i := range rapid.Permutation(all).Draw(t, "offered") {
			kept.offer(i.values, i.num, sh)
		}
		slices.SortFunc(all, o.compare)
		all = all[:min(len(all), kept.need)]
		got := kept.sorted()
		if len(got) != len(all) {
			t.Fatalf("%d are kept of %d", len(got), len(all))
		}
		for i := range got {
			if got[i].num != all[i].num {
				t.Fatalf("kept %v in place %d, want %v", got[i].place(), i, all[i])
			}
		}
	})
}
