package fhir

import (
	"strings"

	"concord/hub"
)

// token adds the terms of a value of a token parameter (R4 search.html#token).
func (t *terms) token(v Value, typ string) {
	switch typ {
	case "CodeableConcept":
		for c := range v.Get("coding").Items() {
			t.coded(c.Get("system").Text(), c.Get("code").Text())
		}
	case "Coding":
		t.coded(v.Get("system").Text(), v.Get("code").Text())
	case "Identifier":
		t.coded(v.Get("system").Text(), v.Get("value").Text())
	case "ContactPoint":
		t.plain(v.Get("value").Text())
	default:
		t.plain(v.Text())
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

// plain adds a code that cannot have a system.
func (t *terms) plain(code string) {
	if code != "" {
		t.exact(escapeCode(code))
	}
}

func escapeCode(code string) string {
	if !strings.ContainsAny(code, `|\`) {
		return code
	}
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(code)
}

// tokenMatch reads one alternative: code, system|code, |code or system|.
func (p *Param) tokenMatch(value string) (hub.Match, error) {
	parts := splitValue(value, '|')
	if len(parts) > 2 || value == "" || value == "|" {
		return hub.Match{}, p.invalid(value, "a token is code, system|code, |code or system|")
	}
	code := escapeCode(parts[len(parts)-1])
	text := code
	if len(parts) == 2 {
		system := parts[0]
		switch {
		case p.bare() && (system == "" || system == p.impliedSystem()) && code != "":
		default:
			text = system + "|" + code
		}
	}
	return hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: text}, nil
}
