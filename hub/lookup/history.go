package lookup

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
)

// Span asks for versions (R4 http.html#history).
type Span struct {
	Types []string // those of things of these types; none: all
	// Since, where not zero, keeps the versions written then or later.
	Since time.Time
	// From and To, where not zero, keep the versions that were current at some time between them (R4's _at). A version is
	// current from its own time on, until the next one's.
	From, To time.Time
	// Before continues an earlier answer; zero begins at the newest.
	Before hub.Loc
	Limit  int
}

// keeps reports whether a version written at `at`, and followed by one written at next (zero: by none), is in the span.
func (s *Span) keeps(at, next time.Time) bool {
	return !at.Before(s.Since) && (s.To.IsZero() || !at.After(s.To)) && (s.From.IsZero() || next.IsZero() || next.After(s.From))
}

// VersionsIn returns the versions of one thing that are in the span (whose Types are not looked at), newest first,
// tombstones too. total is how many of them there are on all pages; more is where the next page begins, zero at the end.
// A thing that never was, or no version of which the caller may read, is NotFound.
func (r *Reader) VersionsIn(ctx context.Context, who access.Caller, p hub.Partition, n hub.Name, s Span) (recs []hub.Record, total int, more hub.Loc, err error) {
	before := r.watch(p)
	heads, err := r.index.Heads(ctx, p, []hub.Name{n})
	if err != nil {
		return nil, 0, more, before.refused(err)
	}
	var locs []hub.Loc
	if heads[0].Version > 0 {
		if locs, err = r.index.Versions(ctx, heads[0]); err != nil {
			return nil, 0, more, before.refused(err)
		}
	}
	if err := before.complete(ctx); err != nil {
		return nil, 0, more, err
	}
	slices.Reverse(locs)
	next, known := time.Time{}, false
	held, most := 0, r.Limits.orDefaults().Bytes
	for some := range slices.Chunk(locs, 50) {
		got, err := r.records(ctx, p, some)
		if err != nil {
			return nil, 0, more, err
		}
		all := make([]*hub.Record, len(got))
		for i := range got {
			all[i] = &got[i]
		}
		may, err := r.readableVersions(ctx, who, p, all)
		if err != nil {
			return nil, 0, more, err
		}
		for i, rec := range all {
			known = known || may[i]
			if may[i] && s.keeps(rec.Time, next) {
				total++
				switch {
				case s.Before.Seq > 0 && !earlier(rec.Loc, s.Before):
				case more == hub.Loc{} && len(recs) < s.Limit && (len(recs) == 0 || held+int(rec.Loc.Len) <= most):
					recs = append(recs, *rec)
					held += int(rec.Loc.Len)
				case s.Limit > 0:
					more = recs[len(recs)-1].Loc
				}
			}
			if rec.Name.Type != golden || may[i] { // what changed nothing ends nothing
				next = rec.Time
			}
		}
	}
	if !known {
		return nil, 0, more, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("there is no %s", n)}
	}
	return recs, total, more, r.note(ctx, who, audit.Read, n.Type, []hub.Name{n}, "_history")
}

// earlier orders locations by time of writing.
func earlier(a, b hub.Loc) bool { return a.Seq < b.Seq || a.Seq == b.Seq && a.Off < b.Off }

// History reads the versions of all things that are in the span, tombstones too, newest first, from the log as far as it
// is visible. more is where the next page begins, zero at the end. A page may be shorter than the limit, even empty, when
// what was asked for is rare: more says whether to go on.
func (r *Reader) History(ctx context.Context, who access.Caller, p hub.Partition, s Span) (recs []hub.Record, more hub.Loc, err error) {
	a := r.ask(who, p)
	m, err := r.index.Marks(ctx, p)
	if err != nil {
		return nil, more, a.before.refused(err)
	}
	if err := a.before.completeAt(map[hub.Partition]hub.Marks{p: m}); err != nil {
		return nil, more, err
	}
	w := walk{asking: a, p: p, span: s}
	top := m.Applied
	switch {
	case s.Limit <= 0:
		return nil, more, nil
	case s.Before.Seq > 0 && s.Before.Off == 0: // a page that ended between two commits
		top = min(top, s.Before.Seq-1)
	case s.Before.Seq > 0:
		top = min(top, s.Before.Seq)
	}
	if !s.To.IsZero() {
		if top, err = w.lastUntil(ctx, top, s.To); err != nil {
			return nil, more, err
		}
	}
	if more, err = w.back(ctx, top); err != nil {
		return nil, hub.Loc{}, err
	}
	typ := ""
	if len(s.Types) == 1 {
		typ = s.Types[0]
	}
	return w.recs, more, r.noteRecords(ctx, who, audit.Read, typ, w.recs, "_history")
}

