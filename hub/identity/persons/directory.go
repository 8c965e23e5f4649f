package persons

import (
	"context"
	"slices"
	"strings"
	"sync"

	"concord/hub"
	"concord/hub/projection"
	"concord/internal/fhir"
)

// Directory tells which Patients are one person, as of the commits that are visible now.
type Directory struct {
	Follower *projection.Follower // of the records

	mu   sync.Mutex
	read map[hub.Loc]linking // Persons by where they lie, which never changes
}

// linking is what a Person record says; nil: it is not the hub's.
type linking []string

// mostRead is how many Persons are remembered before all are forgotten: some 20 MB.
const mostRead = 100_000

// Linked are all Patients of the person that a Patient ("Patient/a") is of, itself among them, sorted.
func (d *Directory) Linked(ctx context.Context, patient string) ([]string, error) {
	all, err := d.LinkedAll(ctx, []string{patient})
	if of := all[patient]; of != nil || err != nil {
		return of, err
	}
	return []string{patient}, nil
}

// asked is how many Patients one question to the index is about.
const asked = 500

// LinkedAll is Linked for several Patients. Those that no other is linked to are not among the keys.
func (d *Directory) LinkedAll(ctx context.Context, patients []string) (map[string][]string, error) {
	all := map[string][]string{}
	for some := range slices.Chunk(patients, asked) {
		locs, err := locate(ctx, d.Follower, "Person", "link", some, len(some)*2)
		if err != nil {
			return nil, err
		}
		links, err := d.links(ctx, locs)
		if err != nil {
			return nil, err
		}
		for _, of := range links {
			for _, p := range of {
				if slices.Contains(some, p) {
					all[p] = of
				}
			}
		}
	}
	return all, nil
}

// links reads what Persons link, or remembers it.
func (d *Directory) links(ctx context.Context, locs []hub.Loc) (all []linking, err error) {
	var unread []hub.Loc
	d.mu.Lock()
	for _, loc := range locs {
		if of, known := d.read[loc]; known {
			all = append(all, of)
		} else {
			unread = append(unread, loc)
		}
	}
	d.mu.Unlock()
	recs, err := d.Follower.Log().Records(ctx, unread)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.read == nil || len(d.read) > mostRead {
		d.read = map[hub.Loc]linking{}
	}
	for i := range recs {
		var of linking
		if recs[i].Member == Origin {
			of = targets(&recs[i])
		}
		d.read[unread[i]] = of
		all = append(all, of)
	}
	return all, nil
}

// Quarantined tells whether a Patient shares a number with what is clearly somebody else, and nobody has said yet whose it is.
func (d *Directory) Quarantined(ctx context.Context, patient string) (bool, error) {
	recs, err := find(ctx, d.Follower, PairType, pairParam, []string{patient}, mostPairs)
	if err != nil {
		return false, err
	}
	for i := range recs {
		p, err := readPair(&recs[i])
		if err != nil {
			return false, err
		}
		if p.State == Contradiction {
			return true, nil
		}
	}
	return false, nil
}

// Pairs counts the Pairs of a State.
func (d *Directory) Pairs(ctx context.Context, state State) (int64, error) {
	return d.count(ctx, hub.Query{Type: PairType, All: []hub.Clause{exactly("state", string(state))}})
}

// Persons counts the Persons.
func (d *Directory) Persons(ctx context.Context) (int64, error) {
	return d.count(ctx, hub.Query{Type: "Person"})
}

func (d *Directory) count(ctx context.Context, q hub.Query) (int64, error) {
	q.Count = true
	page, err := d.Follower.Search(ctx, q)
	return page.Total, err
}

// targets are the Patients that a Person links, sorted.
func targets(rec *hub.Record) (of []string) {
	doc, err := fhir.DocOf(rec)
	if err != nil {
		return nil
	}
	for l := range doc.Root().Get("link").Items() {
		if ref := l.Get("target").Get("reference").Text(); strings.HasPrefix(ref, "Patient/") {
			of = append(of, strings.Clone(ref))
		}
	}
	slices.Sort(of)
	return of
}

// find reads the current records of a type that have one of the values of an Exact parameter, at most limit and one more.
func find(ctx context.Context, f *projection.Follower, typ, param string, values []string, limit int) ([]hub.Record, error) {
	locs, err := locate(ctx, f, typ, param, values, limit)
	if err != nil {
		return nil, err
	}
	return f.Log().Records(ctx, locs)
}

// locate says where the records lie that find reads.
func locate(ctx context.Context, f *projection.Follower, typ, param string, values []string, limit int) ([]hub.Loc, error) {
	if len(values) == 0 {
		return nil, nil
	}
	q := hub.Query{Type: typ, Limit: limit + 1, All: []hub.Clause{{Param: param, Any: make([]hub.Match, len(values))}}}
	for i, v := range values {
		q.All[0].Any[i] = hub.Match{Kind: hub.Equals, Text: v}
	}
	page, err := f.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	locs := make([]hub.Loc, len(page.Hits))
	for i, h := range page.Hits {
		locs[i] = h.Head.Loc
	}
	return locs, nil
}
