package fhir

import (
	"slices"

	"concord/hub"
)

// CompartmentTypes lists the resource types that may be in a compartment (of a Patient, Encounter, RelatedPerson,
// Practitioner or Device), sorted; none for another type (R4 compartmentdefinition.html).
func CompartmentTypes(compartment string) []string {
	var all []string
	for _, name := range definitions().names {
		if definitions().resources[name].mayJoin(compartment) {
			all = append(all, name)
		}
	}
	return all
}

// mayJoin reports whether things of the type may be in the compartment.
func (r *resourceType) mayJoin(compartment string) bool {
	return len(r.compartments[compartment]) > 0
}

// Owns tells whether things of a type belong to a Patient by a parameter (R4 compartmentdefinition-patient.html). Persons and
// Patients belong to none: what they say of Patients is about themselves.
func Owns(typ, param string) bool {
	r := definitions().resources[typ]
	if r == nil || typ == "Patient" || typ == "Person" {
		return false
	}
	return param == "patient" || param == "subject" || slices.Contains(r.compartments["Patient"], param)
}

// CompartmentClause is the condition that a thing of type typ is in the compartment of the thing compartment/id: that it
// refers to it in one of the ways the compartment's definition names, or is it. It is false where no thing of that type
// can be in such a compartment.
func CompartmentClause(compartment, id, typ string) (hub.Clause, bool) {
	r := definitions().resources[typ]
	if r == nil || !r.mayJoin(compartment) {
		return hub.Clause{}, false
	}
	var either [][]hub.Clause
	add := func(p *Param, text string) {
		clause := hub.Clause{Param: p.Code, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: text}}}
		if r.routes(p) {
			r.setRoutes(p, &clause)
		}
		either = append(either, []hub.Clause{clause})
	}
	if typ == compartment {
		add(r.byCode["_id"], id)
	}
	for _, code := range r.compartments[compartment] {
		if p := r.byCode[code]; p != nil && p.Served() { // {def}, the thing itself, is no parameter
			add(p, compartment+"/"+id)
		}
	}
	return anyOf(either)[0], true
}
