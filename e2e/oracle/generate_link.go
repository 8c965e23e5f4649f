package oracle

import (
	"fmt"
	"slices"
	"strings"
)

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
