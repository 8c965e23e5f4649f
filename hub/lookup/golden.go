package lookup

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// A Person that the hub made is, for a caller, what it would be if those Patients did not exist that the caller may not read: on a page,
// in a count, at the end of a chain, in an order. So no index can tell what meets a question about Persons where anything is
// withheld: what it finds is read, reduced, and judged by what is left.

// golden is the type of what is made of several Patients.
const golden = "Person"

// asIndexed are the clauses of q, of Persons, that what is left of a Person meets only if the whole does.
func asIndexed(q hub.Query) hub.Query {
	if q.Type != golden {
		return q
	}
	q.All = onlyMore(q.All)
	return q
}

func onlyMore(all []hub.Clause) (some []hub.Clause) {
	for _, c := range all {
		switch {
		case c.Not, c.Param == hub.LastUpdated, strings.HasPrefix(c.Param, "gender"), strings.HasPrefix(c.Param, "birthdate"): // of which there is one, or none
			continue
		case len(c.Either) > 0:
			wide := make([][]hub.Clause, len(c.Either))
			for i, alternative := range c.Either {
				wide[i] = onlyMore(alternative)
			}
			if slices.ContainsFunc(wide, func(all []hub.Clause) bool { return len(all) == 0 }) {
				continue
			}
			c.Either = wide
		}
		some = append(some, c)
	}
	return some
}

// whole: nothing can be withheld from who of what Persons are made of.
func (u inUse) whole(who access.Caller) bool {
	return who.May(access.Read, "Patient") == nil && !u.directives && !u.restricted["Patient"] && !u.restricted[golden]
}

// mostReordered is how many Persons are put in the order of when they changed where nobody asked for an order.
const mostReordered = 1000

// reorders: what is left of Persons may stand elsewhere in an order than the index says.
func (a *asking) reorders(ctx context.Context, q *hub.Query) (bool, error) {
	if q.Type != golden || q.Limit == 0 {
		return false, nil
	}
	if all, err := a.sees(ctx, q); err != nil || all {
		return false, err
	}
	if len(q.Sort) > 0 {
		return true, nil
	}
	n, err := a.count(ctx, *q)
	return n <= mostReordered, err
}

// mostAlike is how many versions of a Person are looked through for the one that a caller would know as the last.
const mostAlike = 1000

// reduce leaves of Persons among recs, records of p that who may read, what who may see of them, with the version and time when that
// came to be; may becomes false for those of which nothing is left. What was deleted is judged by what it was.
func (r *Reader) reduce(ctx context.Context, who access.Caller, p hub.Partition, recs []*hub.Record, may []bool) error {
	var some []int
	for i, rec := range recs {
		if may[i] && p == r.Records && rec.Name.Type == golden && rec.Member == access.Hub {
			some = append(some, i)
		}
	}
	if len(some) == 0 {
		return nil
	}
	if u, err := r.inUse(ctx, hub.Marks{}); err != nil || u.whole(who) {
		return err
	}
	s := sight{Reader: r, who: who, known: map[string]bool{}}
	var patients []string
	for _, i := range some {
		patients = append(patients, fhir.GoldenSources(recs[i].Body)...)
	}
	if err := s.look(ctx, patients); err != nil {
		return err
	}
	for _, i := range some {
		var err error
		if may[i], err = s.reduce(ctx, recs[i]); err != nil {
			return err
		}
	}
	return nil
}

// sight is which Patients a caller may see.
type sight struct {
	*Reader
	who   access.Caller
	known map[string]bool
}

// look learns of Patients.
func (s *sight) look(ctx context.Context, patients []string) error {
	var names []hub.Name
	for _, ref := range patients {
		if _, known := s.known[ref]; !known {
			s.known[ref] = false
			names = append(names, hub.Name{Type: "Patient", ID: strings.TrimPrefix(ref, "Patient/")})
		}
	}
	if len(names) == 0 || s.who.May(access.Read, "Patient") != nil {
		return nil
	}
	index := s.watch(s.Records)
	heads, err := s.index.Heads(ctx, s.Records, names)
	if err == nil {
		err = index.complete(ctx)
	}
	if err != nil {
		return index.refused(err)
	}
	var locs []hub.Loc
	for _, h := range heads {
		if h.Version > 0 { // also what was deleted since
			locs = append(locs, h.Loc)
		}
	}
	recs, err := s.records(ctx, s.Records, locs)
	if err != nil {
		return err
	}
	recs, err = s.allowed(ctx, s.who, s.Records, recs)
	for i := range recs {
		s.known[recs[i].Name.String()] = true
	}
	return err
}

// of is what is left of a version; nil: nothing.
func (s *sight) of(ctx context.Context, rec *hub.Record) ([]byte, error) {
	if err := s.look(ctx, fhir.GoldenSources(rec.Body)); err != nil {
		return nil, err
	}
	body, err := fhir.GoldenOf(rec.Body, func(patient string) bool { return s.known[patient] })
	if err != nil || len(body) == 0 || &body[0] == &rec.Body[0] {
		return body, err
	}
	doc, err := fhir.Parse(body, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	return doc.Splice(rec.Name.ID, rec.Version, rec.Time), nil // as it would have been written
}

// reduce makes of a version what is left of it, in the first version that was the same; left is false where nothing is.
func (s *sight) reduce(ctx context.Context, rec *hub.Record) (left bool, err error) {
	if rec.Deleted {
		before, err := s.before(ctx, rec)
		if err != nil || before.Version == 0 {
			return err == nil, err
		}
		body, err := s.of(ctx, &before)
		return body != nil, err
	}
	if rec.Body, err = s.of(ctx, rec); err != nil || rec.Body == nil {
		return false, err
	}
	first := *rec
	for n := 0; n < mostAlike && first.Version > 1; n++ {
		if first, err = s.before(ctx, &first); err != nil || first.Version == 0 || first.Deleted {
			return true, err
		}
		body, err := s.of(ctx, &first)
		if err != nil || body == nil || !alike(rec.Body, body) {
			return true, err
		}
		rec.Body, rec.Version, rec.Time = body, first.Version, first.Time
	}
	return true, nil
}

// before is the version before rec; zero where there is none.
func (s *sight) before(ctx context.Context, rec *hub.Record) (hub.Record, error) {
	if rec.Prev == (hub.Loc{}) {
		return hub.Record{}, nil
	}
	recs, err := s.records(ctx, s.Records, []hub.Loc{rec.Prev})
	if err != nil {
		return hub.Record{}, err
	}
	return recs[0], nil
}

// alike tells whether two versions say the same, but for when.
func alike(a, b []byte) bool {
	said := func(body []byte) (all map[string]any) {
		if json.Unmarshal(body, &all) == nil {
			delete(all, "meta")
		}
		return all
	}
	x, y := said(a), said(b)
	return x != nil && reflect.DeepEqual(x, y)
}
