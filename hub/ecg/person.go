package ecg

import (
	"strings"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/internal/ecg"
)

// patientID is the id of the Patient that the recording names: one for a member, an identifier and who gave it. Empty where
// it names none.
func (t *Tracing) patientID() string {
	if t.Recording == nil || clean(t.Recording.Patient.ID) == "" {
		return ""
	}
	p := &t.Recording.Patient
	return identify("Patient", t.Member, clean(p.Authority), clean(p.ID))
}

// namedSubject is a patient of whom no more than a name is known; nil where not even that is.
func (t *Tracing) namedSubject() *models.Reference {
	if t.Recording == nil {
		return nil
	}
	p := &t.Recording.Patient
	if clean(p.Name) == "" && clean(p.ID) == "" {
		return nil
	}
	return &models.Reference{Type: ptr("Patient"), Display: textOrNil(p.Name)}
}

func (t *Tracing) patient() models.Patient {
	p := &t.Recording.Patient
	r := models.Patient{Meta: t.meta(), Identifier: []models.Identifier{identifier(p.ID, p.Authority)}, BirthDate: birthDate(p.BirthDate)}
	for _, other := range p.Others {
		if clean(other) != "" {
			r.Identifier = append(r.Identifier, identifier(other, ""))
		}
	}
	if name := (models.HumanName{Text: textOrNil(p.Name), Family: textOrNil(p.Family)}); name.Text != nil || name.Family != nil {
		if given := textOrNil(p.Given); given != nil {
			name.Given = []string{*given}
		}
		r.Name = []models.HumanName{name}
	}
	switch p.Sex {
	case ecg.Male:
		r.Gender = ptr(models.AdministrativeGenderMale)
	case ecg.Female:
		r.Gender = ptr(models.AdministrativeGenderFemale)
	case ecg.OtherSex:
		r.Gender = ptr(models.AdministrativeGenderOther)
	}
	return r
}

// identifier is a value with who gave it: an OID is a system, other text a name.
func identifier(value, authority string) models.Identifier {
	id := models.Identifier{Value: textOrNil(value)}
	switch authority = clean(authority); {
	case authority == "":
	case strings.Trim(authority, "0123456789.") == "" && strings.Contains(authority, "."):
		id.System = ptr("urn:oid:" + authority)
	default:
		id.Assigner = &models.Reference{Display: &authority}
	}
	return id
}

// birthDate leaves out what is no date, such as the 31st of February.
func birthDate(s string) *string {
	for _, layout := range []string{"2006-01-02", "2006-01", "2006"} {
		if at, err := time.Parse(layout, s); err == nil && at.Year() > 0 {
			return &s
		}
	}
	return nil
}

// deviceID is one for a member and what tells a device from others; empty where the recording says nothing of it.
func (t *Tracing) deviceID() string {
	if t.Recording == nil || clean(t.deviceName()) == "" && clean(t.Recording.Device.Serial) == "" && clean(t.Recording.Device.ID) == "" {
		return ""
	}
	d := &t.Recording.Device
	return identify("Device", t.Member, clean(d.Manufacturer), clean(d.Model), clean(d.Serial), clean(d.ID))
}

func (t *Tracing) deviceName() string {
	d := &t.Recording.Device
	return strings.TrimSpace(d.Manufacturer + " " + d.Model)
}

func (t *Tracing) device() models.Device {
	d := &t.Recording.Device
	r := models.Device{
		Meta: t.meta(), Manufacturer: textOrNil(d.Manufacturer), ModelNumber: textOrNil(d.Model), SerialNumber: textOrNil(d.Serial),
		Type: &models.CodeableConcept{Text: ptr("electrocardiograph")},
	}
	if id := clean(d.ID); id != "" {
		r.Identifier = []models.Identifier{{Value: &id}}
	}
	if name := textOrNil(t.deviceName()); name != nil {
		r.DeviceName = []models.DeviceDeviceName{{Name: *name, Type: models.DeviceNameTypeModelName}}
	}
	for _, v := range []string{d.Software, d.Analysis} {
		if v = clean(v); v != "" && (len(r.Version) == 0 || r.Version[0].Value != v) {
			r.Version = append(r.Version, models.DeviceVersion{Value: v})
		}
	}
	return r
}
