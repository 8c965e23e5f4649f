package oracle

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// Generator draws queries from what a store has, so that a good share of them has hits. Every draw may shrink: towards
// fewer conditions, no sort, no includes, and the plainest form of a value.
type Generator struct {
	store *Store
	types []string            // those with resources; the ones that have many stand there several times
	alive map[string][]*Param // by type, the parameters for which some resource has a value
	names []string            // of resources that compartments are asked for
}

// NewGenerator looks through the store once.
func NewGenerator(s *Store) *Generator {
	g := &Generator{store: s, alive: map[string][]*Param{}}
	for _, typ := range s.Defs.types {
		all := s.byType[typ]
		if len(all) == 0 {
			continue
		}
		for size := bits.Len(uint(len(all))); size > 0; size -= 2 {
			g.types = append(g.types, slices.Repeat([]string{typ}, size)...)
		}
		for _, p := range s.Defs.Params(typ) {
			if p.Code == "phonetic" { // sounds alike: for the server to decide
				continue
			}
			if some(all, func(r *Resource) bool { return s.Facts(r, p).Present }) {
				g.alive[typ] = append(g.alive[typ], p)
			}
		}
	}
	for typ := range s.Defs.compartments {
		for i, r := range s.byType[typ] {
			if i%3 == 0 {
				g.names = append(g.names, r.Name())
			}
		}
	}
	slices.Sort(g.names)
	return g
}

// Query draws one query.
func (g *Generator) Query() *rapid.Generator[Query] {
	return rapid.Custom(func(t *rapid.T) Query {
		d := &draw{g, t}
		q := Query{Type: pick(d, "type", g.types...)}
		if d.chance(8) && len(g.names) > 0 {
			name := pick(d, "compartment", g.names...)
			focus, _, _ := strings.Cut(name, "/")
			if len(g.store.Defs.compartments[focus][q.Type]) > 0 {
				q.Compartment = name
			}
		}
		for range pick(d, "conditions", 1, 1, 1, 2, 2, 3, 0) {
			if p, ok := d.condition(q.Type); ok {
				q.Pairs = append(q.Pairs, p)
			}
		}
		if d.chance(35) {
			if rules := d.sort(q.Type); rules != "" {
				q.Pairs = append(q.Pairs, Pair{"_sort", rules})
			}
		}
		if d.chance(15) {
			q.Pairs = append(q.Pairs, d.includes(q.Type)...)
		}
		return q
	})
}

type draw struct {
	*Generator
	t *rapid.T
}

// below draws evenly from 0 to n−1, bit by bit: numbers that are drawn at once are mostly small ones.
func (d *draw) below(n int, what string) int {
	v := 0
	for range bits.Len(uint(n-1)) + 3 {
		v *= 2
		if rapid.Bool().Draw(d.t, what) {
			v++
		}
	}
	return v % n
}

// chance is true in n of 100 cases, and false when shrunk.
func (d *draw) chance(n int) bool { return d.below(100, "chance") >= 100-n }

func pick[T any](d *draw, what string, list ...T) T { return list[d.below(len(list), what)] }

func (d *draw) condition(typ string) (Pair, bool) {
	switch kind := d.below(100, "kind"); {
	case kind < 74:
		return d.plain(typ)
	case kind < 84:
		return d.chain(typ, 3)
	case kind < 93:
		return d.reverse(typ, 2)
	case kind < 98:
		return d.filter(typ)
	}
	lists := d.store.byType["List"]
	if len(lists) == 0 {
		return Pair{}, false
	}
	return Pair{"_list", pick(d, "list", lists...).ID}, true
}

// parameter draws one that has values; half of the time its type first, since most are tokens and references.
func (d *draw) parameter(typ string) *Param {
	list := d.alive[typ]
	if d.chance(60) {
		var kinds []string
		for _, p := range list {
			if !slices.Contains(kinds, p.Type) {
				kinds = append(kinds, p.Type)
			}
		}
		kind := pick(d, "parameter's type", kinds...)
		list = slices.DeleteFunc(slices.Clone(list), func(p *Param) bool { return p.Type != kind })
	}
	p := pick(d, "parameter", list...)
	if strings.HasPrefix(p.Code, "_") && d.chance(60) { // every type has those
		p = pick(d, "parameter", list...)
	}
	return p
}

