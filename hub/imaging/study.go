package imaging

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/internal/dicom"
)

const (
	systemURI     = "urn:ietf:rfc:3986"
	systemUID     = "urn:dicom:uid"
	typeAccession = "ACSN"
)

// SourcePrefix begins meta.source of what was derived; the id of the member whose data it comes from follows.
const SourcePrefix = "urn:concord:member:"

// ProtocolURL is the extension of a series that holds its Protocol Name (0018,1030), by which scanners often say more than by a
// description.
const ProtocolURL = "urn:concord:extension:protocol-name"

// ListedInstances is how many instances an ImagingStudy names, those that came first: some 200 bytes each, and the whole
// resource is written anew as its study grows. The counts are exact beyond it.
const ListedInstances = 5000

// study is all that the hub has of one study.
type study struct {
	record    hub.Record // of a study that was deleted, the last version before
	gone      bool
	series    []seriesOf
	documents []hub.Record
	// remarks counts the instances whose bytes were noted to be different from what they declare.
	remarks map[string]int
}

// seriesOf is one series with what its instances say.
type seriesOf struct {
	attributes
	uid       string
	first     attributes // the instance that came first
	instances []models.ImagingStudySeriesInstance
	count     int
}

// resource builds the ImagingStudy (R4 imagingstudy.html, its mapping to DICOM in section "Mappings").
func (s *study) resource(l links, sites map[string]models.Coding) ([]byte, error) {
	a := parse(&s.record)
	r := models.ImagingStudy{
		Meta:        &models.Meta{Source: ptr(SourcePrefix + s.record.Member)},
		Status:      models.ImagingStudyStatusAvailable,
		Subject:     l.subject,
		BasedOn:     l.basedOn,
		Identifier:  []models.Identifier{{System: ptr(systemUID), Value: ptr("urn:oid:" + s.record.Name.ID)}},
		Started:     a.time(0x00080020, 0x00080030),
		Description: textOrNil(a.text(0x00081030)),
		Interpreter: a.people(0x00081060),
		Endpoint:    []models.Reference{{Reference: ptr(endpointName().String())}},
		Note:        s.notes(),
	}
	if acc := a.text(accession); acc != "" {
		r.Identifier = append(r.Identifier, accessionOf(acc, a))
	}
	if all := a.people(0x00080090); len(all) > 0 {
		r.Referrer = &all[0]
	}
	if l.requester != nil {
		r.Referrer = l.requester
	}
	for raw := range a.values(modalitiesInStudy) {
		if m := plain(raw); m != "" {
			r.Modality = append(r.Modality, models.Coding{System: ptr(systemDCM), Code: &m})
		}
	}
	r.ProcedureCode, r.ReasonCode = s.procedures(a), s.reasons(a)
	total := 0
	for i := range s.series {
		r.Series = append(r.Series, s.series[i].resource(sites))
		total += s.series[i].count
	}
	slices.SortStableFunc(r.Series, func(x, y models.ImagingStudySeries) int { return compare(x.Number, y.Number) })
	r.NumberOfSeries, r.NumberOfInstances = ptr(len(s.series)), ptr(total)
	if s.gone { // R4: withdrawn following a previous release
		r.Status, r.Endpoint = models.ImagingStudyStatusEnteredInError, nil
	}
	return json.Marshal(r)
}

func accessionOf(number string, a attributes) models.Identifier {
	id := models.Identifier{Value: &number, Type: &models.CodeableConcept{Coding: []models.Coding{{
		System: ptr("http://terminology.hl7.org/CodeSystem/v2-0203"), Code: ptr(typeAccession)}}}}
	for issuer := range a.items(0x00080051) {
		id.System, id.Assigner = issuerOf(issuer)
	}
	return id
}

// issuerOf reads a HL7v2 Hierarchic Designator (PS3.3 Table 10-17): a system where it is an OID, else who assigned.
func issuerOf(a attributes) (system *string, assigner *models.Reference) {
	id := a.text(0x00400032)
	if a.text(0x00400033) == "ISO" && dicom.CheckUID("", id) == nil {
		system = ptr("urn:oid:" + id)
	}
	if name := a.text(0x00400031); name != "" {
		assigner = &models.Reference{Display: &name}
	}
	return system, assigner
}

// requests are the items of Request Attributes Sequence, and what an instance says of its order itself.
func (s *study) requests() []attributes {
	var all []attributes
	for i := range s.series {
		all = append(all, s.series[i].first)
		for item := range s.series[i].items(0x00400275) {
			all = append(all, item)
		}
	}
	return all
}

func (s *study) procedures(a attributes) []models.CodeableConcept {
	all := a.concepts(0x00081032)
	if len(all) > 0 {
		return all
	}
	for _, r := range s.requests() {
		more := r.concepts(0x00321064)
		if d := r.text(0x00321060); len(more) == 0 && d != "" {
			more = []models.CodeableConcept{{Text: &d}}
		}
		all = appendNew(all, more...)
	}
	return all
}

func (s *study) reasons(a attributes) []models.CodeableConcept {
	all := a.concepts(0x00401012)
	for _, r := range s.requests() {
		more := append(r.concepts(0x00401012), r.concepts(0x0040100A)...)
		if text := r.text(0x00401002); len(more) == 0 && text != "" {
			more = []models.CodeableConcept{{Text: &text}}
		}
		all = appendNew(all, more...)
	}
	return all
}

