package register

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/internal/fhir"
)

// Systems of identifiers and codes that the register's resources have.
const (
	ItemSystem        = System + ":item"
	QualificationCode = "recognition-qualification" // Basic.code, of System
)

// The ids of the register's resources begin so; nobody else can write them.
const (
	itemPrefix          = "concord.item."
	qualificationPrefix = "concord.qualification."
	releasePrefix       = "concord.release."
)

// ResourceOf is the name of an item's resource: an ObservationDefinition for the laboratory, else an ActivityDefinition.
func ResourceOf(kind recognition.Kind, item string) hub.Name {
	if kind == recognition.Laboratory {
		return hub.Name{Type: "ObservationDefinition", ID: itemPrefix + item}
	}
	return hub.Name{Type: "ActivityDefinition", ID: itemPrefix + item}
}

// Resource is the row as FHIR, R4 (observationdefinition.html, activitydefinition.html). p is the proposal by whose release it is
// so, nil for the starter's; retired rows keep what they said.
func (r Row) Resource(p *Proposal, retired bool) []byte {
	name := ResourceOf(r.Kind(), r.ID())
	chinese, english := r.Names()
	o := object{"resourceType": name.Type, "id": name.ID,
		"identifier": []any{object{"system": ItemSystem, "value": r.ID()}},
		"code":       r.concept(chinese), "extension": append(r.extensions(), provenance(p, retired)...)}
	if name.Type == "ObservationDefinition" {
		o["preferredReportName"] = english
	} else {
		o["url"], o["title"], o["subtitle"], o["kind"], o["status"] = ItemSystem+":"+r.ID(), chinese, english, "ServiceRequest", "active"
		if retired {
			o["status"] = "retired"
		}
		if p != nil {
			o["version"] = strconv.Itoa(p.Ruling.Number)
			o["effectivePeriod"] = object{"start": p.Ruling.Effective.UTC().Format(fhir.InstantFormat)}
		}
	}
	body, _ := encode(o) // made of what JSON has
	return body
}

// provenance says by which release something is so, and whether it ended.
func provenance(p *Proposal, retired bool) []any {
	status := "active"
	if retired {
		status = "retired"
	}
	all := []any{object{"url": System + ":status", "valueCode": status}}
	if p == nil {
		return all
	}
	return append(all,
		object{"url": System + ":release", "valuePositiveInt": p.Ruling.Number},
		object{"url": System + ":effective", "valueInstant": p.Ruling.Effective.UTC().Format(fhir.InstantFormat)},
		object{"url": System + ":proposed-by", "valueString": p.By.Name + " (" + p.By.Member + ")"},
		object{"url": System + ":released-by", "valueString": p.Ruling.By.Name + " (" + p.Ruling.By.Member + ")"},
		object{"url": System + ":reason", "valueString": p.Reason})
}

func (r Row) concept(display string) object {
	concept := object{"text": display}
	var codings []any
	add := func(system, prefix string, list any) {
		codes, _ := list.([]any)
		for _, c := range codes {
			if s, ok := c.(string); ok {
				codings = append(codings, object{"system": system, "code": prefix + s})
			}
		}
	}
	add(loincSystem, "", r["loinc"])
	add(uriSystem, "urn:oid:", r["sop"])
	if others, ok := r["codes"].(map[string]any); ok {
		for _, system := range sorted(others) {
			add(system, "", others[system])
		}
	}
	if len(codings) > 0 {
		concept["coding"] = codings
	}
	return concept
}

// ReadResource reads a change from a resource of the register as somebody has edited it: an ObservationDefinition or
// ActivityDefinition is a row, or retires its item; a Basic is a qualification.
func ReadResource(doc *fhir.Doc) (Change, error) {
	if err := doc.Check(); err != nil {
		return Change{}, err
	}
	switch doc.Type() {
	case "Basic":
		q, err := readQualification(doc.Root())
		return Change{Qualification: q}, err
	case "ObservationDefinition", "ActivityDefinition":
	default:
		return Change{}, &hub.Error{Kind: hub.Invalid, Path: "resourceType", Msg: "the register has ObservationDefinition, ActivityDefinition and Basic"}
	}
	root, row, retired := doc.Root(), Row{}, false
	for id := range root.Get("identifier").Items() {
		if id.Get("system").Text() == ItemSystem {
			row["id"] = id.Get("value").Text()
		}
	}
	if row.ID() == "" {
		return Change{}, &hub.Error{Kind: hub.Invalid, Path: doc.Type() + ".identifier", Msg: "an item has an identifier of system " + ItemSystem}
	}
	for e := range root.Get("extension").Items() {
		if e.Get("url").Text() == System+":status" {
			retired = e.Get("valueCode").Text() == "retired"
		}
		if err := row.readExtension(e); err != nil {
			return Change{}, &hub.Error{Kind: hub.Invalid, Path: doc.Type() + ".extension", Msg: err.Error()}
		}
	}
	if doc.Type() == "ActivityDefinition" {
		row["en"] = root.Get("subtitle").Text()
		retired = root.Get("status").Text() == "retired"
	} else {
		row["en"] = root.Get("preferredReportName").Text()
	}
	row.readCodes(root.Get("code"))
	if retired {
		return Change{Item: row.ID(), Retire: true}, nil
	}
	return Change{Item: row.ID(), Row: row}, nil
}

