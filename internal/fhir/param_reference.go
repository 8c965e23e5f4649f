package fhir

import (
	"slices"
	"strings"

	"concord/hub"
)

// reference adds the terms of a value of a reference parameter (R4 search.html#reference). A reference to a contained
// resource adds none.
func (t *terms) reference(v Value, typ string) {
	switch typ {
	case "Reference":
		if ref := v.Get("reference").Text(); ref != "" && ref[0] != '#' {
			t.exact(unversioned(ref))
		}
		if id := v.Get("identifier"); id.Kind() == Object {
			t.identifier(id)
		}
	case "Resource":
		if name := v.Get("resourceType").Text(); slices.Contains(t.param.Targets, name) {
			t.exact(name + "/" + v.Get("id").Text())
		}
	default: // canonical: findable with and without its version
		url := v.Text()
		if url == "" {
			return
		}
		t.exact(url)
		if bare, _, ok := strings.Cut(url, "|"); ok {
			t.exact(bare)
		}
	}
}

func (t *terms) identifier(id Value) {
	start := len(t.list)
	t.coded(id.Get("system").Text(), id.Get("value").Text())
	for i := range t.list[start:] {
		t.list[start+i].Param += identifierSuffix
	}
}

const identifierSuffix = ":identifier"

// referenceMatches reads one alternative: an id, Type/id or a URL. typ is the type the modifier names, or empty.
func (p *Param) referenceMatches(value, typ string, base string) ([]hub.Match, error) {
	value = unescapeValue(value)
	if base != "" {
		value = strings.TrimPrefix(value, strings.TrimSuffix(base, "/")+"/")
	}
	value = unversioned(value)
	equals := func(text string) hub.Match { return hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: text} }
	switch {
	case value == "":
		return nil, p.invalid(value, "a reference is an id, Type/id or a URL")
	case typ != "" && isLiteral(value, ""):
		if !isLiteral(value, typ) {
			return nil, p.invalid(value, "the reference names another type than the modifier")
		}
		return []hub.Match{equals(value)}, nil
	case typ != "" && ValidID(value):
		return []hub.Match{equals(typ + "/" + value)}, nil
	case !ValidID(value):
		return []hub.Match{equals(value)}, nil
	}
	var any []hub.Match
	for _, target := range p.Targets {
		any = append(any, equals(target+"/"+value))
	}
	if len(any) == 0 {
		any = append(any, equals(value))
	}
	return any, nil
}

// unversioned drops the /_history/version of a reference.
func unversioned(ref string) string {
	if i := strings.Index(ref, "/_history/"); i >= 0 {
		return ref[:i]
	}
	return ref
}

// isLiteral reports whether ref is a relative Type/id; typ, when not empty, is the type it must have.
func isLiteral(ref, typ string) bool {
	t, id, ok := strings.Cut(ref, "/")
	return ok && ValidID(id) && (t == typ || typ == "" && IsResourceType(t))
}

// refersTo reports whether a Reference leads to a resource of type typ, as far as it can be told without reading
// it: by its type element, or by the last but one segment of its URL.
func refersTo(v Value, typ string) bool {
	if t := v.Get("type").Text(); t != "" {
		return t == typ
	}
	ref := unversioned(v.Get("reference").Text())
	path, id, ok := cutLast(ref, '/')
	if !ok || !ValidID(id) {
		return false
	}
	rest, found := strings.CutSuffix(path, typ)
	return found && (rest == "" || rest[len(rest)-1] == '/')
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// ValidID reports whether id is a logical id: 1 to 64 of A–Z a–z 0–9 - . (R4 datatypes.html#id).
func ValidID(id string) bool {
	if len(id) < 1 || len(id) > 64 {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

func (t *terms) uri(v Value) {
	if text := v.Text(); text != "" {
		t.exact(text)
	}
}
