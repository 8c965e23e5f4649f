package commit

import (
	"context"
	"fmt"
	"math"
	"time"

	"concord/hub"
)

// Found is what a query met at some commit; the zero Found knows nothing.
type Found struct {
	known   bool
	names   []hub.Name
	all     bool   // there was no more
	applied uint64 // the commit it is true at
}

// How much a Find may read, and how much may have been committed since one before it is made again instead.
const (
	findable    = 5000 // records that are read because the index cannot tell what meets a query
	lateCommits = 64
	lateRecords = 20_000
)

// Find asks for what meets q, at most q.Limit, before the write has its place in the log: the searches of many writes go
// on side by side, and the queue does not wait for them. View.FindSince then looks only at what was committed meanwhile.
// Clauses of q may have a Test, but chains must have been carried out. When too many records must be read it is TooCostly.
func (c *Committer) Find(ctx context.Context, q hub.Query) (Found, error) {
	ask, sure := q.Candidates(), (&hub.Query{All: q.All}).Plain()
	if !sure {
		ask.Limit = max(ask.Limit, 64)
	}
	f := Found{known: true, applied: math.MaxUint64}
	for read := 0; ; {
		page, err := c.target.Search(ctx, ask)
		if err != nil {
			return Found{}, err
		}
		f.applied = min(f.applied, page.Marks[c.log.Partition].Applied)
		for _, hit := range page.Hits {
			rec, err := c.log.Record(ctx, hit.Head.Loc)
			met := sure
			if err == nil && !sure {
				met, err = c.meets(&q, &rec)
			}
			if err != nil {
				return Found{}, err
			}
			if met {
				f.names = append(f.names, rec.Name)
			}
		}
		f.all = !page.More
		if sure || f.all || len(page.Hits) == 0 || len(f.names) >= q.Limit {
			return f, nil
		}
		if read += len(page.Hits); read >= findable {
			return Found{}, &hub.Error{Kind: hub.TooCostly, Msg: fmt.Sprintf("find the %s that the condition is about: more than %d come into question", q.Type, findable),
				Hint: "add a condition that the index can answer, such as an identifier"}
		}
		ask.After, ask.Limit = &page.Hits[len(page.Hits)-1].Pos, min(2*ask.Limit, 1000)
	}
}

func (c *Committer) meets(q *hub.Query, rec *hub.Record) (bool, error) {
	e, err := c.target.Project(rec)
	if err != nil {
		return false, err
	}
	return q.Meets(rec, &e)
}

// Find returns the names of what meets q at the tail, at most q.Limit, counting earlier writes of the batch. See
// Committer.Find for what q may be.
func (v *View) Find(ctx context.Context, q hub.Query) ([]hub.Name, error) {
	return v.FindSince(ctx, q, Found{})
}

// FindSince is Find for a query whose answer some time ago is known.
func (v *View) FindSince(ctx context.Context, q hub.Query, before Found) ([]hub.Name, error) {
	found, ok, err := v.update(ctx, &q, before)
	if ok || err != nil {
		return found, err
	}
	wide := q
	wide.Limit += len(v.batch) + len(v.before) // some hits may have changed
	if before, err = v.c.Find(ctx, wide); err != nil {
		return nil, err
	}
	if found, ok, err = v.update(ctx, &q, before); err == nil && !ok {
		err = &hub.Error{Kind: hub.Unavailable, Retry: time.Second, Msg: "the index is too far behind the log to tell what a condition meets"}
	}
	return found, err
}

