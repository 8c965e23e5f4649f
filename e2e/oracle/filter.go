package oracle

import (
	"encoding/json"
	"fmt"
	"strings"
)

// filter compiles the part of _filter that the oracle knows (search_filter.html): comparisons of a parameter, which may
// be chained, joined by and, or and not. and and or have no precedence: they are evaluated from left to right.
func (s *Store) filter(typ, text string) (test, error) {
	p := &filterParser{store: s, typ: typ, rest: text}
	t, err := p.expression()
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = fmt.Errorf("unexpected %q", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("_filter %q: %w", text, err)
	}
	return t, nil
}

type filterParser struct {
	store *Store
	typ   string
	rest  string
}

// word takes what reaches to the next space or bracket.
func (p *filterParser) word() string {
	p.rest = strings.TrimLeft(p.rest, " ")
	end := strings.IndexAny(p.rest, " ()")
	if end < 0 {
		end = len(p.rest)
	}
	if end == 0 && p.rest != "" {
		end = 1
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	return w
}

func (p *filterParser) expression() (test, error) {
	left, err := p.operand()
	for err == nil {
		before := p.rest
		op := p.word()
		if op != "and" && op != "or" {
			p.rest = before
			return left, nil
		}
		var right test
		right, err = p.operand()
		a := left
		left = func(r *Resource) bool {
			if op == "and" {
				return a(r) && right(r)
			}
			return a(r) || right(r)
		}
	}
	return nil, err
}

func (p *filterParser) operand() (test, error) {
	w := p.word()
	if w == "not" {
		t, err := p.operand()
		return func(r *Resource) bool { return !t(r) }, err
	}
	if w == "(" {
		t, err := p.expression()
		if err == nil && p.word() != ")" {
			err = fmt.Errorf(") is missing")
		}
		return t, err
	}
	op := p.word()
	value, quoted, err := p.value()
	if err != nil {
		return nil, err
	}
	return p.store.comparison(p.typ, w, op, value, quoted)
}

func (p *filterParser) value() (string, bool, error) {
	p.rest = strings.TrimLeft(p.rest, " ")
	if !strings.HasPrefix(p.rest, `"`) {
		return p.word(), false, nil
	}
	d := json.NewDecoder(strings.NewReader(p.rest))
	var s string
	if err := d.Decode(&s); err != nil {
		return "", true, err
	}
	p.rest = p.rest[d.InputOffset():]
	return s, true, nil
}

// comparison compiles one comparison of a parameter's set of values.
func (s *Store) comparison(typ, name, op, value string, quoted bool) (test, error) {
	head, rest, chained := strings.Cut(name, ".")
	code, target, _ := strings.Cut(head, ":")
	p := s.Defs.Param(typ, code)
	if p == nil {
		return nil, fmt.Errorf("%s has no parameter %q", typ, code)
	}
	if chained {
		types := p.Targets
		if target != "" {
			types = []string{target}
		}
		inner := map[string]test{}
		for _, t := range types {
			if c, err := s.comparison(t, rest, op, value, quoted); err == nil {
				inner[t] = remember(c)
			}
		}
		return func(r *Resource) bool {
			return some(s.Facts(r, p).Refs, func(ref Ref) bool {
				return some(s.resolve(r, ref, true), func(t *Resource) bool { c := inner[t.Type]; return c != nil && c(t) })
			})
		}, nil
	}
	on := func(m func(*Facts) bool, err error) (test, error) {
		return func(r *Resource) bool { return m(s.Facts(r, p)) }, err
	}
	if op == "pr" {
		return func(r *Resource) bool { return s.Facts(r, p).Present == (value == "true") }, nil
	}
	switch p.Type {
	case "string":
		asked := normalise(value)
		compare, known := map[string]func(t, v string) bool{
			"eq": func(t, v string) bool { return t == v },
			"ne": func(t, v string) bool { return t != v },
			"co": strings.Contains, "sw": strings.HasPrefix, "ew": strings.HasSuffix,
			"gt": func(t, v string) bool { return t > v }, "lt": func(t, v string) bool { return t < v },
			"ge": func(t, v string) bool { return t >= v }, "le": func(t, v string) bool { return t <= v },
		}[op]
		if known {
			return on(func(f *Facts) bool { return some(f.Texts, func(t Text) bool { return compare(t.Normal, asked) }) }, nil)
		}
	case "date", "number", "quantity":
		if op == "po" {
			op = "ap" // an overlap; of an interval without tolerance
			span, ok := parseSpan(value)
			if p.Type == "date" && ok {
				return on(func(f *Facts) bool {
					return some(f.Spans, func(t Span) bool { return t.Lo <= span.Hi && t.Hi >= span.Lo })
				}, nil)
			}
		} else {
			return on(s.matcher(p, "", op+value))
		}
	case "token", "uri":
		switch op {
		case "eq":
			return on(s.matcher(p, "", value))
		case "ne":
			return s.unequal(p, value)
		case "in":
			return on(s.matcher(p, "in", value))
		case "sb":
			return on(s.matcher(p, "below", value))
		case "ss":
			return on(s.matcher(p, "above", value))
		}
	case "reference":
		if op == "eq" || op == "re" {
			return on(s.matcher(p, "", value))
		}
	}
	return nil, fmt.Errorf("the operator %q on %s is not known", op, p.Code)
}

// unequal holds when an item of the set differs: a concept does when none of its codings is equal.
func (s *Store) unequal(p *Param, value string) (test, error) {
	equal, err := s.matcher(p, "", value)
	return func(r *Resource) bool {
		f := s.Facts(r, p)
		items := map[int][]Token{}
		for _, t := range f.Tokens {
			items[t.Item] = append(items[t.Item], t)
		}
		for _, tokens := range items {
			if !equal(&Facts{Tokens: tokens}) {
				return true
			}
		}
		return some(f.URIs, func(u string) bool { return !equal(&Facts{URIs: []string{u}}) })
	}, err
}
