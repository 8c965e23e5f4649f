package fhir

import (
	"slices"
	"strings"

	"concord/hub"
)

// reference adds the terms of a value of a reference parameter (R4 search.html#reference). A reference to a contained
// resource adds none; one to the hub's own address is one without it.
func (t *terms) reference(v Value, typ string) {
	switch typ {
	case "Reference":
		if ref := v.Get("reference").Text(); ref != "" && ref[0] != '#' {
			t.exact(unversioned(relative(ref, t.base)))
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

// referenceAlternatives reads one alternative: an id, Type/id or a URL. modifier may be the type that is meant.
func (p *Param) referenceAlternatives(modifier, value string, o *SearchOptions) ([][]hub.Clause, error) {
	switch modifier {
	case "identifier":
		matches, err := (&Param{Code: p.Code, walks: []walk{{typ: "Identifier"}}}).tokenMatches(value)
		return [][]hub.Clause{{{Param: p.Code + identifierSuffix, Any: matches}}}, err
	case "above", "below":
		return p.versions(modifier, unescapeValue(value))
	}
	matches, err := p.referenceMatches(unescapeValue(value), modifier, o.Base)
	return [][]hub.Clause{{p.having(matches...)}}, err
}

func (p *Param) referenceMatches(value, typ string, base string) ([]hub.Match, error) {
	value = unversioned(relative(value, base))
	switch {
	case value == "":
		return nil, p.invalid(value, "a reference is an id, Type/id or a URL")
	case typ != "" && isLiteral(value, ""):
		if !isLiteral(value, typ) {
			return nil, p.invalid(value, "the reference names another type than the modifier")
		}
		return []hub.Match{equalTo(value)}, nil
	case typ != "" && ValidID(value):
		return []hub.Match{equalTo(typ + "/" + value)}, nil
	case !ValidID(value):
		return []hub.Match{equalTo(value)}, nil
	}
	var any []hub.Match
	for _, target := range p.Targets {
		any = append(any, equalTo(target+"/"+value))
	}
	if len(any) == 0 {
		any = append(any, equalTo(value))
	}
	return any, nil
}

// versions compiles :below and :above of canonicals (R4 references.html#canonical): url|1 is above url|1.0 and url|1.0.2,
// and below url. Only the versions of one URL are compared, at the dots.
func (p *Param) versions(modifier, value string) ([][]hub.Clause, error) {
	url, version, versioned := strings.Cut(value, "|")
	if url == "" || versioned && version == "" {
		return nil, p.invalid(value, "a canonical is url or url|version")
	}
	if modifier == "above" {
		matches := []hub.Match{}
		for versioned {
			matches = append(matches, equalTo(url+"|"+version))
			i := strings.LastIndexByte(version, '.')
			if i < 0 {
				break
			}
			version = version[:i]
		}
		unsaid := p.reading(func(v Value, typ string) bool { return v.Text() == url })
		lists := [][]hub.Clause{{p.having(equalTo(url)), unsaid}}
		if len(matches) > 0 {
			lists = append(lists, []hub.Clause{p.having(matches...)})
		}
		return lists, nil
	}
	if !versioned {
		return [][]hub.Clause{{p.having(equalTo(url))}}, nil
	}
	return [][]hub.Clause{{p.having(equalTo(url)), p.reading(func(v Value, typ string) bool {
		rest, ok := strings.CutPrefix(v.Text(), value)
		return ok && (rest == "" || rest[0] == '.')
	})}}, nil
}

// relative drops the address of the hub itself from a reference.
func relative(ref, base string) string {
	if base == "" {
		return ref
	}
	rest, ok := strings.CutPrefix(ref, strings.TrimSuffix(base, "/")+"/")
	if typ, _, _ := strings.Cut(rest, "/"); !ok || !IsResourceType(typ) {
		return ref
	}
	return rest
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

// refersTo reports whether a Reference leads to a resource of type typ, as far as it can be told without reading another
// record: by the contained resource, its type element, or the last but one segment of its URL.
func refersTo(v Value, typ string) bool {
	ref := v.Get("reference").Text()
	if c := contained(v.d, ref); c.Kind() == Object {
		return c.Get("resourceType").Text() == typ
	}
	if t := v.Get("type").Text(); t != "" {
		return t == typ
	}
	ref = unversioned(ref)
	path, id, ok := cutLast(ref, '/')
	if !ok || !ValidID(id) {
		return false
	}
	rest, found := strings.CutSuffix(path, typ)
	return found && (rest == "" || rest[len(rest)-1] == '/')
}

// contained is the resource that a reference such as #a leads to; # is the resource that contains it (R4
// references.html#contained). It is nothing where there is none.
func contained(d *Doc, ref string) Value {
	id, local := strings.CutPrefix(ref, "#")
	switch {
	case !local:
		return Value{}
	case id == "":
		return d.Root()
	}
	for c := range d.Root().Get("contained").Items() {
		if c.Get("id").Text() == id {
			return c
		}
	}
	return Value{}
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

// uriAlternatives reads one alternative: a URI, to the letter. Above it are those that its path lies in, below it those in
// its path, itself among them (R4 search.html#uri); URNs have neither.
func (p *Param) uriAlternatives(modifier, value string) ([][]hub.Clause, error) {
	value = unescapeValue(value)
	switch modifier {
	case "above":
		var matches []hub.Match
		for _, above := range ancestors(value) {
			matches = append(matches, equalTo(above))
		}
		return [][]hub.Clause{{p.having(matches...)}}, nil
	case "below":
		path := strings.TrimSuffix(value, "/")
		return [][]hub.Clause{{p.present(), p.reading(func(v Value, _ string) bool {
			rest, ok := strings.CutPrefix(v.Text(), path)
			return v.Text() == value || ok && !isURN(value) && strings.HasPrefix(rest, "/")
		})}}, nil
	}
	return [][]hub.Clause{{p.having(equalTo(value))}}, nil
}

func isURN(uri string) bool { return !strings.Contains(uri, "://") }

// ancestors lists a URL and those whose path it lies in, each with and without a slash at the end; a URN alone.
func ancestors(uri string) []string {
	all := []string{uri}
	if isURN(uri) {
		return all
	}
	host := strings.Index(uri, "://") + len("://")
	for path := strings.TrimSuffix(uri, "/"); len(path) > host && len(all) < 64; {
		for _, form := range []string{path, path + "/"} {
			if form != uri {
				all = append(all, form)
			}
		}
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	return all
}
