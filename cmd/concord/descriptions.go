package main

import (
	"strings"

	"concord/hub"
	"concord/hub/imaging"
	"concord/hub/laboratory"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/hub/settings"
	"concord/internal/fhir"
	"concord/mappings"
)

// openDescriptions has descriptions of images that nobody can read wait in the queue of unknown codes.
func (r *rooms) openDescriptions(catalogue func() *recognition.Catalogue) {
	reader := &advice.Adviser{BodyTerm: mappings.BodyTerm}
	d := &laboratory.Descriptions{Writer: r.writers[settings.Records], Unread: func(study *hub.Record) (string, []string, error) {
		doc, err := fhir.Parse(study.Body, fhir.Limits{})
		if err != nil {
			return "", nil, err
		}
		member, _ := strings.CutPrefix(doc.Root().Get("meta").Get("source").Text(), imaging.SourcePrefix)
		candidates, err := reader.Candidates([]hub.Record{*study})
		if err != nil || study.Member != imaging.Origin || len(candidates) == 0 {
			return "", nil, err
		}
		return member, catalogue().Unmapped(candidates[0].Exam), nil
	}}
	r.laboratory.watches = append(r.laboratory.watches, &laboratory.Watch{Name: "descriptions", Type: "ImagingStudy",
		Follower: r.followers[settings.Records], Writer: r.writers[settings.Records], Derive: d.Derive})
	r.laboratory.read = func(description string) bool {
		return catalogue().ItemShown(recognition.Exam{Text: []string{description}}) != nil
	}
}
