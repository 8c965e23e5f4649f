package imaging

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
)

// attributes is a DICOM JSON object read loosely: values are taken as they come.
type attributes map[string]struct {
	Value []json.RawMessage `json:"Value"`
}

func (a attributes) text(tag string) string {
	if len(a[tag].Value) == 0 {
		return ""
	}
	raw := a[tag].Value[0]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var name struct{ Alphabetic, Ideographic string } // a PN group
	if json.Unmarshal(raw, &name) == nil {
		if name.Ideographic != "" {
			return name.Ideographic
		}
		return name.Alphabetic
	}
	return string(raw)
}

func (a attributes) number(tag string) *int {
	n, err := strconv.ParseFloat(a.text(tag), 64)
	if err != nil || n != float64(int(n)) || n < 0 { // R4: unsignedInt
		return nil
	}
	i := int(n)
	return &i
}

const (
	systemDCM     = "http://dicom.nema.org/resources/ontology/DCM"
	systemURI     = "urn:ietf:rfc:3986"
	systemUID     = "urn:dicom:uid"
	typeAccession = "ACSN"
)

// SourcePrefix begins meta.source of what was derived; the id of the member whose data it comes from follows.
const SourcePrefix = "urn:concord:member:"

// study is all that the hub has of one study.
type study struct {
	record    hub.Record
	series    []hub.Record
	instances []hub.Record
}

// imagingStudy builds the FHIR resource (R4 imagingstudy.html, mapping to DICOM in its section "Mappings"). subject is
// what is known of the patient.
func (s *study) imagingStudy(subject models.Reference) ([]byte, error) {
	attrs, err := parse(&s.record)
	if err != nil {
		return nil, err
	}
	r := models.ImagingStudy{
		Meta:        &models.Meta{Source: ptr(SourcePrefix + s.record.Member)},
		Status:      models.ImagingStudyStatusAvailable,
		Subject:     subject,
		Identifier:  []models.Identifier{{System: ptr(systemUID), Value: ptr("urn:oid:" + s.record.Name.ID)}},
		Started:     dateTime(attrs.text("00080020"), attrs.text("00080030")),
		Description: textOrNil(attrs.text("00081030")),
	}
	if acc := attrs.text("00080050"); acc != "" {
		r.Identifier = append(r.Identifier, models.Identifier{Value: &acc, Type: &models.CodeableConcept{Coding: []models.Coding{{
			System: ptr("http://terminology.hl7.org/CodeSystem/v2-0203"), Code: ptr(typeAccession)}}}})
	}
	for _, raw := range attrs[modalitiesInStudy].Value {
		var m string
		if json.Unmarshal(raw, &m) == nil {
			r.Modality = append(r.Modality, models.Coding{System: ptr(systemDCM), Code: &m})
		}
	}
	if r.Series, err = s.seriesList(); err != nil {
		return nil, err
	}
	r.NumberOfSeries, r.NumberOfInstances = ptr(len(s.series)), ptr(len(s.instances))
	return json.Marshal(r)
}

func (s *study) seriesList() ([]models.ImagingStudySeries, error) {
	byUID := map[string][]models.ImagingStudySeriesInstance{}
	for i := range s.instances {
		a, err := parse(&s.instances[i])
		if err != nil {
			return nil, err
		}
		uid := a.text("0020000E")
		byUID[uid] = append(byUID[uid], models.ImagingStudySeriesInstance{
			Uid:      a.text("00080018"),
			SopClass: models.Coding{System: ptr(systemURI), Code: ptr("urn:oid:" + a.text("00080016"))},
			Number:   a.number("00200013"),
		})
	}
	list := make([]models.ImagingStudySeries, 0, len(s.series))
	for i := range s.series {
		a, err := parse(&s.series[i])
		if err != nil {
			return nil, err
		}
		uid := a.text("0020000E")
		instances := byUID[uid]
		slices.SortStableFunc(instances, func(x, y models.ImagingStudySeriesInstance) int { return compare(x.Number, y.Number) })
		one := models.ImagingStudySeries{
			Uid: uid, Number: a.number("00200011"), Description: textOrNil(a.text("0008103E")),
			Modality:          models.Coding{System: ptr(systemDCM), Code: ptr(orUnknown(a.text("00080060")))},
			NumberOfInstances: ptr(len(instances)), Instance: instances,
			Started: dateTime(a.text("00080021"), a.text("00080031")),
		}
		if part := a.text("00180015"); part != "" {
			one.BodySite = &models.Coding{Display: &part}
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(x, y models.ImagingStudySeries) int { return compare(x.Number, y.Number) })
	return list, nil
}

func parse(rec *hub.Record) (attributes, error) {
	var a attributes
	if err := json.Unmarshal(rec.Body, &a); err != nil {
		return nil, fmt.Errorf("read the attributes of %s: %w", rec.Name.Type, err)
	}
	return a, nil
}

// compare puts numbers in order and what has none last.
func compare(x, y *int) int {
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	return *x - *y
}

// dateTime turns DA and TM into a FHIR dateTime. DICOM times without an offset are local to the scanner; with a time
// the hub's zone, UTC+8, is assumed, since FHIR wants one.
func dateTime(da, tm string) *string {
	if len(da) != 8 || strings.Trim(da, "0123456789") != "" {
		return nil
	}
	date := da[:4] + "-" + da[4:6] + "-" + da[6:]
	if digits := strings.SplitN(tm, ".", 2)[0]; len(digits) == 6 && strings.Trim(digits, "0123456789") == "" && digits < "240000" {
		date += "T" + digits[:2] + ":" + digits[2:4] + ":" + digits[4:] + "+08:00"
	}
	return &date
}

// orUnknown: R4 wants a modality on each series.
func orUnknown(modality string) string {
	if modality == "" {
		return "OT"
	}
	return modality
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func ptr[T any](v T) *T { return &v }
