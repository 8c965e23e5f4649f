package fhir

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"concord/hub"
)

// codeSet is what a value set comes to.
type codeSet struct {
	codes   map[coding]bool
	systems map[string]bool // whole code systems whose codes are not known
	except  map[coding]bool // codes of these that are not in it; nil for none
}

func newCodeSet() *codeSet { return &codeSet{codes: map[coding]bool{}, systems: map[string]bool{}} }

func (s *codeSet) has(c coding) bool {
	return c.code != "" && (s.codes[c] || s.systems[c.system] && !s.except[c])
}

func (s *codeSet) add(o *codeSet) {
	for c := range o.codes {
		s.codes[c] = true
		delete(s.except, c)
	}
	for system := range o.systems {
		s.systems[system] = true
	}
	for c := range o.except {
		if !s.codes[c] {
			s.exclude(c)
		}
	}
}

func (s *codeSet) exclude(c coding) {
	delete(s.codes, c)
	if s.systems[c.system] {
		if s.except == nil {
			s.except = map[coding]bool{}
		}
		s.except[c] = true
	}
}

// subtract takes the codes of o out.
func (s *codeSet) subtract(o *codeSet) {
	for c := range o.codes {
		s.exclude(c)
	}
	for system := range o.systems {
		delete(s.systems, system)
		for c := range s.codes {
			if c.system == system && o.has(c) {
				delete(s.codes, c)
			}
		}
	}
}

// both is what lies in both.
func (s *codeSet) both(o *codeSet) *codeSet {
	set := newCodeSet()
	for c := range s.codes {
		if o.has(c) {
			set.codes[c] = true
		}
	}
	for c := range o.codes {
		if s.has(c) {
			set.codes[c] = true
		}
	}
	for system := range s.systems {
		if o.systems[system] {
			set.systems[system] = true
		}
	}
	for _, of := range []*codeSet{s, o} {
		for c := range of.except {
			set.exclude(c)
		}
	}
	return set
}

// valueSet expands a value set by its canonical URL or Type/id: its definition, or the expansion that it carries.
func (t *terminology) valueSet(canonical string) (*codeSet, error) {
	invalid := func(what, hint string) error {
		return &hub.Error{Kind: hub.Invalid, Msg: "search: the value set " + strconv.Quote(canonical) + " " + what, Hint: hint}
	}
	switch {
	case t.open[canonical]:
		return nil, invalid("includes itself", "")
	case len(t.open) >= maxIncludes:
		return nil, invalid("includes others more than "+strconv.Itoa(maxIncludes)+" deep", "")
	}
	t.open[canonical] = true
	defer delete(t.open, canonical)
	root, err := t.resource("ValueSet", canonical)
	switch {
	case err != nil:
		return nil, err
	case root.Kind() != Object:
		return nil, invalid("is not known here", "create it as a ValueSet; R4's own are known by their canonical URL")
	}
	compose, expansion := root.Get("compose"), root.Get("expansion")
	set := newCodeSet()
	if compose.Kind() != Object {
		if expansion.Kind() != Object {
			return nil, invalid("has neither a definition nor an expansion", "")
		}
		return set, t.contained(expansion, set)
	}
	for include := range compose.Get("include").Items() {
		part, err := t.part(include)
		if err != nil {
			return nil, err
		}
		set.add(part)
	}
	for exclude := range compose.Get("exclude").Items() {
		part, err := t.part(exclude)
		if err != nil {
			return nil, err
		}
		set.subtract(part)
	}
	return set, nil
}

// contained adds the codes of an expansion and those below them.
func (t *terminology) contained(v Value, set *codeSet) error {
	for c := range v.Get("contains").Items() {
		if err := t.spend(); err != nil {
			return err
		}
		if code := c.Get("code").Text(); code != "" && c.Get("abstract").Text() != "true" {
			set.codes[coding{c.Get("system").Text(), code}] = true
		}
		if err := t.contained(c, set); err != nil {
			return err
		}
	}
	return nil
}

