package fhir

import (
	"slices"
	"strings"

	"concord/hub"
)

// setUnion finds out whether p has just the values of other parameters together, as combo-code of an Observation has those
// of code and of component-code. Then it needs no terms: a search by it is one by the others.
//
// References are left as they are, since chains and includes follow the terms of their own parameter, and so is what canonical
// references lead to.
func (r *resourceType) setUnion(p *Param) {
	if !p.served || p.Type == ReferenceParam || p.Type == CompositeParam || p.followed() || len(p.walks) == 0 {
		return
	}
	var parts []*Param
	covered := make([]bool, len(p.walks))
	for _, q := range r.params {
		if q == p || !q.served || q.Type != p.Type || len(q.union) > 0 || len(q.walks) > len(p.walks) {
			continue
		}
		if len(q.walks) == len(p.walks) && q.Code > p.Code && !q.followed() {
			continue // of two with the same values the followed one has the terms, or the first by code
		}
		at, news := q.within(p)
		if !at {
			continue
		}
		adds := false
		for _, i := range news {
			adds = adds || !covered[i]
			covered[i] = true
		}
		if adds {
			parts = append(parts, q)
		}
	}
	if !slices.Contains(covered, false) {
		p.union = parts
	}
}

// followed reports whether canonical references are resolved by the terms of p.
func (p *Param) followed() bool { return p.Code == "url" || p.Code == "version" }

// setRest finds out which members of a name or address have parameters of their own, as family and given of a Patient's
// name: p needs terms of the others alone.
func (r *resourceType) setRest(p *Param) {
	if !p.served || p.Type != StringParam || len(p.union) > 0 || len(p.walks) != 1 || !p.walks[0].whole() || len(p.walks[0].steps) == 0 {
		return
	}
	w := &p.walks[0]
	if w.typ != "HumanName" && w.typ != "Address" {
		return
	}
	for _, q := range r.params {
		if q == p || !q.served || q.Type != StringParam || len(q.union) > 0 || len(q.walks) != 1 || !q.walks[0].whole() {
			continue
		}
		member, ok := strings.CutPrefix(q.walks[0].keys(), w.keys()+".")
		if ok && q.walks[0].typ == "string" {
			p.union, p.elsewhere, p.rest = append(p.union, q), append(p.elsewhere, member), true
		}
	}
}

// stored reports whether p has terms of its own.
func (p *Param) stored() bool { return len(p.union) == 0 || p.rest }

// within reports whether all walks of p are walks of q, and which.
func (p *Param) within(q *Param) (bool, []int) {
	var which []int
	for i := range p.walks {
		w := &p.walks[i]
		j := slices.IndexFunc(q.walks, func(other walk) bool {
			return w.whole() && other.whole() && w.typ == other.typ && w.keys() == other.keys()
		})
		if j < 0 {
			return false, nil
		}
		which = append(which, j)
	}
	return true, which
}

// alone is p as if it had terms of its own: what a Param's terms method gives.
func (p *Param) alone() *Param {
	q := *p
	q.union, q.rest, q.elsewhere = nil, false, nil
	return &q
}

// each visits the parameters that have p's terms, each as if it were alone.
func (p *Param) each(visit func(*Param)) {
	if p.stored() {
		visit(p.alone())
	}
	for _, q := range p.union {
		q.each(visit)
	}
}

// over is the condition that p has a term that fits one of the matches, wherever its terms are.
func (p *Param) over(any ...hub.Match) []hub.Clause {
	var lists [][]hub.Clause
	p.each(func(q *Param) { lists = append(lists, []hub.Clause{q.having(any...)}) })
	return []hub.Clause{oneOf(lists)}
}
