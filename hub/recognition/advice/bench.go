package advice

import (
	"concord/hub"
	"concord/hub/recognition"
	"concord/internal/fhir"
)

// Candidates reads the ImagingStudies and Observations among records as Advise does, for a bench that has no hub: all are taken
// to be of one person who is certain, and to be there. What only the consortium knows (tiers, qualifications) is left open.
// Records of other types are passed over. The error names the record that cannot be read.
func (a *Adviser) Candidates(records []hub.Record) ([]recognition.Candidate, error) {
	g := &gathering{Adviser: a}
	for i := range records {
		doc, err := fhir.Parse(records[i].Body, fhir.Limits{})
		if err != nil {
			return nil, &hub.Error{Kind: hub.Invalid, Path: records[i].Name.String(), Msg: "read the result", Err: err}
		}
		switch records[i].Name.Type {
		case "ImagingStudy":
			g.study(&records[i], doc.Root())
		case "Observation":
			g.observation(&records[i], doc.Root())
		}
	}
	for i := range g.candidates {
		g.candidates[i].Identity = recognition.Yes
	}
	return g.candidates, nil
}