// walk goes through a log from its end to its beginning.
type walk struct {
	*asking
	p    hub.Partition
	span Span
	recs []hub.Record
}

// lastUntil finds the last commit, top or before, that was not written after t. Time never goes back along a log.
func (w *walk) lastUntil(ctx context.Context, top uint64, t time.Time) (uint64, error) {
	var fault error
	n := sort.Search(int(top), func(i int) bool {
		if fault != nil {
			return true
		}
		c, _, err := w.followers[w.p].Log().Kept(ctx, uint64(i)+1)
		fault = err
		return err != nil || c.Time.After(t)
	})
	return uint64(n), fault
}

// back reads the commits from top down until the page is full, the span or the log begins, or the budget is spent.
func (w *walk) back(ctx context.Context, top uint64) (more hub.Loc, err error) {
	const ahead = 4
	commits, bytes := 0, 0
	for top > 0 {
		n := min(ahead, top)
		read, size, err := w.commits(ctx, top, n)
		if err != nil {
			return more, err
		}
		for i, c := range read {
			if c.Time.Before(w.span.Since) {
				return hub.Loc{}, nil
			}
			full, err := w.commit(ctx, c)
			if err != nil {
				return more, err
			}
			if full {
				return w.recs[len(w.recs)-1].Loc, nil
			}
			commits, bytes = commits+1, bytes+size[i]
			if (commits >= w.limits.Walk || bytes >= w.limits.WalkBytes) && c.Seq > 1 {
				return hub.Loc{Seq: c.Seq}, nil
			}
		}
		top -= n
	}
	return hub.Loc{}, nil
}

// commits reads n commits from top down, with the sizes of each.
func (w *walk) commits(ctx context.Context, top, n uint64) ([]*hub.Commit, []int, error) {
	read, size := make([]*hub.Commit, n), make([]int, n)
	g, gctx := errgroup.WithContext(ctx)
	for i := range n {
		g.Go(func() error {
			c, data, err := w.followers[w.p].Log().Kept(gctx, top-i)
			read[i], size[i] = c, len(data)
			return err
		})
	}
	return read, size, g.Wait()
}

// commit takes what is asked for from one commit, the last record first. full tells that the page is, and that there is
// more.
func (w *walk) commit(ctx context.Context, c *hub.Commit) (full bool, err error) {
	var some []*hub.Record
	for i := range slices.Backward(c.Records) {
		rec := &c.Records[i]
		past := w.span.Before.Seq > 0 && !earlier(rec.Loc, w.span.Before)
		if !past && (len(w.span.Types) == 0 || slices.Contains(w.span.Types, rec.Name.Type)) {
			some = append(some, rec)
		}
	}
	may, err := w.readableVersions(ctx, w.who, w.p, some)
	if err != nil {
		return false, err
	}
	n := 0
	for i, rec := range some {
		if may[i] {
			some[n], n = rec, n+1
		}
	}
	some = some[:n]
	next := make([]time.Time, len(some))
	if !w.span.From.IsZero() && c.Time.Before(w.span.From) {
		if next, err = w.successors(ctx, some); err != nil {
			return false, err
		}
	}
	for i, rec := range some {
		switch {
		case !w.span.keeps(rec.Time, next[i]):
		case len(w.recs) >= w.span.Limit:
			return true, nil
		default:
			w.recs = append(w.recs, *rec)
		}
	}
	return false, nil
}

// successors says when the version after each of recs was written, zero for none.
func (w *walk) successors(ctx context.Context, recs []*hub.Record) ([]time.Time, error) {
	names := make([]hub.Name, len(recs))
	for i, rec := range recs {
		names[i] = rec.Name
	}
	heads, err := w.index.Heads(ctx, w.p, names)
	if err != nil {
		return nil, w.before.refused(err)
	}
	times := make([]time.Time, len(recs))
	var locs []hub.Loc
	var at []int
	for i, h := range heads {
		if h.Version <= recs[i].Version {
			continue
		}
		loc := h.Loc
		if h.Version > recs[i].Version+1 {
			all, err := w.index.Versions(ctx, h)
			if err != nil {
				return nil, w.before.refused(err)
			}
			if uint64(len(all)) <= recs[i].Version {
				return nil, &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("the index lacks versions of %s", h.Name), Hint: "run: concord rebuild"}
			}
			loc = all[recs[i].Version]
		}
		locs, at = append(locs, loc), append(at, i)
	}
	if err := w.before.complete(ctx); err != nil {
		return nil, err
	}
	next, err := w.records(ctx, w.p, locs)
	for j := range next {
		times[at[j]] = next[j].Time
	}
	return times, err
}