func (r Row) readCodes(concept fhir.Value) {
	r["zh"] = concept.Get("text").Text()
	others := map[string]any{}
	add := func(m map[string]any, key, c string) {
		list, _ := m[key].([]any)
		m[key] = append(list, c)
	}
	for c := range concept.Get("coding").Items() {
		system, value := c.Get("system").Text(), c.Get("code").Text()
		oid, isOID := strings.CutPrefix(value, "urn:oid:")
		switch {
		case system == loincSystem:
			add(r, "loinc", value)
		case system == uriSystem && isOID:
			add(r, "sop", oid)
		default:
			add(others, system, value)
		}
	}
	if len(others) > 0 {
		r["codes"] = others
	}
}

// Resource is the qualification as FHIR. p is the proposal by whose release it is so.
func (q *Qualification) Resource(p *Proposal) []byte {
	extensions := []any{
		object{"url": System + ":item", "valueCode": q.Item},
		object{"url": System + ":period", "valuePeriod": object{"start": q.Start, "end": q.End}},
		object{"url": System + ":result", "valueCode": string(q.Result)},
	}
	for _, e := range [][2]string{{"scope", q.Scope}, {"mark", q.Mark}, {"source", q.Source}} {
		if e[1] != "" {
			extensions = append(extensions, object{"url": System + ":" + e[0], "valueString": e[1]})
		}
	}
	body, _ := encode(object{"resourceType": "Basic", "id": q.name().ID,
		"code":      object{"coding": []any{object{"system": System, "code": QualificationCode}}},
		"subject":   object{"identifier": object{"system": access.MemberSystem, "value": q.Institution}},
		"extension": append(extensions, provenance(p, q.Withdrawn)...)})
	return body
}

func (q *Qualification) name() hub.Name {
	sum := sha256.Sum256([]byte(q.Key()))
	return hub.Name{Type: "Basic", ID: qualificationPrefix + hex.EncodeToString(sum[:12])}
}

func readQualification(root fhir.Value) (*Qualification, error) {
	coding := false
	for c := range root.Get("code").Get("coding").Items() {
		coding = coding || c.Get("system").Text() == System && c.Get("code").Text() == QualificationCode
	}
	if id := root.Get("subject").Get("identifier"); !coding || id.Get("system").Text() != access.MemberSystem {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "Basic.code", Msg: fmt.Sprintf("a qualification is of code %s|%s and has an institution as its subject, by identifier of system %s", System, QualificationCode, access.MemberSystem)}
	}
	q := &Qualification{Institution: root.Get("subject").Get("identifier").Get("value").Text()}
	for e := range root.Get("extension").Items() {
		name, _ := strings.CutPrefix(e.Get("url").Text(), System+":")
		switch name {
		case "item":
			q.Item = e.Get("valueCode").Text()
		case "period":
			q.Start, q.End = e.Get("valuePeriod").Get("start").Text(), e.Get("valuePeriod").Get("end").Text()
		case "result":
			q.Result = Result(e.Get("valueCode").Text())
		case "scope":
			q.Scope = e.Get("valueString").Text()
		case "mark":
			q.Mark = e.Get("valueString").Text()
		case "source":
			q.Source = e.Get("valueString").Text()
		case "status":
			q.Withdrawn = e.Get("valueCode").Text() == "retired"
		}
	}
	return q, nil
}

// decode reads one JSON value, with numbers as they are written.
func decode(text string) (any, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if _, more := dec.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("more than one value")
	}
	return v, err
}
