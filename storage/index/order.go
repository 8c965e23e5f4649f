package index

import (
	"cmp"
	"container/heap"
	"math"
	"slices"

	"concord/hub"
)

// order is that of q.Sort, missing values last, then of the number, then of the partition.
type order []hub.Sort

func orderOf(sorts []hub.Sort) order {
	if len(sorts) == 0 {
		return order{{Param: hub.LastUpdated}}
	}
	return sorts
}

// place is where a thing stands in an order. A missing value is NaN.
type place struct {
	values []float64
	num    uint64
	p      hub.Partition
}

// position is the place in the hub's words, fit for JSON.
func (a place) position() hub.Position {
	pos := hub.Position{Values: make([]float64, len(a.values)), Num: a.num, Partition: a.p}
	for i, v := range a.values {
		if math.IsNaN(v) {
			if pos.Missing == nil {
				pos.Missing = make([]bool, len(a.values))
			}
			pos.Missing[i] = true
			continue
		}
		pos.Values[i] = v
	}
	return pos
}

func (o order) placeOf(pos *hub.Position) (place, error) {
	if len(pos.Values) != len(o) || (pos.Missing != nil && len(pos.Missing) != len(o)) {
		return place{}, &hub.Error{Kind: hub.Invalid, Msg: "the page's position belongs to another order"}
	}
	a := place{values: slices.Clone(pos.Values), num: pos.Num, p: pos.Partition}
	for i := range a.values {
		if pos.Missing != nil && pos.Missing[i] {
			a.values[i] = math.NaN()
		}
	}
	return a, nil
}

// finite brings the open ends of intervals into what JSON can say; widen takes it back.
func finite(f float64) float64 { return max(-math.MaxFloat64, min(math.MaxFloat64, f)) }

func widen(f float64) float64 {
	if math.Abs(f) == math.MaxFloat64 {
		return math.Inf(int(math.Copysign(1, f)))
	}
	return f
}

func (o order) compare(a, b place) int {
	for i := range o {
		if c := o.compareValue(i, a.values[i], b.values[i]); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.num, b.num), cmp.Compare(a.p, b.p))
}

func (o order) compareValue(i int, a, b float64) int {
	switch {
	case math.IsNaN(a) || math.IsNaN(b):
		return -cmp.Compare(a, b) // cmp puts NaN first
	case o[i].Desc:
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

// candidate is a thing that matched, in its shard.
type candidate struct {
	place
	shard *shard
}

// top keeps the first of all that it is offered.
type top struct {
	order order
	after *place
	need  int
	kept  []candidate // a heap, the last one on top
}

// offer leaves out what lies on earlier pages.
func (t *top) offer(c candidate) {
	switch {
	case t.after != nil && t.order.compare(c.place, *t.after) <= 0:
	case len(t.kept) < t.need:
		heap.Push(t, c)
	case t.need > 0 && t.order.compare(c.place, t.kept[0].place) < 0:
		t.kept[0] = c
		heap.Fix(t, 0)
	}
}

// full: what is not kept comes later than all that is.
func (t *top) full() bool { return len(t.kept) == t.need }

// beyond reports whether everything with this first value, or a later one, comes too late to be kept.
func (t *top) beyond(value float64) bool {
	return t.full() && (t.need == 0 || t.order.compareValue(0, value, t.kept[0].values[0]) > 0)
}

// past reports whether everything with this first value or a later one, and this number or a higher one, comes too late.
func (t *top) past(value float64, num uint64) bool {
	return t.beyond(value) || t.full() && t.order.compareValue(0, value, t.kept[0].values[0]) == 0 && num > t.kept[0].num
}

func (t *top) sorted() []candidate {
	slices.SortFunc(t.kept, func(a, b candidate) int { return t.order.compare(a.place, b.place) })
	return t.kept
}

func (t *top) Len() int           { return len(t.kept) }
func (t *top) Less(i, j int) bool { return t.order.compare(t.kept[i].place, t.kept[j].place) > 0 }
func (t *top) Swap(i, j int)      { t.kept[i], t.kept[j] = t.kept[j], t.kept[i] }
func (t *top) Push(x any)         { t.kept = append(t.kept, x.(candidate)) }
func (t *top) Pop() any {
	last := t.kept[len(t.kept)-1]
	t.kept = t.kept[:len(t.kept)-1]
	return last
}
