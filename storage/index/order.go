package index

import (
	"cmp"
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

func (o order) compare(a, b place) int { return o.compareFrom(0, a, b) }

// compareFrom is compare for places whose first values, so many of them, are the same.
func (o order) compareFrom(first int, a, b place) int {
	for i := first; i < len(o); i++ {
		if c := o.compareValue(i, a.values[i], b.values[i]); c != 0 {
			return c
		}
	}
	if a.num != b.num {
		return cmp.Compare(a.num, b.num)
	}
	return cmp.Compare(a.p, b.p)
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

// rank puts first values in their order: the least comes first, and what has none last.
func (o order) rank(value float64) float64 {
	switch {
	case math.IsNaN(value):
		return math.Inf(1)
	case o[0].Desc:
		return -value
	}
	return value
}

// candidate is a thing that matched, in its shard.
type candidate struct {
	rank   float64 // of its first value
	num    uint64
	values []float64
	shard  *shard
}

func (c *candidate) place() place { return place{c.values, c.num, c.shard.p.name} }

// top keeps the first of all that it is offered.
type top struct {
	order order
	after *place
	need  int
	kept  []candidate // a heap, the last one on top
}

// offer leaves out what lies on earlier pages.
func (t *top) offer(values []float64, num uint64, sh *shard) {
	c := candidate{t.order.rank(values[0]), num, values, sh}
	full := t.full()
	switch {
	case t.need == 0 || full && c.rank > t.kept[0].rank: // most are left out here
	case t.after != nil && t.order.compare(c.place(), *t.after) <= 0:
	case !full:
		t.kept = append(t.kept, c)
		t.rise()
	case t.compare(&c, &t.kept[0]) < 0:
		t.kept[0] = c
		t.sink()
	}
}

func (t *top) compare(a, b *candidate) int {
	if a.rank != b.rank {
		return cmp.Compare(a.rank, b.rank)
	}
	return t.order.compareFrom(1, a.place(), b.place()) // equal ranks are equal first values
}

// rise puts the last of the heap in its place.
func (t *top) rise() {
	for i := len(t.kept) - 1; i > 0; {
		up := (i - 1) / 2
		if t.compare(&t.kept[i], &t.kept[up]) < 0 {
			return
		}
		t.kept[i], t.kept[up] = t.kept[up], t.kept[i]
		i = up
	}
}

// sink puts the first of the heap in its place.
func (t *top) sink() {
	for i := 0; ; {
		last := 2*i + 1
		if last >= len(t.kept) {
			return
		}
		if right := last + 1; right < len(t.kept) && t.compare(&t.kept[right], &t.kept[last]) > 0 {
			last = right
		}
		if t.compare(&t.kept[i], &t.kept[last]) > 0 {
			return
		}
		t.kept[i], t.kept[last] = t.kept[last], t.kept[i]
		i = last
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
	slices.SortFunc(t.kept, func(a, b candidate) int { return t.compare(&a, &b) })
	return t.kept
}
