package ecg

import (
	"context"
	"errors"
	"fmt"
	"io"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/ecg"
)

// Instances reads electrocardiograms among DICOM instances (PS3.3 A.34): what imaging.Deriver makes of them is what Mapper
// makes of files, with ids made of the UIDs.
type Instances struct {
	Base    string
	Objects hub.Objects
	// Largest is how many bytes of an instance are read; of a larger one no more is said than where it is.
	Largest int64
	Limits  ecg.Limits
	Room    Room
}

// Classes implements imaging.Reading.
func (*Instances) Classes() []string { return Waveforms() }

// Names implements imaging.Reading.
func (*Instances) Names(study, instance string) []hub.Name {
	return Names(InstanceID(study, instance))
}

// Read implements imaging.Reading.
func (in *Instances) Read(ctx context.Context, c imaging.Content) ([]imaging.Made, error) {
	study, sop, err := uids(c.Record)
	if err != nil {
		return nil, err
	}
	t := Tracing{
		ID: InstanceID(study, sop), Member: c.Record.Member, Format: ecg.DICOM, Base: in.Base, BasedOn: c.BasedOn, Subject: &c.Subject, Own: true, Received: c.Record.Time,
		Study:       &models.Reference{Reference: ptr("ImagingStudy/" + study)},
		Identifiers: []models.Identifier{{System: ptr(systemUID), Value: ptr("urn:oid:" + sop)}},
	}
	if c.Record.Blob != nil {
		t.Size = c.Record.Blob.Size
	}
	var wrong *hub.Error
	switch t.Recording, err = in.open(ctx, c.Record); {
	case errors.As(err, &wrong) && (wrong.Kind == hub.Invalid || wrong.Kind == hub.Unsupported || wrong.Kind == hub.TooLarge):
		t.Recording, t.Why = nil, wrong.Error()
	case err != nil:
		return nil, err
	}
	all, err := t.Resources()
	made := make([]imaging.Made, len(all))
	for i, r := range all {
		made[i] = imaging.Made{Name: r.Name, Body: r.Body}
		if r.Shared {
			made[i].Owner = t.Member
		}
	}
	return made, err
}

func (in *Instances) open(ctx context.Context, rec *hub.Record) (*ecg.Recording, error) {
	if rec.Blob == nil {
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "the instance has no bytes"}
	}
	if rec.Blob.Size > in.Largest {
		return nil, tooLong(rec.Blob.Size, in.Largest)
	}
	if err := in.Room.Enter(ctx); err != nil {
		return nil, err
	}
	defer in.Room.Leave()
	body, err := rec.Blob.Open(ctx, in.Objects, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("read the waveform of an instance: %w", err)
	}
	defer body.Close()
	r, err := ecg.Read(io.LimitReader(body, rec.Blob.Size), in.Limits)
	if err != nil {
		return nil, fmt.Errorf("read the waveform of an instance: %w", err)
	}
	return r, nil
}

func tooLong(size, most int64) *hub.Error {
	return &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the recording has %d bytes; up to %d are read", size, most), Hint: "fetch the original"}
}
