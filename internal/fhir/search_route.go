package fhir

import (
	"slices"

	"concord/hub"
)

// routes reports whether the parameter's literal patients are the routes of what has them: it names the one element by
// which a resource is routed. Where each resource is its own route, so does _id.
func (r *resourceType) routes(p *Param) bool {
	if r.route == nil {
		return p.Code == "_id"
	}
	return p.routed
}

// setRoutes notes in the matches where in the index what they mean must lie.
func (r *resourceType) setRoutes(p *Param, c *hub.Clause) {
	for _, all := range c.Either {
		for i := range all {
			r.setRoutes(p, &all[i])
		}
	}
	if c.Param != p.Code {
		return // whether there are values, or ids that the patients have elsewhere
	}
	for i := range c.Any {
		m := &c.Any[i]
		switch {
		case m.Kind != hub.Equals:
		case p.Code == "_id":
			m.Route = r.name + "/" + m.Text
		case isLiteral(m.Text, "Patient"):
			m.Route = m.Text
		}
	}
}

// routesOf limits a query to the slots where every hit must lie: those of a clause whose alternatives all have a route.
func routesOf(all []hub.Clause) []string {
	for i := range all {
		c := &all[i]
		if c.Not || len(c.Any) == 0 || slices.ContainsFunc(c.Any, func(m hub.Match) bool { return m.Route == "" }) {
			continue
		}
		routes := make([]string, len(c.Any))
		for j := range c.Any {
			routes[j] = c.Any[j].Route
		}
		slices.Sort(routes)
		return slices.Compact(routes)
	}
	return nil
}

// mentioned adds the types of the inner searches of clauses, sorted, each once.
func mentioned(types []string, all []hub.Clause) []string {
	for i := range all {
		c := &all[i]
		for _, q := range []*hub.Query{c.Refers, c.Referred} {
			if q == nil {
				continue
			}
			if at, found := slices.BinarySearch(types, q.Type); !found {
				types = slices.Insert(types, at, q.Type)
			}
			types = mentioned(types, q.All)
		}
		for _, list := range c.Either {
			types = mentioned(types, list)
		}
	}
	return types
}
