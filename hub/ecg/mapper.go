package ecg

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/hub/messages"
	"concord/internal/ecg"
)

// Mapper makes FHIR of the files that were sent as messages.
type Mapper struct {
	Base   string
	Limits ecg.Limits
	// Known finds the one Patient of a member that carries an identifier: "Patient/abc", or nothing. It may be nil.
	Known func(ctx context.Context, member, id, authority string) (string, error)
}

// File is one on its way in; it is what a message of it has as Parsed.
type File struct {
	Format    ecg.Format
	Recording *ecg.Recording
	Why       string // it is not read
}

// Open reads a file. One of a known but unreadable format is no error, but kept opaque: Why says so. An error says what is
// wrong with a file whose format the hub reads.
func Open(data []byte, limits ecg.Limits) (*File, error) {
	f := &File{Format: ecg.Detect(data[:min(len(data), ecg.Head)])}
	rec, err := ecg.Read(bytes.NewReader(data), limits)
	switch {
	case err == nil:
		f.Recording = rec
	case !f.Format.Readable():
		f.Why = "its format, " + string(f.Format) + ", is not read by the hub"
		if f.Format == ecg.Opaque {
			f.Why = "its format is not known to the hub"
		}
	case hub.Is(err, hub.Unsupported):
		f.Why = err.Error()
	default:
		return f, err
	}
	return f, nil
}

// Incoming is the message that a file is kept as. The same bytes of a member are one message, and so one recording.
func Incoming(data []byte, f *File, refused error) messages.Incoming {
	sum := sha256.Sum256(data)
	return messages.Incoming{Format: MessageFormat(f.Format), Type: "ECG", Control: hex.EncodeToString(sum[:]), Media: MediaType(f.Format),
		Raw: data, Parsed: f, Refused: refused}
}

// Map implements messages.Mapper.
func (m *Mapper) Map(ctx context.Context, member string, in *messages.Incoming) (*messages.Mapping, error) {
	f, ok := in.Parsed.(*File)
	if !ok {
		var err error
		if f, err = Open(in.Raw, m.Limits); err != nil {
			return nil, err
		}
	}
	t := Tracing{ID: messages.ID(member, in.Format, in.Sender, in.Control), Member: member, Format: f.Format, Size: int64(len(in.Raw)), Base: m.Base,
		Recording: f.Recording, Why: f.Why}
	known, err := m.known(ctx, &t)
	if err != nil {
		return nil, err
	}
	made := &messages.Mapping{Rules: Rules}
	if known != "" { // the message is about this patient; what was typed in at a cart does not change who that is
		t.Subject = &models.Reference{Reference: ptr("Patient/" + known), Display: textOrNil(t.Recording.Patient.Name)}
		made.Resources = append(made.Resources, messages.Resource{Name: hub.Name{Type: "Patient", ID: known}, Body: []byte(`{"resourceType":"Patient"}`)})
	}
	all, err := t.Resources()
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		one := messages.Resource{Name: r.Name, Body: r.Body}
		switch {
		case !r.Shared: // its own: no other message speaks of it
			one.Part = "ecg/" + t.ID
		case !f.Recording.Acquired.IsZero():
			one.At = f.Recording.Acquired.Time
		}
		made.Resources = append(made.Resources, one)
	}
	if f.Recording == nil {
		made.Faults = append(made.Faults, messages.Fault{Kind: hub.Unsupported.String(), Msg: f.Why})
	} else {
		for _, remark := range f.Recording.Remarks {
			made.Faults = append(made.Faults, messages.Fault{Kind: hub.Invalid.String(), Msg: clean(remark)})
		}
	}
	return made, nil
}

// known is the id of the Patient where the hub has one already: so an ECG belongs to the person that the hospital's other
// systems told of.
func (m *Mapper) known(ctx context.Context, t *Tracing) (string, error) {
	if m.Known == nil || t.Recording == nil || clean(t.Recording.Patient.ID) == "" {
		return "", nil
	}
	p := &t.Recording.Patient
	ref, err := m.Known(ctx, t.Member, clean(p.ID), clean(p.Authority))
	return strings.TrimPrefix(ref, "Patient/"), err
}