// update carries an answer on to the tail and through the batch; ok is false when it is too old or too short for that.
func (v *View) update(ctx context.Context, q *hub.Query, before Found) (found []hub.Name, ok bool, err error) {
	if !before.known || before.applied+lateCommits < v.c.seq {
		return nil, false, nil
	}
	late, err := v.since(ctx, before.applied)
	if late == nil || err != nil {
		return nil, false, err
	}
	for _, n := range before.names {
		_, since := late.last[n]
		_, now := v.batch[n]
		if !since && !now {
			found = append(found, n)
		}
	}
	if !before.all && len(found) < q.Limit { // there may be others in the place of those that changed
		return nil, false, nil
	}
	changed, err := late.find(v, q)
	if err != nil {
		return nil, false, err
	}
	found = append(found, changed...)
	for i := range v.pl.records {
		r := &v.pl.records[i]
		if r.Deleted || r.Name.Type != q.Type {
			continue
		}
		met, err := q.Meets(r, v.pl.entries[i])
		if err != nil {
			return nil, false, err
		}
		if met {
			found = append(found, r.Name)
		}
	}
	return found[:min(len(found), q.Limit)], true, nil
}

// late is what was committed after some commit, up to the tail.
type late struct {
	last    map[hub.Name]*change
	byType  map[string][]*change
	byTerms map[[2]string]map[string][]*change // by type and parameter, then by text
}

// change is the newest version of a thing.
type change struct {
	rec   hub.Record
	entry *hub.Entry // projected when it is first asked for
}

// since gathers what was committed after seq; nil when that is too much.
func (v *View) since(ctx context.Context, seq uint64) (*late, error) {
	if l, ok := v.late[seq]; ok {
		return l, nil
	}
	l := &late{last: map[hub.Name]*change{}, byType: map[string][]*change{}, byTerms: map[[2]string]map[string][]*change{}}
	for s := v.c.seq; s > seq; s-- {
		c, _, err := v.c.log.Commit(ctx, s)
		if err != nil {
			return nil, err
		}
		for i := range c.Records {
			rec := c.Records[i]
			if _, newer := l.last[rec.Name]; newer {
				continue
			}
			ch := &change{rec: rec}
			l.last[rec.Name] = ch
			l.byType[rec.Name.Type] = append(l.byType[rec.Name.Type], ch)
		}
		if len(l.last) > lateRecords {
			l = nil
			break
		}
	}
	if v.late == nil {
		v.late = map[uint64]*late{}
	}
	v.late[seq] = l
	return l, nil
}

func (c *change) project(v *View) (*hub.Entry, error) {
	if c.entry == nil {
		e, err := v.c.target.Project(&c.rec)
		if err != nil {
			return nil, err
		}
		c.entry = &e
	}
	return c.entry, nil
}

// find returns what meets q of what changed and is not changed again by the batch.
func (l *late) find(v *View, q *hub.Query) ([]hub.Name, error) {
	changes := l.byType[q.Type]
	if param, texts, ok := q.Named(); ok && len(changes) > 8 {
		terms, err := l.terms(v, q.Type, param)
		if err != nil {
			return nil, err
		}
		changes = nil
		for _, text := range texts {
			changes = append(changes, terms[text]...)
		}
	}
	var found []hub.Name
	seen := map[*change]bool{}
	for _, c := range changes {
		if _, again := v.batch[c.rec.Name]; again || c.rec.Deleted || seen[c] {
			continue
		}
		seen[c] = true
		e, err := c.project(v)
		if err != nil {
			return nil, err
		}
		met, err := q.Meets(&c.rec, e)
		if err != nil {
			return nil, err
		}
		if met {
			found = append(found, c.rec.Name)
		}
	}
	return found, nil
}

// terms lists the changes of a type by their Exact terms of one parameter.
func (l *late) terms(v *View, typ, param string) (map[string][]*change, error) {
	key := [2]string{typ, param}
	if terms, ok := l.byTerms[key]; ok {
		return terms, nil
	}
	terms := map[string][]*change{}
	for _, c := range l.byType[typ] {
		if c.rec.Deleted {
			continue
		}
		e, err := c.project(v)
		if err != nil {
			return nil, err
		}
		for i := range e.Terms {
			if t := &e.Terms[i]; t.Kind == hub.Exact && t.Param == param {
				terms[t.Text] = append(terms[t.Text], c)
			}
		}
	}
	l.byTerms[key] = terms
	return terms, nil
}
