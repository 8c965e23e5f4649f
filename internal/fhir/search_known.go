package fhir

import (
	"slices"
	"strconv"
	"strings"

	"concord/hub"
)

// The parameters that the hub executes without terms of their own, and those that R4's definitions do not list.
const (
	filterParam  = "_filter"
	textParam    = "_text"
	contentParam = "_content"
	listParam    = "_list"
	hasParam     = "_has"
	nearParam    = "near"
	// phonetic is that of Patient, Practitioner, Person, RelatedPerson, Organization and InsurancePlan.
	phoneticParam = "phonetic"
)

// unsupportedParams are known to R4, not to the hub.
var unsupportedParams = map[string]string{
	hasParam:         "_has:Type:reference:parameter is due",
	"_contained":     "contained resources are not searched: they have no existence outside of what contains them",
	"_containedType": "contained resources are not searched: they have no existence outside of what contains them",
	"_query":         "the hub has no named queries",
	"_score":         "relevance is not computed",
}

// Searchable reports whether searches by the parameter are executed.
func (p *Param) Searchable() bool {
	switch p.Code {
	case filterParam, textParam, contentParam, listParam, hasParam, phoneticParam:
		return true
	case nearParam:
		return p.Type == SpecialParam
	}
	return p.Served() || p.combinable()
}

func (p *Param) whyNot() string {
	if indexable[p.Type] != "" {
		return "it is defined without an expression that can be indexed"
	}
	return "parameters of type " + string(p.Type) + " are not"
}

// SearchParams lists the parameters that CompileSearch executes for a resource type, sorted by code; none for no type. It
// is what a CapabilityStatement may promise.
func SearchParams(typ string) []Param {
	r := definitions().resources[typ]
	if r == nil {
		return nil
	}
	all := []Param{{Code: hasParam, Type: SpecialParam}}
	if slices.Contains(definitions().resources["List"].byCode["item"].targets(), typ) {
		all = append(all, Param{Code: listParam, Type: SpecialParam})
	}
	for _, p := range r.params {
		if p.Searchable() && unsupportedParams[p.Code] == "" {
			all = append(all, *p)
		}
	}
	slices.SortFunc(all, func(a, b Param) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// Modifiers lists the modifiers that a search by the parameter may use, sorted; the types that a reference may be
// narrowed to are among them.
func (p *Param) Modifiers() []string {
	var all []string
	switch {
	case p.Code == filterParam || p.Code == textParam || p.Code == contentParam || p.Code == listParam || p.Code == hasParam:
		return nil
	case p.Served():
		all = slices.DeleteFunc(p.modifiers(), func(m string) bool { return m == "" })
	}
	all = append(slices.Clone(all), "missing")
	slices.Sort(all)
	return all
}

// known lists the names that a search on the type may use.
func (s scope) known() []string {
	names := append(slices.Clone(resultParams), "_include", "_revinclude", listParam)
	for _, p := range s.resource.params {
		if p.Searchable() {
			names = append(names, p.Code)
		}
	}
	return names
}

// TypesOf takes _type out of the parameters of a search of several types (R4 search.html#all): the types it names, none
// when it is not given, and the other parameters. Those are then compiled for each type, with all of them as
// SearchOptions.Among.
func TypesOf(params []Pair) (types []string, rest []Pair, err error) {
	given := false
	for _, p := range params {
		if p.Name != "_type" {
			rest = append(rest, p)
			continue
		}
		if given {
			return nil, nil, invalid("_type", "the parameter may be given once")
		}
		given = true
		for name := range strings.SplitSeq(p.Value, ",") {
			if !IsResourceType(name) {
				return nil, nil, &hub.Error{Kind: hub.Invalid, Path: "_type", Msg: "search: R4 has no resource type " + strconv.Quote(name), Hint: NearestType(name)}
			}
			if !slices.Contains(types, name) {
				types = append(types, name)
			}
		}
	}
	return types, rest, nil
}

// amongTypes accepts a _type that names the type under way.
func (s scope) amongTypes(pair Pair) error {
	types, _, err := TypesOf([]Pair{pair})
	if err == nil && !slices.Contains(types, s.resource.name) {
		return invalid("_type", "the search is for "+s.resource.name)
	}
	return err
}
