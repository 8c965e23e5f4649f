package ecg

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/internal/ecg"
	"concord/internal/ecg/quality"
)

// What of a recording goes into its resources, at most.
const (
	mostStatements = 200
	mostRemarks    = 50
	mostFindings   = 50
)

// document is where the original and all that can be made of it are found.
func (t *Tracing) document(device *models.Reference) models.DocumentReference {
	name := string(t.Format)
	if name == "" {
		name = "unknown format"
	}
	original := models.Attachment{ContentType: ptr(MediaType(t.Format)), Url: t.address("/original"), Title: ptr("original (" + name + ")")}
	if t.Size <= math.MaxInt32 {
		original.Size = ptr(int(t.Size))
	}
	r := models.DocumentReference{
		Meta: t.meta(), Status: models.DocumentReferenceStatusCurrent, Subject: t.Subject, Identifier: t.identifiers(),
		Type: ptr(coded(systemLOINC, studyCode, studyName)), Category: []models.CodeableConcept{coded(System, Category, "electrocardiogram")},
		Content: []models.DocumentReferenceContent{{Attachment: original, Format: &models.Coding{System: ptr(System), Code: ptr(formatCode(t.Format)), Display: &name}}},
	}
	if t.Study != nil {
		r.Context = &models.DocumentReferenceContext{Related: []models.Reference{*t.Study}}
	}
	if t.Recording == nil {
		r.Description = textOrNil("electrocardiogram, kept as sent: " + t.Why)
		return r
	}
	r.Description = textOrNil("electrocardiogram")
	if device != nil {
		r.Author = []models.Reference{*device}
	}
	if at := t.acquired(); at != nil && strings.Contains(*at, "T") {
		r.Date = at
	}
	for _, f := range Offered() {
		r.Content = append(r.Content, models.DocumentReferenceContent{Attachment: models.Attachment{
			ContentType: ptr(f.Media), Url: t.address(f.Path), Title: ptr(f.Title)}})
	}
	return r
}

// formatCode is a format's name as a code.
func formatCode(f ecg.Format) string {
	if f == ecg.Opaque {
		return "unknown"
	}
	return strings.ToLower(strings.ReplaceAll(string(f), " ", "-"))
}

// Form is one in which a recording is served.
type Form struct{ Name, Path, Media, Title string }

// Offered are the forms besides the original, as they stand below a recording's address.
func Offered() []Form {
	return []Form{
		{"svg", "/svg", "image/svg+xml", "picture (SVG)"},
		{"png", "/png", "image/png", "picture (PNG)"},
		{"csv", "/csv", "text/csv", "samples (CSV)"},
		{"aecg", "/aecg", "application/xml", "HL7 aECG"},
		{"dicom", "/dicom", "application/dicom", "DICOM waveform"},
		{"sampled-data", "/sampled-data", "application/fhir+json", "Observation with SampledData"},
	}
}

// identifiers are the recording's own names.
func (t *Tracing) identifiers() []models.Identifier {
	all := t.Identifiers
	if t.Recording == nil {
		return all
	}
	if id := clean(t.Recording.ID); id != "" && len(all) == 0 {
		all = append(all, models.Identifier{Value: &id})
	}
	for _, number := range []string{t.Recording.Accession, t.Recording.Order} {
		if number = clean(number); number != "" {
			kind := coded(systemTypes, "ACSN", "")
			all = append(all, models.Identifier{Type: &kind, Value: &number})
			break
		}
	}
	return all
}

