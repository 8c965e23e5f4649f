package hl7map

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// table translates codes.
type table struct {
	name, system string
	fold         bool // case does not matter
	entries      map[string]entry
	other        *entry // of what is not in it
}

// entry is what a code stands for.
type entry struct {
	code, display, system string
}

func (t *table) find(code string) (entry, bool) {
	if t.fold {
		code = strings.ToLower(code)
	}
	e, ok := t.entries[code]
	return e, ok
}

// table reads one from its YAML.
func (s *source) table(name string, n *yaml.Node) *table {
	t := &table{name: name, entries: map[string]entry{}}
	if f := member(n, "ignore-case"); f != nil {
		t.fold = f.Value == "true"
	}
	if f := member(n, "system"); f != nil {
		t.system = f.Value
	}
	for k, v := range s.pairs(n, "a table") {
		switch k.Value {
		case "ignore-case", "system", "source", "note":
		case "default":
			e := s.entry(t, v)
			t.other = &e
		case "map":
			for code, to := range s.pairs(v, "the map of a table") {
				key := code.Value
				if t.fold {
					key = strings.ToLower(key)
				}
				t.entries[key] = s.entry(t, to)
			}
		default:
			s.fault(k, "one of map, default, system, ignore-case, source, note", "a table has no %q", k.Value)
		}
	}
	return t
}

func (s *source) entry(t *table, n *yaml.Node) entry {
	e := entry{system: t.system}
	if n.Kind == yaml.ScalarNode {
		if e.code = n.Value; n.Tag == "!!null" {
			e.code = ""
		}
		return e
	}
	for k, v := range s.pairs(n, "an entry of a table") {
		switch k.Value {
		case "code":
			e.code = v.Value
		case "display":
			e.display = v.Value
		case "system":
			e.system = v.Value
		default:
			s.fault(k, "one of code, display, system", "an entry of a table has no %q", k.Value)
		}
	}
	return e
}
