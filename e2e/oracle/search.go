package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// Pair is one parameter of a request.
type Pair struct{ Name, Value string }

// Query is what a request asks for.
type Query struct {
	Type        string
	Compartment string // Type/id, empty for none
	Pairs       []Pair // conditions, _sort, _include and _revinclude
}

// Answer is what must come back.
type Answer struct {
	Hits     []*Resource // all of them, in order
	includes []include
	store    *Store
}

// test decides about one resource.
type test func(*Resource) bool

// Search answers a query. An error says that the oracle does not understand it.
func (s *Store) Search(q Query) (Answer, error) {
	a := Answer{store: s}
	var tests []test
	var sort string
	if q.Compartment != "" {
		t, err := s.compartment(q)
		if err != nil {
			return a, err
		}
		tests = append(tests, t)
	}
	for _, p := range q.Pairs {
		name, modifier, _ := strings.Cut(p.Name, ":")
		switch name {
		case "_sort":
			sort = p.Value
		case "_include", "_revinclude":
			i, err := s.parseInclude(p.Value, name == "_revinclude", modifier == "iterate")
			if err != nil {
				return a, err
			}
			a.includes = append(a.includes, i)
		default:
			t, err := s.condition(q.Type, p.Name, p.Value)
			if err != nil {
				return a, err
			}
			tests = append(tests, t)
		}
	}
	for _, r := range s.byType[q.Type] {
		if !slices.ContainsFunc(tests, func(t test) bool { return !t(r) }) {
			a.Hits = append(a.Hits, r)
		}
	}
	return a, s.sort(q.Type, sort, a.Hits)
}

// condition compiles one parameter with its modifiers, chains and alternatives.
func (s *Store) condition(typ, name, value string) (test, error) {
	if rest, has := strings.CutPrefix(name, "_has:"); has {
		return s.reverse(rest, value)
	}
	switch name {
	case "_filter":
		return s.filter(typ, value)
	case "_list":
		return s.list(value), nil
	}
	head, rest, chained := strings.Cut(name, ".")
	code, modifier, _ := strings.Cut(head, ":")
	p := s.Defs.Param(typ, code)
	if p == nil {
		return nil, fmt.Errorf("%s has no parameter %q", typ, code)
	}
	if chained {
		return s.chain(typ, p, modifier, rest, value)
	}
	if modifier == "missing" {
		if value != "true" && value != "false" {
			return nil, fmt.Errorf(":missing=%s", value)
		}
		return func(r *Resource) bool { return s.Facts(r, p).Present == (value == "false") }, nil
	}
	var any []func(*Facts) bool
	for _, v := range splitEscaped(value, ',') {
		m, err := s.matcher(p, modifier, v)
		if err != nil {
			return nil, err
		}
		any = append(any, m)
	}
	negated := modifier == "not" || modifier == "not-in"
	return func(r *Resource) bool {
		f := s.Facts(r, p)
		return some(any, func(m func(*Facts) bool) bool { return m(f) }) != negated
	}, nil
}

// chain asks of what a reference leads to (search.html#chaining). Contained resources are looked at, too.
func (s *Store) chain(typ string, p *Param, target, rest, value string) (test, error) {
	if p.Type != "reference" {
		return nil, fmt.Errorf("%s is no reference", p.Code)
	}
	types := p.Targets
	if target != "" {
		types = []string{target}
	}
	inner := map[string]test{}
	var last error
	for _, t := range types {
		c, err := s.condition(t, rest, value)
		if err != nil {
			last = err
			continue
		}
		inner[t] = remember(c)
	}
	if len(inner) == 0 {
		return nil, last
	}
	return func(r *Resource) bool {
		return some(s.Facts(r, p).Refs, func(ref Ref) bool {
			return some(s.resolve(r, ref, true), func(t *Resource) bool { c := inner[t.Type]; return c != nil && c(t) })
		})
	}, nil
}

// remember asks a test once a resource. Contained resources are made anew each time and are not kept.
func remember(t test) test {
	known := map[*Resource]bool{}
	return func(r *Resource) bool {
		if r.within != nil {
			return t(r)
		}
		yes, asked := known[r]
		if !asked {
			yes = t(r)
			known[r] = yes
		}
		return yes
	}
}

// reverse asks of what refers to a resource (search.html#has): Type:parameter:condition.
func (s *Store) reverse(rest, value string) (test, error) {
	parts := strings.SplitN(rest, ":", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("_has:%s", rest)
	}
	p := s.Defs.Param(parts[0], parts[1])
	if p == nil || p.Type != "reference" {
		return nil, fmt.Errorf("%s has no reference %q", parts[0], parts[1])
	}
	inner, err := s.condition(parts[0], parts[2], value)
	if err != nil {
		return nil, err
	}
	var referred map[*Resource]bool
	return func(r *Resource) bool {
		if referred == nil {
			referred = map[*Resource]bool{}
			for _, from := range s.byType[parts[0]] {
				if inner(from) {
					for _, ref := range s.Facts(from, p).Refs {
						for _, to := range s.resolve(from, ref, false) {
							referred[to] = true
						}
					}
				}
			}
		}
		return referred[r]
	}, nil
}

// list asks for what the entries of a List refer to (search.html#list).
func (s *Store) list(value string) test {
	items := map[*Resource]bool{}
	for _, id := range splitEscaped(value, ',') {
		if l := s.byName["List/"+unescape(id)]; l != nil {
			for _, ref := range s.Facts(l, s.Defs.Param("List", "item")).Refs {
				for _, to := range s.resolve(l, ref, false) {
					items[to] = true
				}
			}
		}
	}
	return func(r *Resource) bool { return items[r] }
}

// compartment asks for what belongs to a compartment: one of the parameters of the definition refers to its focus.
func (s *Store) compartment(q Query) (test, error) {
	typ, _, _ := strings.Cut(q.Compartment, "/")
	params, known := s.Defs.compartments[typ][q.Type]
	if !known || len(params) == 0 {
		return nil, fmt.Errorf("%s is not in the compartment of a %s", q.Type, typ)
	}
	return func(r *Resource) bool {
		if r.Name() == q.Compartment { // {def}: the focus itself
			return true
		}
		return some(params, func(code string) bool {
			p := s.Defs.Param(q.Type, code)
			return p != nil && some(s.Facts(r, p).Refs, func(ref Ref) bool { return ref.Type+"/"+ref.ID == q.Compartment })
		})
	}, nil
}
