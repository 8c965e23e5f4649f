package fhir

import (
	"slices"

	"concord/hub"
)

// setParts finds out whether a composite of the resource itself is the conjunction of its components: so it is when none
// of their elements repeats, as code and value of an Observation. Other composites (on components, say) are not served.
func (r *resourceType) setParts(p *Param) {
	if p.Type != CompositeParam || !p.onResource {
		return
	}
	var parts []*Param
	for _, c := range p.components {
		i := slices.IndexFunc(r.params, func(q *Param) bool { return q.Definition == c.definition })
		if i < 0 || !r.params[i].means(c.walks) {
			return
		}
		parts = append(parts, r.params[i])
	}
	p.parts, p.served = parts, true
}

// means reports whether p has exactly the values of walks, none of which repeat.
func (p *Param) means(walks []walk) bool {
	var own, others []string
	for i := range p.walks {
		own = append(own, p.walks[i].keys())
	}
	for i := range walks {
		others = append(others, walks[i].keys())
	}
	slices.Sort(own)
	slices.Sort(others)
	return p.served && slices.Equal(own, others) && !slices.ContainsFunc(p.walks, walk.repeats)
}

// composite compiles a$b as the conjunction of its parts (R4 search.html#combining).
func (c *searchCompiler) composite(p *Param, modifier, text string) error {
	if modifier != "" {
		return c.notKnown(p.Code+":"+modifier, "the modifier is not supported for composite parameters", "")
	}
	if len(splitAlternatives(text)) > 1 {
		return &hub.Error{Kind: hub.Unsupported, Path: p.Code, Msg: "search: alternatives of a composite parameter are not supported"}
	}
	values := splitEscaped(text, '$')
	if len(values) != len(p.parts) {
		return p.invalid(text, "as many values as the parameter has parts are due, joined by $")
	}
	var clauses []hub.Clause
	for i, part := range p.parts {
		if values[i] == "" {
			return p.invalid(text, "a part is empty")
		}
		clause, err := c.clause(part, "", values[i])
		if err != nil {
			return err
		}
		clauses = append(clauses, clause)
	}
	c.Query.All = append(c.Query.All, clauses...)
	return nil
}
