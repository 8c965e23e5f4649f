package fhir

import (
	"strconv"
	"strings"
	"sync"

	"concord/hub"
)

// terminology answers which codes a value set has and how those of a code system lie below each other (R4
// terminology-module.html), from the resources that the hub has and those that R4 defines. It lives for one search.
type terminology struct {
	load  func(typ, canonical string) (*Doc, error)
	codes int             // spent so far
	open  map[string]bool // value sets that are being expanded
	known map[string]*codeSystem
}

// The bounds of what one search may expand. Beyond them it is TooLarge.
const (
	maxCodes      = 50_000 // of all value sets and code systems together
	maxIncludes   = 8      // of value sets in each other
	maxRegex      = 200    // bytes of a filter's expression
	maxCodeSearch = 200    // codes asked of the index one by one; more are compared in the records
)

func newTerminology(o *SearchOptions) *terminology {
	return &terminology{load: o.Load, open: map[string]bool{}, known: map[string]*codeSystem{}}
}

// coding is a code of a system.
type coding struct{ system, code string }

// resource reads a CodeSystem or ValueSet by its canonical URL, or by Type/id: the hub's own, else R4's. It is absent
// without an error when there is none.
func (t *terminology) resource(typ, canonical string) (Value, error) {
	if t.load != nil {
		doc, err := t.load(typ, canonical)
		switch {
		case err != nil && !hub.Is(err, hub.NotFound):
			return Value{}, err
		case err == nil && doc != nil:
			return doc.Root(), nil
		}
	}
	url, version, versioned := strings.Cut(canonical, "|")
	text := definedByR4()[typ+"\t"+url]
	if text == "" || versioned && version != "4.0.1" && !strings.HasPrefix(url, "http://terminology.hl7.org/") {
		return Value{}, nil
	}
	doc, err := Parse([]byte(text), Limits{})
	if err != nil {
		return Value{}, err
	}
	return doc.Root(), nil
}

// definedByR4 finds the lines of terminologyTable by type and URL.
var definedByR4 = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(terminologyTable) {
		typ, rest, _ := strings.Cut(line, "\t")
		url, text, _ := strings.Cut(rest, "\t")
		all[typ+"\t"+url] = text
	}
	return all
})

func (t *terminology) spend() error {
	if t.codes++; t.codes > maxCodes {
		return &hub.Error{Kind: hub.TooLarge, Msg: "search: the value set has more codes than " + strconv.Itoa(maxCodes)}
	}
	return nil
}

// expanded compiles :in, :above and :below of a token parameter.
func (p *Param) expanded(modifier, value string, o *SearchOptions) ([][]hub.Clause, error) {
	set, err := p.expansion(modifier, value, o)
	if err != nil {
		if e, ok := err.(*hub.Error); ok && e.Path == "" {
			e.Path = p.Code + ":" + modifier
		}
		return nil, err
	}
	if set.except != nil || len(set.codes)+len(set.systems) > maxCodeSearch {
		return [][]hub.Clause{{p.present(), p.reading(func(v Value, typ string) bool { return p.hasCoding(v, typ, set) })}}, nil
	}
	var lists [][]hub.Clause
	add := func(m hub.Match) { lists = append(lists, []hub.Clause{p.having(m)}) }
	for c := range set.codes {
		if m, ok := p.codingMatch(c); ok {
			add(m)
		}
	}
	for system := range set.systems {
		if p.bare() && system == p.impliedSystem() {
			lists = append(lists, []hub.Clause{p.present()})
			continue
		}
		add(equalTo(system + "|"))
	}
	if len(lists) == 0 {
		return [][]hub.Clause{{p.having(equalTo("|"))}}, nil // no term is so: nothing is found
	}
	return sortedMatches(lists), nil
}

func (p *Param) expansion(modifier, value string, o *SearchOptions) (*codeSet, error) {
	t := newTerminology(o)
	if modifier == "in" {
		return t.valueSet(relative(unescapeValue(value), o.Base))
	}
	parts := splitValue(value, '|')
	asked := coding{p.impliedSystem(), parts[len(parts)-1]}
	if len(parts) == 2 {
		asked.system = parts[0]
	}
	if len(parts) > 2 || asked.code == "" || asked.system == "" {
		return nil, p.invalid(value, "system|code is due")
	}
	s, err := t.codeSystem(asked.system)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "search: the code system " + strconv.Quote(asked.system) + " is not known here",
			Hint: "create it as a CodeSystem, or name the codes"}
	}
	set := newCodeSet()
	for _, code := range s.related(asked.code, modifier == "above") {
		set.codes[coding{asked.system, code}] = true
	}
	return set, nil
}

// codingMatch is what a coding's term is; false when no value of the parameter can have it.
func (p *Param) codingMatch(c coding) (hub.Match, bool) {
	if !p.bare() {
		return equalTo(c.system + "|" + escapeCode(c.code)), true
	}
	system := p.impliedSystem()
	return equalTo(escapeCode(c.code)), system == "" || system == c.system
}

// hasCoding reports whether a value has a coding of the set.
func (p *Param) hasCoding(v Value, typ string, set *codeSet) bool {
	switch typ {
	case "CodeableConcept":
		for c := range v.Get("coding").Items() {
			if set.has(coding{c.Get("system").Text(), c.Get("code").Text()}) {
				return true
			}
		}
		return false
	case "Coding":
		return set.has(coding{v.Get("system").Text(), v.Get("code").Text()})
	case "Identifier":
		return set.has(coding{v.Get("system").Text(), v.Get("value").Text()})
	}
	return set.has(coding{p.impliedSystem(), v.Text()})
}