// plain draws a parameter of the type, mostly one that has values, with a modifier and alternatives.
func (d *draw) plain(typ string) (Pair, bool) {
	if len(d.alive[typ]) == 0 {
		return Pair{}, false
	}
	p := d.parameter(typ)
	if p.Type == "special" {
		return Pair{}, false
	}
	if p.Type != "composite" && d.chance(6) {
		return Pair{p.Code + ":missing", pick(d, "missing", "false", "true")}, true
	}
	modifier, value, ok := d.value(typ, p)
	if !ok {
		return Pair{}, false
	}
	for modifier != "in" && modifier != "not-in" && d.chance(15) && strings.Count(value, ",") < 4 {
		if m, v, ok := d.value(typ, p); ok && m == modifier {
			value += "," + v
		}
	}
	if modifier != "" {
		modifier = ":" + modifier
	}
	return Pair{p.Code + modifier, value}, true
}

// holder draws a resource of the type that has a value for the parameter.
func (d *draw) holder(typ string, p *Param) *Resource {
	all := d.store.byType[typ]
	start := d.below(len(all), "holder")
	for i := range all {
		if r := all[(start+i)%len(all)]; d.store.Facts(r, p).Present {
			return r
		}
	}
	return nil
}

func (d *draw) value(typ string, p *Param) (modifier, value string, ok bool) {
	r := d.holder(typ, p)
	if r == nil {
		return "", "", false
	}
	return d.of(p, d.store.Facts(r, p))
}

// of draws a value near one of f, and a modifier that suits it.
func (d *draw) of(p *Param, f *Facts) (modifier, value string, ok bool) {
	switch {
	case len(f.Tokens) > 0:
		return d.token(p, pick(d, "token", f.Tokens...))
	case len(f.Texts) > 0:
		modifier, value = d.text(pick(d, "text", f.Texts...))
	case len(f.Spans) > 0:
		value = d.date(pick(d, "span", f.Spans...))
	case len(f.Quantities) > 0:
		value = d.quantity(p, pick(d, "quantity", f.Quantities...))
	case len(f.Refs) > 0:
		return d.reference(p, pick(d, "reference", f.Refs...))
	case len(f.URIs) > 0:
		modifier, value = d.uri(pick(d, "uri", f.URIs...))
	case len(f.Groups) > 0:
		value, ok = d.composite(p, f)
		return "", value, ok
	}
	return modifier, value, value != ""
}

func (d *draw) composite(p *Param, f *Facts) (string, bool) {
	group := pick(d, "group", f.Groups...)
	var parts []string
	for i, c := range p.components {
		if d.chance(15) { // of another context: a near miss
			group = pick(d, "group", f.Groups...)
		}
		modifier, value, ok := d.of(c.param, group[i])
		for range 4 { // components take no modifiers
			if ok && modifier != "" {
				modifier, value, ok = d.of(c.param, group[i])
			}
		}
		if !ok || modifier != "" {
			return "", false
		}
		parts = append(parts, value)
	}
	return strings.Join(parts, "$"), true
}

// references are the parameters of a type by which others can be reached.
func (d *draw) references(typ string) (list []*Param) {
	for _, p := range d.alive[typ] {
		if p.Type == "reference" {
			list = append(list, p)
		}
	}
	return list
}

// target draws something that a reference leads to.
func (d *draw) target(typ string, p *Param) *Resource {
	r := d.holder(typ, p)
	if r == nil {
		return nil
	}
	for _, ref := range d.store.Facts(r, p).Refs {
		for _, t := range d.store.resolve(r, ref, false) {
			return t
		}
	}
	return nil
}

