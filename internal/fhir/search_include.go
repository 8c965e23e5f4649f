package fhir

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"concord/hub"
)

// include compiles _include and _revinclude (R4 search.html#include): Type:param, Type:param:Target, Type:* or *, with
// the modifier iterate or, as before R4, recurse. Other types than the search's own may be named: they apply to what
// iteration or a search of several types brings.
func (s scope) include(reverse bool, modifier string, pair Pair) ([]hub.Include, error) {
	if err := s.checkModifier(pair.Name, modifier, []string{"iterate", "recurse"}); err != nil {
		return nil, err
	}
	template := hub.Include{Reverse: reverse, Iterate: modifier != ""}
	if pair.Value == "*" {
		var all []hub.Include
		switch {
		case template.Iterate:
		case reverse:
			for _, ref := range referrers()[s.resource.name] {
				all = s.applicable(all, template, ref.from, ref.by)
			}
			return all, nil
		default:
			return s.expand(template, s.resource), nil
		}
		for _, name := range definitions().names {
			all = append(all, s.expand(template, definitions().resources[name])...)
		}
		return all, nil
	}
	parts := strings.Split(pair.Value, ":")
	r := definitions().resources[parts[0]]
	switch {
	case r == nil:
		return nil, notKnown(pair.Name, "R4 has no resource type "+strconv.Quote(parts[0]), NearestType(parts[0]))
	case len(parts) < 2 || len(parts) > 3:
		return nil, invalid(pair.Name, "Type:parameter, Type:parameter:Target, Type:* or * is due")
	}
	if len(parts) == 3 && parts[2] != "" {
		template.Target = parts[2]
		if !IsResourceType(template.Target) {
			return nil, notKnown(pair.Name, "R4 has no resource type "+strconv.Quote(template.Target), NearestType(template.Target))
		}
	}
	if parts[1] == "*" {
		return s.expand(template, r), nil
	}
	p, err := scope{s.searchCompiler, r, 0}.referenceParam(parts[1])
	if err != nil {
		return nil, err
	}
	if template.Target != "" && !slices.Contains(p.targets(), template.Target) {
		return nil, notKnown(pair.Name, parts[0]+":"+p.Code+" does not refer to "+template.Target, didYouMean(template.Target, p.targets()))
	}
	return s.applicable(nil, template, r, p), nil
}

// expand writes out * for the references of one type.
func (s scope) expand(template hub.Include, r *resourceType) []hub.Include {
	var all []hub.Include
	for _, p := range r.params {
		if p.followable() && (template.Target == "" || slices.Contains(p.targets(), template.Target)) {
			all = s.applicable(all, template, r, p)
		}
	}
	return all
}

// applicable adds the include of one parameter, unless it can bring nothing.
func (s scope) applicable(all []hub.Include, i hub.Include, r *resourceType, p *Param) []hub.Include {
	if i.Reverse && !i.Iterate && !slices.Contains(p.targets(), s.resource.name) {
		return all
	}
	if !i.Reverse && !i.Iterate && r != s.resource {
		return all
	}
	i.Type, i.Param = r.name, p.Code
	toPatients := len(p.Targets) == 1 || i.Target == "Patient" || !i.Iterate && s.resource.name == "Patient"
	i.Routed = i.Reverse && p.routed && toPatients
	return append(all, i)
}

// Includes lists what _include can ask of a type: Type:param, sorted.
func Includes(typ string) []string {
	r := definitions().resources[typ]
	if r == nil {
		return nil
	}
	var all []string
	for _, code := range r.references() {
		all = append(all, typ+":"+code)
	}
	return all
}

// RevIncludes lists what _revinclude can ask for about things of a type: Type:param, sorted.
func RevIncludes(typ string) []string {
	var all []string
	for _, ref := range referrers()[typ] {
		all = append(all, ref.from.name+":"+ref.by.Code)
	}
	return all
}

// referrer is a parameter of a type.
type referrer struct {
	from *resourceType
	by   *Param
}

// referrers says for each type by which parameters it may be referred to, sorted by type and code.
var referrers = sync.OnceValue(func() map[string][]referrer {
	all := map[string][]referrer{}
	for _, name := range definitions().names {
		r := definitions().resources[name]
		for _, p := range r.params {
			if p.followable() {
				for _, target := range p.targets() {
					all[target] = append(all[target], referrer{r, p})
				}
			}
		}
	}
	return all
})
