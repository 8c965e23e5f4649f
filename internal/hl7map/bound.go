package hl7map

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"concord/internal/fhir"
)

// bound refuses codes that the rules themselves write, as constants or from tables, where R4 binds the element to others. What
// comes from the message is checked when there is one.
func (c *compiler) bound(n *yaml.Node, typ, key string, m maker) {
	for _, code := range written(m) {
		if ok, hint := fhir.Admits(typ, key, code); !ok {
			c.fault(n, hint, "%s has no code %q", describe(typ, key), code)
		}
	}
}

// written are the codes that a maker writes whatever the message says, sorted.
func written(m maker) (codes []string) {
	switch m := m.(type) {
	case list:
		for _, one := range m {
			codes = append(codes, written(one)...)
		}
	case *object:
		if m.value != nil {
			codes = written(m.value)
		}
	case *expr:
		for _, p := range m.pipes {
			switch {
			case p.table != nil && !p.coding:
				for _, e := range p.table.entries {
					codes = append(codes, e.code)
				}
				if p.table.other != nil {
					codes = append(codes, p.table.other.code)
				}
			case len(p.text) == 1 && p.text[0].text != "" && len(p.steps) == 0:
				codes = append(codes, p.text[0].text)
			}
		}
	}
	codes = slices.DeleteFunc(codes, func(code string) bool { return code == "" })
	slices.Sort(codes)
	return slices.Compact(codes)
}
