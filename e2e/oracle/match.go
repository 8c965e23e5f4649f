package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// splitEscaped cuts at a separator that no backslash escapes; the parts keep their escapes (search.html#escaping).
func splitEscaped(text string, sep byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		} else if text[i] == sep {
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[start:])
}

// unescape resolves \, \$ \| and \\.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// Escape makes text stand for itself in a value.
func Escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`).Replace(text)
}

// cutPrefix takes the comparator off a date, number or quantity.
func cutPrefix(value string) (prefix, rest string) {
	for _, p := range []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"} {
		if rest, found := strings.CutPrefix(value, p); found {
			return p, rest
		}
	}
	return "eq", value
}

// matcher compiles one alternative of a parameter's value into a test of its facts.
func (s *Store) matcher(p *Param, modifier, value string) (func(*Facts) bool, error) {
	bad := fmt.Errorf("%s:%s=%s is not understood", p.Code, modifier, value)
	switch p.Type {
	case "token":
		one, err := s.tokenMatcher(p, modifier, value)
		return func(f *Facts) bool { return some(f.Tokens, one) }, err
	case "reference":
		return s.referenceMatcher(p, modifier, value)
	case "string":
		text := unescape(value)
		if normalise(text) == "" {
			return nil, bad
		}
		switch modifier {
		case "":
			return func(f *Facts) bool { return some(f.Texts, func(t Text) bool { return t.begins(text) }) }, nil
		case "exact":
			return func(f *Facts) bool { return some(f.Texts, func(t Text) bool { return t.Raw == text }) }, nil
		case "contains":
			return func(f *Facts) bool {
				return some(f.Texts, func(t Text) bool { return strings.Contains(t.Normal, normalise(text)) })
			}, nil
		}
	case "date":
		prefix, text := cutPrefix(unescape(value))
		span, ok := parseSpan(text)
		if modifier == "" && ok {
			now := s.Now
			return func(f *Facts) bool { return some(f.Spans, func(t Span) bool { return t.holds(prefix, span, now) }) }, nil
		}
	case "number", "quantity":
		return s.quantityMatcher(modifier, value)
	case "uri":
		text := unescape(value)
		switch modifier {
		case "":
			return func(f *Facts) bool { return some(f.URIs, func(u string) bool { return u == text }) }, nil
		case "below":
			return func(f *Facts) bool { return some(f.URIs, func(u string) bool { return isBelow(u, text) }) }, nil
		case "above":
			return func(f *Facts) bool { return some(f.URIs, func(u string) bool { return isBelow(text, u) }) }, nil
		}
	case "composite":
		return s.compositeMatcher(p, value)
	}
	return nil, bad
}

// isBelow reports whether a URL is left-matched by another up to the end of a segment; URNs have no such order
// (search.html#uri).
func isBelow(url, above string) bool {
	rest, found := strings.CutPrefix(url, above)
	return url == above || found && strings.Contains(above, "://") && (strings.HasSuffix(above, "/") || rest[0] == '/')
}

func some[T any](list []T, is func(T) bool) bool {
	for _, item := range list {
		if is(item) {
			return true
		}
	}
	return false
}

func (s *Store) tokenMatcher(p *Param, modifier, value string) (func(Token) bool, error) {
	parts := splitEscaped(value, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	bad := fmt.Errorf("%s:%s=%s is not understood", p.Code, modifier, value)
	switch modifier {
	case "text":
		text := unescape(value)
		return func(t Token) bool { return some(t.Words, func(w string) bool { return textOf(w).begins(text) }) }, nil
	case "in", "not-in":
		set := s.Defs.ValueSet(unescape(value))
		if set == nil {
			return nil, fmt.Errorf("no value set %s", value)
		}
		return func(t Token) bool { return set[t.System+"|"+t.Code] }, nil
	case "of-type":
		if len(parts) != 3 {
			return nil, bad
		}
		return func(t Token) bool {
			return t.Code == parts[2] && some(t.Types, func(k Token) bool { return k.System == parts[0] && k.Code == parts[1] })
		}, nil
	case "above", "below":
		if len(parts) != 2 {
			return nil, bad
		}
		cs := s.Defs.CodeSystem(parts[0])
		if cs == nil {
			return nil, fmt.Errorf("no code system %s", parts[0])
		}
		return func(t Token) bool {
			return t.System == parts[0] && (modifier == "below" && cs.under(t.Code, parts[1]) || modifier == "above" && cs.under(parts[1], t.Code))
		}, nil
	case "", "not", "identifier":
	default:
		return nil, bad
	}
	code := parts[len(parts)-1]
	same := func(t Token) bool { return t.Code == code || t.Fold && strings.EqualFold(t.Code, code) }
	switch {
	case len(parts) == 1:
		return func(t Token) bool { return t.Code != "" && same(t) }, nil
	case len(parts) == 2 && code == "":
		return func(t Token) bool { return t.System == parts[0] }, nil
	case len(parts) == 2:
		return func(t Token) bool { return t.System == parts[0] && t.Code != "" && same(t) }, nil
	}
	return nil, bad
}

func (s *Store) referenceMatcher(p *Param, modifier, value string) (func(*Facts) bool, error) {
	if modifier == "identifier" {
		one, err := s.tokenMatcher(p, modifier, value)
		return func(f *Facts) bool { return some(f.Refs, func(r Ref) bool { return some(r.Identifier, one) }) }, err
	}
	text := unescape(value)
	if modifier == "below" { // a canonical with any version, or with those that begin so
		return func(f *Facts) bool {
			return some(f.Refs, func(r Ref) bool {
				return r.Canonical && (r.Text == text || strings.HasPrefix(r.Text, text+"|") || strings.Contains(text, "|") && strings.HasPrefix(r.Text, text+"."))
			})
		}, nil
	}
	asked := Ref{Text: text}
	s.relative(&asked)
	typ, id, ok := typeAndID(asked.Text)
	switch relative := ok && asked.Text == typ+"/"+id && s.Defs.IsType(typ); {
	case relative && (modifier == "" || modifier == typ):
	case !strings.ContainsAny(text, "/:|#"):
		typ, id = modifier, text
	case modifier != "":
		return nil, fmt.Errorf("%s:%s=%s is not understood", p.Code, modifier, value)
	default:
		typ, id = "", ""
	}
	return func(f *Facts) bool {
		return some(f.Refs, func(r Ref) bool {
			if id != "" && r.ID == id && (r.Type == typ || typ == "" && (len(p.Targets) == 0 || slices.Contains(p.Targets, r.Type))) {
				return true
			}
			bare, _, _ := strings.Cut(r.Text, "|")
			return r.Text == asked.Text && r.Local == "" && modifier == "" || r.Canonical && bare == text
		})
	}, nil
}

func (s *Store) quantityMatcher(modifier, value string) (func(*Facts) bool, error) {
	parts := splitEscaped(value, '|')
	prefix, text := cutPrefix(unescape(parts[0]))
	n, half, ok := decimal(text)
	if !ok || modifier != "" || len(parts) == 2 || len(parts) > 3 {
		return nil, fmt.Errorf("the number %s is not understood", value)
	}
	system, code := "", ""
	if len(parts) == 3 {
		system, code = unescape(parts[1]), unescape(parts[2])
	}
	return func(f *Facts) bool {
		return some(f.Quantities, func(q Quantity) bool {
			q, comparable := q.convert(system, code)
			return comparable && q.holds(prefix, n, half)
		})
	}, nil
}

func (s *Store) compositeMatcher(p *Param, value string) (func(*Facts) bool, error) {
	parts := splitEscaped(value, '$')
	if len(parts) != len(p.components) {
		return nil, fmt.Errorf("%s has %d components", p.Code, len(p.components))
	}
	var tests []func(*Facts) bool
	for i, c := range p.components {
		test, err := s.matcher(c.param, "", parts[i])
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(f *Facts) bool {
		return some(f.Groups, func(group []*Facts) bool {
			for i, test := range tests {
				if !test(group[i]) {
					return false
				}
			}
			return true
		})
	}, nil
}
