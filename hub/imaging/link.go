package imaging

import (
	"context"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/hub/projection"
	"concord/internal/dicom"
	"concord/internal/fhir"
)

const accession dicom.Tag = 0x00080050

// links are the resources that a study belongs to, as far as they are known now.
type links struct {
	subject   models.Reference
	basedOn   []models.Reference
	requester *models.Reference
}

// mostLinked is how many resources with one identifier are looked at; a study whose identifiers are more common is not linked.
const mostLinked = 20

// links finds the Patient and the ServiceRequest of a study by identifiers.
func (d *Deriver) links(ctx context.Context, study *hub.Record) (links, error) {
	a := parse(study)
	l := links{subject: subjectOf(a)}
	patient, err := d.patient(ctx, study.Member, a)
	if err != nil {
		return l, err
	}
	if patient != "" {
		l.subject.Reference = &patient
	}
	number := a.text(accession)
	if number == "" {
		return l, nil
	}
	orders, err := identified(ctx, d.Followers[d.Records], "ServiceRequest", number)
	if err != nil {
		return l, err
	}
	var found []*fhir.Doc
	for i := range orders {
		doc, err := fhir.Parse(orders[i].Body, fhir.Limits{})
		if err != nil {
			continue
		}
		subject := doc.Root().Get("subject").Get("reference").Text()
		ours := orders[i].Member == study.Member && (patient == "" || subject == "" || subject == patient)
		if ours || patient != "" && subject == patient {
			found = append(found, doc)
		}
	}
	if len(found) != 1 {
		return l, nil
	}
	l.basedOn = []models.Reference{{Reference: ptr("ServiceRequest/" + found[0].ID())}}
	if who := found[0].Root().Get("requester"); who.Get("reference").Text() != "" {
		l.requester = &models.Reference{Reference: ptr(who.Get("reference").Text()), Display: textOrNil(who.Get("display").Text())}
	}
	return l, nil
}

const absentURL = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

// subjectOf is what a study says of its patient itself.
func subjectOf(a attributes) models.Reference {
	ref := models.Reference{Type: ptr("Patient"), Display: textOrNil(person(a.text(0x00100010)))}
	id := a.text(patientID)
	if id == "" {
		if ref.Display == nil { // R4: a Reference says something, or why not
			ref.Extension = []models.Extension{{Url: absentURL, ValueCode: ptr("unknown")}}
		}
		return ref
	}
	ref.Identifier = &models.Identifier{Value: &id}
	if issuer := a.text(0x00100021); issuer != "" {
		ref.Identifier.Assigner = &models.Reference{Display: &issuer}
	}
	for qualifiers := range a.items(0x00100024) {
		system, assigner := issuerOf(qualifiers)
		ref.Identifier.System = system
		if ref.Identifier.Assigner == nil {
			ref.Identifier.Assigner = assigner
		}
	}
	return ref
}

// patient is the one Patient of the member that carries the Patient ID as an identifier.
func (d *Deriver) patient(ctx context.Context, member string, a attributes) (string, error) {
	return KnownPatient(ctx, d.Followers[d.Records], member, a.text(patientID), issuersOf(a))
}

// KnownPatient is the one Patient of the member that carries an identifier, as "Patient/abc"; empty where there is none. Where
// several do, it is the one whose identifier is of one of the issuers, each the name or the system of who gave it.
func KnownPatient(ctx context.Context, records *projection.Follower, member, id string, issuers map[string]bool) (string, error) {
	if id == "" {
		return "", nil
	}
	all, err := identified(ctx, records, "Patient", id)
	if err != nil {
		return "", err
	}
	var own, issued []string
	for i := range all {
		if all[i].Member != member {
			continue
		}
		own = append(own, all[i].Name.String())
		if doc, err := fhir.Parse(all[i].Body, fhir.Limits{}); err == nil && len(issuers) > 0 && carries(doc, id, issuers) {
			issued = append(issued, all[i].Name.String())
		}
	}
	switch {
	case len(own) == 1:
		return own[0], nil
	case len(issued) == 1:
		return issued[0], nil
	}
	return "", nil
}

// issuersOf are the names under which a FHIR identifier may have the study's issuer of the Patient ID.
func issuersOf(a attributes) map[string]bool {
	issuers := map[string]bool{}
	add := func(s string) {
		if s != "" {
			issuers[s] = true
		}
	}
	add(a.text(0x00100021))
	for qualifiers := range a.items(0x00100024) {
		add(qualifiers.text(0x00400031))
		add(qualifiers.text(0x00400032))
		if system, _ := issuerOf(qualifiers); system != nil {
			add(*system)
		}
	}
	return issuers
}

func carries(patient *fhir.Doc, id string, issuers map[string]bool) bool {
	for one := range patient.Root().Get("identifier").Items() {
		if one.Get("value").Text() == id && (issuers[one.Get("system").Text()] || issuers[one.Get("assigner").Get("display").Text()]) {
			return true
		}
	}
	return false
}

// identified are the resources of a type with an identifier; none where there are more than mostLinked, and for a value that
// no search can ask for.
func identified(ctx context.Context, f *projection.Follower, typ, value string) ([]hub.Record, error) {
	q, err := fhir.CompileSearch(typ, []fhir.Pair{{Name: "identifier", Value: fhir.Escape(value)}}, fhir.SearchOptions{})
	if err != nil {
		return nil, nil
	}
	q.Query.Limit = mostLinked
	page, err := f.Search(ctx, q.Query)
	if err != nil || page.More {
		return nil, err
	}
	locs := make([]hub.Loc, len(page.Hits))
	for i := range page.Hits {
		locs[i] = page.Hits[i].Head.Loc
	}
	return f.Log().Records(ctx, locs)
}
