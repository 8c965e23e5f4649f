package identity

import (
	"concord/hub"
	"concord/internal/fhir"
)

// KeyParam is the parameter of the Exact terms that hold a Patient's keys.
const KeyParam = "_block"

// Projector adds the keys of Patients to what next makes of them. A Patient that cannot be read has none.
func Projector(next hub.Projector, m *Model) hub.Projector { return projector{next, m} }

type projector struct {
	next  hub.Projector
	model *Model
}

// Project implements hub.Projector.
func (p projector) Project(rec *hub.Record) (hub.Entry, error) {
	e, err := p.next.Project(rec)
	if err != nil || rec.Name.Type != "Patient" || rec.Deleted {
		return e, err
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return e, nil
	}
	e.Terms = append(e.Terms, p.model.Terms(rec.Name.Type, doc.Root())...)
	return e, nil
}

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
