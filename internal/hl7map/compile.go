package hl7map

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"concord/internal/fhir"
)

// object reads a mapping as what makes objects of a type.
func (c *compiler) object(n *yaml.Node, typ string) *object {
	o := &object{typ: typ}
	n = c.used(n)
	for k, v := range c.pairs(n, "an object") {
		switch k.Value {
		case "$each":
			o.each = c.path(v)
		case "$when":
			o.when = c.cond(v)
		case "$value":
			o.value = c.expr(v, typ)
		}
	}
	if o.value != nil {
		for k := range c.pairs(n, "an object") {
			if !slices.Contains([]string{"$each", "$when", "$value", "$type"}, k.Value) {
				c.fault(k, "", "beside $value there is nothing but $each and $when")
			}
		}
		return o
	}
	o.block = c.block(n, typ)
	return o
}

// block reads the members of an object.
func (c *compiler) block(n *yaml.Node, typ string) block {
	n = c.used(n)
	b := block{fixed: true}
	for k, v := range c.pairs(n, "an object") {
		switch k.Value {
		case "$each", "$when", "$type", "$cases":
		case "$need":
			b.need = v.Value
		case "$switch":
			b.choice = c.choice(n, v, typ)
			b.fixed = false
		default:
			if strings.HasPrefix(k.Value, "$") {
				c.fault(k, "one of $when, $each, $need, $use, $switch, $cases, $value, $type", "there is no %q", k.Value)
				continue
			}
			e, ok := c.element(k, v, typ)
			if ok {
				b.members = append(b.members, e)
				b.fixed = b.fixed && e.fixed
			}
		}
	}
	b.fixed = b.fixed && len(b.members) > 0
	if b.need != "" && !slices.ContainsFunc(b.members, func(e element) bool { return e.name == b.need }) {
		c.fault(n, "", "the object needs %q, which is none of its members", b.need)
	}
	return b
}

// used takes over the members of a template that is named by $use.
func (c *compiler) used(n *yaml.Node) *yaml.Node {
	u := member(n, "$use")
	if u == nil {
		return n
	}
	body := c.bodies[u.Value]
	if body == nil {
		c.fault(u, "", "no template is called %q", u.Value)
	}
	own := *n
	at := indexOf(n, "$use")
	own.Content = slices.Delete(slices.Clone(n.Content), at, at+2)
	c.names[&own] = c.names[n]
	if body == nil {
		return &own
	}
	if slices.Contains(c.using, u.Value) {
		c.fault(u, "", "template %s uses itself", u.Value)
		return &own
	}
	c.using = append(c.using, u.Value)
	defer func() { c.using = c.using[:len(c.using)-1] }()
	return c.lay(c.used(body), &own)
}

// element reads one member.
func (c *compiler) element(k, v *yaml.Node, typ string) (element, bool) {
	if k.Value == "resourceType" || k.Value == "id" && fhir.IsResourceType(typ) {
		c.fault(k, "", "%s is written from the resource rule", k.Value)
		return element{}, false
	}
	def, ok := elementOf(typ, k.Value)
	if !ok {
		c.fault(k, fhir.NearestElement(typ, k.Value), "%s is no element of FHIR R4", describe(typ, k.Value))
		return element{}, false
	}
	m := c.maker(v, def.Type)
	if def.Type == "code" {
		c.bound(v, typ, k.Value, m)
	}
	e := element{key: `"` + k.Value + `":`, name: k.Value, many: def.Many, maker: m, fixed: m.constant()}
	if paths, known := m.from(); known {
		e.from = paths
	}
	return e, true
}

// elementOf finds an element by its member name; _birthDate is what belongs to birthDate beside its value: extensions.
func elementOf(typ, key string) (fhir.Element, bool) {
	plain, beside := strings.CutPrefix(key, "_")
	def, ok := fhir.ElementOf(typ, plain)
	if beside {
		ok = ok && def.Primitive() && !def.Many
		def.Type = "Element"
	}
	return def, ok
}

// maker reads what makes values of a type.
func (c *compiler) maker(n *yaml.Node, typ string) maker {
	switch n.Kind {
	case yaml.SequenceNode:
		var l list
		for _, item := range n.Content {
			l = append(l, c.maker(item, typ))
		}
		return l
	case yaml.MappingNode:
		if !complexType(typ) && member(n, "$value") == nil {
			c.fault(n, "an expression, or a mapping with $value", "this is a %s, which has no members", typ)
			return list{}
		}
		return c.object(n, typ)
	case yaml.ScalarNode:
		if n.Tag == "!!bool" || n.Tag == "!!int" || n.Tag == "!!float" && n.Value[0] != '.' { // .1 is a path
			return &expr{typ: typ, pipes: []*pipe{{text: []piece{{text: n.Value}}}}}
		}
		return c.expr(n, typ)
	}
	c.fault(n, "", "a value is due")
	return list{}
}

// choice reads $switch and $cases.
func (c *compiler) choice(n, on *yaml.Node, typ string) *choice {
	w := &choice{on: c.path(on), cases: map[string][]guarded{}}
	cases := member(n, "$cases")
	if cases == nil {
		c.fault(on, "", "$switch comes with $cases")
	}
	for k, v := range c.pairs(cases, "$cases") {
		var list []guarded
		blocks := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			blocks = v.Content
		}
		for _, one := range blocks {
			g := guarded{block: c.block(one, typ)}
			if when := member(one, "$when"); when != nil {
				g.when = c.cond(when)
			}
			list = append(list, g)
		}
		for word := range strings.FieldsFuncSeq(k.Value, func(r rune) bool { return r == ' ' || r == ',' }) {
			if word == "default" {
				w.other = list
				continue
			}
			w.cases[word] = list
		}
	}
	return w
}
