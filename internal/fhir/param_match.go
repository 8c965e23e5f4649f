package fhir

import "concord/hub"

// clause compiles one parameter with a modifier that it takes, or missing, and its values. It may have any form of Clause
// but Refers and Referred.
func (p *Param) clause(modifier, text string, o *SearchOptions) (hub.Clause, error) {
	if modifier == "missing" {
		return p.missing(text)
	}
	clause := hub.Clause{Param: p.Code, Not: modifier == "not"}
	for i, value := range splitAlternatives(text) {
		param, matches, err := p.matches(modifier, value, o)
		if err != nil {
			return clause, err
		}
		if i > 0 && param != clause.Param {
			return clause, &hub.Error{Kind: hub.Unsupported, Path: p.Code, Msg: "search: alternatives with different units in one parameter"}
		}
		clause.Param = param
		clause.Any = append(clause.Any, matches...)
	}
	if modifier == "identifier" {
		clause.Param = p.Code + identifierSuffix
	}
	return clause, nil
}

// matches compiles one alternative. It also says which parameter of the index holds the terms.
func (p *Param) matches(modifier, value string, o *SearchOptions) (string, []hub.Match, error) {
	one := func(m hub.Match, err error) (string, []hub.Match, error) { return p.Code, []hub.Match{m}, err }
	switch p.Type {
	case TokenParam:
		return one(p.tokenMatch(value))
	case ReferenceParam:
		if modifier == "identifier" {
			m, err := (&Param{Code: p.Code, walks: []walk{{typ: "Identifier"}}}).tokenMatch(value)
			return p.Code + identifierSuffix, []hub.Match{m}, err
		}
		matches, err := p.referenceMatches(value, modifier, o.Base)
		return p.Code, matches, err
	case StringParam:
		return one(p.stringMatch(value, modifier))
	case DateParam:
		matches, err := p.dateMatches(value, o.Zone, o.Now)
		return p.Code, matches, err
	case NumberParam, QuantityParam:
		return p.quantityMatches(value)
	}
	return one(hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: unescapeValue(value)}, nil)
}

// modifiers lists those that the parameter takes besides :missing; the empty one is none.
func (p *Param) modifiers() []string {
	switch p.Type {
	case TokenParam:
		return []string{"", "not"}
	case ReferenceParam:
		return append([]string{"", "identifier"}, p.Targets...)
	case StringParam:
		return []string{"", "exact", "contains"}
	}
	return []string{""}
}

// missing compiles :missing=true or false.
func (p *Param) missing(text string) (hub.Clause, error) {
	if text != "true" && text != "false" {
		return hub.Clause{}, p.invalid(text, ":missing is true or false")
	}
	clause := hub.Clause{Param: p.Code, Not: text == "true"}
	switch {
	case p.Code == "_id" || p.Code == hub.LastUpdated:
		clause.Param, clause.Any = hub.LastUpdated, []hub.Match{everything()}
	case p.Type == StringParam:
		clause.Any = []hub.Match{{Kind: hub.Prefix}}
	case p.Type == DateParam || p.Type == NumberParam || p.Type == QuantityParam:
		clause.Any = []hub.Match{everything()}
	default:
		clause.Param, clause.Any = presence, []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: p.Code}}
	}
	return clause, nil
}

func (p *Param) invalid(value, msg string) error {
	return &hub.Error{Kind: hub.Invalid, Path: p.Code, Msg: "search: " + msg}
}
