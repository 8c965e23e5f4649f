package lookup

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"concord/hub"
)

// compare puts two positions in the order of sorts: what lacks a value comes last in either direction, and equals follow
// their number, then their partition.
func compare(sorts []hub.Sort, a, b *hub.Position) int {
	for i := range max(1, len(sorts)) {
		desc := i < len(sorts) && sorts[i].Desc
		am, bm := lacks(a, i), lacks(b, i)
		var c int
		switch {
		case am || bm:
			if am != bm {
				return toInt(am) - toInt(bm)
			}
		case len(a.Keys) > 0:
			c = cmp.Compare(a.Keys[i], b.Keys[i])
		default:
			c = cmp.Compare(a.Values[i], b.Values[i])
		}
		if c != 0 && desc {
			return -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.Num, b.Num), cmp.Compare(a.Partition, b.Partition))
}

func lacks(p *hub.Position, i int) bool { return p.Missing != nil && p.Missing[i] }

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// computed reports whether an order has a key that only the record tells.
func computed(sorts []hub.Sort) bool {
	return slices.ContainsFunc(sorts, func(s hub.Sort) bool { return s.Key != nil })
}

// checkAfter refuses a position that belongs to another order than q's.
func checkAfter(q *hub.Query) error {
	if q.After == nil {
		return nil
	}
	width, given := max(1, len(q.Sort)), len(q.After.Values)
	if computed(q.Sort) {
		given = len(q.After.Keys)
	}
	if given != width || q.After.Missing != nil && len(q.After.Missing) != width {
		return &hub.Error{Kind: hub.Invalid, Msg: "the page's position belongs to another order"}
	}
	return nil
}

// place says where t stands in an order, by its record: as an index says it where it could.
func place(sorts []hub.Sort, t *thing) (hub.Position, error) {
	pos := hub.Position{Num: t.head.Num, Partition: t.head.Partition}
	if len(sorts) == 0 {
		sorts = []hub.Sort{{Param: hub.LastUpdated}}
	}
	if computed(sorts) {
		pos.Keys = make([]string, len(sorts))
	} else {
		pos.Values = make([]float64, len(sorts))
	}
	for i, s := range sorts {
		var key string
		var low float64
		ok := false
		if s.Key != nil {
			key, ok = s.Key(t.rec)
		} else {
			var err error
			if low, err = least(s.Param, t); err != nil {
				return pos, err
			}
			if ok = !math.IsNaN(low); ok {
				key = orderedText(low)
			}
		}
		switch {
		case !ok && pos.Missing == nil:
			pos.Missing = make([]bool, len(sorts))
			fallthrough
		case !ok:
			pos.Missing[i] = true
		case pos.Keys != nil:
			pos.Keys[i] = key
		default:
			pos.Values[i] = low
		}
	}
	return pos, nil
}

// least is the value by which an index sorts t: the least Lo of the parameter's Range terms, NaN for none.
func least(param string, t *thing) (float64, error) {
	if param == hub.LastUpdated {
		return hub.Instant(t.rec.Time), nil
	}
	e, err := t.entry()
	low := math.NaN()
	for i := range e.Terms {
		if term := &e.Terms[i]; term.Param == param && term.Kind == hub.Range && !(low <= term.Lo) {
			low = term.Lo
		}
	}
	return low, err
}

// orderedText writes f so that texts compare as the numbers do.
func orderedText(f float64) string {
	bits := math.Float64bits(f + 0) // −0 is 0
	if bits>>63 == 1 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return fmt.Sprintf("%016x", bits)
}
