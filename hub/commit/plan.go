package commit

import (
	"context"
	"fmt"
	"time"

	"concord/hub"
)

// plan is a batch being validated: the records that will be, and what each write will be told.
type plan struct {
	time     time.Time
	records  []hub.Record
	at       map[hub.Name]int // where in records a thing is
	entries  []*hub.Entry
	results  []result
	deferred []*pending
}

type result struct {
	p        *pending
	from, to int // its records in plan.records
	err      error
}

// answer tells every write its outcome. Rejections wait until here too: they may rest on a neighbour's write, which
// only now is known to have happened.
func (pl *plan) answer(err error) {
	for _, r := range pl.results {
		switch {
		case r.err != nil:
			r.p.out <- Outcome{Err: r.err}
		case err != nil:
			r.p.out <- Outcome{Err: err}
		default:
			r.p.out <- Outcome{Records: pl.records[r.from:r.to:r.to]}
		}
	}
}

func (c *Committer) plan(ctx context.Context, batch []*pending) (*plan, error) {
	now := c.opt.Now().UTC().Truncate(time.Millisecond)
	if !now.After(c.last) { // lastUpdated never goes back along the log, whatever the clocks of several hubs say
		now = c.last.Add(time.Millisecond)
	}
	expected := 0
	for _, p := range batch {
		expected += len(p.write.Names)
	}
	pl := &plan{time: now, records: make([]hub.Record, 0, expected), entries: make([]*hub.Entry, 0, expected), at: make(map[hub.Name]int, expected)}
	v := &View{c: c, pl: pl, heads: make(map[hub.Name]hub.Head, expected), before: &plan{}}
	if c.before != nil {
		v.before = c.before.plan
	}
	if err := v.prefetch(ctx, batch); err != nil {
		return nil, err
	}
	bytes, nums := 0, c.nums
	for i, p := range batch {
		if len(pl.records) >= c.opt.MaxRecords || bytes >= c.opt.MaxBytes {
			pl.deferred = append(pl.deferred, batch[i:]...)
			break
		}
		if p.ctx.Err() != nil {
			pl.results = append(pl.results, result{p: p, err: p.ctx.Err()})
			continue
		}
		from := len(pl.records)
		drafts, err := p.write.Plan(p.ctx, v)
		if err == nil {
			var again bool
			again, err = v.add(ctx, p.write.Member, drafts, &nums)
			if again {
				pl.deferred = append(pl.deferred, p)
				continue
			}
		}
		if err != nil {
			pl.results = append(pl.results, result{p: p, err: err})
			continue
		}
		for _, r := range pl.records[from:] {
			bytes += len(r.Body) + 300
		}
		pl.results = append(pl.results, result{p: p, from: from, to: len(pl.records)})
	}
	return pl, nil
}

// View is what a write's Plan sees: the index at the tail plus the earlier writes of the same batch.
type View struct {
	c     *Committer
	pl    *plan
	heads map[hub.Name]hub.Head // fetched from the index
	// before is what the commit before changed, which the index may not have yet.
	before *plan
}

// Time is the time the batch's records will carry.
func (v *View) Time() time.Time { return v.pl.time }

func (v *View) prefetch(ctx context.Context, batch []*pending) error {
	var names []hub.Name
	for _, p := range batch {
		for _, n := range p.write.Names {
			_, ok := v.heads[n]
			if _, known := v.before.at[n]; !ok && !known {
				v.heads[n] = hub.Head{}
				names = append(names, n)
			}
		}
	}
	return v.fetch(ctx, names)
}

func (v *View) fetch(ctx context.Context, names []hub.Name) error {
	if len(names) == 0 {
		return nil
	}
	heads, err := v.c.target.Heads(ctx, names)
	if err != nil {
		return err
	}
	for i, n := range names {
		v.heads[n] = heads[i]
	}
	return nil
}

// Head is the current version of a thing: Version 0 when there never was one, Deleted when it is gone.
func (v *View) Head(ctx context.Context, n hub.Name) (hub.Head, error) {
	for _, pl := range []*plan{v.pl, v.before} {
		if i, ok := pl.at[n]; ok {
			r := &pl.records[i]
			return hub.Head{Partition: v.c.log.Partition, Name: n, Num: r.Num, Version: r.Version, Deleted: r.Deleted, Loc: r.Loc}, nil
		}
	}
	if _, ok := v.heads[n]; !ok {
		if err := v.fetch(ctx, []hub.Name{n}); err != nil {
			return hub.Head{}, err
		}
	}
	return v.heads[n], nil
}

// Admit says whether a member may write a thing of this name at all, for who wants to know before anything else is looked at.
func (v *View) Admit(member string, n hub.Name) error { return v.c.opt.Admit(member, n, nil) }

// Changed reports whether an earlier write of the batch changed n. A write that drafts it, too, will be planned again for
// the next commit, so its Draft need have no more than the Name.
func (v *View) Changed(n hub.Name) bool {
	_, ok := v.pl.at[n]
	return ok
}

// Record reads the current version of a thing. A thing that never was is NotFound; a deleted one comes back as its
// tombstone.
func (v *View) Record(ctx context.Context, n hub.Name) (hub.Record, error) {
	for _, pl := range []*plan{v.pl, v.before} {
		if i, ok := pl.at[n]; ok {
			return pl.records[i], nil
		}
	}
	h, err := v.Head(ctx, n)
	if err != nil {
		return hub.Record{}, err
	}
	if h.Version == 0 {
		return hub.Record{}, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("there is no %s", n)}
	}
	return v.c.log.Record(ctx, h.Loc)
}

// add turns drafts into records. again is true when one of the names was changed earlier in this batch.
func (v *View) add(ctx context.Context, member string, drafts []Draft, nums *uint64) (again bool, err error) {
	at := len(v.pl.records)
	n0 := *nums
	undo := func() {
		for i := at; i < len(v.pl.records); i++ {
			delete(v.pl.at, v.pl.records[i].Name)
		}
		v.pl.records, v.pl.entries, *nums = v.pl.records[:at], v.pl.entries[:at], n0
	}
	for i := range drafts {
		d := &drafts[i]
		if j, ok := v.pl.at[d.Name]; ok {
			undo()
			if j >= at {
				return false, &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("%s is changed twice in one transaction", d.Name)}
			}
			return true, nil
		}
		var head hub.Head
		if !d.Fresh {
			if head, err = v.Head(ctx, d.Name); err != nil {
				undo()
				return false, err
			}
		}
		rec := hub.Record{Name: d.Name, Num: head.Num, Version: head.Version + 1, Deleted: d.Delete,
			Member: d.Member, Time: v.pl.time, Prev: head.Loc, Blob: d.Blob}
		if rec.Member == "" {
			rec.Member = member
		}
		if rec.Num == 0 {
			*nums++
			rec.Num = *nums
		}
		entry := d.Entry
		if !d.Delete {
			rec.Body = d.Body(rec.Version, rec.Time)
		}
		if err := v.c.opt.Admit(rec.Member, rec.Name, rec.Body); err != nil {
			undo()
			return false, err
		}
		switch {
		case d.Delete:
			entry = &hub.Entry{Route: d.Name.String()}
		case entry == nil:
			e, err := v.c.target.Project(&rec)
			if err != nil {
				undo()
				return false, err
			}
			entry = &e
		}
		v.pl.at[d.Name] = len(v.pl.records)
		v.pl.records = append(v.pl.records, rec)
		v.pl.entries = append(v.pl.entries, entry)
	}
	return false, nil
}
