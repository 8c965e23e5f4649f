package fhir

import (
	"slices"

	"concord/hub"
)

// combination is one place where the components of a composite are found together (R4 search.html#combining): the
// resource itself, or each item of one of its elements.
type combination struct {
	base  walk
	parts []*Param // one a component, with its values from an item of the base on
	// postings are, for each part, the resource's own parameter that has at least the part's values; nil where there is none.
	postings []*Param
	// exact: the composite is the conjunction of its postings, since nothing repeats.
	exact bool
	// unsampled are the postings that also have sampled data, which R4 leaves out of composites.
	unsampled []*Param
}

// combine adds the place base to a composite.
func (s *specification) combine(p *Param, d paramDefinition, resource string, base walk) {
	c := combination{base: base}
	for _, component := range d.components {
		walks, err := s.compileExpr(component.expression, resource, base.typ)
		if err != nil {
			p.err = err
			return
		}
		part := s.part(component.url, walks)
		for _, other := range d.components { // R4 has those of DocumentReference-relationship crossed
			if len(part.walks) == 0 {
				part = s.part(other.url, walks)
			}
		}
		c.parts = append(c.parts, part)
	}
	p.combinations = append(p.combinations, c)
}

// part makes the parameter of a definition for values found elsewhere.
func (s *specification) part(url string, walks []walk) *Param {
	d := s.params[url]
	p := &Param{Code: d.code, Type: ParamType(d.typ), Definition: d.url, Targets: d.targets}
	for _, w := range walks {
		p.addWalk(w)
	}
	return p
}

// setPostings finds the parameters that the index can be asked instead of a composite's parts, or before them.
func (r *resourceType) setPostings(p *Param) {
	for i := range p.combinations {
		c := &p.combinations[i]
		c.exact = len(c.base.steps) == 0
		for _, part := range c.parts {
			var best *Param
			for _, q := range r.params {
				if q.Type == part.Type && q.Served() && q.covers(c.base, part) && (best == nil || len(q.walks) < len(best.walks)) {
					best = q
				}
			}
			c.postings = append(c.postings, best)
			if best == nil {
				c.exact = false
				continue
			}
			alike := len(best.walks)
			if slices.ContainsFunc(best.walks, func(w walk) bool { return w.typ == sampledData }) {
				alike--
				c.unsampled = append(c.unsampled, best)
			}
			c.exact = c.exact && alike == len(part.walks) && !slices.ContainsFunc(best.walks, walk.repeats)
		}
	}
}

// covers reports whether p has at least the values that part has at base.
func (p *Param) covers(base walk, part *Param) bool {
	for i := range part.walks {
		w := part.walks[i]
		if !w.fromResource {
			w.steps = slices.Concat(base.steps, w.steps)
		}
		if !slices.ContainsFunc(p.walks, func(own walk) bool { return own.whole() && own.keys() == w.keys() && own.typ == w.typ }) {
			return false
		}
	}
	return len(part.walks) > 0
}

// whole reports whether the walk takes all values of its elements.
func (w walk) whole() bool {
	return w.computed == nil && !slices.ContainsFunc(w.steps, func(s walkStep) bool { return s.pass != nil || s.nth >= 0 })
}

// combinable reports whether searches by the composite are executed.
func (p *Param) combinable() bool {
	return len(p.combinations) > 0 && p.err == nil && !slices.ContainsFunc(p.combinations, func(c combination) bool {
		return slices.ContainsFunc(c.parts, func(part *Param) bool { return len(part.walks) == 0 })
	})
}

// composite compiles a$b: both hold of the same item (R4 search.html#combining). What postings can tell narrows the
// search; where items repeat, a test on the record decides.
func (s scope) composite(p *Param, modifier, text string) ([]hub.Clause, error) {
	if err := s.checkModifier(p.Code, modifier, []string{"missing"}); err != nil {
		return nil, err
	}
	if modifier == "missing" {
		return s.compositeMissing(p, text)
	}
	alternatives, err := s.alternatives(p.Code, text)
	if err != nil {
		return nil, err
	}
	var either [][]hub.Clause
	for _, alternative := range alternatives {
		values := splitEscaped(alternative, '$')
		if len(values) != len(p.combinations[0].parts) || slices.Contains(values, "") {
			return nil, invalid(p.Code, "as many values as the parameter has components are due, joined by $")
		}
		for i := range p.combinations {
			all, err := s.combined(&p.combinations[i], func(q *Param, part int) (hub.Clause, error) { return s.plain(q, "", values[part]) })
			if err != nil {
				return nil, err
			}
			either = append(either, all)
		}
	}
	return anyOf(either), nil
}

// combined compiles what must hold of a combination's parts. condition compiles that of one part for a parameter with its
// values.
func (s scope) combined(c *combination, condition func(q *Param, part int) (hub.Clause, error)) ([]hub.Clause, error) {
	var all []hub.Clause
	for i, q := range c.postings {
		if err := s.spend(); err != nil {
			return nil, err
		}
		if q == nil {
			continue
		}
		clause, err := condition(q, i)
		if err != nil {
			return nil, err
		}
		all = append(all, clause)
	}
	if c.exact {
		for _, q := range c.unsampled {
			all = append(all, hub.Clause{Param: q.Code + sampledParam, Any: []hub.Match{{Kind: hub.Equals, Text: "true"}}, Not: true})
		}
		return all, nil
	}
	conditions := make([]hub.Clause, len(c.parts))
	for i, part := range c.parts {
		clause, err := condition(part, i)
		if err != nil {
			return nil, err
		}
		conditions[i] = clause
	}
	return append(all, hub.Clause{Test: c.test(conditions, s.projection())}), nil
}

// compositeMissing compiles :missing: no item has all components.
func (s scope) compositeMissing(p *Param, text string) ([]hub.Clause, error) {
	if text != "true" && text != "false" {
		return nil, p.invalid(text, ":missing is true or false")
	}
	var either [][]hub.Clause
	for i := range p.combinations {
		all, err := s.combined(&p.combinations[i], func(q *Param, _ int) (hub.Clause, error) { return q.missing("false") })
		if err != nil {
			return nil, err
		}
		either = append(either, all)
	}
	if text == "true" {
		return not(anyOf(either)), nil
	}
	return anyOf(either), nil
}
