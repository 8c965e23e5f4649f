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
	lateBytes   = 64 << 20
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
	wide.Limit += len(v.pl.at) + len(v.before.at) // some hits may have changed
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
	late, err := v.c.since(ctx, before.applied)
	if err != nil || len(late) == 0 && before.applied < v.c.seq {
		return nil, false, err
	}
	for _, n := range before.names {
		if !changedIn(late, n) && !v.Changed(n) {
			found = append(found, n)
		}
	}
	if !before.all && len(found) < q.Limit { // there may be others in the place of those that changed
		return nil, false, nil
	}
	for i, r := range late {
		changed, err := r.find(v, q, late[i+1:])
		if err != nil {
			return nil, false, err
		}
		found = append(found, changed...)
	}
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
