package fhir

import (
	"slices"
	"strings"
)

// ParamType is the type of a search parameter (R4 search.html#ptypes).
type ParamType string

const (
	TokenParam     ParamType = "token"
	ReferenceParam ParamType = "reference"
	StringParam    ParamType = "string"
	DateParam      ParamType = "date"
	NumberParam    ParamType = "number"
	QuantityParam  ParamType = "quantity"
	URIParam       ParamType = "uri"
	CompositeParam ParamType = "composite"
	SpecialParam   ParamType = "special"
)

// Param is a search parameter of one resource type.
type Param struct {
	Code       string
	Type       ParamType
	Definition string   // canonical URL of the SearchParameter
	Targets    []string // resource types that a reference may point to
	walks      []walk   // those whose values the parameter's type can index
	err        error    // why it could not be compiled
	served     bool
	routed     bool // its literal patients are the routes of what has them
	// union are the parameters whose values are this one's, too, which has terms only of the rest then: of the members of
	// names and addresses that are not elsewhere. Without a rest they are all its values.
	union     []*Param
	rest      bool
	elsewhere []string
	// combinations are the places where a composite's components are found together.
	combinations []combination
}

// indexable lists the FHIR types of values that each type of parameter indexes (R4 search.html, the tables of each type).
var indexable = map[ParamType]string{
	TokenParam:     " CodeableConcept Coding Identifier ContactPoint boolean code string uri id ",
	ReferenceParam: " Reference canonical uri url oid uuid Resource ",
	StringParam:    " string markdown HumanName Address code id ",
	DateParam:      " date dateTime instant Period Timing ",
	NumberParam:    " integer decimal positiveInt unsignedInt Range ",
	QuantityParam:  " Quantity Age Duration Distance Count Money Range SampledData ",
	URIParam:       " uri url canonical oid uuid ",
}

// unserved are parameters that have an expression but whose meaning the index does not have.
var unserved = map[string]string{
	"phonetic": "the hub has no phonetic index; use name",
}

// Served reports whether the index has terms of the parameter.
func (p *Param) Served() bool { return p.served }

// param compiles a definition for one resource type.
func (s *specification) param(d paramDefinition, resource string) *Param {
	p := &Param{Code: d.code, Type: ParamType(d.typ), Definition: d.url, Targets: d.targets}
	if d.expression == "" {
		return p
	}
	all, err := s.compileExpr(d.expression, resource, resource)
	p.err = err
	for _, w := range all {
		if len(d.components) > 0 {
			s.combine(p, d, resource, w)
		}
		if w.typ == "Extension" { // the parameter means the extension's value
			values, _ := compiler{s, resource}.member(w, "value")
			for _, v := range values {
				p.addWalk(v)
			}
			continue
		}
		p.addWalk(w)
	}
	p.narrowTargets()
	p.served = p.err == nil && len(p.walks) > 0 && unserved[p.Code] == ""
	return p
}

// narrowTargets drops the targets that no element of this resource type may point to: one definition serves many types.
func (p *Param) narrowTargets() {
	var reachable []string
	for _, w := range p.walks {
		if len(w.targets) == 0 {
			return
		}
		reachable = append(reachable, w.targets...)
	}
	p.Targets = slices.DeleteFunc(slices.Clone(p.Targets), func(t string) bool { return !slices.Contains(reachable, t) })
}

func (p *Param) addWalk(w walk) {
	if strings.Contains(indexable[p.Type], " "+w.typ+" ") {
		p.walks = append(p.walks, w)
	}
}

// single reports whether the parameter has at most one value.
func (p *Param) single() bool {
	if len(p.walks) != 1 {
		return false
	}
	return !p.walks[0].repeats()
}

func (w walk) repeats() bool {
	return slices.ContainsFunc(w.steps, func(s walkStep) bool { return s.many })
}

// sameElement reports whether p and q are single values of the same element, be it under different conditions.
func (p *Param) sameElement(q *Param) bool {
	return p.single() && q.single() && p.walks[0].keys() == q.walks[0].keys()
}

func (w *walk) keys() string {
	var b strings.Builder
	for _, s := range w.steps {
		if s.pass == nil {
			b.WriteString("." + s.key)
		}
	}
	return b.String()
}

// bare reports whether the values are plain codes, without a system of their own.
func (p *Param) bare() bool {
	for i := range p.walks {
		switch p.walks[i].typ {
		case "Coding", "CodeableConcept", "Identifier":
			return false
		}
	}
	return true
}

// impliedSystem is the code system of all values where the bindings fix it, else empty.
func (p *Param) impliedSystem() string {
	system := p.walks[0].system
	for i := range p.walks {
		if p.walks[i].system != system {
			return ""
		}
	}
	return system
}
