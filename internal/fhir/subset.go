package fhir

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"concord/hub"
)

// Subset says how much of a resource is wanted (R4 search.html#summary, #elements). The zero Subset is all of it.
type Subset struct {
	// Summary is true, text, data or false; count is for searches and cuts nothing off. Empty is false.
	Summary string
	// Elements are the root elements wanted, each for every type or, as Patient.name, for one. With them come the
	// mandatory ones, the id, meta, and what modifies the rest.
	Elements []string
}

// Subsetted is the tag of a resource that is not whole (R4 search.html#summary).
const Subsetted = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`

// Check refuses what is no subset: a _summary that R4 does not have, an element that none of the types has.
func (s Subset) Check(types ...string) error {
	if !slices.Contains([]string{"", "true", "text", "data", "count", "false"}, s.Summary) {
		return &hub.Error{Kind: hub.Invalid, Path: "_summary", Msg: "_summary is true, text, data, count or false, not " + strconv.Quote(s.Summary)}
	}
	for _, e := range s.Elements {
		if !slices.ContainsFunc(types, func(typ string) bool { return hasElement(typ, e) }) {
			return &hub.Error{Kind: hub.Invalid, Path: "_elements", Msg: "there is no root element " + strconv.Quote(e), Hint: didYouMean(e, elementNames(types))}
		}
	}
	return nil
}

func hasElement(typ, element string) bool {
	if of, name, qualified := strings.Cut(element, "."); qualified {
		if of != typ {
			return false
		}
		element = name
	}
	t := definitions().elements[typ]
	return t != nil && t.has(element)
}

func elementNames(types []string) []string {
	var names []string
	for _, typ := range types {
		if t := definitions().elements[typ]; t != nil {
			names = append(names, t.names()...)
		}
	}
	return names
}

// Whole reports whether nothing is cut off.
func (s Subset) Whole() bool {
	return len(s.Elements) == 0 && (s.Summary == "" || s.Summary == "false" || s.Summary == "count")
}

// Of is the part of the resource that is wanted, as compact JSON. Each element kept is there to the byte, in its place;
// meta gains the tag SUBSETTED. A Doc whose root is no object of a known type is returned whole.
func (s Subset) Of(d *Doc) []byte {
	typ := d.Type()
	if s.Whole() || !IsResourceType(typ) {
		return d.Root().Compact()
	}
	c := cutter{splicer: splicer{Doc: d, out: make([]byte, 0, d.compactSize(0)+len(Subsetted)+32)}, specification: definitions(), tables: summaryTables()}
	c.resource(typ, s.keeps(c.tables[typ], typ), s.Summary == "true")
	return c.out
}

// keeps is which root elements of a resource stay.
func (s Subset) keeps(t summaryType, typ string) func(element string) bool {
	always := func(e string) bool {
		switch e {
		case "resourceType", "id", "meta", "implicitRules", "modifierExtension": // the last two change what the rest means
			return true
		}
		return slices.Contains(t.due, e)
	}
	chosen := func(e string) bool {
		return len(s.Elements) == 0 || always(e) || slices.Contains(s.Elements, e) || slices.Contains(s.Elements, typ+"."+e)
	}
	switch s.Summary {
	case "true":
		return func(e string) bool { return !slices.Contains(t.left, e) && chosen(e) }
	case "text":
		return func(e string) bool { return always(e) || e == "text" }
	case "data":
		return func(e string) bool { return e != "text" && chosen(e) }
	}
	return chosen
}

// summaryType is one line of summaryTable: what a summary leaves out, and what is mandatory.
type summaryType struct{ left, due []string }

var summaryTables = sync.OnceValue(func() map[string]summaryType {
	all := map[string]summaryType{}
	for line := range strings.Lines(summaryTable) {
		left, due, _ := strings.Cut(strings.TrimSpace(line), " : ")
		f := strings.Fields(left)
		t := summaryType{left: f[1:], due: strings.Fields(due)}
		for _, list := range [][]string{t.left, t.due} {
			for i := range list {
				list[i] = strings.TrimSuffix(list[i], "[x]")
			}
		}
		all[f[0]] = t
	}
	return all
})

type cutter struct {
	splicer
	*specification
	tables map[string]summaryType
}

// resource writes the root with the elements that keep says; deep cuts inside of them, too.
func (c *cutter) resource(typ string, keep func(element string) bool, deep bool) {
	root, t := c.Root(), c.elements[typ]
	tagged := false
	c.out = append(c.out, '{')
	for name, v := range root.Members() {
		e, child := t.element(name)
		switch {
		case !keep(e):
		case name == "meta" && v.Kind() == Object:
			c.meta(v)
			tagged = true
		case deep:
			c.member(v, child)
		default:
			c.copyMember(v)
		}
	}
	if !tagged {
		c.name("meta")
		c.out = append(c.out, `{"tag":[`+Subsetted+`]}`...)
	}
	c.out = append(c.out, '}')
}

// element is the name, without the type of a choice, of the element that the member is (a part of), and its type.
func (t *elementType) element(key string) (name, typ string) {
	plain := strings.TrimPrefix(key, "_")
	m, known := t.members[plain]
	switch {
	case !known:
		return plain, ""
	case m.choice != "":
		return m.choice, m.typ
	}
	return plain, m.typ
}

func (c *cutter) meta(v Value) {
	c.name("meta")
	c.out = append(c.out, '{')
	for name, m := range v.Members() {
		if name != "tag" {
			c.copyMember(m)
		}
	}
	c.name("tag")
	c.out = append(c.out, '[')
	for tag := range v.Get("tag").Items() {
		if tag.Get("code").Text() == "SUBSETTED" {
			continue
		}
		c.copy(tag.i)
		c.out = append(c.out, ',')
	}
	c.out = append(c.out, Subsetted+`]}`...)
}

// member writes an element of type typ without what a summary leaves out.
func (c *cutter) member(v Value, typ string) {
	if _, cuts := c.tables[typ]; !cuts || v.Kind() != Object && v.Kind() != Array {
		c.copyMember(v)
		return
	}
	n := v.node()
	c.name(c.text[n.key:n.keyEnd])
	c.value(v, typ)
}

func (c *cutter) value(v Value, typ string) {
	switch v.Kind() {
	case Array:
		c.out = append(c.out, '[')
		for i, first := v.i+1, true; i < v.i+v.node().size; i += c.nodes[i].size {
			if !first {
				c.out = append(c.out, ',')
			}
			first = false
			c.value(Value{c.Doc, i}, typ)
		}
		c.out = append(c.out, ']')
	case Object:
		t, start := c.elements[typ], len(c.out)
		c.out = append(c.out, '{')
		for name, m := range v.Members() {
			e, child := t.element(name)
			if !slices.Contains(c.tables[typ].left, e) {
				c.member(m, child)
			}
		}
		c.out = append(c.out, '}')
		if len(c.out) == start+len(`{}`) { // nothing may be empty (R4 json.html)
			c.out = c.out[:start]
			c.copy(v.i)
		}
	default:
		c.copy(v.i)
	}
}
