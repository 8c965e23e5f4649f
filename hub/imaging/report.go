package imaging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"slices"
	"strings"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
)

// Documents among the instances become resources of their own: a report (SR) a DiagnosticReport, with an Observation for each
// measurement where its template says plainly what was measured; any other document a DocumentReference. Their ids are made
// of the UIDs of study and instance. What they show stays where it is: attachments are addresses of the hub's DICOMweb.

// mostDocuments bounds the documents of a study that are read.
const mostDocuments = 500

// documentKind says what becomes of a SOP class.
type documentKind uint8

const (
	report       documentKind = iota + 1 // a structured report by people
	structured                           // other structured documents: key objects, CAD, dose
	encapsulated                         // PDF, CDA
)

func documentKinds() map[string]documentKind {
	const sr, enc = "1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.104."
	return map[string]documentKind{
		sr + "11": report, sr + "22": report, sr + "33": report, sr + "34": report, sr + "35": report, sr + "72": report,
		sr + "40": structured, sr + "50": structured, sr + "59": structured, sr + "65": structured, sr + "67": structured, sr + "68": structured,
		sr + "69": structured, sr + "70": structured, sr + "71": structured, sr + "73": structured, sr + "74": structured, sr + "75": structured,
		sr + "76": structured, enc + "1": encapsulated, enc + "2": encapsulated,
	}
}

func documentClasses() []string { return keysOf(documentKinds()) }

// documentID is the id of what follows from an instance; part tells several of one type apart.
func documentID(study, sop, part string) string {
	sum := sha256.Sum256([]byte(study + "/" + sop + "/" + part))
	return "dicom-" + hex.EncodeToString(sum[:16])
}

// documentNames are the resources that an instance may have been made into, but for the results of a report.
func documentNames(study, sop string) []hub.Name {
	id := documentID(study, sop, "")
	return []hub.Name{{Type: "DiagnosticReport", ID: id}, {Type: "DocumentReference", ID: id}}
}

// resultsOf are the derived Observations that a DiagnosticReport refers to.
func resultsOf(rec *hub.Record) []hub.Name {
	if rec.Name.Type != "DiagnosticReport" {
		return nil
	}
	var r struct{ Result []struct{ Reference string } }
	if json.Unmarshal(rec.Body, &r) != nil {
		return nil
	}
	var all []hub.Name
	for _, one := range r.Result {
		if id, ok := strings.CutPrefix(one.Reference, "Observation/dicom-"); ok {
			all = append(all, hub.Name{Type: "Observation", ID: "dicom-" + id})
		}
	}
	return all
}

// document is an instance that is one.
type document struct {
	attributes
	links
	member     string
	study, sop string
	address    string // of the instance
}

// documentsOf are the resources of an instance that is a document, or that the Reading reads.
func (d *Deriver) documentsOf(ctx context.Context, study string, rec *hub.Record, l links) ([]resource, error) {
	if d.Reading != nil && slices.Contains(d.Reading.Classes(), parse(rec).text(sopClass)) {
		return d.readingOf(ctx, rec, study, l)
	}
	return documentsOf(rec, l, d.Base)
}

// documentsOf are the resources of a document.
func documentsOf(rec *hub.Record, l links, base string) ([]resource, error) {
	a := parse(rec)
	d := document{attributes: a, links: l, member: rec.Member, study: a.text(0x0020000D), sop: a.text(0x00080018)}
	d.address = base + "/studies/" + d.study + "/series/" + a.text(0x0020000E) + "/instances/" + d.sop
	switch documentKinds()[a.text(0x00080016)] {
	case report:
		return d.report()
	case structured:
		r := d.reference(models.Attachment{ContentType: ptr("application/dicom"), Url: &d.address})
		r.Text = d.narrative()
		return d.resources("DocumentReference", r)
	case encapsulated:
		return d.resources("DocumentReference", d.reference(d.encapsulated()))
	}
	return nil, nil
}

