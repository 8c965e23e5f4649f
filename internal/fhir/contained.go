package fhir

import (
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
		var met []Value
		for i := range p.walks {
			p.walks[i].run(root, func(v Value) {
				ref := v.Get("reference").Text()
				if c := contained(v.d, ref); len(ref) > 1 && c.Kind() == Object && !slices.Contains(met, c) {
					met = append(met, c)
				}
			})
		}
		for _, c := range met {
			inner := definitions().resources[c.Get("resourceType").Text()]
			if inner == nil || !slices.Contains(p.targets(), inner.name) || len(t.list) > t.most {
				continue
			}
			start, at := len(t.list), way(p.Code, inner.name)
			for _, q := range inner.params {
				if q.kept() {
					t.elsewhere = q.elsewhere
					t.project(q, c)
				}
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

// inside is the condition all of something that code refers to inside of a resource; false when no such thing can meet it, or
// terms do not tell.
func inside(code, typ string, all []hub.Clause) ([]hub.Clause, bool) {
	at := way(code, typ)
	moved, ok := under(at+"/", all)
	return append([]hub.Clause{{Param: hub.Trait, Any: []hub.Match{{Kind: hub.Equals, Text: at}}}}, moved...), ok
}

func under(prefix string, all []hub.Clause) ([]hub.Clause, bool) {
	moved := make([]hub.Clause, 0, len(all))
	for _, c := range all {
		switch {
		case c.Test != nil, c.Referred != nil, c.Param == hub.ID, c.Param == hub.LastUpdated:
			return nil, false
		case len(c.Either) > 0:
			var either [][]hub.Clause
			for _, alternative := range c.Either {
				if m, ok := under(prefix, alternative); ok {
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
