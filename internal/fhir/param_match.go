package fhir

import "concord/hub"

// matches compiles one alternative. It also says which parameter of the index holds the terms.
func (c *searchCompiler) matches(p *Param, modifier, value string) (string, []hub.Match, error) {
	one := func(m hub.Match, err error) (string, []hub.Match, error) { return p.Code, []hub.Match{m}, err }
	switch p.Type {
	case TokenParam:
		return one(p.tokenMatch(value))
	case ReferenceParam:
		if modifier == "identifier" {
			return one((&Param{Code: p.Code, walks: []walk{{typ: "Identifier"}}}).tokenMatch(value))
		}
		matches, err := p.referenceMatches(value, modifier, c.options.Base)
		return p.Code, matches, err
	case StringParam:
		return one(p.stringMatch(value, modifier))
	case DateParam:
		matches, err := p.dateMatches(value, c.options.Zone, c.options.Now)
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