func (d *document) resources(typ string, r any) ([]resource, error) {
	body, err := json.Marshal(r)
	return []resource{{name: hub.Name{Type: typ, ID: documentID(d.study, d.sop, "")}, body: body}}, err
}

// reference is the DocumentReference around an attachment.
func (d *document) reference(content models.Attachment) models.DocumentReference {
	content.Title, content.Creation = textOrNil(d.title()), d.time(0x00080023, 0x00080033)
	r := models.DocumentReference{
		Meta: d.meta(), Status: models.DocumentReferenceStatusCurrent, DocStatus: ptr(d.docStatus()), Subject: &d.subject,
		MasterIdentifier: ptr(d.identifier()), Type: d.kind(), Description: textOrNil(d.title()), Date: d.instant(),
		Author: d.authors(), Content: []models.DocumentReferenceContent{{Attachment: content}},
		Context: &models.DocumentReferenceContext{Related: []models.Reference{{Reference: ptr(studyResource(d.study).String())}}},
	}
	if by := d.verifiers(); len(by) > 0 {
		r.Authenticator = &by[0]
	}
	return r
}

// encapsulated is where the document inside the instance is fetched.
func (d *document) encapsulated() models.Attachment {
	media, _, err := mime.ParseMediaType(d.text(0x00420012))
	if err != nil || !strings.Contains(media, "/") {
		media = "application/pdf"
		if d.text(0x00080016) == "1.2.840.10008.5.1.4.1.1.104.2" {
			media = "text/xml"
		}
	}
	return models.Attachment{ContentType: &media, Url: ptr(d.address + "/bulk/00420011"), Size: d.number(0x00420015)}
}

func (d *document) meta() *models.Meta { return &models.Meta{Source: ptr(SourcePrefix + d.member)} }

func (d *document) identifier() models.Identifier {
	return models.Identifier{System: ptr(systemUID), Value: ptr("urn:oid:" + d.sop)}
}

// title is the Document Title, else the concept of the root.
func (d *document) title() string {
	if t := d.text(0x00420010); t != "" {
		return t
	}
	if c, ok := d.concept(0x0040A043); ok && c.Display != nil {
		return *c.Display
	}
	return d.text(0x0008103E)
}

// kind is the concept of the document's title.
func (d *document) kind() *models.CodeableConcept {
	if c, ok := d.concept(0x0040A043); ok {
		return &models.CodeableConcept{Coding: []models.Coding{c}}
	}
	if t := d.title(); t != "" {
		return &models.CodeableConcept{Text: &t}
	}
	return nil
}

// instant is when the content was made, where its time is known.
func (d *document) instant() *string {
	if t := d.time(0x00080023, 0x00080033); t != nil && strings.Contains(*t, "T") {
		return t
	}
	return nil
}

// authors are those who observed, else the operators.
func (d *document) authors() []models.Reference {
	var all []models.Reference
	for item := range d.items(0x0040A078) { // Author Observer Sequence
		all = append(all, item.people(0x0040A123)...)
	}
	if len(all) == 0 {
		all = d.people(0x00081070)
	}
	return all
}

func (d *document) verifiers() []models.Reference {
	var all []models.Reference
	for item := range d.items(0x0040A073) { // Verifying Observer Sequence
		all = append(all, item.people(0x0040A075)...)
	}
	return all
}

// docStatus reads Preliminary Flag, Completion Flag and Verification Flag (PS3.3 C.17.2). An encapsulated document has no
// flags: who sends it means it.
func (d *document) docStatus() models.CompositionStatus {
	verified := d.text(0x0040A493)
	switch {
	case d.text(0x0040A496) == "PRELIMINARY" || d.text(0x0040A491) == "PARTIAL" || verified == "UNVERIFIED":
		return models.CompositionStatusPreliminary
	case verified == "VERIFIED" && d.amends():
		return models.CompositionStatusAmended
	}
	return models.CompositionStatusFinal
}

// amends tells whether the document takes the place of another (Predecessor Documents Sequence).
func (d *document) amends() bool {
	for range d.items(0x0040A360) {
		return true
	}
	return false
}
