package laboratory

import (
	"bytes"
	"encoding/json"
	"slices"

	"concord/hub"
	"concord/internal/fhir"
)

const interpretations = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"

// addCodings puts codings behind those of o.code.
func addCodings(o object, add []Coding) {
	code, ok := o["code"].(object)
	if !ok {
		code = object{}
		o["code"] = code
	}
	list, _ := code["coding"].([]any)
	for _, c := range add {
		one := object{"system": c.System, "code": c.Code}
		if c.Display != "" {
			one["display"] = c.Display
		}
		list = append(list, one)
	}
	code["coding"] = list
}

// addUnit says which UCUM code a quantity's unit is.
func addUnit(quantity any, code string) {
	if q, ok := quantity.(object); ok {
		q["system"], q["code"] = ucumSystem, code
	}
}

// addInterpretation adds a flag of the hub's own, which says by which rule; the laboratory's stay.
func addInterpretation(o object, flag, text string) {
	list, _ := o["interpretation"].([]any)
	o["interpretation"] = append(list, object{"coding": []any{object{"system": interpretations, "code": flag}}, "text": text})
}

// addTag adds a tag (R4 resource.html#Meta.tag).
func addTag(o object, system, code string) {
	meta, ok := o["meta"].(object)
	if !ok {
		meta = object{}
		o["meta"] = meta
	}
	list, _ := meta["tag"].([]any)
	meta["tag"] = append(list, object{"system": system, "code": code})
}

// ownRange is the member's own reference range for a result that came without one; nil for none.
func (r *Rules) ownRange(member string, res *Result, sex string, age int) *Range {
	a, code := res.measured(r)
	if a == nil || res.Value == nil {
		return nil
	}
	for i := range r.Ranges {
		one := &r.Ranges[i]
		if one.Member != member || one.Analyte != a.ID || one.Sex != "" && one.Sex != sex || !one.Ages.has(age) {
			continue
		}
		if len(one.Specimens) == 0 || slices.Contains(one.Specimens, code.Specimen) {
			return one
		}
	}
	return nil
}

// resource is the range as Observation.referenceRange, which says that it is not from the message.
func (r *Range) resource() object {
	o := object{"text": "from the laboratory's list of ranges"}
	if r.Low != nil {
		o["low"] = object{"value": json.Number(short(r.Low)), "unit": r.Unit, "system": ucumSystem, "code": r.Unit}
	}
	if r.High != nil {
		o["high"] = object{"value": json.Number(short(r.High)), "unit": r.Unit, "system": ucumSystem, "code": r.Unit}
	}
	return o
}

// again gives a result a name made of whose it is, of which specimen, what was measured and when that was taken, instead of
// one made of the report's number and the place in it: when the laboratory sends the same results once more, under another
// number or in another order, they become the next version of what is there and not a second result. It is done for
// numbers whose laboratory gives its specimens numbers and says when they were taken, and of which the message has one.
func (b *batch) again(i int) {
	r := &b.mapping.Resources[i]
	id := b.sameAs(i)
	if id == "" || b.same[id] > 1 || id == r.Name.ID {
		return
	}
	name := hub.Name{Type: r.Name.Type, ID: id}
	b.renamed[r.Name.String()] = name.String()
	r.Name = name
}

// sameAs is the id that a result has whichever report brings it; empty where that cannot be told.
func (b *batch) sameAs(i int) string {
	r := &b.mapping.Resources[i]
	if b.docs[i] == nil || r.Name.Type != "Observation" || r.Part == "" {
		return ""
	}
	res, s := ReadResult(b.docs[i].Root()), b.specimenOf(b.docs[i].Root())
	if s.number == "" || res.Effective.IsZero() || res.Value == nil || res.Patient.ID == "" || len(res.Codings) == 0 {
		return ""
	}
	first := res.Codings[0]
	return identify("result", b.member, res.Patient.ID, s.number, first.System, first.Code, res.Effective.UTC().String())
}

// rename has what refers to a renamed result do so by its new name.
func (b *batch) rename() {
	if len(b.renamed) == 0 {
		return
	}
	for i := range b.mapping.Resources {
		r := &b.mapping.Resources[i]
		if !bytes.Contains(r.Body, []byte(`"Observation/`)) {
			continue
		}
		if doc, err := fhir.Parse(r.Body, fhir.Limits{}); err == nil {
			r.Body = doc.RewriteReferences(b.renamed)
		}
	}
}
