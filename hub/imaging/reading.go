package imaging

import (
	"context"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
)

// Reading makes resources of instances whose content this room does not understand, such as waveforms.
type Reading interface {
	// Classes are the SOP Classes that it reads.
	Classes() []string
	// Read makes the resources of an instance, the same whenever it is asked. What is wrong with the content is for the
	// resources to say; an error means that it should be asked again.
	Read(ctx context.Context, in Content) ([]Made, error)
	// Names are all that an instance may have been made into and that goes with it.
	Names(study, instance string) []hub.Name
}

// Content is an instance that a Reading is to read.
type Content struct {
	Record *hub.Record
	Study  string
	// Subject is the study's patient: with a reference where the hub has one for the member.
	Subject models.Reference
	BasedOn []models.Reference
}

// Made is a resource that a Reading made. With an owner it is made for that member and only where it is not there yet, such
// as a patient, whom others tell more of; else it is the hub's own and follows the instance.
type Made struct {
	Name  hub.Name
	Body  []byte
	Owner string
}

// readingOf are the resources that the Reading makes of an instance.
func (d *Deriver) readingOf(ctx context.Context, rec *hub.Record, study string, l links) ([]resource, error) {
	made, err := d.Reading.Read(ctx, Content{Record: rec, Study: study, Subject: l.subject, BasedOn: l.basedOn})
	all := make([]resource, len(made))
	for i, m := range made {
		all[i] = resource{m.Name, m.Body, m.Owner}
	}
	return all, err
}
