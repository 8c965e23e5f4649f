package keeper

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestEverySizeOfBlockHasAClassOfItsOwn(t *testing.T) {
	sizes := map[int]int{}
	for n := 1; n <= largestBlock; n++ {
		size := roundUp(n)
		if size < n || size%unit != 0 || size-n > max(15, n/8) {
			t.Fatalf("%d bytes are rounded to %d", n, size)
		}
		if other, ok := sizes[class(size)]; ok && other != size {
			t.Fatalf("sizes %d and %d are both of class %d", other, size, class(size))
		}
		sizes[class(size)] = size
	}
}

func TestATableKeepsWhatAMapKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := newTable(maphash.MakeSeed())
		model := map[string]string{}
		size := rapid.SampledFrom([]int{4, 100, 3000, largestBlock * 2})
		for i := range rapid.IntRange(1, 400).Draw(t, "steps") {
			key := fmt.Sprint("key ", rapid.IntRange(0, 100).Draw(t, "key"))
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				_, there := model[key]
				if tab.remove([]byte(key)) != there {
					t.Fatalf("remove %q: there is %v", key, there)
				}
				delete(model, key)
				continue
			}
			val := bytes.Repeat([]byte{byte(i)}, rapid.IntRange(0, size.Draw(t, "most")).Draw(t, "length"))
			_, there := model[key]
			if tab.put([]byte(key), val) == there {
				t.Fatalf("put %q: there was %v", key, there)
			}
			model[key] = string(val)
		}
		if tab.live != len(model) {
			t.Fatalf("%d keys, want %d", tab.live, len(model))
		}
		for key, want := range model {
			if got, ok := tab.get([]byte(key)); !ok || string(got) != want {
				t.Fatalf("%q has %d bytes, %v; want %d", key, len(got), ok, len(want))
			}
		}
		tab.each(func(key, val []byte) bool {
			if model[string(key)] != string(val) {
				t.Fatalf("each gives %q with %d bytes", key, len(val))
			}
			return true
		})
	})
}

func TestAScanMeetsEveryKeyThatStaysWhileOthersComeAndGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := newTable(maphash.MakeSeed())
		stay := rapid.IntRange(1, 300).Draw(t, "stay")
		for i := range stay {
			tab.put(fmt.Append(nil, "stay", i), nil)
		}
		met := map[string]int{}
		other := 0
		for cursor, first := uint64(0), true; cursor != 0 || first; first = false {
			cursor = tab.scan(cursor, rapid.IntRange(1, 20).Draw(t, "count"), func(key, _ []byte) { met[string(key)]++ })
			for range rapid.IntRange(0, 60).Draw(t, "come") {
				tab.put(fmt.Append(nil, "other", other), nil)
				other++
			}
			for range rapid.IntRange(0, 30).Draw(t, "go") {
				tab.remove(fmt.Append(nil, "other", rapid.IntRange(0, other).Draw(t, "which")))
			}
			if other > 3000 {
				break
			}
		}
		if other > 3000 {
			t.Skip("grew faster than it was scanned")
		}
		for i := range stay {
			if met[fmt.Sprint("stay", i)] != 1 {
				t.Fatalf("stay%d was met %d times", i, met[fmt.Sprint("stay", i)])
			}
		}
	})
}

func TestARunKeepsOrderRanksAndBothDirections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r run[uint32]
		var model []uint32
		top := rapid.SampledFrom([]int{50, 5000, 100_000}).Draw(t, "top")
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			from := rapid.IntRange(0, top).Draw(t, "from")
			step := rapid.IntRange(-3, 3).Draw(t, "step")
			add := rapid.IntRange(0, 2).Draw(t, "add") > 0
			for i := range rapid.IntRange(1, 4000).Draw(t, "many") {
				n := uint32(max(0, from+i*step))
				at, there := slices.BinarySearch(model, n)
				if add {
					if insert(&r, n) == there {
						t.Fatalf("insert %d: there was %v", n, there)
					}
					if !there {
						model = slices.Insert(model, at, n)
					}
				} else {
					if remove(&r, n) != there {
						t.Fatalf("remove %d: there is %v", n, there)
					}
					if there {
						model = slices.Delete(model, at, at+1)
					}
				}
			}
		}
		if r.n != len(model) || !slices.Equal(slices.AppendSeq([]uint32{}, r.all()), append([]uint32{}, model...)) {
			t.Fatalf("the run has %d items, want %d", r.n, len(model))
		}
		k := rapid.IntRange(0, len(model)).Draw(t, "rank")
		p := r.ranked(k)
		if r.rank(p) != k {
			t.Fatalf("rank of place %v is %d, want %d", p, r.rank(p), k)
		}
		back := slices.AppendSeq([]uint32{}, r.before(p))
		slices.Reverse(back)
		if !slices.Equal(back, append([]uint32{}, model[:k]...)) {
			t.Fatalf("before rank %d: %d items", k, len(back))
		}
		for _, chunk := range r.chunks {
			if len(chunk) == 0 || len(chunk) > r.perChunk() {
				t.Fatalf("a chunk has %d items", len(chunk))
			}
		}
	})
}

func TestALoadedRunCanGrow(t *testing.T) {
	items := make([]uint32, 5000)
	for i := range items {
		items[i] = uint32(2 * i)
	}
	r := load(items)
	for i := range uint32(5000) {
		insert(&r, 2*i+1)
	}
	want := uint32(0)
	for n := range r.all() {
		if n != want {
			t.Fatalf("%d stands where %d belongs", n, want)
		}
		want++
	}
	if want != 10_000 {
		t.Fatalf("the run has %d items", want)
	}
}
