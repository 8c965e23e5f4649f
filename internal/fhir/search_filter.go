package fhir

import (
	"strconv"
	"strings"

	"concord/hub"
)

// filter compiles _filter (R4 search_filter.html). Its tests are those of the parameters named. Brackets stand behind a
// reference: they and what follows hold of the same thing that it refers to. Tokens are compared with their case.
func (s scope) filter(modifier, text string) ([]hub.Clause, error) {
	if err := s.checkModifier(filterParam, modifier, nil); err != nil {
		return nil, err
	}
	e, err := parseFilter(text)
	if err != nil {
		return nil, err
	}
	return s.filterExpr(e)
}

func (s scope) filterExpr(e *filterExpr) ([]hub.Clause, error) {
	switch e.op {
	case "group":
		return s.filterExpr(e.of[0])
	case "not":
		all, err := s.filterExpr(e.of[0])
		return not(all), err
	case "and", "or":
		var lists [][]hub.Clause
		for _, operand := range e.of {
			all, err := s.filterExpr(operand)
			if err != nil {
				return nil, err
			}
			lists = append(lists, all)
		}
		if e.op == "or" {
			return anyOf(lists), nil
		}
		var all []hub.Clause
		for _, list := range lists {
			all = append(all, list...)
		}
		return all, nil
	}
	return s.filterPath(e, e.path)
}

// filterPath compiles a test in the scope that the first step of path is in.
func (s scope) filterPath(e *filterExpr, path []filterStep) ([]hub.Clause, error) {
	if err := s.spend(); err != nil {
		return nil, err
	}
	step := path[0]
	if rest, ok := strings.CutPrefix(step.name, "_has:"); ok {
		typ, code, name, err := cutHas(rest)
		if err != nil {
			return nil, err
		}
		inside := append([]filterStep{{name, step.where}}, path[1:]...)
		return s.has(typ, code, func(inner scope) ([]hub.Clause, error) { return inner.filterPath(e, inside) })
	}
	code, typ, _ := strings.Cut(step.name, ":")
	if len(path) > 1 {
		return s.chain(code, typ, func(inner scope) ([]hub.Clause, error) {
			all, err := inner.filterPath(e, path[1:])
			if err != nil || step.where == nil {
				return all, err
			}
			where, err := inner.filterExpr(step.where)
			return append(where, all...), err
		})
	}
	if typ != "" {
		return nil, invalid(filterParam, "a modifier is no part of a filter; an operator is")
	}
	if code == "id" { // R4 search_filter.html names it so
		code = "_id"
	}
	return s.filterTest(code, e.op, e.value)
}

// filterTest compiles one comparison (R4 search_filter.html#ops).
func (s scope) filterTest(code, op, value string) ([]hub.Clause, error) {
	p := s.resource.byCode[code]
	if p == nil {
		return nil, notKnown(filterParam, s.resource.name+" has no search parameter "+strconv.Quote(code), didYouMean(code, s.known()))
	}
	literal := escaper.Replace(value) // of text
	switch {
	case code == filterParam:
		return nil, invalid(filterParam, "a filter is no part of a filter; use parentheses")
	case op == "pr" && (value == "true" || value == "false"):
		return s.condition(code+":missing", strconv.FormatBool(value == "false"))
	case op == "eq" && (code == textParam || code == contentParam || code == phoneticParam):
		return s.condition(code, literal)
	case p.Type == CompositeParam && op == "eq":
		return s.condition(code, value)
	case p.Type == CompositeParam && op == "ne":
		all, err := s.condition(code, value)
		return not(all), err
	case !p.Served():
	case p.Type == StringParam:
		return s.filterString(p, op, literal)
	case p.Type == TokenParam:
		return s.filterToken(p, op, value)
	case p.ranged():
		return s.filterRange(p, op, value)
	case op == "eq" || op == "re":
		return s.condition(code, literal)
	case op == "ne":
		return s.unequal(p, literal)
	}
	return nil, unsupported(filterParam, "the operator "+strconv.Quote(op)+" is not one for "+strconv.Quote(code)+" of type "+string(p.Type))
}