// part is one include or exclude: what a system's concepts or filters give, and all of its value sets have.
func (t *terminology) part(v Value) (*codeSet, error) {
	var set *codeSet
	if system := v.Get("system").Text(); system != "" {
		var err error
		if set, err = t.ofSystem(v, system); err != nil {
			return nil, err
		}
	}
	for other := range v.Get("valueSet").Items() {
		o, err := t.valueSet(other.Text())
		switch {
		case err != nil:
			return nil, err
		case set == nil:
			set = o
		default:
			set = set.both(o)
		}
	}
	if set == nil {
		return newCodeSet(), nil
	}
	return set, nil
}

func (t *terminology) ofSystem(v Value, system string) (*codeSet, error) {
	set := newCodeSet()
	if concepts := v.Get("concept"); concepts.Kind() == Array {
		for c := range concepts.Items() {
			if err := t.spend(); err != nil {
				return nil, err
			}
			set.codes[coding{system, c.Get("code").Text()}] = true
		}
		return set, nil
	}
	s, err := t.codeSystem(system)
	if err != nil {
		return nil, err
	}
	filters := slices.Collect(v.Get("filter").Items())
	switch {
	case len(filters) == 0 && (s == nil || !s.complete):
		set.systems[system] = true
		return set, nil
	case s == nil || !s.complete:
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "search: the value set chooses among the codes of " + strconv.Quote(system) + ", which are not all known here",
			Hint: "create the code system as a CodeSystem"}
	}
	for code := range s.concepts {
		set.codes[coding{system, code}] = true
	}
	for _, f := range filters {
		pass, err := s.filter(f.Get("property").Text(), f.Get("op").Text(), f.Get("value").Text())
		if err != nil {
			return nil, err
		}
		for code, c := range s.concepts {
			if !pass(code, c) {
				delete(set.codes, coding{system, code})
			}
		}
	}
	return set, nil
}

// filter compiles ValueSet.compose.include.filter (R4 valueset-filter-operator).
func (s *codeSystem) filter(property, op, value string) (func(code string, c *concept) bool, error) {
	refused := func(why string) error {
		return &hub.Error{Kind: hub.Unsupported, Msg: "search: the value set's filter " + property + " " + op + " " + strconv.Quote(value) + " " + why}
	}
	below := map[string]bool{}
	if strings.HasPrefix(op, "is-") || strings.HasPrefix(op, "descend") {
		for _, code := range s.related(value, false) {
			below[code] = true
		}
	}
	values := func(code string, c *concept) []string {
		switch property {
		case "code", "concept":
			return []string{code}
		case "display":
			return []string{c.display}
		case "parent":
			return c.parents
		case "child":
			return c.children
		}
		return c.properties[property]
	}
	switch op {
	case "is-a":
		return func(code string, _ *concept) bool { return below[code] }, nil
	case "descendent-of":
		return func(code string, _ *concept) bool { return below[code] && code != value }, nil
	case "is-not-a":
		return func(code string, _ *concept) bool { return !below[code] }, nil
	case "generalizes":
		return func(code string, _ *concept) bool { return slices.Contains(s.related(value, true), code) }, nil
	case "=":
		return func(code string, c *concept) bool { return slices.Contains(values(code, c), value) }, nil
	case "in", "not-in":
		listed := strings.Split(value, ",")
		return func(code string, c *concept) bool {
			return slices.ContainsFunc(values(code, c), func(v string) bool { return slices.Contains(listed, v) }) == (op == "in")
		}, nil
	case "exists":
		return func(code string, c *concept) bool { return (len(values(code, c)) > 0) == (value == "true") }, nil
	case "regex":
		if len(value) > maxRegex {
			return nil, refused("is too long")
		}
		re, err := regexp.Compile(`^(?:` + value + `)$`)
		if err != nil {
			return nil, refused("is no expression")
		}
		return func(code string, c *concept) bool { return slices.ContainsFunc(values(code, c), re.MatchString) }, nil
	}
	return nil, refused("is not supported")
}
