package main

import (
	"time"

	"concord/hub/ecg"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/hub/settings"
	"concord/mappings"
)

// openAdvice makes the adviser that tells at ordering which results may be recognised.
func (r *rooms) openAdvice(catalogue func() *recognition.Catalogue) {
	r.adviser = &advice.Adviser{
		Reader: r.reader, Records: settings.Records, Catalogue: catalogue, Members: r.registry,
		Retrievable: r.archive.Retrievable, BodyTerm: mappings.BodyTerm,
		Score: recognition.Coding{System: ecg.System, Code: ecg.QualityScore}, Now: time.Now,
	}
}
