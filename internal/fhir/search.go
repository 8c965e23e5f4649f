package fhir

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"concord/hub"
)

// Pair is one parameter of a request.
type Pair struct{ Name, Value string }

// Pairs reads the parameters of a query string or form in their order.
func Pairs(query string) ([]Pair, error) {
	var pairs []Pair
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, errName := url.QueryUnescape(name)
		v, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return nil, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "read the query string: bad percent encoding"}
		}
		if !utf8.ValidString(n) || !utf8.ValidString(v) {
			return nil, &hub.Error{Kind: hub.Invalid, Path: strings.ToValidUTF8(n, "?"), Msg: "read the query string: it is not UTF-8", Hint: "GBK and other encodings must be converted"}
		}
		pairs = append(pairs, Pair{n, v})
	}
	return pairs, nil
}

// SearchOptions is what the meaning of a search depends on besides its parameters. Numbers of 0 mean their default.
type SearchOptions struct {
	// Lenient collects what is not understood in Search.Ignored instead of refusing it (Prefer: handling=lenient).
	Lenient bool
	// Base is the hub's own FHIR base URL; references that begin with it are taken as relative.
	Base string
	// Zone is that of dates without one; nil is ChinaTime. It must be the Projection's.
	Zone *time.Location
	// Now is the moment from which the prefix ap measures the distance of a date.
	Now time.Time
	// Load reads a terminology resource (CodeSystem, ValueSet) by its canonical URL, which may end in |version; nil when
	// there is none. It serves :in, :not-in, :above and :below. A nil Load knows what R4 itself defines.
	Load func(typ, canonical string) (*Doc, error)
	// Among are all the types that are searched together (see TypesOf); none means the one.
	Among []string
	// Count is the page size without _count (default 50), MaxCount the greatest (default 1,000).
	Count, MaxCount int
	// MaxValues is how many alternatives one parameter may have (default 1,000), MaxClauses how many parameters and
	// conditions a search may come to, chains into several types counted for each (default 1,000), MaxChain how many references a chain may
	// follow, forwards and back (default 8). Beyond them a search is TooLarge.
	MaxValues, MaxClauses, MaxChain int
}

func (o SearchOptions) orDefault() SearchOptions {
	if o.Zone == nil {
		o.Zone = ChinaTime()
	}
	for _, d := range []struct {
		n     *int
		value int
	}{{&o.MaxCount, 1000}, {&o.MaxValues, 1000}, {&o.MaxClauses, 1000}, {&o.MaxChain, 8}} {
		if *d.n <= 0 {
			*d.n = d.value
		}
	}
	if o.Count <= 0 {
		o.Count = min(50, o.MaxCount)
	}
	return o
}

// Search is a compiled search request on one resource type.
type Search struct {
	Query hub.Query
	// Includes are what _include and _revinclude ask for, with * written out.
	Includes []hub.Include
	// Types are the resource types besides Query.Type that conditions look at (chains, _has, _list), sorted: the caller
	// needs the right to search them.
	Types []string
	// Total, Summary and Elements are the client's _total, _summary and _elements, empty when not given.
	Total, Summary string
	Elements       []string
	// Format and Pretty are the client's _format and _pretty.
	Format, Pretty string
	// Applied are the parameters that were understood, for the self link: conditions and includes in the client's order,
	// then those that shape the result in a fixed one; _count always.
	Applied []Pair
	// Ignored says what was not understood, under Lenient.
	Ignored []error
}

