package oracle

import (
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
