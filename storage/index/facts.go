package index

import (
	"cmp"
	"math"
	"slices"

	"concord/hub"
)

// facts is an entry in the shape of its keys: no term twice, the values of a Range parameter in order.
type facts struct {
	exact  map[fact]struct{}
	text   map[fact]struct{}
	ranges map[string][]span
}

type fact struct{ param, text string }

type span struct{ lo, hi float64 }

// factsOf reads an entry. A Range that is not a number matches nothing and is left out, and so is a LastUpdated
// of the entry's own, and its id: the index knows those from the record.
func factsOf(e *hub.Entry) facts {
	if e == nil {
		return facts{}
	}
	f := facts{exact: make(map[fact]struct{}, len(e.Terms)), text: map[fact]struct{}{}, ranges: map[string][]span{}}
	for i := range e.Terms {
		t := &e.Terms[i]
		switch {
		case t.Param == hub.LastUpdated, t.Param == hub.ID && t.Kind == hub.Exact:
		case t.Kind == hub.Exact:
			f.exact[fact{t.Param, t.Text}] = struct{}{}
		case t.Kind == hub.Text:
			f.text[fact{t.Param, t.Text}] = struct{}{}
		case !math.IsNaN(t.Lo) && !math.IsNaN(t.Hi):
			f.ranges[t.Param] = append(f.ranges[t.Param], span{t.Lo, t.Hi})
		}
	}
	for param, spans := range f.ranges {
		slices.SortFunc(spans, func(a, b span) int {
			return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi))
		})
		f.ranges[param] = slices.Compact(spans)
	}
	return f
}

// thing is what a commit does to one name: usually one change, seldom several in a row.
type thing struct {
	records  []*hub.Record // oldest first
	old, new *hub.Entry
}

func (t *thing) first() *hub.Record { return t.records[0] }
func (t *thing) last() *hub.Record  { return t.records[len(t.records)-1] }

// fold gathers the changes of each thing, in the order of their first appearance.
func fold(changes []hub.Change) []*thing {
	things := make([]*thing, 0, len(changes))
	known := make(map[uint64]*thing, len(changes))
	for i := range changes {
		c := &changes[i]
		t := known[c.Record.Num]
		if t == nil {
			t = &thing{old: c.Old}
			known[c.Record.Num] = t
			things = append(things, t)
		}
		t.records = append(t.records, c.Record)
		t.new = c.New
	}
	return things
}