// CompileSearch turns the parameters of a search (R4 search.html) into a query. Repeated parameters must all hold, of
// values separated by commas one must. What it does not know or do is an Invalid or Unsupported error that names it; what
// is beyond the limits of o is TooLarge.
func CompileSearch(typ string, params []Pair, o SearchOptions) (*Search, error) {
	r := definitions().resources[typ]
	if r == nil {
		return nil, &hub.Error{Kind: hub.NotFound, Path: typ, Msg: "R4 has no such resource type", Hint: NearestType(typ)}
	}
	for _, other := range o.Among {
		if !IsResourceType(other) {
			return nil, &hub.Error{Kind: hub.NotFound, Path: other, Msg: "R4 has no such resource type", Hint: NearestType(other)}
		}
	}
	o = o.orDefault()
	c := &searchCompiler{Search: Search{Query: hub.Query{Type: typ, Limit: o.Count}}, options: o, results: map[string]string{}}
	whole := scope{searchCompiler: c, resource: r}
	for _, p := range params {
		if err := whole.parameter(p); err != nil {
			var unknown unknownName
			isUnknown := errors.As(err, &unknown)
			if isUnknown {
				err = unknown.fault
			}
			if !o.Lenient || !isUnknown && !hub.Is(err, hub.Unsupported) {
				return nil, err
			}
			c.Ignored = append(c.Ignored, err)
		}
	}
	c.Query.Routes = routesOf(c.Query.All)
	c.Types = mentioned(nil, c.Query.All)
	c.finish()
	return &c.Search, nil
}

// searchCompiler is what a search and its inner searches share.
type searchCompiler struct {
	Search
	options SearchOptions
	results map[string]string // result parameters by name
	clauses int               // conditions compiled so far
}

// scope is a query under way: conditions on things of one type, the search's own or that of a chain's step.
type scope struct {
	*searchCompiler
	resource *resourceType
	depth    int // steps of chains that lead here
}

// unknownName wraps the error of a name that the client made up or misspelt: lenient handling passes over it, and a chain
// leaves out the types that do not know it.
type unknownName struct{ fault *hub.Error }

func (u unknownName) Error() string { return u.fault.Error() }

func notKnown(path, msg, hint string) error {
	return unknownName{&hub.Error{Kind: hub.Invalid, Path: path, Msg: "search: " + msg, Hint: hint}}
}

func unsupported(path, msg string) error {
	return &hub.Error{Kind: hub.Unsupported, Path: path, Msg: "search: " + msg}
}

func invalid(path, msg string) error {
	return &hub.Error{Kind: hub.Invalid, Path: path, Msg: "search: " + msg}
}

func tooLarge(path, msg string, limit int, hint string) error {
	return &hub.Error{Kind: hub.TooLarge, Path: path, Msg: "search: " + msg + " " + strconv.Itoa(limit), Hint: hint}
}

// parameter compiles one parameter of the request, whatever it is for.
func (s scope) parameter(pair Pair) error {
	name, modifier, _ := strings.Cut(pair.Name, ":")
	if err := s.spend(); err != nil {
		return err
	}
	switch {
	case slices.Contains(resultParams, name):
		return s.result(name, modifier, pair.Value)
	case name == "_include" || name == "_revinclude":
		includes, err := s.include(name == "_revinclude", modifier, pair)
		if err != nil {
			return err
		}
		s.Includes = append(s.Includes, includes...)
	case name == "_type":
		if err := s.amongTypes(pair); err != nil {
			return err
		}
	case pair == Pair{"_contained", "false"}: // what the hub does, R4's default
	default:
		clauses, err := s.condition(pair.Name, pair.Value)
		if err != nil {
			return err
		}
		s.Query.All = append(s.Query.All, clauses...)
	}
	s.Applied = append(s.Applied, pair)
	return nil
}

// condition compiles one parameter that chooses: what is returned must all hold.
func (s scope) condition(name, value string) ([]hub.Clause, error) {
	if err := s.spend(); err != nil {
		return nil, err
	}
	if rest, ok := strings.CutPrefix(name, "_has:"); ok {
		return s.hasPath(rest, value)
	}
	head, rest, chained := strings.Cut(name, ".")
	code, modifier, _ := strings.Cut(head, ":")
	if chained {
		return s.chain(code, modifier, func(inner scope) ([]hub.Clause, error) { return inner.condition(rest, value) })
	}
	if reason := unsupportedParams[code]; reason != "" {
		return nil, unsupported(name, reason)
	}
	p := s.resource.byCode[code]
	switch {
	case p == nil && code != listParam:
		return nil, notKnown(name, s.resource.name+" has no search parameter "+strconv.Quote(code), s.nearest(code))
	case value == "":
		return nil, invalid(name, "the value is empty")
	}
	switch {
	case code == listParam:
		return s.inList(modifier, value)
	case code == filterParam:
		return s.filter(modifier, value)
	case code == textParam || code == contentParam:
		return s.fullText(code, modifier, value)
	case code == nearParam && p.Type == SpecialParam:
		return s.near(p, modifier, value)
	case code == phoneticParam:
		return s.phonetic(p, modifier, value)
	case p.Type == CompositeParam && p.Searchable():
		return s.composite(p, modifier, value)
	case !p.Served():
		return nil, unsupported(name, "the parameter is not supported: "+p.whyNot())
	}
	clause, err := s.plain(p, modifier, value)
	return []hub.Clause{clause}, err
}

