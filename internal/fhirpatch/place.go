package fhirpatch

import (
	"slices"

	"concord/hub"
	"concord/internal/fhir"
)

// place is one element: a member of an object, or one value of it where the element may repeat.
type place struct {
	owner  *node  // the object; nil for the resource itself
	within string // the type that it is an element of
	fhir.Element
	index int   // among the values; −1 where the element does not repeat
	value *node // nil where there are only id and extensions
	aside *node // a primitive's id and extensions
}

func (e *editor) resource() place {
	return place{Element: fhir.Element{Type: e.root.get("resourceType").string()}, index: -1, value: e.root}
}

// string is the text of a value that may not be there.
func (n *node) string() string {
	if n == nil {
		return ""
	}
	return n.text()
}

// holder is the object that has the elements inside of p, and its type; nil where there is none.
func (p place) holder() (*node, string) {
	switch {
	case p.owner != nil && p.Primitive():
		return p.aside, "Element"
	case p.Type == "Resource":
		return p.value, p.value.get("resourceType").string()
	}
	return p.value, p.Type
}

// element finds what R4 calls name in p, or one of the types of a choice: the one that is there, else an arbitrary one
// of them and there is false.
func (p place) element(name string) (el fhir.Element, there bool, err error) {
	object, typ := p.holder()
	has := func(el fhir.Element) bool { return object.get(el.Key) != nil || object.get("_"+el.Key) != nil }
	if el, ok := fhir.ElementOf(typ, name); ok {
		return el, has(el), nil
	}
	choices := fhir.Choices(typ, name)
	if len(choices) == 0 {
		return el, false, &hub.Error{Kind: hub.Invalid, Msg: typ + " has no element " + name, Hint: fhir.NearestElement(typ, name)}
	}
	if i := slices.IndexFunc(choices, has); i >= 0 {
		return choices[i], true, nil
	}
	return choices[0], false, nil
}

// inside lists the values of one element of p.
func (p place) inside(el fhir.Element) []place {
	owner, typ := p.holder()
	value, aside := owner.get(el.Key), (*node)(nil)
	if el.Primitive() {
		aside = owner.get("_" + el.Key)
	}
	if !el.Many {
		if value == nil && aside == nil {
			return nil
		}
		return []place{{owner, typ, el, -1, value, aside}}
	}
	n := max(value.len(), aside.len())
	list := make([]place, n)
	for i := range list {
		list[i] = place{owner, typ, el, i, value.item(i), aside.item(i)}
	}
	return list
}

// len counts an array's values.
func (n *node) len() int {
	if n == nil || n.kind != fhir.Array {
		return 0
	}
	return len(n.open())
}

// item is a value of an array, nil where there is none or null keeps its place.
func (n *node) item(i int) *node {
	if i >= n.len() || n.kids[i].kind == fhir.Null {
		return nil
	}
	return n.kids[i].node
}

// find follows a path from a place.
func (e *editor) find(from place, steps []step) ([]place, error) {
	at := []place{from}
	for i, s := range steps {
		if e.visits += len(at) + 1; e.visits > maxVisits {
			return nil, &hub.Error{Kind: hub.TooCostly, Msg: "the patch's paths pass through too many elements"}
		}
		if i == 0 && from.owner == nil && s.kind == memberStep && (s.name == from.Type || s.name == "Resource" || s.name == "DomainResource") {
			continue
		}
		var err error
		if at, err = e.step(at, s); err != nil {
			return nil, err
		}
	}
	return at, nil
}

func (e *editor) step(at []place, s step) ([]place, error) {
	var next []place
	switch s.kind {
	case memberStep:
		for _, p := range at {
			el, _, err := p.element(s.name)
			if err != nil {
				return nil, err
			}
			next = append(next, p.inside(el)...)
		}
	case indexStep:
		if s.index < len(at) {
			next = at[s.index : s.index+1]
		}
	case firstStep:
		next = at[:min(1, len(at))]
	case lastStep:
		next = at[max(0, len(at)-1):]
	case singleStep:
		if len(at) > 1 {
			return nil, unfit("single() finds %d elements", len(at))
		}
		next = at
	case typeStep:
		for _, p := range at {
			if _, typ := p.holder(); p.Type == s.name || typ == s.name {
				next = append(next, p)
			}
		}
	case whereStep:
		for _, p := range at {
			ok, err := e.holds(p, s.cond)
			if err != nil {
				return nil, err
			}
			if ok {
				next = append(next, p)
			}
		}
	}
	return next, nil
}

// holds evaluates a condition on one element. A comparison holds when the path finds one value and it compares so.
func (e *editor) holds(p place, c *condition) (bool, error) {
	if c.op == "and" || c.op == "or" {
		ok, err := e.holds(p, c.left)
		if err != nil || ok == (c.op == "or") {
			return ok, err
		}
		return e.holds(p, c.right)
	}
	found, err := e.find(p, c.path)
	switch {
	case err != nil:
		return false, err
	case c.op == "exists":
		return len(found) > 0, nil
	case c.op == "empty":
		return len(found) == 0, nil
	case len(found) != 1 || found[0].value == nil:
		return false, nil
	}
	v := found[0].value
	same := false
	switch {
	case c.op == "true":
		return v.kind == fhir.True, nil
	case c.text:
		same = v.kind == fhir.String && v.text() == c.literal
	case v.kind == fhir.Number:
		same = sameNumber(v.text(), c.literal)
	default:
		same = (v.kind == fhir.True || v.kind == fhir.False) && v.text() == c.literal
	}
	return same == (c.op == "="), nil
}
