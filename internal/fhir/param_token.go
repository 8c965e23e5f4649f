package fhir

import (
	"slices"
	"strings"

	"concord/hub"
)

// token adds the terms of a value of a token parameter (R4 search.html#token).
//
// Codes and identifiers are told apart by case, since the systems of most are case sensitive (UCUM, LOINC's answers,
// numbers given by hospitals); plain strings are not.
func (t *terms) token(v Value, w *walk) {
	switch w.typ {
	case "CodeableConcept":
		for c := range v.Get("coding").Items() {
			t.coded(c.Get("system").Text(), c.Get("code").Text())
		}
	case "Coding":
		t.coded(v.Get("system").Text(), v.Get("code").Text())
	case "Identifier":
		t.coded(v.Get("system").Text(), v.Get("value").Text())
	case "ContactPoint":
		t.plain(v.Get("value").Text(), w)
	case "string":
		t.plain(strings.ToLower(v.Text()), w)
	default:
		t.plain(v.Text(), w)
	}
}

// coded adds a code that may have a system.
func (t *terms) coded(system, code string) {
	if code != "" {
		code = escapeCode(code)
		t.exact(code)
		t.exact(system + "|" + code)
	}
	if system != "" {
		t.exact(system + "|")
	}
}

// plain adds a code without a system of its own. Where others of the parameter's have one, it is told that it has none,
// or the one of its binding.
func (t *terms) plain(code string, w *walk) {
	if code == "" {
		return
	}
	code = escapeCode(code)
	t.exact(code)
	if !t.param.bare() {
		t.exact(w.system + "|" + code)
		if w.system != "" {
			t.exact(w.system + "|")
		}
	}
}

func escapeCode(code string) string {
	if strings.IndexByte(code, '|') < 0 && strings.IndexByte(code, '\\') < 0 {
		return code
	}
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(code)
}

// tokenAlternatives reads one alternative: code, system|code, |code or system|; what :in, :above and :below mean is
// written out.
func (p *Param) tokenAlternatives(modifier, value string, o *SearchOptions) ([][]hub.Clause, error) {
	switch modifier {
	case "text":
		return p.describedAs(value)
	case "of-type":
		return p.ofType(value)
	case "in", "above", "below":
		return p.expanded(modifier, value, o)
	}
	matches, err := p.tokenMatches(value)
	if err == nil && matches == nil {
		return [][]hub.Clause{{p.present()}}, nil
	}
	return [][]hub.Clause{{p.having(matches...)}}, err
}

// tokenMatches reads a token; nil without an error stands for all there are.
func (p *Param) tokenMatches(value string) ([]hub.Match, error) {
	parts := splitValue(value, '|')
	if len(parts) > 2 || value == "" || value == "|" {
		return nil, p.invalid(value, "a token is code, system|code, |code or system|")
	}
	if len(parts) == 1 {
		return p.coded(parts[0]), nil
	}
	system, code := parts[0], parts[1]
	switch bare := p.bare(); {
	case bare && code == "" && system == p.impliedSystem():
		return nil, nil
	case bare && code != "" && (system == "" || system == p.impliedSystem()):
		return p.coded(code), nil
	}
	matches := p.coded(code)
	for i := range matches {
		matches[i].Text = system + "|" + matches[i].Text
	}
	return matches, nil
}

// coded matches a code as it is written and, where the parameter has plain strings, in lower case.
func (p *Param) coded(code string) []hub.Match {
	matches := []hub.Match{equalTo(escapeCode(code))}
	if folded := strings.ToLower(code); folded != code && slices.ContainsFunc(p.walks, func(w walk) bool { return w.typ == "string" }) {
		matches = append(matches, equalTo(escapeCode(folded)))
	}
	return matches
}

// describedAs compiles :text: the text of a concept, a coding's display or the type of an identifier begins so. The
// records are read, since few are searched so and every code would need a text in the index.
func (p *Param) describedAs(value string) ([][]hub.Clause, error) {
	asked := Normalise(unescapeValue(value))
	if asked == "" {
		return nil, p.invalid(value, "the text is empty")
	}
	return [][]hub.Clause{{p.present(), p.reading(func(v Value, typ string) bool {
		found := false
		for text := range descriptions(v, typ) {
			found = found || strings.HasPrefix(Normalise(text), asked)
		}
		return found
	})}}, nil
}

// descriptions yields the texts of a value of a token parameter.
func descriptions(v Value, typ string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		switch typ {
		case "CodeableConcept":
			for c := range v.Get("coding").Items() {
				if d := c.Get("display").Text(); d != "" && !yield(d) {
					return
				}
			}
			if text := v.Get("text").Text(); text != "" {
				yield(text)
			}
		case "Coding":
			if d := v.Get("display").Text(); d != "" {
				yield(d)
			}
		case "Identifier":
			if text := v.Get("type").Get("text").Text(); text != "" {
				yield(text)
			}
		}
	}
}

// ofType compiles :of-type: system|code|value of identifiers. The value is looked up, and the records with it are read.
func (p *Param) ofType(value string) ([][]hub.Clause, error) {
	parts := splitValue(value, '|')
	if len(parts) != 3 || slices.Contains(parts, "") {
		return nil, p.invalid(value, "system|code|value is due: the identifier's type and its value")
	}
	typed := p.reading(func(v Value, typ string) bool {
		if typ != "Identifier" || v.Get("value").Text() != parts[2] {
			return false
		}
		for c := range v.Get("type").Get("coding").Items() {
			if c.Get("system").Text() == parts[0] && c.Get("code").Text() == parts[1] {
				return true
			}
		}
		return false
	})
	return [][]hub.Clause{append(p.over(equalTo(escapeCode(parts[2]))), typed)}, nil
}

// reading is the condition that a value in the record itself passes.
func (p *Param) reading(pass func(v Value, typ string) bool) hub.Clause {
	return hub.Clause{Test: onRecord(func(root Value) bool {
		found := false
		for i := range p.walks {
			w := &p.walks[i]
			w.run(root, func(v Value) { found = found || pass(v, w.typ) })
		}
		return found
	})}
}
