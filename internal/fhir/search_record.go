package fhir

import (
	"math"

	"concord/hub"
)

// onRecord makes a test of a record from one of its root. Reading the same bytes, it gives the same answer each time;
// concurrent calls share nothing that is written.
func onRecord(test func(root Value) bool) func(*hub.Record) (bool, error) {
	return func(rec *hub.Record) (bool, error) {
		doc, err := Parse(rec.Body, Limits{})
		if err != nil {
			return false, err
		}
		return test(doc.Root()), nil
	}
}

// test says whether at some item of the base all conditions hold, one for each part.
func (c *combination) test(conditions []hub.Clause, as *Projection) func(*hub.Record) (bool, error) {
	return onRecord(func(root Value) bool {
		found := false
		c.base.run(root, func(item Value) {
			for i, part := range c.parts {
				if found {
					return
				}
				from := item
				if part.walks[0].fromResource {
					from = root
				}
				entry := hub.Entry{Terms: part.terms(from, as)}
				if !conditions[i].Matches(&entry) {
					return
				}
			}
			found = true
		})
		return found
	})
}

// projection is that by which the search takes records to be projected.
func (c *searchCompiler) projection() *Projection {
	return NewProjection(c.options.Zone).At(c.options.Base)
}

// terms are those that the parameter has of v, where its walks begin.
func (p *Param) terms(v Value, as *Projection) []hub.Term {
	t := terms{zone: as.zone, base: as.base, most: math.MaxInt}
	t.project(p, v)
	return t.list
}

// eachValue is the parameter cut into one for each type of value, which takes the value itself.
func (p *Param) eachValue() []*Param {
	ones := make([]*Param, len(p.walks))
	for i, w := range p.walks {
		one := *p
		w.steps, w.computed = nil, nil
		one.walks = []walk{w}
		ones[i] = &one
	}
	return ones
}

// someValue makes a test: some value of the parameter, taken by itself, has terms that pass.
func (p *Param) someValue(as *Projection, pass func([]hub.Term) bool) func(*hub.Record) (bool, error) {
	ones := p.eachValue()
	return onRecord(func(root Value) bool {
		found := false
		for i := range p.walks {
			p.walks[i].run(root, func(v Value) {
				found = found || pass(ones[i].terms(v, as))
			})
		}
		return found
	})
}
