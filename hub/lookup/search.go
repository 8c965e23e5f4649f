package lookup

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
)

// Result is one page of a search.
type Result struct {
	Records []hub.Record
	Total   int64 // −1 unknown
	// Next continues behind this page; nil on the last one. A page may be shorter than asked for and yet not be the last.
	Next *hub.Position
	// At is where the index was when it was asked last.
	At map[hub.Partition]hub.Marks
}

// Search answers any query over the partitions given. query names the parameters asked for (never their values) for the
// audit trail.
//
// What the index cannot tell (a Test, a chain too large to be carried out first, a policy that may deny) is told by reading
// candidates in the order of the query until the page is full. Where Limits.Scan comes first, the page ends there if it has
// hits, and is TooCostly if not. A total (Query.Count) is exact, or TooCostly.
func (r *Reader) Search(ctx context.Context, who access.Caller, ps []hub.Partition, q hub.Query, query string) (Result, error) {
	return r.SearchBut(ctx, who, ps, q, query, nil)
}

// SearchBut is Search for who has made what it tells of some records before: of those that known has something of, which nobody
// need be asked about, the Result has only the name, that in place of the Body, and Version 0.
func (r *Reader) SearchBut(ctx context.Context, who access.Caller, ps []hub.Partition, q hub.Query, query string, known Known) (Result, error) {
	a := r.ask(who, ps...)
	a.known = known
	f, err := a.search(ctx, q)
	if err != nil {
		return Result{}, err
	}
	return a.hand(ctx, f, q.Type, query)
}

// Known is what its giver made of the record at a place before; nil for nothing. It is good as long as the answer is made.
type Known func(p hub.Partition, at hub.Loc) (name hub.Name, made []byte)

