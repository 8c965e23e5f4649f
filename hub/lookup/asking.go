package lookup

import (
	"context"
	"slices"

	"concord/hub"
	"concord/hub/access"
)

// MayReadAll is what a Policy has that may let a caller read everything there is. Then the index's totals are the
// caller's. Without it each candidate is read and the policy asked about it, and what it denies is neither on a page nor
// in a total, meets no chain, and is not included.
type MayReadAll interface {
	MayReadAll(who access.Caller) bool
}

// asking is one request being answered. It is not safe for concurrent use.
//
// A request may read the indexes more than once. Each reading is of one state, and all are of one index (else the answer
// is Unavailable), but what is committed in between shows in the later ones.
type asking struct {
	*Reader
	who    access.Caller
	ps     []hub.Partition
	limits Limits
	before watches
	// beside is the partition of the records where it is not among ps, and aside stands for its index.
	beside hub.Partition
	aside  watches
	// everything: the policy lets the caller read all.
	everything bool
	// at is where the records were when they were asked last, and marks where each partition was that was searched last.
	at    hub.Marks
	marks map[hub.Partition]hub.Marks
	// unlinked: no Person was looked for, as there were none a moment ago; linking: they are looked for in any case.
	unlinked, linking bool
	// exact: Patients are meant, not persons.
	exact bool
	// clear: what was found may be read, and nobody need be asked about each record.
	clear bool
	// known is asked before a record is read, if nobody need be asked about it; nil knows none.
	known Known
	// spent is how many records were read besides the candidates themselves.
	spent int
	// inner searches that were begun, by their query, and whose judgements are known.
	inner   map[*hub.Query]*inner
	verdict map[*hub.Query]map[reference]bool
	// types and their traits, once they are asked for.
	types []string
}

func (r *Reader) ask(who access.Caller, ps ...hub.Partition) *asking {
	a := &asking{Reader: r, who: who, ps: ps, limits: r.Limits.orDefaults(), before: r.watch(ps...),
		inner: map[*hub.Query]*inner{}, verdict: map[*hub.Query]map[reference]bool{}}
	if p, ok := r.policy.(MayReadAll); ok {
		a.everything = p.MayReadAll(who)
	}
	if r.Records != "" && !slices.Contains(ps, r.Records) {
		a.beside, a.aside = r.Records, r.watch(r.Records)
	}
	return a
}

// thing is one record under consideration.
type thing struct {
	head  hub.Head
	rec   *hub.Record // nil until it is read
	pos   hub.Position
	reads *Reader // by which it is projected
	told  *projected
}

// projected is an entry, or why there is none.
type projected struct {
	entry hub.Entry
	err   error
}

func (a *asking) thingOf(p hub.Partition, rec hub.Record) *thing {
	return &thing{head: hub.Head{Partition: p, Name: rec.Name, Num: rec.Num, Version: rec.Version, Deleted: rec.Deleted, Loc: rec.Loc}, rec: &rec, reads: a.Reader}
}

// entry is made when it is asked for first.
func (t *thing) entry() (hub.Entry, error) {
	if t.told == nil {
		e, err := t.reads.followers[t.head.Partition].Project(t.rec)
		t.told = &projected{e, err}
	}
	return t.told.entry, t.told.err
}

// page asks the index. q must be Plain.
func (a *asking) page(ctx context.Context, q hub.Query) (hub.Page, error) {
	q.Beside = a.beside
	page, err := a.index.Search(ctx, a.ps, q)
	a.marks = page.Marks
	return page, a.readAt(page.Marks, err)
}

// readAt takes note of where the index was read, and fails unless it is complete there.
func (a *asking) readAt(marks map[hub.Partition]hub.Marks, err error) error {
	if err != nil {
		return a.before.refused(err)
	}
	m, has := marks[a.Records]
	if has {
		a.at = m
	}
	err = a.before.completeAt(marks)
	if err == nil && has {
		err = a.aside.completeAt(marks)
	}
	return err
}