// nearest is the hint for a parameter that there is not.
func (s scope) nearest(code string) string {
	hint := didYouMean(code, s.known())
	if hint == "" && s.depth == 0 { // the chain has other types to look at
		hint = "/metadata lists them"
	}
	return hint
}

// plain compiles a parameter that has terms, with its modifier and values.
func (s scope) plain(p *Param, modifier, text string) (hub.Clause, error) {
	if modifier != "missing" {
		if err := s.checkModifier(p.Code, modifier, p.modifiers()); err != nil {
			return hub.Clause{}, err
		}
	}
	if err := s.checkValues(p.Code, text); err != nil {
		return hub.Clause{}, err
	}
	clause, err := p.clause(modifier, text, &s.options)
	if s.resource.routes(p) {
		s.resource.setRoutes(p, &clause)
	}
	return clause, err
}

func (s scope) checkModifier(code, modifier string, allowed []string) error {
	if modifier == "" || slices.Contains(allowed, modifier) {
		return nil
	}
	known := append(slices.DeleteFunc(slices.Clone(allowed), func(m string) bool { return m == "" }), "missing")
	hint := cmp.Or(didYouMean(modifier, known), "it takes "+strings.Join(known, ", "))
	return notKnown(code+":"+modifier, "the modifier is not one for this parameter", hint)
}

// alternatives cuts a value at its commas.
func (s scope) alternatives(code, text string) ([]string, error) {
	return splitAlternatives(text), s.checkValues(code, text)
}

// checkValues refuses a list of too many alternatives.
func (s scope) checkValues(code, text string) error {
	if strings.Count(text, ",") < s.options.MaxValues {
		return nil
	}
	if n := len(splitAlternatives(text)); n > s.options.MaxValues {
		return tooLarge(code, strconv.Itoa(n)+" values where one parameter may have", s.options.MaxValues, "ask in several searches")
	}
	return nil
}

// spend counts a condition.
func (s scope) spend() error {
	if s.clauses++; s.clauses > s.options.MaxClauses {
		return tooLarge("", "the search comes to more conditions than", s.options.MaxClauses,
			"name the types that chains lead to (subject:Patient.name), or ask in several searches")
	}
	return nil
}

// anyOf is the condition that one of the conjunctions holds. Alternatives within one parameter become one clause, which an
// index asks for at once.
func anyOf(lists [][]hub.Clause) []hub.Clause {
	if lists = flat(nil, lists); len(lists) == 1 {
		return lists[0]
	}
	return []hub.Clause{{Either: lists}}
}

// flat adds the alternatives to those there are, without alternatives of alternatives.
func flat(all, lists [][]hub.Clause) [][]hub.Clause {
	for _, list := range lists {
		if len(list) != 1 || list[0].Not {
			all = append(all, list)
			continue
		}
		c := list[0]
		if len(c.Either) > 0 {
			all = flat(all, c.Either)
			continue
		}
		same := slices.IndexFunc(all, func(have []hub.Clause) bool {
			return len(have) == 1 && !have[0].Not && len(have[0].Any) > 0 && have[0].Param == c.Param
		})
		if len(c.Any) == 0 || same < 0 {
			c.Any = slices.Clone(c.Any)
			all = append(all, []hub.Clause{c})
			continue
		}
		all[same][0].Any = append(all[same][0].Any, c.Any...)
	}
	return all
}

// not is the condition that the conjunction does not hold.
func not(all []hub.Clause) []hub.Clause {
	if len(all) == 1 {
		c := all[0]
		c.Not = !c.Not
		return []hub.Clause{c}
	}
	return []hub.Clause{{Either: [][]hub.Clause{all}, Not: true}}
}