func (s scope) filterString(p *Param, op, literal string) ([]hub.Clause, error) {
	normal := Normalise(unescapeValue(literal))
	match := hub.Match{Kind: hub.Equals, Term: hub.Text, Text: normal}
	compare := func(holds func(int) bool) ([]hub.Clause, error) {
		return s.narrowed(p, p.someValue(s.projection(), func(terms []hub.Term) bool {
			for _, t := range terms {
				if t.Param == p.Code && t.Kind == hub.Exact && holds(strings.Compare(Normalise(t.Text), normal)) {
					return true
				}
			}
			return false
		}))
	}
	switch op {
	case "eq":
	case "ne":
		return compare(func(order int) bool { return order != 0 })
	case "gt":
		return compare(func(order int) bool { return order > 0 })
	case "lt":
		return compare(func(order int) bool { return order < 0 })
	case "ge":
		return compare(func(order int) bool { return order >= 0 })
	case "le":
		return compare(func(order int) bool { return order <= 0 })
	case "co":
		return s.condition(p.Code+":contains", literal)
	case "sw":
		match.Kind = hub.Prefix
	case "ew":
		match = hub.Match{Kind: hub.Pattern, Text: "*" + patternEscaper.Replace(normal)}
	default:
		return nil, unsupported(filterParam, "the operator "+strconv.Quote(op)+" is not one for texts")
	}
	return p.over(match), nil
}

var patternEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)

// filterSystems are the short names that filters may use.
var filterSystems = map[string]string{
	"loinc": "http://loinc.org", "snomed": "http://snomed.info/sct", "ucum": "http://unitsofmeasure.org",
	"rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
}

// tokenEscaper leaves the bar between system and code.
var tokenEscaper = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`)

func (s scope) filterToken(p *Param, op, value string) ([]hub.Clause, error) {
	if short, code, ok := strings.Cut(value, "|"); ok && filterSystems[short] != "" {
		value = filterSystems[short] + "|" + code
	}
	value = tokenEscaper.Replace(value)
	switch op {
	case "eq":
		return s.condition(p.Code, value)
	case "ne":
		return s.unequal(p, value)
	case "ss": // the value subsumes
		return s.condition(p.Code+":below", value)
	case "sb":
		return s.condition(p.Code+":above", value)
	case "in":
		return s.condition(p.Code+":in", value)
	case "ni":
		return s.condition(p.Code+":not-in", value)
	}
	return nil, unsupported(filterParam, "the operator "+strconv.Quote(op)+" is not one for tokens")
}

func (s scope) filterRange(p *Param, op, value string) ([]hub.Clause, error) {
	switch op {
	case "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap":
		return s.condition(p.Code, op+strings.ReplaceAll(value, ",", `\,`))
	case "po", "co":
		lo, hi, ok := parseDate(value, s.options.Zone)
		if p.Type != DateParam {
			break
		}
		if !ok {
			return nil, invalid(filterParam, "a date is due")
		}
		return p.over(comparator(op).dates(lo, hi, s.options.Zone)...), nil
	}
	return nil, unsupported(filterParam, "the operator "+strconv.Quote(op)+" is not one for a parameter of type "+string(p.Type))
}

// unequal is the condition that some value of p is another one.
func (s scope) unequal(p *Param, value string) ([]hub.Clause, error) {
	equal, err := s.plain(p.alone(), "", value)
	if err != nil {
		return nil, err
	}
	return s.narrowed(p, p.someValue(s.projection(), func(terms []hub.Term) bool {
		return len(terms) > 0 && !equal.Matches(&hub.Entry{Terms: terms})
	}))
}

// narrowed puts before a test of p's values that there are some.
func (s scope) narrowed(p *Param, test func(*hub.Record) (bool, error)) ([]hub.Clause, error) {
	present, err := p.missing("false")
	return []hub.Clause{present, {Test: test}}, err
}