// appendNew leaves out concepts that are there already.
func appendNew(all []models.CodeableConcept, more ...models.CodeableConcept) []models.CodeableConcept {
	key := func(c models.CodeableConcept) string {
		raw, _ := json.Marshal(c)
		return string(raw)
	}
	for _, c := range more {
		if !slices.ContainsFunc(all, func(o models.CodeableConcept) bool { return key(o) == key(c) }) {
			all = append(all, c)
		}
	}
	return all
}

// notes tell readers of text that was read otherwise than it was declared.
func (s *study) notes() []models.Annotation {
	var all []models.Annotation
	for _, remark := range sorted(s.remarks) {
		all = append(all, models.Annotation{Text: fmt.Sprintf("%s (%d instances)", remark, s.remarks[remark])})
	}
	return all
}

func sorted(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *seriesOf) resource(sites map[string]models.Coding) models.ImagingStudySeries {
	r := models.ImagingStudySeries{
		Uid: s.uid, Number: s.number(0x00200011), Description: textOrNil(s.text(0x0008103E)),
		Modality:          models.Coding{System: ptr(systemDCM), Code: ptr(orUnknown(s.text(modality)))},
		NumberOfInstances: ptr(s.count), Instance: s.instances, Started: s.time(0x00080021, 0x00080031),
		BodySite: s.bodySite(sites), Laterality: s.laterality(),
	}
	if name := s.text(0x00181030); name != "" {
		r.Extension = append(r.Extension, models.Extension{Url: ProtocolURL, ValueString: &name})
	}
	if r.Started == nil {
		r.Started = s.time(0x00400244, 0x00400245)
	}
	slices.SortStableFunc(r.Instance, func(x, y models.ImagingStudySeriesInstance) int { return compare(x.Number, y.Number) })
	for _, who := range []struct {
		tag  dicom.Tag
		code string
	}{{0x00081050, "PRF"}, {0x00081070, "SPRF"}} { // performing physician, operators
		for _, actor := range append(s.people(who.tag), s.first.peopleUnless(len(s.people(who.tag)) > 0, who.tag)...) {
			r.Performer = append(r.Performer, models.ImagingStudySeriesPerformer{Actor: actor,
				Function: &models.CodeableConcept{Coding: []models.Coding{{System: ptr("http://terminology.hl7.org/CodeSystem/v3-ParticipationType"), Code: ptr(who.code)}}}})
		}
	}
	return r
}

func (a attributes) peopleUnless(known bool, tag dicom.Tag) []models.Reference {
	if known {
		return nil
	}
	return a.people(tag)
}

// bodySite is the anatomic region as the images code it, or the concept of Body Part Examined, or that as it came.
func (s *seriesOf) bodySite(sites map[string]models.Coding) *models.Coding {
	if c, ok := s.first.concept(0x00082218); ok {
		return &c
	}
	part := s.text(0x00180015)
	if part == "" {
		return nil
	}
	if c, ok := sites[strings.ToUpper(part)]; ok {
		return &c
	}
	return &models.Coding{Display: &part}
}

// laterality is Laterality (0020,0060) of the series or Image Laterality (0020,0062) of its first instance.
func (s *seriesOf) laterality() *models.Coding {
	code := s.text(0x00200060)
	if code == "" {
		code = s.first.text(0x00200062)
	}
	for _, side := range [...][3]string{{"L", "7771000", "Left"}, {"R", "24028007", "Right"}, {"B", "51440002", "Right and left"}} {
		if side[0] == code {
			return &models.Coding{System: ptr(systemSCT), Code: &side[1], Display: &side[2]}
		}
	}
	return nil
}

// instanceOf is what an ImagingStudy says of an instance. title is that of a document or a presentation.
func instanceOf(a attributes) models.ImagingStudySeriesInstance {
	title := a.text(0x00420010)
	if c, ok := a.concept(0x0040A043); title == "" && ok && c.Display != nil {
		title = *c.Display
	}
	if title == "" {
		title = a.text(0x00700081)
	}
	return models.ImagingStudySeriesInstance{
		Uid: a.text(0x00080018), Number: a.number(0x00200013), Title: textOrNil(title),
		SopClass: models.Coding{System: ptr(systemURI), Code: ptr("urn:oid:" + a.text(0x00080016))},
	}
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

// time turns a DA and a TM into a FHIR dateTime, a date alone where there is no time.
func (a attributes) time(da, tm dicom.Tag) *string {
	return dateTime(a.text(da), a.text(tm), a.text(0x00080201))
}

// dateTime needs a zone for a time: that of Timezone Offset From UTC (0008,0201), else the hub's, UTC+8, since DICOM times
// without an offset are local to the scanner.
func dateTime(da, tm, zone string) *string {
	day, err := time.Parse("20060102", da)
	if err != nil || day.Year() < 1 { // R4: dateTime
		return nil
	}
	date := day.Format(time.DateOnly)
	digits, _, _ := strings.Cut(tm, ".")
	if len(digits) == 4 {
		digits += "00"
	}
	if len(digits) == 6 && strings.Trim(digits, "0123456789") == "" && digits < "240000" && digits[2:4] < "60" && digits[4:] < "60" {
		if len(zone) != 5 || zone[0] != '+' && zone[0] != '-' || strings.Trim(zone[1:], "0123456789") != "" || zone[1:] > "1400" || zone[3:] > "59" {
			zone = "+0800"
		}
		date += "T" + digits[:2] + ":" + digits[2:4] + ":" + digits[4:] + zone[:3] + ":" + zone[3:]
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
