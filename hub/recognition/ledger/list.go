package ledger

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"concord/hub"
	"concord/hub/access"
)

// Listing is a page of what is behind a number.
type Listing struct {
	Opportunities []Opportunity
	// Results are the unqualified results, where these are asked for, instead.
	Results []Unqualified
	// Next continues behind this page; empty on the last one.
	Next string
}

// Unqualified is a result that came up for an order although its producer was not qualified for the item.
type Unqualified struct {
	Result, Producer, Item, Opportunity string
	At                                  time.Time
}

// List tells what is behind a number: what of a filter counts for a measure, the last one first, at most limit of it, behind
// after. It leaves out what a label or a patient's directive keeps from the caller.
func (l *Ledger) List(ctx context.Context, who access.Caller, f Filter, m Measure, after string, limit int) (Listing, error) {
	var page Listing
	if err := who.May(access.Search, "GuidanceResponse"); err != nil {
		return page, err
	}
	see, zone := sightOf(who), l.Limits.orDefault().Zone
	if !slices.Contains(Measures(), m) {
		return page, &hub.Error{Kind: hub.Invalid, Path: "what", Msg: "there is no such measure"}
	}
	if f.Consortium && !see.all {
		return page, &hub.Error{Kind: hub.Forbidden, Path: "consortium", Msg: "numbers of the whole consortium open no list"}
	}
	if err := f.check(see, zone); err != nil {
		return page, err
	}
	if _, err := l.refresh(ctx); err != nil {
		return page, err
	}
	cells := l.cells(see, &f, m)
	i := 0
	if after != "" {
		var found bool
		if i, found = slices.BinarySearchFunc(cells, after, func(c cell, at string) int { return cmp.Compare(c.place(), at) }); found {
			i++
		}
	}
	for i < len(cells) && page.len() < limit {
		n := min(limit-page.len(), len(cells)-i)
		if err := l.disclose(ctx, who, see, cells[i:i+n], &page); err != nil {
			return page, err
		}
		i += n
	}
	if i < len(cells) {
		page.Next = cells[i-1].place()
	}
	return page, nil
}

func (p *Listing) len() int { return len(p.Opportunities) + len(p.Results) }

// cells are what a filter means and a measure counts, in the order of a list.
func (l *Ledger) cells(see sight, f *Filter, m Measure) (all []cell) {
	zone, seen := l.Limits.orDefault().Zone, map[string]int{}
	l.book.each(func(o *Opportunity) {
		if !f.in(o) {
			return
		}
		if m == UnqualifiedAre {
			for _, c := range f.unqualified(o, see, zone) {
				if i, there := seen[c.result]; !there {
					seen[c.result] = len(all)
					all = append(all, c)
				} else if c.compare(all[i]) < 0 { // of several offers the last one, whatever the order they are gone through in
					all[i] = c
				}
			}
			return
		}
		if cells := f.cells(o, see, zone); len(cells) > 0 && o.is(m) {
			all = append(all, cells[0])
		}
	})
	slices.SortFunc(all, cell.compare)
	return all
}

// compare orders cells: what was first offered last comes first.
func (c cell) compare(other cell) int {
	return cmp.Or(cmp.Compare(other.o.First.UnixMilli(), c.o.First.UnixMilli()), cmp.Compare(c.o.ID, other.o.ID), cmp.Compare(c.result, other.result))
}

// place is a cursor; places have the order of their cells.
func (c cell) place() string {
	return fmt.Sprintf("%016x-%s-%s", math.MaxInt64-c.o.First.UnixMilli(), c.o.ID, c.result)
}

// disclose reads the records of cells for a caller and puts what may be told on the page.
func (l *Ledger) disclose(ctx context.Context, who access.Caller, see sight, cells []cell, page *Listing) error {
	names := make([]hub.Name, 0, len(cells))
	for _, c := range cells {
		if n := c.o.name(); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	recs, err := l.Reader.Many(ctx, who, l.Records, names)
	if err != nil {
		return err
	}
	told := map[string]Opportunity{}
	for i := range recs {
		if o, ok := ReadOpportunity(&recs[i]); ok {
			told[o.ID] = o
		}
	}
	for _, c := range cells {
		o, ok := told[c.o.ID]
		switch {
		case !ok:
		case c.result != "":
			page.Results = append(page.Results, Unqualified{c.result, c.giving, o.Item, o.ID, o.First})
		default:
			if o.Department = see.department(&o); !see.all && o.Member != see.member {
				o.Visit, o.Encounter, o.Choice.Text, o.Choice.Who = "", "", "", ""
			}
			page.Opportunities = append(page.Opportunities, o)
		}
	}
	return nil
}
