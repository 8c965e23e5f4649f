package ecg

import (
	"context"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// Question is which recordings are asked for; empty fields ask for all.
type Question struct {
	// Patient is a reference ("Patient/abc") or an id; Identifier one of the patient's ("system|value" or "value").
	Patient, Identifier string
	// Dates are conditions on when it was recorded, as FHIR has them: "ge2026-01-01".
	Dates []string
	// Member is who sent it.
	Member string
	Count  int
	After  *hub.Position
}

// Page is one of answers, newest recording first.
type Page struct {
	Entries []Entry
	Next    *hub.Position
}

// Search finds recordings that the caller may read. Count must be 1 at least.
func (l *Library) Search(ctx context.Context, who access.Caller, q Question) (Page, error) {
	params := []fhir.Pair{{Name: "category", Value: System + "|" + Category}, {Name: "_sort", Value: "-date"}}
	add := func(name, value string) {
		if value != "" {
			params = append(params, fhir.Pair{Name: name, Value: value})
		}
	}
	add("patient", q.Patient)
	for _, d := range q.Dates {
		add("date", d)
	}
	if q.Member != "" {
		add("_source", sourcePrefix+fhir.Escape(q.Member))
	}
	add("patient.identifier", q.Identifier)
	found, err := fhir.CompileSearch("DocumentReference", params, fhir.SearchOptions{})
	if err != nil {
		return Page{}, err
	}
	for _, typ := range found.Types {
		if err := who.May(access.Search, typ); err != nil {
			return Page{}, err
		}
	}
	found.Query.Limit, found.Query.After = q.Count, q.After
	res, err := l.Reader.Search(ctx, who, []hub.Partition{l.Records}, found.Query, "ecg")
	if err != nil {
		return Page{}, err
	}
	p := Page{Entries: make([]Entry, 0, len(res.Records)), Next: res.Next}
	for i := range res.Records {
		if e, ok := entryOf(&res.Records[i]); ok {
			p.Entries = append(p.Entries, e)
		}
	}
	return p, nil
}