// count says how many candidates q has.
func (a *asking) count(ctx context.Context, q hub.Query) (int, error) {
	c := asIndexed(q.Candidates())
	c.Sort, c.After, c.Skip, c.Limit, c.Count = nil, nil, 0, 0, true
	page, err := a.page(ctx, c)
	return int(page.Total), err
}

func thingsOf(hits []hub.Hit) []*thing {
	things, made := make([]*thing, len(hits)), make([]thing, len(hits))
	for i := range hits {
		made[i] = thing{head: hits[i].Head, pos: hits[i].Pos}
		things[i] = &made[i]
	}
	return things
}

// read reads the records of those things that have none yet.
func (a *asking) read(ctx context.Context, things []*thing) error {
	byPart := map[hub.Partition][]*thing{}
	var told []hub.Record // those that are known
	for _, t := range things {
		if t.rec != nil {
			continue
		}
		if a.clear && a.known != nil {
			if name, made := a.known(t.head.Partition, t.head.Loc); made != nil {
				if told == nil {
					told = make([]hub.Record, 0, len(things))
				}
				told = append(told, hub.Record{Name: name, Body: made, Loc: t.head.Loc})
				t.rec, t.head.Name, t.reads = &told[len(told)-1], name, a.Reader
				continue
			}
		}
		byPart[t.head.Partition] = append(byPart[t.head.Partition], t)
	}
	for p, some := range byPart {
		locs := make([]hub.Loc, len(some))
		for i, t := range some {
			locs[i] = t.head.Loc
		}
		recs, err := a.records(ctx, p, locs)
		if err != nil {
			return err
		}
		for i, t := range some {
			t.rec, t.head.Name, t.reads = &recs[i], recs[i].Name, a.Reader
		}
	}
	return nil
}

// admit reads things and leaves those that the caller may read, and of Persons what the caller may see of them.
func (a *asking) admit(ctx context.Context, things []*thing) ([]*thing, error) {
	if err := a.read(ctx, things); err != nil {
		return nil, err
	}
	if a.clear {
		return things, nil
	}
	byPart := map[hub.Partition][]*hub.Record{}
	for _, t := range things {
		byPart[t.head.Partition] = append(byPart[t.head.Partition], t.rec)
	}
	may := map[*hub.Record]bool{}
	for p, recs := range byPart {
		allowed, err := a.readable(ctx, a.who, p, recs)
		if err != nil {
			return nil, err
		}
		for i, rec := range recs {
			may[rec] = allowed[i]
		}
	}
	for _, t := range things {
		if t.rec.Name.Type == golden {
			t.told = nil
		}
	}
	return slices.DeleteFunc(things, func(t *thing) bool { return !may[t.rec] }), nil
}

// fetch reads the current versions of names, in their order, leaving out what is not there, deleted or denied.
func (a *asking) fetch(ctx context.Context, names []hub.Name) ([]*thing, error) {
	if len(names) == 0 {
		return nil, nil
	}
	found := map[hub.Name]*thing{}
	for _, p := range a.ps {
		var missing []hub.Name
		for _, n := range names {
			if found[n] == nil {
				missing = append(missing, n)
			}
		}
		if len(missing) == 0 {
			break
		}
		heads, err := a.index.Heads(ctx, p, missing)
		if err != nil {
			return nil, a.before.refused(err)
		}
		for _, h := range heads {
			if h.Version > 0 && !h.Deleted {
				found[h.Name] = &thing{head: h}
			}
		}
	}
	var things []*thing
	for _, n := range names {
		if t := found[n]; t != nil {
			things = append(things, t)
			delete(found, n)
		}
	}
	if err := a.before.complete(ctx); err != nil {
		return nil, err
	}
	return a.admit(ctx, things)
}

// spend counts records that are read besides the candidates.
func (a *asking) spend(n int) error {
	if a.spent += n; a.spent > a.limits.Scan {
		return tooCostly("", "add a condition that the index can answer, such as a patient, a code or a date",
			"search: more than %d records would have to be read to follow the chains of each candidate", a.limits.Scan)
	}
	return nil
}

func recordsOf(things []*thing) []hub.Record {
	recs := make([]hub.Record, len(things))
	for i, t := range things {
		recs[i] = *t.rec
	}
	return recs
}
