package lookup_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"concord/hub"
)

// memindex is a hub.Index of one partition that does everything the plain way.
type memindex struct {
	mu         sync.Mutex
	generation int
	applied    uint64
	things     map[hub.Name]*indexed
	// before, when set, is called before each reading.
	before func(call string)
	// searches counts calls of Search.
	searches int
}

type indexed struct {
	head  hub.Head
	locs  []hub.Loc
	entry *hub.Entry
}

func (ix *memindex) enter(call string) func() {
	if ix.before != nil {
		ix.before(call)
	}
	ix.mu.Lock()
	return ix.mu.Unlock
}

func (ix *memindex) marks() hub.Marks {
	if ix.things == nil {
		return hub.Marks{}
	}
	return hub.Marks{Stamp: "mem", Generation: fmt.Sprint(ix.generation), Applied: ix.applied}
}

func (ix *memindex) Marks(context.Context, hub.Partition) (hub.Marks, error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.marks(), nil
}

func (ix *memindex) Begin(context.Context, hub.Partition) (hub.Marks, error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.things == nil {
		ix.things, ix.applied = map[hub.Name]*indexed{}, 0
		ix.generation++
	}
	return ix.marks(), nil
}

func (ix *memindex) Reset(context.Context, hub.Partition) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.things, ix.applied = nil, 0
	return nil
}

func (ix *memindex) Prepare(p hub.Partition, seq uint64, changes []hub.Change) func(context.Context) error {
	return func(ctx context.Context) error { return ix.Apply(ctx, p, seq, changes) }
}

func (ix *memindex) Apply(_ context.Context, p hub.Partition, seq uint64, changes []hub.Change) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	switch {
	case seq <= ix.applied:
		return nil
	case ix.things == nil || seq != ix.applied+1:
		return &hub.Error{Kind: hub.Conflict, Msg: "not the next commit"}
	}
	for _, ch := range changes {
		rec := ch.Record
		t := ix.things[rec.Name]
		if t == nil {
			t = &indexed{}
			ix.things[rec.Name] = t
		}
		t.head = hub.Head{Partition: p, Name: rec.Name, Num: rec.Num, Version: rec.Version, Deleted: rec.Deleted, Loc: rec.Loc}
		t.locs = append(t.locs, rec.Loc)
		if t.entry = ch.New; t.entry != nil {
			when := hub.Instant(rec.Time)
			t.entry.Terms = append(t.entry.Terms, hub.Term{Param: hub.LastUpdated, Kind: hub.Range, Lo: when, Hi: when})
		}
	}
	ix.applied = seq
	return nil
}

func (ix *memindex) Heads(_ context.Context, p hub.Partition, names []hub.Name) ([]hub.Head, error) {
	defer ix.enter("heads")()
	heads := make([]hub.Head, len(names))
	for i, n := range names {
		heads[i] = hub.Head{Partition: p, Name: n}
		if t := ix.things[n]; t != nil {
			heads[i] = t.head
		}
	}
	return heads, nil
}

func (ix *memindex) Versions(_ context.Context, h hub.Head) ([]hub.Loc, error) {
	defer ix.enter("versions")()
	if t := ix.things[h.Name]; t != nil {
		return slices.Clone(t.locs), nil
	}
	return nil, nil
}

func (ix *memindex) Types(context.Context, hub.Partition) ([]string, error) {
	defer ix.enter("types")()
	var types []string
	for n, t := range ix.things {
		types = append(types, n.Type)
		if t.entry != nil {
			for _, term := range t.entry.Terms {
				if term.Param == hub.Trait {
					types = append(types, n.Type+"#"+term.Text)
				}
			}
		}
	}
	slices.Sort(types)
	return slices.Compact(types), nil
}

func (ix *memindex) Counts(context.Context, []hub.Tally, hub.Partition, map[hub.Partition]hub.Marks) ([]int64, map[hub.Partition]hub.Marks, error) {
	return nil, nil, nil
}

func (ix *memindex) Search(_ context.Context, ps []hub.Partition, q hub.Query) (hub.Page, error) {
	defer ix.enter("search")()
	ix.searches++
	if !q.Plain() {
		return hub.Page{}, &hub.Error{Kind: hub.Internal, Msg: "the index was asked what it cannot answer"}
	}
	if len(q.Sort) == 0 {
		q.Sort = []hub.Sort{{Param: hub.LastUpdated}}
	}
	page := hub.Page{Total: -1, Marks: map[hub.Partition]hub.Marks{ps[0]: ix.marks()}}
	var hits []hub.Hit
	total := int64(0)
	for n, t := range ix.things {
		if n.Type != q.Type || t.entry == nil || len(q.Routes) > 0 && !slices.Contains(q.Routes, t.entry.Route) || !routed(&q, t.entry) {
			continue
		}
		total++
		h := hub.Hit{Head: t.head, Pos: hub.Position{Num: t.head.Num, Partition: ps[0], Values: make([]float64, len(q.Sort)), Missing: make([]bool, len(q.Sort))}}
		h.Head.Name = hub.Name{}
		for i, s := range q.Sort {
			low := math.Inf(1)
			for _, term := range t.entry.Terms {
				if term.Param == s.Param && term.Kind == hub.Range {
					low = min(low, term.Lo)
				}
			}
			if h.Pos.Missing[i] = math.IsInf(low, 1); !h.Pos.Missing[i] {
				h.Pos.Values[i] = low
			}
		}
		if q.After == nil || comparePlaces(q.Sort, &h.Pos, q.After) > 0 {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b hub.Hit) int { return comparePlaces(q.Sort, &a.Pos, &b.Pos) })
	hits = hits[min(q.Skip, len(hits)):]
	page.More = q.Limit > 0 && len(hits) > q.Limit
	page.Hits = hits[:min(q.Limit, len(hits))]
	if q.Count {
		page.Total = total
	}
	return page, nil
}

// routed is q.Matches for matches that are true on their route only, as they are where no other slot is looked at.
func routed(q *hub.Query, e *hub.Entry) bool {
	for _, c := range q.All {
		if len(c.Either) > 0 {
			some := slices.ContainsFunc(c.Either, func(all []hub.Clause) bool { return routed(&hub.Query{All: all}, e) })
			if some == c.Not {
				return false
			}
			continue
		}
		c.Any = slices.DeleteFunc(slices.Clone(c.Any), func(m hub.Match) bool { return m.Route != "" && m.Route != e.Route })
		if !c.Matches(e) {
			return false
		}
	}
	return true
}

func comparePlaces(sorts []hub.Sort, a, b *hub.Position) int {
	for i, s := range sorts {
		am, bm := a.Missing != nil && a.Missing[i], b.Missing != nil && b.Missing[i]
		c := cmp.Compare(a.Values[i], b.Values[i])
		switch {
		case am && bm:
			continue
		case am:
			return 1
		case bm:
			return -1
		case c != 0 && s.Desc:
			return -c
		case c != 0:
			return c
		}
	}
	return cmp.Compare(a.Num, b.Num)
}
