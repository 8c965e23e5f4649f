package fhir

import (
	"errors"
	"slices"
	"strings"

	"concord/hub"
)

// innerCondition compiles what must hold at the end of a reference, in the scope of the type found there.
type innerCondition func(inner scope) ([]hub.Clause, error)

// chain compiles code[:typ].rest (R4 search.html#chaining): a reference to something that meets the condition. Without a
// type it is one to anything the parameter may refer to that has the parameters asked for. Canonical URLs are followed, too, and
// references to contained resources.
func (s scope) chain(code, typ string, condition innerCondition) ([]hub.Clause, error) {
	p, err := s.referenceParam(code)
	if err != nil {
		return nil, err
	}
	targets := p.targets()
	if typ != "" {
		if !slices.Contains(targets, typ) {
			return nil, notKnown(code+":"+typ, "the parameter does not refer to that type", didYouMean(typ, targets))
		}
		targets = []string{typ}
	}
	var either [][]hub.Clause
	var skipped *hub.Error
	for _, target := range targets {
		q, err := s.inner(target, condition)
		var unknown unknownName
		switch {
		case errors.As(err, &unknown):
			if e := unknown.fault; skipped == nil || skipped.Hint == "" && e.Hint != "" {
				skipped = e
			}
		case err != nil:
			return nil, err
		default:
			either = append(either, []hub.Clause{{Param: p.Code, Refers: q, Routed: p.routed && target == "Patient"}})
			if within, ok := inside(p, target, q.All); ok {
				either = append(either, within)
			}
		}
	}
	switch {
	case len(either) > 0:
		return anyOf(either), nil
	case len(targets) == 1 && skipped != nil:
		return nil, unknownName{skipped}
	case skipped != nil:
		return nil, notKnown(code+"."+skipped.Path, "nothing that the parameter refers to has it", skipped.Hint)
	}
	return nil, unsupported(code, "the parameter refers to nothing that the hub keeps")
}

// hasPath compiles _has:Type:param:rest (R4 search.html#has).
func (s scope) hasPath(path, value string) ([]hub.Clause, error) {
	typ, code, rest, err := cutHas(path)
	if err != nil {
		return nil, err
	}
	return s.has(typ, code, func(inner scope) ([]hub.Clause, error) { return inner.condition(rest, value) })
}

func cutHas(path string) (typ, code, rest string, err error) {
	parts := strings.SplitN(path, ":", 3)
	if len(parts) < 3 || parts[2] == "" {
		return "", "", "", invalid("_has", "_has:Type:reference:parameter is due")
	}
	return parts[0], parts[1], parts[2], nil
}

// has compiles a reverse chain: things of type typ that refer here by code and meet the condition.
func (s scope) has(typ, code string, condition innerCondition) ([]hub.Clause, error) {
	r := definitions().resources[typ]
	if r == nil {
		return nil, notKnown("_has:"+typ, "R4 has no such resource type", NearestType(typ))
	}
	p, err := scope{s.searchCompiler, r, s.depth}.referenceParam(code)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.targets(), s.resource.name) {
		return nil, invalid("_has:"+typ+":"+code, "the parameter does not refer to "+s.resource.name)
	}
	q, err := s.inner(typ, condition)
	if err != nil {
		return nil, err
	}
	return []hub.Clause{{Param: p.Code, Referred: q, Routed: s.resource.route == nil, Beside: p.routed && s.resource.name == "Patient"}}, nil
}

// inner compiles the search at the end of a reference.
func (s scope) inner(typ string, condition innerCondition) (*hub.Query, error) {
	in := scope{s.searchCompiler, definitions().resources[typ], s.depth + 1}
	if in.depth > s.options.MaxChain {
		return nil, tooLarge(definitions().resources[typ].name, "a chain follows more references than", s.options.MaxChain, "search for what stands at its end first, then with its _id")
	}
	all, err := condition(in)
	if err != nil {
		return nil, err
	}
	return &hub.Query{Type: typ, All: all, Routes: routesOf(all)}, nil
}

// referenceParam finds a parameter whose terms name other things.
func (s scope) referenceParam(code string) (*Param, error) {
	p := s.resource.byCode[code]
	switch {
	case p == nil:
		return nil, notKnown(code, s.resource.name+" has no search parameter "+code, didYouMean(code, s.resource.references()))
	case p.Type != ReferenceParam || !p.Served():
		return nil, notKnown(code, "only references can be followed, the parameter is of type "+string(p.Type), "")
	case !p.followable():
		return nil, notKnown(code, "the parameter stands for a resource inside of "+s.resource.name+", which is not followed", "")
	}
	return p, nil
}

// followable reports whether values may be references to things the hub keeps, be it by canonical URL.
func (p *Param) followable() bool {
	return p.Type == ReferenceParam && p.Served() && slices.ContainsFunc(p.walks, func(w walk) bool { return w.typ != "Resource" })
}

// targets lists what the parameter may refer to.
func (p *Param) targets() []string {
	if len(p.Targets) == 0 {
		return definitions().names
	}
	return p.Targets
}

// references lists the parameters of a type that can be followed.
func (r *resourceType) references() []string {
	var codes []string
	for _, p := range r.params {
		if p.followable() {
			codes = append(codes, p.Code)
		}
	}
	return codes
}
