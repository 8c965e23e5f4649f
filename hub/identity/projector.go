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
	traits := p.model.Traits(doc.Root())
	for _, key := range p.model.Keys(&traits) {
		e.Terms = append(e.Terms, hub.Term{Param: KeyParam, Kind: hub.Exact, Text: key})
	}
	return e, nil
}
