package fhir

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"concord/hub"
)

// Check compares the shape of the resource with R4: a known resource type, known elements, arrays just where an
// element may repeat, one type of a choice, values of the JSON type that the element's type has, nothing empty (R4
// json.html). It knows no minimum cardinality, value set or invariant. The first fault is an Invalid error with its path.
func (d *Doc) Check() error {
	typ := d.Type()
	if !IsResourceType(typ) {
		return &hub.Error{Kind: hub.Invalid, Path: "resourceType", Msg: "check: R4 has no resource type " + strconv.Quote(typ), Hint: didYouMean(typ, definitions().names)}
	}
	if f := (checker{definitions()}).object(d.Root(), typ); f != nil {
		return &hub.Error{Kind: hub.Invalid, Path: typ + f.path, Msg: "check: " + f.msg, Hint: f.hint}
	}
	return nil
}

type checker struct{ *specification }

type fault struct{ path, msg, hint string }

func (f *fault) below(step string) *fault {
	if f != nil {
		f.path = step + f.path
	}
	return f
}

func (c checker) object(v Value, typ string) *fault {
	if typ == "Resource" {
		if typ = v.Get("resourceType").Text(); !IsResourceType(typ) {
			return &fault{path: ".resourceType", msg: "R4 has no resource type " + strconv.Quote(typ)}
		}
	}
	t := c.elements[typ]
	switch {
	case v.Kind() != Object:
		return &fault{msg: "a JSON object is due"}
	case v.node().size == 1:
		return &fault{msg: "the object is empty"}
	}
	var chosen []string // choice elements seen so far
	for name, m := range v.Members() {
		if name == "resourceType" && c.resources[typ] != nil {
			continue
		}
		plain, primitive := strings.CutPrefix(name, "_")
		e, known := t.members[plain]
		if !known || primitive && c.elements[e.typ] != nil {
			return &fault{"." + name, typ + " has no such element", didYouMean(name, t.names())}
		}
		if e.choice != "" && !primitive {
			for _, other := range chosen {
				if other == e.choice {
					return &fault{path: "." + name, msg: "another type of " + e.choice + "[x] is there already"}
				}
			}
			chosen = append(chosen, e.choice)
		}
		if primitive {
			e.typ = "Element"
		}
		if f := c.element(m, e, primitive); f != nil {
			return f.below("." + name)
		}
	}
	return nil
}

// names lists the elements in JSON, for hints.
func (t *elementType) names() []string { return slices.Sorted(maps.Keys(t.members)) }

func (c checker) element(v Value, e member, aside bool) *fault {
	switch {
	case e.many && v.Kind() != Array:
		return &fault{msg: "the element may repeat: an array is due"}
	case !e.many && v.Kind() == Array:
		return &fault{msg: "the element may not repeat: no array is due"}
	case !e.many:
		return c.value(v, e.typ)
	case v.node().size == 1:
		return &fault{msg: "the array is empty"}
	}
	i := 0
	for item := range v.children() {
		// null keeps the places of values and their extensions alike
		if !(item.Kind() == Null && (aside || c.elements[e.typ] == nil)) {
			if f := c.value(item, e.typ); f != nil {
				return f.below("[" + strconv.Itoa(i) + "]")
			}
		}
		i++
	}
	return nil
}

func (c checker) value(v Value, typ string) *fault {
	kind := v.Kind()
	switch typ {
	case "boolean":
		if kind != True && kind != False {
			return &fault{msg: "true or false is due"}
		}
	case "integer", "positiveInt", "unsignedInt", "decimal":
		if kind != Number {
			return &fault{msg: "a JSON number is due"}
		}
	default:
		if c.elements[typ] != nil {
			return c.object(v, typ)
		}
		if kind != String || v.node().end-v.node().start <= 2 {
			return &fault{msg: "a string that is not empty is due"}
		}
	}
	return nil
}
