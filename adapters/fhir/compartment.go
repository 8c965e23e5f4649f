package fhir

import (
	"context"
	"slices"

	"concord/hub"
	"concord/internal/fhir"
)

// searchCompartment answers GET Patient/1/Observation?… and Patient/1/*?…, and the same of the other compartments (R4
// compartmentdefinition.html): what meets the search and is in the compartment.
func (s *Server) searchCompartment(ctx context.Context, q *question) (*answer, error) {
	members := fhir.CompartmentTypes(q.typ)
	if len(members) == 0 {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "R4 has no compartment of a " + q.typ}
	}
	types := []string{q.sub}
	switch {
	case q.sub == "*":
		var err error
		if types, err = s.typesAsked(ctx, q, members); err != nil {
			return nil, err
		}
	case !fhir.IsResourceType(q.sub):
		return nil, unknownType(q.sub)
	case !slices.Contains(members, q.sub):
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "no " + q.sub + " is in the compartment of a " + q.typ}
	}
	return s.find(ctx, q, types, q.within)
}

// within is what holds of the things of a type that are in the compartment asked for.
func (q *question) within(typ string) (hub.Clause, error) {
	clause, ok := fhir.CompartmentClause(q.typ, q.id, typ)
	if !ok {
		return clause, &hub.Error{Kind: hub.NotFound, Msg: "no " + typ + " is in the compartment of a " + q.typ}
	}
	return clause, nil
}
