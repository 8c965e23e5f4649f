package index

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"concord/hub"
)

// facts is an entry in the shape of its keys.
type facts struct {
	exact, text []fact
	ranges      []values
}

type fact struct{ param, text string }

func (f fact) compare(g fact) int {
	return cmp.Or(strings.Compare(f.param, g.param), strings.Compare(f.text, g.text))
}

// values are those of one Range parameter, in order.
type values struct {
	param string
	spans []span
}

type span struct{ lo, hi float64 }

// factsOf reads an entry. A Range that is not a number matches nothing and is left out, and so is a LastUpdated
// of the entry's own, and its id: the index knows those from the record.
func factsOf(e *hub.Entry) facts {
	if e == nil {
		return facts{}
	}
	f := facts{exact: make([]fact, 0, len(e.Terms))}
	for i := range e.Terms {
		t := &e.Terms[i]
		switch {
		case t.Param == hub.LastUpdated, t.Param == hub.ID && t.Kind == hub.Exact:
		case t.Kind == hub.Exact:
			f.exact = append(f.exact, fact{t.Param, t.Text})
		case t.Kind == hub.Text:
			f.text = append(f.text, fact{t.Param, t.Text})
		case !math.IsNaN(t.Lo) && !math.IsNaN(t.Hi):
			at := slices.IndexFunc(f.ranges, func(v values) bool { return v.param == t.Param })
			if at < 0 {
				at, f.ranges = len(f.ranges), append(f.ranges, values{param: t.Param})
			}
			f.ranges[at].spans = append(f.ranges[at].spans, span{t.Lo, t.Hi})
		}
	}
	for i := range f.ranges {
		spans := f.ranges[i].spans
		slices.SortFunc(spans, func(a, b span) int {
			return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi))
		})
		f.ranges[i].spans = slices.Compact(spans)
	}
	return f
}

// sort puts facts in order, none twice, so that they can be compared with others.
func (f *facts) sort() { f.exact, f.text = sorted(f.exact), sorted(f.text) }

func sorted(list []fact) []fact {
	slices.SortFunc(list, fact.compare)
	return slices.Compact(list)
}

// among tells whether f is in a list of sorted facts.
func (f fact) among(list []fact) bool {
	_, found := slices.BinarySearchFunc(list, f, fact.compare)
	return found
}

// of are the values of a parameter, nil where it has none.
func (f *facts) of(param string) []span {
	for i := range f.ranges {
		if f.ranges[i].param == param {
			return f.ranges[i].spans
		}
	}
	return nil
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
