package fhir

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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
		pairs = append(pairs, Pair{n, v})
	}
	return pairs, nil
}

// SearchOptions is what the meaning of a search depends on besides its parameters.
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
	// Count is the page size without _count (default 50), MaxCount the greatest (default 1,000).
	Count, MaxCount int
}

// Search is a compiled search request on one resource type.
type Search struct {
	Query hub.Query
	// Includes are what _include and _revinclude ask for, with * written out.
	Includes []hub.Include
	// Types are the resource types besides Query.Type that conditions look at (chains, _has, _list): the caller needs
	// the right to search them.
	Types []string
	// Total, Summary and Elements are the client's _total, _summary and _elements, empty when not given.
	Total, Summary string
	Elements       []string
	// Format and Pretty are the client's _format and _pretty.
	Format, Pretty string
	// Applied are the parameters that were understood, for the self link: conditions in the client's order, then
	// those that shape the result in a fixed one; _count always.
	Applied []Pair
	// Ignored says what was not understood, under Lenient.
	Ignored []error
}

// CompileSearch turns the parameters of a search (R4 search.html) into a query. Repeated parameters must all hold, of
// values separated by commas one must. What it does not know or do is an Invalid or Unsupported error that names it.
func CompileSearch(typ string, params []Pair, o SearchOptions) (*Search, error) {
	r := definitions().resources[typ]
	if r == nil {
		return nil, &hub.Error{Kind: hub.NotFound, Path: typ, Msg: "R4 has no such resource type", Hint: didYouMean(typ, definitions().names)}
	}
	if o.Zone == nil {
		o.Zone = ChinaTime()
	}
	if o.MaxCount <= 0 {
		o.MaxCount = 1000
	}
	if o.Count <= 0 {
		o.Count = min(50, o.MaxCount)
	}
	c := &searchCompiler{Search: Search{Query: hub.Query{Type: typ, Limit: o.Count}}, resource: r, options: o, results: map[string]string{}}
	for _, p := range params {
		if err := c.parameter(p); err != nil {
			if !o.Lenient || !hub.Is(err, hub.Unsupported) && !c.unknown {
				return nil, err
			}
			c.Ignored = append(c.Ignored, err)
			c.unknown = false
		}
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return &c.Search, nil
}

type searchCompiler struct {
	Search
	resource *resourceType
	options  SearchOptions
	results  map[string]string // result parameters by name
	unknown  bool              // the error under way is about an unknown name
}

// notKnown makes the error of a name that lenient handling passes over: one that the client made up or misspelt.
func (c *searchCompiler) notKnown(path, msg, hint string) error {
	c.unknown = true
	return &hub.Error{Kind: hub.Invalid, Path: path, Msg: "search: " + msg, Hint: hint}
}

func (c *searchCompiler) parameter(pair Pair) error {
	name, modifier, _ := strings.Cut(pair.Name, ":")
	switch {
	case slices.Contains(resultParams, name):
		return c.result(name, modifier, pair.Value)
	case unsupportedParams[name] != "":
		return &hub.Error{Kind: hub.Unsupported, Path: pair.Name, Msg: "search: " + unsupportedParams[name]}
	case strings.Contains(pair.Name, "."):
		return &hub.Error{Kind: hub.Unsupported, Path: pair.Name, Msg: "search: chained parameters are not supported"}
	}
	p := c.resource.byCode[name]
	switch {
	case p == nil:
		return c.notKnown(pair.Name, c.resource.name+" has no search parameter "+strconv.Quote(name), didYouMean(name, c.known()))
	case !p.Served():
		reason := unserved[name]
		if reason == "" {
			reason = "parameters of type " + string(p.Type) + " are not"
			if p.Type == CompositeParam {
				reason = "its parts may repeat, and the index does not keep them together"
			} else if indexable[p.Type] != "" {
				reason = "it is defined without an expression that can be indexed"
			}
		}
		return &hub.Error{Kind: hub.Unsupported, Path: pair.Name, Msg: "search: the parameter is not supported: " + reason}
	case pair.Value == "":
		return &hub.Error{Kind: hub.Invalid, Path: pair.Name, Msg: "search: the value is empty"}
	}
	if p.parts != nil {
		if err := c.composite(p, modifier, pair.Value); err != nil {
			return err
		}
		c.Applied = append(c.Applied, pair)
		return nil
	}
	clause, err := c.clause(p, modifier, pair.Value)
	if err != nil {
		return err
	}
	c.Query.All = append(c.Query.All, clause)
	c.Applied = append(c.Applied, pair)
	c.route(p, modifier, clause)
	return nil
}

// known lists the names that a search on the type may use.
func (c *searchCompiler) known() []string {
	names := slices.Clone(resultParams)
	for _, p := range c.resource.params {
		if p.Served() {
			names = append(names, p.Code)
		}
	}
	return names
}

// route limits the query to the slots where every hit of clause must lie.
func (c *searchCompiler) route(p *Param, modifier string, clause hub.Clause) {
	if clause.Not || modifier == "missing" || modifier == "identifier" || len(c.Query.Routes) > 0 {
		return
	}
	var routes []string
	byID := p.Code == "_id" && c.resource.route == nil
	if !byID && (c.resource.route == nil || !p.sameElement(c.resource.route)) {
		return
	}
	for _, m := range clause.Any {
		switch {
		case byID:
			routes = append(routes, c.resource.name+"/"+m.Text)
		case isLiteral(m.Text, "Patient"):
			routes = append(routes, m.Text)
		default:
			return
		}
	}
	slices.Sort(routes)
	c.Query.Routes = slices.Compact(routes)
}

// clause compiles one parameter with its modifier and values.
func (c *searchCompiler) clause(p *Param, modifier, text string) (hub.Clause, error) {
	if modifier != "missing" && !slices.Contains(p.modifiers(), modifier) {
		return hub.Clause{}, c.notKnown(p.Code+":"+modifier, "the modifier is not supported for parameters of type "+string(p.Type),
			didYouMean(modifier, p.modifiers()))
	}
	return p.clause(modifier, text, &c.options)
}
