package fhir

import (
	"bytes"
	"slices"

	"concord/hub"
)

// A chain looks into contained resources, too (R4 search.html#contained): MedicationRequest?medication.code=a finds a request whose
// medication is inside of it. What such a resource says are facts about the one that contains it, under parameters that begin with the
// way there; hub.Trait tells that there is one.

// way begins the parameters of what code refers to inside of a resource, if it is of type typ.
func way(code, typ string) string { return code + ">" + typ }

// nestedContained is how many references from one contained resource to the next are followed.
const nestedContained = 2

// kept reports whether entries have terms of the parameter.
func (p *Param) kept() bool {
	return p.Served() && p.stored() && p.Code != "_id" && p.Code != hub.LastUpdated
}

// contained adds the terms of the contained resources that root, of type r, refers to.
func (t *terms) contained(r *resourceType, root Value, depth int) {
	for _, p := range r.params {
		if !p.followable() {
			continue
		}
		for _, c := range p.containedIn(root) {
			inner := definitions().resources[c.Get("resourceType").Text()]
			if inner == nil || !slices.Contains(p.targets(), inner.name) || len(t.list) > t.most {
				continue
			}
			start, at := len(t.list), way(p.Code, inner.name)
			for _, q := range inner.kept {
				t.elsewhere = q.elsewhere
				t.project(q, c)
			}
			if depth > 1 {
				t.contained(inner, c, depth-1)
			}
			for i := range t.list[start:] {
				if term := &t.list[start+i]; term.Param == hub.Trait {
					term.Text = at + "/" + term.Text
				} else {
					term.Param = at + "/" + term.Param
				}
			}
			t.list = append(t.list, hub.Term{Param: hub.Trait, Text: at})
			t.list = append(t.list[:start], distinct(t.list[start:])...)
		}
	}
}

// containedIn are the contained resources that root refers to by the parameter, each once.
func (p *Param) containedIn(root Value) (met []Value) {
	for i := range p.walks {
		p.walks[i].run(root, func(v Value) {
			ref := v.Get("reference").Text()
			if c := contained(v.d, ref); len(ref) > 1 && c.Kind() == Object && !slices.Contains(met, c) {
				met = append(met, c)
			}
		})
	}
	return met
}

// inside is the condition all of something that p refers to inside of a resource; false when no such thing can meet it.
func inside(p *Param, typ string, all []hub.Clause) ([]hub.Clause, bool) {
	at := way(p.Code, typ)
	moved, ok := under(at+"/", func(test recordTest) recordTest { return p.testWithin(typ, test) }, all)
	return append([]hub.Clause{{Param: hub.Trait, Any: []hub.Match{{Kind: hub.Equals, Text: at}}}}, moved...), ok
}

type recordTest = func(*hub.Record) (bool, error)

// testWithin is the test of the contained resources of a type that p refers to. They are given to it as records which contain what
// stands beside them, since that is what their own references lead to.
func (p *Param) testWithin(typ string, test recordTest) recordTest {
	return func(rec *hub.Record) (bool, error) {
		doc, err := Parse(rec.Body, Limits{})
		if err != nil {
			return false, err
		}
		beside := doc.Root().Get("contained").Raw()
		for _, c := range p.containedIn(doc.Root()) {
			if c.Get("resourceType").Text() != typ {
				continue
			}
			inner := *rec
			inner.Name.Type = typ
			raw := bytes.TrimSpace(c.Raw())
			inner.Body = slices.Concat(raw[:len(raw)-1], []byte(`,"contained":`), beside, []byte("}"))
			if is, err := test(&inner); is || err != nil {
				return is, err
			}
		}
		return false, nil
	}
}

// under moves what is asked to the parameters that begin with prefix, and tests to where moveTest has them.
func under(prefix string, moveTest func(recordTest) recordTest, all []hub.Clause) ([]hub.Clause, bool) {
	moved := make([]hub.Clause, 0, len(all))
	for _, c := range all {
		switch {
		case c.Referred != nil, c.Param == hub.ID, c.Param == hub.LastUpdated:
			return nil, false
		case c.Test != nil:
			c.Test = moveTest(c.Test)
		case len(c.Either) > 0:
			var either [][]hub.Clause
			for _, alternative := range c.Either {
				if m, ok := under(prefix, moveTest, alternative); ok {
					either = append(either, m)
				} else if c.Not {
					return nil, false
				}
			}
			if len(either) == 0 {
				return nil, false
			}
			c.Either = either
		case c.Param == hub.Trait:
			c.Any = []hub.Match{{Kind: hub.Equals, Text: prefix + c.Any[0].Text}}
		default:
			c.Param, c.Routed = prefix+c.Param, false
			c.Any = slices.Clone(c.Any)
			for i := range c.Any {
				c.Any[i].Route = ""
			}
		}
		moved = append(moved, c)
	}
	return moved, true
}
