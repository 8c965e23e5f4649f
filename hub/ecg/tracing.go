package ecg

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/internal/ecg"
)

// Tracing is a recording on its way into FHIR.
type Tracing struct {
	ID     string
	Member string
	Format ecg.Format
	Size   int64
	// Base is the address of the hub's recordings, without a slash at its end: "/ecg".
	Base string
	// Recording is nil where the bytes are not read, and Why then says the reason.
	Recording *ecg.Recording
	Why       string
	// Subject is the patient as far as others say who it is; without a reference, or nil, it is made of what the recording says.
	Subject *models.Reference
	// Order and Study are what it belongs to, where that is known.
	BasedOn []models.Reference
	Study   *models.Reference
	// Identifiers are those of the recording besides what it says itself.
	Identifiers []models.Identifier
	// Own says that the hub keeps its own Provenance for it, since no message does.
	Own bool
	// Received is when the bytes came, for Provenance.
	Received time.Time
}

// Resource is one that a recording is made into. Shared ones (a patient, a device) belong to more than one recording.
type Resource struct {
	Name   hub.Name
	Body   []byte
	Shared bool
}

// sourcePrefix begins meta.source; the member whose data it is follows.
const sourcePrefix = "urn:concord:member:"

// Names are the resources that are a recording's own.
func Names(id string) []hub.Name {
	return []hub.Name{{Type: "DocumentReference", ID: id}, {Type: "Observation", ID: id}, {Type: "DiagnosticReport", ID: id}, {Type: "Provenance", ID: id}}
}

// Resources are what is known of the recording, as FHIR. The same tracing gives the same resources.
func (t *Tracing) Resources() ([]Resource, error) {
	var all []Resource
	add := func(typ, id string, shared bool, body any) error {
		raw, err := json.Marshal(body)
		all = append(all, Resource{hub.Name{Type: typ, ID: id}, raw, shared})
		return err
	}
	if t.Subject == nil {
		t.Subject = t.namedSubject()
	}
	if id := t.patientID(); id != "" && t.Subject.Reference == nil {
		subject := *t.Subject
		subject.Reference = ptr("Patient/" + id)
		t.Subject = &subject
		if err := add("Patient", id, true, t.patient()); err != nil {
			return nil, err
		}
	}
	var device *models.Reference
	if id := t.deviceID(); id != "" {
		device = &models.Reference{Reference: ptr("Device/" + id), Display: textOrNil(t.deviceName())}
		if err := add("Device", id, true, t.device()); err != nil {
			return nil, err
		}
	}
	if err := add("DocumentReference", t.ID, false, t.document(device)); err != nil {
		return nil, err
	}
	if t.Recording != nil {
		if err := add("Observation", t.ID, false, t.observation(device)); err != nil {
			return nil, err
		}
		if err := add("DiagnosticReport", t.ID, false, t.report()); err != nil {
			return nil, err
		}
	}
	if t.Own {
		return all, add("Provenance", t.ID, false, t.provenance(all))
	}
	return all, nil
}

// acquired is when the recording was made. FHIR wants a zone with a time: where the file has none it is the hub's, UTC+8, as
// for DICOM.
func (t *Tracing) acquired() *string {
	if t.Recording == nil {
		return nil
	}
	return instant(t.Recording.Acquired)
}

func instant(at ecg.Time) *string {
	switch {
	case at.IsZero() || at.Time.Year() < 1 || at.Time.Year() > 9999:
		return nil
	case at.Day:
		return ptr(at.Time.Format("2006-01-02"))
	case at.Zoned:
		return ptr(at.Time.Format("2006-01-02T15:04:05.999Z07:00"))
	}
	return ptr(at.Time.Format("2006-01-02T15:04:05.999") + "+08:00")
}

func (t *Tracing) meta() *models.Meta { return &models.Meta{Source: ptr(sourcePrefix + t.Member)} }

// address is where something of the recording is served.
func (t *Tracing) address(below string) *string { return ptr(t.Base + "/" + t.ID + below) }

// identify makes an id of parts: 32 lower-case letters and digits, that tell nothing of what they were made of.
func identify(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:20]))
}

// InstanceID is the id of the recording that a DICOM instance is.
func InstanceID(study, sop string) string { return identify("ecg", study, sop) }

func ptr[T any](v T) *T { return &v }

// longestText bounds what a file's words may take in a resource.
const longestText = 64 << 10

// clean is text as FHIR takes it: no control characters, no space around it.
func clean(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\r' && r != '\n' || r >= 0x7F && r < 0xA0 || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
	if len(s) > longestText {
		s = s[:longestText]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
		s += "…"
	}
	return s
}

func textOrNil(s string) *string {
	if s = clean(s); s == "" {
		return nil
	}
	return &s
}

func coded(system, code, display string) models.CodeableConcept {
	return models.CodeableConcept{Coding: []models.Coding{{System: &system, Code: &code, Display: textOrNil(display)}}}
}
