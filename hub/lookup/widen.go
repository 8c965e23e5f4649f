package lookup

import (
	"context"
	"slices"
	"strings"

	"concord/hub"
	"concord/internal/fhir"
)

// A question about a patient is one about the person: where a thing belongs to a Patient by what a clause asks, it may belong to any
// Patient that is linked to the one named. What refers to a Patient without belonging to it (a Person's link, a Provenance's
// target), _has and includes mean the Patient that is named and no other, as does what writes.

// widen has the clauses of q mean persons.
func (a *asking) widen(ctx context.Context, q hub.Query) (hub.Query, error) {
	if a.Linked == nil || len(a.ps) != 1 || a.ps[0] != a.Records {
		return q, nil
	}
	var named []string
	eachOwner(q.Type, q.All, func(c *hub.Clause) {
		for i := range c.Any {
			if m := &c.Any[i]; m.Kind == hub.Equals && strings.HasPrefix(m.Text, "Patient/") {
				named = append(named, m.Text)
			}
		}
	})
	if len(named) == 0 {
		return q, nil
	}
	if !a.linking && a.usage.noPersons() {
		a.unlinked = true
		return q, nil
	}
	slices.Sort(named)
	before := a.watch(a.ps...)
	linked, err := a.Linked(ctx, slices.Compact(named))
	if err != nil {
		return q, before.refused(err)
	}
	if len(linked) == 0 {
		return q, nil
	}
	q.All = cloneClauses(q.All)
	eachOwner(q.Type, q.All, func(c *hub.Clause) {
		for _, m := range slices.Clip(c.Any) {
			for _, other := range linked[m.Text] {
				if slices.ContainsFunc(c.Any, func(n hub.Match) bool { return n.Text == other }) {
					continue
				}
				n := m
				if n.Text = other; m.Route == m.Text {
					n.Route = other
				}
				c.Any = append(c.Any, n)
			}
		}
	})
	wider := slices.Clone(q.Routes)
	for _, route := range q.Routes {
		wider = append(wider, linked[route]...)
	}
	slices.Sort(wider)
	q.Routes = slices.Compact(wider)
	return q, nil
}

// eachOwner visits the clauses of all, at any depth of Either, that say which Patient a thing of a type belongs to.
func eachOwner(typ string, all []hub.Clause, visit func(*hub.Clause)) {
	for i := range all {
		c := &all[i]
		if fhir.Owns(typ, c.Param) {
			visit(c)
		}
		for _, alternative := range c.Either {
			eachOwner(typ, alternative, visit)
		}
	}
}

func cloneClauses(all []hub.Clause) []hub.Clause {
	all = slices.Clone(all)
	for i := range all {
		all[i].Any = slices.Clone(all[i].Any)
		all[i].Either = slices.Clone(all[i].Either)
		for j := range all[i].Either {
			all[i].Either[j] = cloneClauses(all[i].Either[j])
		}
	}
	return all
}

// persons adds to references to Patients those to the Patients that are linked to them, by place.
func (a *asking) persons(ctx context.Context, refs [][]reference) error {
	if a.Linked == nil || len(a.ps) != 1 || a.ps[0] != a.Records {
		return nil
	}
	var named []string
	for _, some := range refs {
		for _, r := range some {
			if r.name.Type == "Patient" {
				named = append(named, r.name.String())
			}
		}
	}
	if len(named) == 0 {
		return nil
	}
	slices.Sort(named)
	linked, err := a.Linked(ctx, slices.Compact(named))
	for i := range refs {
		for _, r := range slices.Clip(refs[i]) {
			for _, other := range linked[r.name.String()] {
				also := reference{name: hub.Name{Type: "Patient", ID: strings.TrimPrefix(other, "Patient/")}}
				if !slices.Contains(refs[i], also) {
					refs[i] = append(refs[i], also)
				}
			}
		}
	}
	return err
}
