package laboratory

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"concord/hub"
	"concord/internal/fhir"
)

// ruleURL is the extension of an interpretation that the hub's rules gave and not the laboratory.
const ruleURL = System + ":rules"

const interpretations = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"

// additions are what is to be written beside what a resource says.
type additions struct {
	codings        []Coding    // behind those of code
	unit           string      // UCUM code of valueQuantity
	ranges         [][2]string // UCUM codes of low and high, by reference range; empty: none
	own            *Range      // reference range of a result that has none
	flag, flagText string      // one more interpretation, which says by which rule; the laboratory's stay
	rules          string      // whose interpretation that is: their version
	tag            string      // code of a tag of UnmappedSystem
	specimen       string      // display of the specimen
}

func (a *additions) none() bool {
	return len(a.codings) == 0 && a.unit == "" && a.ranges == nil && a.own == nil && a.flag == "" && a.tag == "" && a.specimen == ""
}

// to writes a resource with the additions; all that it says itself stays as it is, to the letter.
func (a *additions) to(root fhir.Value) []byte {
	var edits []edit
	if len(a.codings) > 0 {
		list := make([][]byte, len(a.codings))
		for i, c := range a.codings {
			list[i], _ = encode(c)
		}
		edits = append(edits, edit{"code", inside(edit{"coding", behind(list...)})})
	}
	if a.unit != "" {
		edits = append(edits, edit{"valueQuantity", inside(unitOf(a.unit)...)})
	}
	if a.ranges != nil {
		edits = append(edits, edit{"referenceRange", a.rangeUnits})
	}
	if a.own != nil {
		body, _ := encode([]any{a.own.resource()})
		edits = append(edits, edit{"referenceRange", instead(body)})
	}
	if a.flag != "" {
		one, _ := encode(object{"extension": []any{object{"url": ruleURL, "valueString": a.rules}},
			"coding": []any{object{"system": interpretations, "code": a.flag}}, "text": a.flagText})
		edits = append(edits, edit{"interpretation", behind(one)})
	}
	if a.tag != "" {
		one, _ := encode(Coding{System: UnmappedSystem, Code: a.tag})
		edits = append(edits, edit{"meta", inside(edit{"tag", behind(one)})})
	}
	if a.specimen != "" {
		edits = append(edits, edit{"specimen", inside(edit{"display", instead(quote(a.specimen))})})
	}
	return inside(edits...)(make([]byte, 0, len(root.Raw())+512), root)
}

func (a *additions) rangeUnits(buf []byte, old fhir.Value) []byte {
	buf, at := append(buf, '['), 0
	for one := range old.Items() {
		if at > 0 {
			buf = append(buf, ',')
		}
		var edits []edit
		for i, bound := range []string{"low", "high"} {
			if at < len(a.ranges) && a.ranges[at][i] != "" {
				edits = append(edits, edit{bound, inside(unitOf(a.ranges[at][i])...)})
			}
		}
		buf = inside(edits...)(buf, one)
		at++
	}
	return append(buf, ']')
}

// edit writes a member of an object anew: it appends the new value to buf, given the old one, absent where there is none.
type edit struct {
	name  string
	write func(buf []byte, old fhir.Value) []byte
}

// inside writes an object with some of its members edited; those that it does not have come last.
func inside(edits ...edit) func([]byte, fhir.Value) []byte {
	return func(buf []byte, old fhir.Value) []byte {
		buf = append(buf, '{')
		met := 0 // bits
		comma := func() {
			if buf[len(buf)-1] != '{' {
				buf = append(buf, ',')
			}
		}
		for name, v := range old.Members() {
			comma()
			buf = append(append(append(buf, '"'), v.RawName()...), '"', ':')
			at := slices.IndexFunc(edits, func(e edit) bool { return e.name == name })
			if at < 0 {
				buf = append(buf, v.Raw()...)
				continue
			}
			met |= 1 << at
			buf = edits[at].write(buf, v)
		}
		for i, e := range edits {
			if met&(1<<i) == 0 {
				comma()
				buf = append(append(append(buf, '"'), e.name...), '"', ':')
				buf = e.write(buf, fhir.Value{})
			}
		}
		return append(buf, '}')
	}
}

// behind writes an array with more items.
func behind(items ...[]byte) func([]byte, fhir.Value) []byte {
	return func(buf []byte, old fhir.Value) []byte {
		buf = append(buf, '[')
		for v := range old.Items() {
			buf = append(append(buf, v.Raw()...), ',')
		}
		return append(append(buf, bytes.Join(items, []byte{','})...), ']')
	}
}

func instead(value []byte) func([]byte, fhir.Value) []byte {
	return func(buf []byte, _ fhir.Value) []byte { return append(buf, value...) }
}

// unitOf says which UCUM code a quantity's unit is.
func unitOf(code string) []edit {
	return []edit{{"system", instead([]byte(`"` + ucumSystem + `"`))}, {"code", instead(quote(code))}}
}

// quote is a text as JSON.
func quote(text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			body, _ := json.Marshal(text)
			return body
		}
	}
	return strconv.AppendQuote(nil, text)
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
	r, id := &b.mapping.Resources[i], b.sameIDs[i]
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
	res, s := &b.results[i], b.specimenOf(b.docs[i].Root())
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
			b.write(i, doc.RewriteReferences(b.renamed))
		}
	}
}
