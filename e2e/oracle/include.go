package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// include is one _include or _revinclude (search.html#include).
type include struct {
	typ, target      string
	params           []*Param
	reverse, iterate bool
}

func (s *Store) parseInclude(value string, reverse, iterate bool) (include, error) {
	parts := strings.Split(value, ":")
	i := include{typ: parts[0], reverse: reverse, iterate: iterate}
	if len(parts) == 3 {
		i.target = parts[2]
	}
	if len(parts) < 2 || len(parts) > 3 || !s.Defs.IsType(i.typ) {
		return i, fmt.Errorf("include %s is not understood", value)
	}
	if parts[1] == "*" {
		for _, p := range s.Defs.Params(i.typ) {
			if p.Type == "reference" {
				i.params = append(i.params, p)
			}
		}
		return i, nil
	}
	p := s.Defs.Param(i.typ, parts[1])
	if p == nil || p.Type != "reference" {
		return i, fmt.Errorf("%s has no reference %q", i.typ, parts[1])
	}
	i.params = []*Param{p}
	return i, nil
}

// Included names what comes with a page of hits, sorted: neither a hit of the page nor anything twice.
func (a Answer) Included(page []*Resource) []string {
	found := map[*Resource]bool{}
	for _, r := range page {
		found[r] = true
	}
	var names []string
	fresh := page
	for round := 0; len(fresh) > 0; round++ {
		var next []*Resource
		for _, i := range a.includes {
			if round > 0 && !i.iterate {
				continue
			}
			for _, r := range a.store.follow(i, fresh) {
				if !found[r] {
					found[r] = true
					next = append(next, r)
					names = append(names, r.Name())
				}
			}
		}
		fresh = next
	}
	slices.Sort(names)
	return names
}

func (s *Store) follow(i include, from []*Resource) (out []*Resource) {
	if !i.reverse {
		for _, r := range from {
			if r.Type != i.typ {
				continue
			}
			out = append(out, s.references(r, i)...)
		}
		return out
	}
	wanted := map[*Resource]bool{}
	for _, r := range from {
		wanted[r] = i.target == "" || r.Type == i.target
	}
	for _, r := range s.byType[i.typ] {
		if slices.ContainsFunc(s.references(r, i), func(t *Resource) bool { return wanted[t] }) {
			out = append(out, r)
		}
	}
	return out
}

// references are the resources that an include's parameters lead to from r.
func (s *Store) references(r *Resource, i include) (out []*Resource) {
	for _, p := range i.params {
		for _, ref := range s.Facts(r, p).Refs {
			for _, t := range s.resolve(r, ref, false) {
				if i.target == "" || t.Type == i.target {
					out = append(out, t)
				}
			}
		}
	}
	return out
}