// observation has what was measured, by the device and, for quality, by the hub. The samples are not in it: they are asked for.
func (t *Tracing) observation(device *models.Reference) models.Observation {
	r := models.Observation{
		Meta: t.meta(), Status: models.ObservationStatusFinal, Identifier: t.identifiers(), BasedOn: t.BasedOn,
		Category: []models.CodeableConcept{coded(systemCategory, "procedure", "Procedure")}, Code: coded(systemLOINC, studyCode, studyName),
		Subject: t.Subject, EffectiveDateTime: t.acquired(), Device: device,
		DerivedFrom: []models.Reference{{Reference: ptr("DocumentReference/" + t.ID)}},
	}
	for _, m := range measures() {
		if found, ok := m.of(t.Recording); ok {
			if q := quantity(found); q != nil {
				r.Component = append(r.Component, models.ObservationComponent{Code: coded(systemLOINC, m.loinc, m.name), ValueQuantity: q})
			}
		}
	}
	notes := t.Recording.Remarks
	judged := quality.Check(t.Recording, quality.Thresholds{})
	r.Component = append(r.Component, models.ObservationComponent{Code: coded(System, QualityScore, "Signal quality, 0 to 100"),
		ValueQuantity: quantity(ecg.Quantity{Value: float64(judged.Score), Unit: "1"})})
	for _, f := range judged.Findings[:min(len(judged.Findings), mostFindings)] {
		r.Component = append(r.Component, models.ObservationComponent{Code: coded(System, "quality-finding", "Signal quality finding"),
			ValueCodeableConcept: &models.CodeableConcept{Coding: []models.Coding{{System: ptr(System), Code: ptr(string(f.Code))}}, Text: textOrNil(f.English)}})
	}
	for _, remark := range notes[:min(len(notes), mostRemarks)] {
		if text := clean(remark); text != "" {
			r.Note = append(r.Note, models.Annotation{Text: text})
		}
	}
	return r
}

// quantity is nil for what is no number of JSON.
func quantity(q ecg.Quantity) *models.Quantity {
	if math.IsNaN(q.Value) || math.IsInf(q.Value, 0) || math.Abs(q.Value) > 1e9 {
		return nil
	}
	n := json.Number(strconv.FormatFloat(q.Value, 'f', -1, 64))
	r := &models.Quantity{Value: &n}
	if unit := clean(q.Unit); unit != "" && !strings.ContainsAny(unit, " \t\r\n") {
		r.Unit, r.System, r.Code = &unit, ptr(systemUCUM), &unit
	}
	return r
}

// report has what the device states. It is preliminary whatever the file says of itself: who signed it there is not known here.
func (t *Tracing) report() models.DiagnosticReport {
	r := models.DiagnosticReport{
		Meta: t.meta(), Status: models.DiagnosticReportStatusPreliminary, Identifier: t.identifiers(), BasedOn: t.BasedOn,
		Category: []models.CodeableConcept{coded(systemSections, "EC", "Electrocardiac (e.g., EKG, EEC, Holter)")}, Code: coded(systemLOINC, studyCode, studyName),
		Subject: t.Subject, EffectiveDateTime: t.acquired(), Result: []models.Reference{{Reference: ptr("Observation/" + t.ID)}},
		PresentedForm: []models.Attachment{
			{ContentType: ptr("image/svg+xml"), Url: t.address("/svg"), Title: ptr("picture (SVG)")},
			{ContentType: ptr("image/png"), Url: t.address("/png"), Title: ptr("picture (PNG)")},
		},
	}
	if t.Study != nil && t.Study.Reference != nil && strings.HasPrefix(*t.Study.Reference, "ImagingStudy/") {
		r.ImagingStudy = []models.Reference{*t.Study}
	}
	var lines []string
	for _, s := range t.Recording.Statements[:min(len(t.Recording.Statements), mostStatements)] {
		if line := clean(s.Text); line != "" {
			lines = append(lines, line)
		} else if line := clean(s.Sent.Display); line != "" {
			lines = append(lines, line)
		}
	}
	r.Conclusion = textOrNil(strings.Join(lines, "\n"))
	return r
}

// provenance says what the resources were made of where no message does.
func (t *Tracing) provenance(all []Resource) models.Provenance {
	r := models.Provenance{
		Meta: t.meta(), Recorded: t.Received.UTC().Format(time.RFC3339Nano),
		Activity: &models.CodeableConcept{Text: ptr(Rules)},
		Agent:    []models.ProvenanceAgent{{Who: models.Reference{Identifier: &models.Identifier{System: ptr("urn:concord:member"), Value: &t.Member}}}},
	}
	for i := range all {
		if all[i].Shared {
			continue
		}
		r.Target = append(r.Target, models.Reference{Reference: ptr(all[i].Name.String())})
	}
	if t.Study != nil {
		r.Entity = []models.ProvenanceEntity{{Role: models.ProvenanceEntityRoleSource, What: *t.Study}}
		if len(t.Identifiers) > 0 {
			r.Entity[0].What.Identifier = &t.Identifiers[0]
		}
	}
	return r
}
