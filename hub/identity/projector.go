package identity

import (
	"concord/hub"
	"concord/internal/fhir"
)

// KeyParam is the parameter of the Exact terms that hold a Patient's keys.
const KeyParam = "_block"

// Terms are the keys of a resource, where it is a Patient: what fhir.Projection.With takes, so that those who write have
// the same entry as those who rebuild.
func (m *Model) Terms(typ string, root fhir.Value) []hub.Term {
	if typ != "Patient" {
		return nil
	}
	traits := m.Traits(root)
	keys := m.Keys(&traits)
	terms := make([]hub.Term, len(keys))
	for i, key := range keys {
		terms[i] = hub.Term{Param: KeyParam, Kind: hub.Exact, Text: key}
	}
	return terms
}
