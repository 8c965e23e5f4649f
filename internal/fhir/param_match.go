package fhir

import (
	"cmp"
	"slices"

	"concord/hub"
)

// clause compiles one parameter with a modifier that it takes, or missing, and its values. It may have any form of Clause
// but Refers and Referred.
func (p *Param) clause(modifier, text string, o *SearchOptions) (hub.Clause, error) {
	if modifier == "missing" {
		return p.missing(text)
	}
	modifier, negative := affirmative(modifier)
	var lists [][]hub.Clause
	for _, value := range splitAlternatives(text) {
		some, err := p.alternatives(modifier, value, o)
		if err != nil {
			return hub.Clause{}, err
		}
		lists = append(lists, some...)
	}
	clause := oneOf(lists)
	clause.Not = clause.Not != negative
	return clause, nil
}

// affirmative is the modifier of which modifier is the negation.
func affirmative(modifier string) (string, bool) {
	switch modifier {
	case "not":
		return "", true
	case "not-in":
		return "in", true
	}
	return modifier, false
}

// alternatives compiles one value into conjunctions of which one must hold.
func (p *Param) alternatives(modifier, value string, o *SearchOptions) ([][]hub.Clause, error) {
	if len(p.union) > 0 && !p.reads(modifier) {
		var lists [][]hub.Clause
		var failed error
		p.each(func(q *Param) {
			some, err := q.alternatives(modifier, value, o)
			lists = append(lists, some...)
			failed = cmp.Or(failed, err)
		})
		return lists, failed
	}
	switch p.Type {
	case TokenParam:
		return p.tokenAlternatives(modifier, value, o)
	case ReferenceParam:
		return p.referenceAlternatives(modifier, value, o)
	case StringParam:
		return p.stringAlternatives(modifier, value)
	case DateParam:
		matches, err := p.dateMatches(value, o.Zone, o.Now)
		return [][]hub.Clause{{p.having(matches...)}}, err
	case NumberParam, QuantityParam:
		return p.quantityAlternatives(value)
	case URIParam:
		return p.uriAlternatives(modifier, value)
	}
	return [][]hub.Clause{{p.having(equalTo(unescapeValue(value)))}}, nil
}

// reads reports whether a modifier is about what no term tells, so that the values themselves are read.
func (p *Param) reads(modifier string) bool {
	return modifier == "text" || modifier == "of-type" || modifier == "below" && p.Type != TokenParam
}

// having is the condition that p has a term of its own that fits one of the matches.
func (p *Param) having(any ...hub.Match) hub.Clause { return hub.Clause{Param: p.Code, Any: any} }

func equalTo(text string) hub.Match {
	return hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: text}
}

// oneOf is the condition that one of the conjunctions holds. Matches of one parameter become one clause.
func oneOf(lists [][]hub.Clause) hub.Clause {
	var merged [][]hub.Clause
	for _, all := range lists {
		if len(all) == 1 && len(all[0].Any) > 0 && !all[0].Not {
			i := slices.IndexFunc(merged, func(other []hub.Clause) bool {
				return len(other) == 1 && len(other[0].Any) > 0 && !other[0].Not && other[0].Param == all[0].Param
			})
			if i >= 0 {
				merged[i][0].Any = append(merged[i][0].Any, all[0].Any...)
				continue
			}
		}
		merged = append(merged, slices.Clone(all))
	}
	if len(merged) == 1 && len(merged[0]) == 1 {
		return merged[0][0]
	}
	return hub.Clause{Either: merged}
}

// modifiers lists those that the parameter takes besides :missing; the empty one is none.
func (p *Param) modifiers() []string {
	switch p.Type {
	case TokenParam:
		all := []string{"", "not", "text", "in", "not-in", "above", "below"}
		if slices.ContainsFunc(p.walks, func(w walk) bool { return w.typ == "Identifier" }) {
			all = append(all, "of-type")
		}
		return all
	case ReferenceParam:
		all := append([]string{"", "identifier"}, p.Targets...)
		if slices.ContainsFunc(p.walks, func(w walk) bool { return w.typ == "canonical" }) {
			all = append(all, "above", "below")
		}
		return all
	case StringParam:
		return []string{"", "exact", "contains"}
	case URIParam:
		return []string{"", "above", "below"}
	}
	return []string{""}
}

// missing compiles :missing=true or false.
func (p *Param) missing(text string) (hub.Clause, error) {
	if text != "true" && text != "false" {
		return hub.Clause{}, p.invalid(text, ":missing is true or false")
	}
	clause := p.present()
	clause.Not = text == "true"
	return clause, nil
}

// present is the condition that p has a value.
func (p *Param) present() hub.Clause {
	noted := hub.Clause{Param: presence, Any: []hub.Match{equalTo(p.Code)}}
	switch {
	case p.Code == "_id" || p.Code == hub.LastUpdated:
		return hub.Clause{Param: hub.LastUpdated, Any: []hub.Match{everything()}}
	case len(p.union) > 0:
		var lists [][]hub.Clause
		p.each(func(q *Param) {
			if one := q.present(); len(one.Either) > 0 {
				lists = append(lists, one.Either...)
			} else {
				lists = append(lists, []hub.Clause{one})
			}
		})
		return oneOf(lists)
	case p.Type == StringParam:
		return oneOf([][]hub.Clause{{p.having(hub.Match{Kind: hub.Prefix})}, {noted}})
	case p.Type == DateParam || p.Type == NumberParam || p.Type == QuantityParam:
		return oneOf([][]hub.Clause{{p.having(everything())}, {noted}})
	}
	return noted
}

func (p *Param) invalid(value, msg string) error {
	return &hub.Error{Kind: hub.Invalid, Path: p.Code, Msg: "search: " + msg}
}
