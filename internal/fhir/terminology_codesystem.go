package fhir

import (
	"cmp"
	"slices"

	"concord/hub"
)

// codeSystem is the hierarchy of a code system.
type codeSystem struct {
	complete bool // all its codes are here
	concepts map[string]*concept
}

// concept is one code.
type concept struct {
	display           string
	parents, children []string
	properties        map[string][]string
}

// codeSystem reads a code system; nil without an error when it is not known.
func (t *terminology) codeSystem(canonical string) (*codeSystem, error) {
	if s, ok := t.known[canonical]; ok {
		return s, nil
	}
	root, err := t.resource("CodeSystem", canonical)
	if err != nil || root.Kind() != Object {
		return nil, err
	}
	s := &codeSystem{complete: root.Get("content").Text() == "complete", concepts: map[string]*concept{}}
	if err := s.read(t, root, ""); err != nil {
		return nil, err
	}
	for code, c := range s.concepts {
		for _, parent := range c.parents {
			if p := s.concepts[parent]; p != nil && !slices.Contains(p.children, code) {
				p.children = append(p.children, code)
			}
		}
	}
	t.known[canonical] = s
	return s, nil
}

// read adds the concepts of v: each lies below that which it is in, and below those it names as its parents.
func (s *codeSystem) read(t *terminology, v Value, parent string) error {
	for item := range v.Get("concept").Items() {
		code := item.Get("code").Text()
		if err := t.spend(); err != nil {
			return err
		}
		c := s.concepts[code]
		if c == nil {
			c = &concept{display: item.Get("display").Text(), properties: map[string][]string{}}
			s.concepts[code] = c
		}
		if parent != "" {
			c.parents = append(c.parents, parent)
		}
		for p := range item.Get("property").Items() {
			name := p.Get("code").Text()
			for key, value := range p.Members() {
				if key == "code" || len(key) < 6 || key[:5] != "value" {
					continue
				}
				text := value.Text()
				if value.Kind() == Object {
					text = value.Get("code").Text()
				}
				c.properties[name] = append(c.properties[name], text)
				if name == "subsumedBy" || name == "parent" {
					c.parents = append(c.parents, text)
				}
			}
		}
		if err := s.read(t, item, code); err != nil {
			return err
		}
	}
	return nil
}

// related lists a code and those below it, or above it, sorted. A code that the system does not have is alone.
func (s *codeSystem) related(code string, above bool) []string {
	found := map[string]bool{code: true}
	list := []string{code}
	for i := 0; i < len(list); i++ {
		c := s.concepts[list[i]]
		if c == nil {
			continue
		}
		next := c.children
		if above {
			next = c.parents
		}
		for _, n := range next {
			if !found[n] {
				found[n] = true
				list = append(list, n)
			}
		}
	}
	slices.Sort(list)
	return list
}

// sortedMatches puts conjunctions of one match each into a fixed order, so that a search compiles to the same each time.
func sortedMatches(lists [][]hub.Clause) [][]hub.Clause {
	slices.SortFunc(lists, func(a, b []hub.Clause) int { return cmp.Compare(firstText(a), firstText(b)) })
	return lists
}

func firstText(all []hub.Clause) string {
	if len(all[0].Any) == 0 {
		return ""
	}
	return all[0].Any[0].Text
}