func (d *draw) chain(typ string, depth int) (Pair, bool) {
	list := d.references(typ)
	if len(list) == 0 {
		return Pair{}, false
	}
	p := pick(d, "link", list...)
	t := d.target(typ, p)
	if t == nil {
		return Pair{}, false
	}
	inner, ok := d.plain(t.Type)
	switch {
	case depth > 1 && d.chance(30):
		inner, ok = d.chain(t.Type, depth-1)
	case d.chance(8):
		inner, ok = d.reverse(t.Type, 1)
	}
	head := p.Code + ":" + t.Type
	if len(p.Targets) == 1 && d.chance(50) {
		head = p.Code
	}
	return Pair{head + "." + inner.Name, inner.Value}, ok
}

func (d *draw) reverse(typ string, depth int) (Pair, bool) {
	from := pick(d, "from", d.types...)
	list := slices.DeleteFunc(d.references(from), func(p *Param) bool { return len(p.Targets) > 0 && !slices.Contains(p.Targets, typ) })
	if len(list) == 0 {
		return Pair{}, false
	}
	p := pick(d, "link", list...)
	inner, ok := d.plain(from)
	switch {
	case depth > 1 && d.chance(25):
		inner, ok = d.reverse(from, depth-1)
	case d.chance(12):
		inner, ok = d.chain(from, 1)
	}
	return Pair{fmt.Sprintf("_has:%s:%s:%s", from, p.Code, inner.Name), inner.Value}, ok
}

// sort draws one to three keys.
func (d *draw) sort(typ string) string {
	var rules []string
	for range pick(d, "keys", 1, 1, 2, 3) {
		p := pick(d, "key", d.alive[typ]...)
		if p.Sortable() && !slices.ContainsFunc(rules, func(r string) bool { return strings.TrimPrefix(r, "-") == p.Code }) {
			rules = append(rules, pick(d, "direction", "", "-")+p.Code)
		}
	}
	return strings.Join(rules, ",")
}

func (d *draw) includes(typ string) (pairs []Pair) {
	for range pick(d, "includes", 1, 1, 2) {
		source, name, iterate := typ, "_include", ""
		if d.chance(40) {
			source, name = pick(d, "source", d.types...), "_revinclude"
		} else if d.chance(25) {
			source = pick(d, "source", d.types...)
		}
		list := d.references(source)
		if len(list) == 0 {
			continue
		}
		if d.chance(20) {
			iterate = ":iterate"
		}
		p := pick(d, "include", list...)
		value := source + ":" + p.Code
		if t := d.target(source, p); t != nil && d.chance(30) {
			value += ":" + t.Type
		} else if name == "_include" && d.chance(10) {
			value = source + ":*"
		}
		pairs = append(pairs, Pair{name + iterate, value})
	}
	return pairs
}

// filter draws a _filter of one to three comparisons.
func (d *draw) filter(typ string) (Pair, bool) {
	var parts []string
	for range pick(d, "comparisons", 1, 2, 3) {
		if c, ok := d.comparison(typ); ok {
			if d.chance(15) {
				c = "not (" + c + ")"
			}
			parts = append(parts, c)
		}
	}
	if len(parts) == 0 {
		return Pair{}, false
	}
	text := parts[0]
	for _, p := range parts[1:] {
		text += pick(d, "junction", " and ", " or ") + p
	}
	return Pair{"_filter", text}, true
}

func (d *draw) comparison(typ string) (string, bool) {
	p := d.parameter(typ)
	if p.Type == "special" || p.Type == "composite" {
		return "", false
	}
	if d.chance(10) {
		return p.Code + " pr " + pick(d, "present", "true", "false"), true
	}
	modifier, value, ok := d.value(typ, p)
	if modifier != "" && p.Type != "string" {
		return "", false
	}
	op := "eq"
	switch p.Type {
	case "string":
		op = pick(d, "operator", "co", "sw", "ew", "eq")
		value = fmt.Sprintf("%q", unescape(value))
	case "date", "number", "quantity":
		op, value = cutPrefix(value)
	case "token", "uri":
		op = pick(d, "operator", "eq", "ne")
	case "reference":
		op = "re"
	}
	if strings.ContainsAny(value, " ()[],") && p.Type != "string" {
		return "", false
	}
	return p.Code + " " + op + " " + value, ok
}
