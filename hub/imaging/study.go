package imaging

import (
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/internal/dicom"
)

// attributes are those of a stored DICOM JSON object, read loosely: values are taken as they come.
type attributes []dicom.Attribute

func parse(rec *hub.Record) attributes {
	return slices.AppendSeq(make(attributes, 0, 128), dicom.Attributes(rec.Body))
}

// values are the JSON values of an attribute; none when it is not there.
func (a attributes) values(tag dicom.Tag) iter.Seq[[]byte] {
	for i := range a {
		if a[i].Tag == tag {
			return a[i].Items()
		}
	}
	return func(func([]byte) bool) {}
}

func (a attributes) text(tag dicom.Tag) string {
	for raw := range a.values(tag) {
		return plain(raw)
	}
	return ""
}

// plain is a JSON string's or number's text, and of a person name the ideographic group before the alphabetic one.
func plain(raw []byte) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var name struct{ Alphabetic, Ideographic string }
	if json.Unmarshal(raw, &name) == nil {
		if name.Ideographic != "" {
			return name.Ideographic
		}
		return name.Alphabetic
	}
	return string(raw)
}

func (a attributes) number(tag dicom.Tag) *int {
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
	attrs := parse(&s.record)
	r := models.ImagingStudy{
		Meta:        &models.Meta{Source: ptr(SourcePrefix + s.record.Member)},
		Status:      models.ImagingStudyStatusAvailable,
		Subject:     subject,
		Identifier:  []models.Identifier{{System: ptr(systemUID), Value: ptr("urn:oid:" + s.record.Name.ID)}},
		Started:     dateTime(attrs.text(0x00080020), attrs.text(0x00080030)),
		Description: textOrNil(attrs.text(0x00081030)),
	}
	if acc := attrs.text(0x00080050); acc != "" {
		r.Identifier = append(r.Identifier, models.Identifier{Value: &acc, Type: &models.CodeableConcept{Coding: []models.Coding{{
			System: ptr("http://terminology.hl7.org/CodeSystem/v2-0203"), Code: ptr(typeAccession)}}}})
	}
	for raw := range attrs.values(modalitiesInStudy) {
		if m := plain(raw); m != "" {
			r.Modality = append(r.Modality, models.Coding{System: ptr(systemDCM), Code: &m})
		}
	}
	r.Series = s.seriesList()
	r.NumberOfSeries, r.NumberOfInstances = ptr(len(s.series)), ptr(len(s.instances))
	return json.Marshal(r)
}

func (s *study) seriesList() []models.ImagingStudySeries {
	byUID := map[string][]models.ImagingStudySeriesInstance{}
	for i := range s.instances {
		a := parse(&s.instances[i])
		uid := a.text(0x0020000E)
		byUID[uid] = append(byUID[uid], models.ImagingStudySeriesInstance{
			Uid:      a.text(0x00080018),
			SopClass: models.Coding{System: ptr(systemURI), Code: ptr("urn:oid:" + a.text(0x00080016))},
			Number:   a.number(0x00200013),
		})
	}
	list := make([]models.ImagingStudySeries, 0, len(s.series))
	for i := range s.series {
		a := parse(&s.series[i])
		uid := a.text(0x0020000E)
		instances := byUID[uid]
		slices.SortStableFunc(instances, func(x, y models.ImagingStudySeriesInstance) int { return compare(x.Number, y.Number) })
		one := models.ImagingStudySeries{
			Uid: uid, Number: a.number(0x00200011), Description: textOrNil(a.text(0x0008103E)),
			Modality:          models.Coding{System: ptr(systemDCM), Code: ptr(orUnknown(a.text(0x00080060)))},
			NumberOfInstances: ptr(len(instances)), Instance: instances,
			Started: dateTime(a.text(0x00080021), a.text(0x00080031)),
		}
		if part := a.text(0x00180015); part != "" {
			one.BodySite = &models.Coding{Display: &part}
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(x, y models.ImagingStudySeries) int { return compare(x.Number, y.Number) })
	return list
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
