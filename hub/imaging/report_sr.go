package imaging

import (
	"encoding/json"
	"fmt"
	"strings"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
)

// mostResults bounds the measurements of one report that become Observations.
const mostResults = 500

// report makes the DiagnosticReport and its Observations.
func (d *document) report() ([]resource, error) {
	results, err := d.measurements()
	if err != nil {
		return nil, err
	}
	r := models.DiagnosticReport{
		Meta: d.meta(), Text: d.narrative(), Identifier: []models.Identifier{d.identifier()}, BasedOn: d.basedOn, Subject: &d.subject,
		Status: d.status(), Issued: d.instant(), EffectiveDateTime: d.time(0x00080020, 0x00080030),
		Category: []models.CodeableConcept{{Coding: []models.Coding{{System: ptr("http://terminology.hl7.org/CodeSystem/v2-0074"), Code: ptr("RAD")}}}},
		Code:     models.CodeableConcept{Text: ptr("report")}, Performer: d.authors(), ResultsInterpreter: d.verifiers(),
		ImagingStudy:  []models.Reference{{Reference: ptr(studyResource(d.study).String())}},
		PresentedForm: []models.Attachment{{ContentType: ptr("application/dicom"), Url: &d.address, Title: textOrNil(d.title())}},
	}
	if k := d.kind(); k != nil {
		r.Code = *k
	}
	if r.EffectiveDateTime == nil {
		r.EffectiveDateTime = d.time(0x00080023, 0x00080033)
	}
	// Impression, Impressions, Conclusion, Conclusions; and in LOINC, Radiology Impression.
	said := append(d.root().texts(systemDCM, "121072", "121073", "121076", "121077"), d.root().texts("http://loinc.org", "19005-8")...)
	conclusion := strings.Join(said, "\n")
	if len(conclusion) > mostNarrative {
		conclusion = strings.ToValidUTF8(conclusion[:mostNarrative], "") + "…"
	}
	r.Conclusion = textOrNil(conclusion)
	for _, o := range results {
		r.Result = append(r.Result, models.Reference{Reference: ptr(o.name.String())})
	}
	all, err := d.resources("DiagnosticReport", r)
	return append(all, results...), err
}

func (d *document) status() models.DiagnosticReportStatus {
	switch d.docStatus() {
	case models.CompositionStatusPreliminary:
		if d.text(0x0040A491) == "PARTIAL" {
			return models.DiagnosticReportStatusPartial
		}
		return models.DiagnosticReportStatusPreliminary
	case models.CompositionStatusAmended:
		return models.DiagnosticReportStatusAmended
	}
	return models.DiagnosticReportStatusFinal
}

// measurements are the Observations of a TID 1500 Measurement Report: one for each number with a unit in a Measurement Group
// (TID 1410, 1411, 1501), with the group's finding site and method.
func (d *document) measurements() ([]resource, error) {
	root := d.root()
	if d.template() != "1500" && !is(root.name, systemDCM, "126000") {
		return nil, nil
	}
	var all []resource
	var fault error
	budget := mostItems
	root.below(&budget, func(group node) {
		if group.kind != "CONTAINER" || !is(group.name, systemDCM, "125007") || fault != nil {
			return
		}
		facts := group.children()
		for _, n := range facts {
			if n.kind != "NUM" || len(all) == mostResults {
				continue
			}
			o, ok := d.observation(n, facts)
			if !ok {
				continue
			}
			body, err := json.Marshal(o)
			if err != nil {
				fault = err
			}
			all = append(all, resource{name: hub.Name{Type: "Observation", ID: documentID(d.study, d.sop, fmt.Sprint(len(all)+1))}, body: body})
		}
	})
	return all, fault
}

// observation reads one measurement; ok is false for one without a concept or a number.
func (d *document) observation(n node, group []node) (models.Observation, bool) {
	o := models.Observation{
		Meta: d.meta(), Status: models.ObservationStatusFinal, Subject: &d.subject, EffectiveDateTime: d.time(0x00080020, 0x00080030),
		Category: []models.CodeableConcept{{Coding: []models.Coding{{System: ptr("http://terminology.hl7.org/CodeSystem/observation-category"), Code: ptr("imaging")}}}},
		Code:     models.CodeableConcept{Coding: []models.Coding{n.name}}, Issued: d.instant(),
		PartOf: []models.Reference{{Reference: ptr(studyResource(d.study).String())}},
	}
	if d.status() != models.DiagnosticReportStatusFinal && d.status() != models.DiagnosticReportStatusAmended {
		o.Status = models.ObservationStatusPreliminary
	}
	for m := range n.items(0x0040A300) {
		number := json.Number(m.text(0x0040A30A))
		unit, _ := m.concept(0x004008EA)
		q := models.Quantity{Value: &number, System: unit.System, Code: unit.Code, Unit: unit.Display}
		if _, err := number.Float64(); err == nil && json.Valid([]byte(number)) {
			o.ValueQuantity = &q
		}
		break
	}
	for _, fact := range append(n.children(), group...) {
		c, coded := fact.concept(0x0040A168)
		concept := &models.CodeableConcept{Coding: []models.Coding{c}}
		switch {
		case coded && o.BodySite == nil && (is(fact.name, systemSCT, "363698007") || is(fact.name, systemSRT, "G-C0E3")):
			o.BodySite = concept // Finding Site
		case coded && o.Method == nil && (is(fact.name, systemSCT, "370129005") || is(fact.name, systemSRT, "G-C036")):
			o.Method = concept // Measurement Method
		case coded && is(fact.name, systemDCM, "121401"): // Derivation, such as the mean of what is measured
			o.Code.Text = ptr(display(n.name) + ", " + display(c))
		case fact.kind == "TEXT" && is(fact.name, systemDCM, "112039") && fact.value() != "": // Tracking Identifier
			o.Note = []models.Annotation{{Text: fact.value()}}
		}
	}
	return o, o.ValueQuantity != nil && display(n.name) != ""
}