// SearchAll answers several queries, each of another type, as one: the union of their hits in one order, a page of it.
// Sort, After, Limit and Count are those of the first query and must be the same in all (a computed Sort.Key may be each
// type's own). Types that the partition does not have cost nothing.
func (r *Reader) SearchAll(ctx context.Context, who access.Caller, p hub.Partition, qs []hub.Query, note string) (Result, error) {
	types, err := r.Types(ctx, p)
	if err != nil || len(qs) == 0 {
		return Result{}, err
	}
	first := qs[0]
	qs = slices.DeleteFunc(slices.Clone(qs), func(q hub.Query) bool { return !slices.Contains(types, q.Type) })
	parts := make([]found, len(qs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i, q := range qs {
		q.After, q.Limit, q.Count = first.After, first.Limit, first.Count
		g.Go(func() (err error) {
			parts[i], err = r.ask(who, p).search(gctx, q)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Result{}, err
	}
	return r.ask(who, p).hand(ctx, unite(parts, &first), "", note)
}

// Types lists the resource types that p has or ever had, sorted.
func (r *Reader) Types(ctx context.Context, p hub.Partition) ([]string, error) {
	before := r.watch(p)
	types, err := r.index.Types(ctx, p)
	if err != nil {
		return nil, before.refused(err)
	}
	types = slices.DeleteFunc(types, func(t string) bool { return strings.Contains(t, "#") }) // a type's trait
	return types, before.complete(ctx)
}

// hand reads what a page still lacks, notes the disclosure and hands the page over.
func (a *asking) hand(ctx context.Context, f found, typ, query string) (Result, error) {
	f.end(a.limits.Bytes)
	things, err := a.admit(ctx, f.things)
	if err != nil {
		return Result{}, err
	}
	res := Result{Records: recordsOf(things), Total: f.total, Next: f.next, At: a.marks}
	return res, a.noteRecords(ctx, a.who, audit.Search, typ, res.Records, query)
}

// found is a page before it is handed over; the records of its things may be unread.
type found struct {
	things []*thing
	total  int64         // −1 not asked for
	next   *hub.Position // where the next page begins, nil on the last one
}

// end ends the page before its records are longer than most together.
func (f *found) end(most int) {
	size := 0
	for i, t := range f.things {
		if size += int(t.head.Loc.Len); i > 0 && size > most {
			f.things, f.next = f.things[:i], &f.things[i-1].pos
			return
		}
	}
}

func (a *asking) search(ctx context.Context, q hub.Query) (found, error) {
	f, err := a.searchOnce(ctx, q)
	if err != nil || !a.unlinked {
		return f, err
	}
	if u, err := a.inUse(ctx, a.at); err != nil || !u.persons {
		return f, err
	}
	a.linking, a.inner, a.verdict = true, map[*hub.Query]*inner{}, map[*hub.Query]map[reference]bool{} // the first Person came meanwhile
	return a.searchOnce(ctx, q)
}

func (a *asking) searchOnce(ctx context.Context, q hub.Query) (found, error) {
	if q.Limit <= 0 {
		q.Limit, q.Sort, q.After = 0, nil, nil
		if !q.Count {
			return found{total: -1}, nil
		}
	}
	if err := checkAfter(&q); err != nil {
		return found{}, err
	}
	q, err := a.resolve(ctx, q)
	if err == nil {
		q, err = a.widen(ctx, q)
	}
	switch {
	case err != nil:
		return found{}, err
	case computed(q.Sort):
		return a.gather(ctx, q)
	case a.everything && q.Plain():
		page, err := a.page(ctx, q)
		if err != nil {
			return found{}, err
		}
		if a.clear, err = a.sees(ctx, &q); err != nil || !a.clear {
			break
		}
		f := found{things: thingsOf(page.Hits), total: page.Total}
		if page.More && len(page.Hits) > 0 {
			f.next = &page.Hits[len(page.Hits)-1].Pos
		}
		return f, nil
	}
	if err != nil {
		return found{}, err
	}
	if again, err := a.reorders(ctx, &q); err != nil {
		return found{}, err
	} else if again {
		return a.gather(ctx, q)
	}
	return a.scan(ctx, q)
}

// candidates reads the candidates of q in its order, behind after, and yields those that are hits, chunk by chunk, with
// the position behind which the next chunk begins. It ends without error when there are no more, when yield returns false,
// or when most candidates have been read; all tells that there are no more. The index is asked for size candidates at
// first, which are those of one moment.
func (a *asking) candidates(ctx context.Context, q hub.Query, after *hub.Position, size, most int, yield func(hits []*thing, end *hub.Position) bool) (all bool, err error) {
	c, beyond := asIndexed(q.Candidates()), beyond(&q)
	c.After, c.Skip, c.Count = after, 0, false
	for most > 0 {
		c.Limit = min(size, most)
		page, err := a.page(ctx, c)
		if err != nil {
			return false, err
		}
		for hits := range chunks(page.Hits, a.limits.Bytes) {
			things, err := a.admit(ctx, thingsOf(hits))
			if err == nil {
				things, err = a.judge(ctx, things, beyond)
			}
			if err != nil {
				return false, err
			}
			c.After = &hits[len(hits)-1].Pos
			if !yield(things, c.After) {
				return false, nil
			}
		}
		if !page.More || len(page.Hits) == 0 {
			return true, nil
		}
		size, most = min(2*size, 1000), most-len(page.Hits)
	}
	return false, nil
}

// chunks cuts hits such that the records of each are not longer than most together, and not more than 1,000.
func chunks(hits []hub.Hit, most int) iter.Seq[[]hub.Hit] {
	return func(yield func([]hub.Hit) bool) {
		from, size := 0, 0
		for i := range hits {
			n := int(hits[i].Head.Loc.Len)
			if i > from && (size+n > most || i-from == 1000) {
				if !yield(hits[from:i]) {
					return
				}
				from, size = i, 0
			}
			size += n
		}
		if from < len(hits) {
			yield(hits[from:])
		}
	}
}

// scan fills a page by judging candidates in the order of q.
func (a *asking) scan(ctx context.Context, q hub.Query) (found, error) {
	f, after, start, skip, size := found{total: -1}, q.After, q.After, q.Skip, max(32, 2*q.Limit)
	if q.Count {
		f.total, start, size = 0, nil, a.limits.Scan
		if n, err := a.count(ctx, q); err != nil {
			return f, err
		} else if n > a.limits.Scan {
			return f, a.tooWide(&q, "count what meets the search")
		}
	}
	var last *hub.Position    // of what was judged
	full, held := false, 0    // and there is one more hit; bytes of the page's records
	seen := map[uint64]bool{} // what is changed between two chunks may be in both
	all, err := a.candidates(ctx, q, start, size, a.limits.Scan, func(hits []*thing, end *hub.Position) bool {
		for _, t := range hits {
			if seen[t.head.Num] && len(a.ps) == 1 {
				continue
			}
			seen[t.head.Num] = true
			if q.Count {
				f.total++
			}
			switch {
			case q.Count && after != nil && compare(q.Sort, &t.pos, after) <= 0:
			case skip > 0:
				skip--
			case !full && len(f.things) < q.Limit && (len(f.things) == 0 || held+int(t.head.Loc.Len) <= a.limits.Bytes):
				f.things = append(f.things, t)
				held += int(t.head.Loc.Len)
			default:
				full = q.Limit > 0
			}
		}
		last = end
		return q.Count || !full
	})
	switch short := hub.Is(err, hub.TooCostly) || err == nil && !all && !full; {
	case err != nil && (!short || q.Count || len(f.things) == 0):
		return f, err
	case short && q.Count:
		return f, a.tooWide(&q, "count what meets the search")
	case short && len(f.things) == 0:
		return f, a.tooWide(&q, "find the first result")
	case short && len(f.things) < q.Limit:
		f.next = last
	case short, full:
		f.next = &f.things[len(f.things)-1].pos
	}
	return f, nil
}

// tooWide says that q has too many candidates, and why they must all be read. It does not say how many: not all may be the caller's to know.
func (a *asking) tooWide(q *hub.Query, what string) error {
	hint := "add a condition that the index can answer, such as a patient, a code or a date"
	for in, state := range a.inner {
		if state.more {
			hint = fmt.Sprintf("add a condition on %s, or one on %s, which a chain leads to", q.Type, in.Type)
		}
	}
	return tooCostly("", hint, "%s: more %s would have to be read than the limit of %d", what, q.Type, a.limits.Scan)
}

// gather puts all that meets q in a computed order and takes a page of it.
func (a *asking) gather(ctx context.Context, q hub.Query) (found, error) {
	n, err := a.count(ctx, q)
	if err != nil {
		return found{}, err
	}
	tooMany := tooCostly("_sort", "narrow the search, or sort by a date, a number or _lastUpdated",
		"put what meets the search in the order of _sort: more %s come into question than the limit of %d", q.Type, a.limits.Sort)
	if n > a.limits.Sort {
		return found{}, tooMany
	}
	f := found{total: -1}
	var placing error
	total := int64(0)
	all, err := a.candidates(ctx, q, nil, a.limits.Sort, a.limits.Sort, func(hits []*thing, _ *hub.Position) bool {
		for _, t := range hits {
			total++
			if t.pos, placing = place(q.Sort, t); placing != nil {
				return false
			}
			if q.After != nil && compare(q.Sort, &t.pos, q.After) <= 0 {
				continue
			}
			f.things = append(f.things, &thing{head: t.head, pos: t.pos})
		}
		return true
	})
	switch {
	case err != nil || placing != nil:
		return found{}, cmp.Or(err, placing)
	case !all:
		return found{}, tooMany
	}
	slices.SortFunc(f.things, func(b, c *thing) int { return compare(q.Sort, &b.pos, &c.pos) })
	f.things = f.things[min(max(0, q.Skip), len(f.things)):]
	if q.Count {
		f.total = total
	}
	if len(f.things) > q.Limit {
		f.things = f.things[:q.Limit]
		f.next = &f.things[q.Limit-1].pos
	}
	return f, nil
}

// unite merges pages of one order. What lies behind the end of a page that is not the last is not known yet, so the
// united page ends there at the latest.
func unite(parts []found, q *hub.Query) found {
	u := found{total: -1}
	if q.Count {
		u.total = 0
	}
	var horizon *hub.Position
	for _, f := range parts {
		u.things = append(u.things, f.things...)
		if q.Count {
			u.total += f.total
		}
		if f.next != nil && (horizon == nil || compare(q.Sort, f.next, horizon) < 0) {
			horizon = f.next
		}
	}
	slices.SortFunc(u.things, func(a, b *thing) int { return compare(q.Sort, &a.pos, &b.pos) })
	if horizon != nil {
		u.things = slices.DeleteFunc(u.things, func(t *thing) bool { return compare(q.Sort, &t.pos, horizon) > 0 })
		u.next = horizon
	}
	if len(u.things) > q.Limit {
		u.things = u.things[:q.Limit]
		u.next = &u.things[q.Limit-1].pos
	}
	return u
}
