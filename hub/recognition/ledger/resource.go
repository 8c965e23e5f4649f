package ledger

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/recognition"
	"concord/internal/fhir"
)

type object = map[string]any

// CardSystem is the system of the identifiers by which cards are found; orderSystem, with a member's id behind it, that of the
// names that a member's system gives to orders.
const (
	CardSystem  = "urn:concord:cds-card"
	orderSystem = "urn:concord:order:"
)

// Tags by which the records are found (_tag), each with the value as its code.
const (
	tagOutcome = System + ":outcome"
	tagChoice  = System + ":choice"
	tagItem    = System + ":item"
	tagState   = System + ":state" // offered, repeated, withdrawn
)

func (o *Opportunity) name() hub.Name     { return hub.Name{Type: "GuidanceResponse", ID: o.ID} }
func (o *Opportunity) issueID() hub.Name  { return hub.Name{Type: "DetectedIssue", ID: o.ID} }
func (o *Opportunity) choiceID() hub.Name { return hub.Name{Type: "Basic", ID: o.ID} }

func (o *Opportunity) names() []hub.Name { return []hub.Name{o.name(), o.issueID(), o.choiceID()} }

// drafts are the resources of an opportunity.
func (o *Opportunity) drafts() []commit.Draft {
	list := []commit.Draft{draft(o.name(), o.guidance())}
	if o.Outcome == recognition.Recognisable || o.Outcome == recognition.Exempt {
		list = append(list, draft(o.issueID(), o.issue()))
	}
	if o.Choice.Verdict != "" {
		list = append(list, draft(o.choiceID(), o.decision()))
	}
	return list
}

// draft makes a draft of a resource.
func draft(n hub.Name, o object) commit.Draft {
	return commit.Draft{Name: n, Member: Origin, Body: func(version uint64, at time.Time) []byte {
		body, _ := encode(o)
		doc, err := fhir.Parse(body, fhir.Limits{})
		if err != nil {
			return body
		}
		return doc.Splice(n.ID, version, at)
	}}
}

func encode(o any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(o)
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'}), err
}

// meta says whose data it is, so that what is withheld from others is not from that member, and by what it is found.
func (o *Opportunity) meta() object {
	tags := []any{coded(tagOutcome, string(o.Outcome))}
	if o.Choice.Verdict != "" {
		tags = append(tags, coded(tagChoice, string(o.Choice.Verdict)))
	}
	if len(o.Item) <= 64 && !strings.ContainsAny(o.Item, " |") {
		tags = append(tags, coded(tagItem, o.Item))
	}
	if o.Repeat.What != "" {
		tags = append(tags, coded(tagState, "repeated"))
	}
	if len(o.Withdrawn) > 0 {
		tags = append(tags, coded(tagState, "withdrawn"))
	}
	m := object{"source": access.MemberSystem + ":" + o.Member, "tag": tags}
	if o.Restricted {
		m["security"] = []any{coded("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R")}
	}
	return m
}

func coded(system, code string) object { return object{"system": system, "code": code} }

// guidance is the GuidanceResponse (R4 guidanceresponse.html): all that is known.
func (o *Opportunity) guidance() object {
	g := object{"resourceType": "GuidanceResponse", "meta": o.meta(), "status": "success", "moduleUri": System,
		"subject": object{"reference": o.Patient}, "occurrenceDateTime": instant(o.First)}
	var cards []any
	for _, c := range o.Cards {
		cards = append(cards, object{"system": CardSystem, "value": c})
	}
	if cards != nil {
		g["identifier"] = cards
	}
	if len(o.Orders) > 0 {
		g["requestIdentifier"] = o.orderIdentifier(&o.Orders[len(o.Orders)-1])
	}
	if o.Encounter != "" {
		g["encounter"] = object{"type": "Encounter", "identifier": object{"system": access.MemberSystem + ":" + o.Member + ":encounter", "value": o.Encounter}}
	}
	var x extensions
	x.member("using", o.Member)
	x.add("item", "valueCoding", titled(System+":item", o.Item, o.Title))
	x.code("kind", string(o.Kind))
	x.code("outcome", string(o.Outcome))
	x.code("override", o.Override)
	x.text("catalogue", o.Catalogue)
	x.money("saving", o.Saving)
	x.text("department", o.Department)
	x.text("visit", o.Visit)
	x.text("modality", o.Modality)
	x.text("body-part", o.BodyPart)
	x.text("hook", o.Hook)
	x.text("hook-instance", o.Instance)
	x.instant("last-offered", o.Last)
	x.number("judged", o.Judged)
	x.text("account", o.Account)
	for i := range o.Shown {
		x.group("shown", o.Shown[i].extensions())
	}
	for i := range o.Orders {
		x.group("order", o.orderExtensions(&o.Orders[i]))
	}
	if c := &o.Choice; c.Verdict != "" {
		x.group("choice", c.extensions())
	}
	if o.Repeat.What != "" {
		var r extensions
		r.reference("by", o.Repeat.What)
		r.instant("at", o.Repeat.At)
		x.group("repeated", r)
	}
	for _, l := range o.Withdrawn {
		var r extensions
		r.reference("result", l.Result)
		r.code("cause", string(l.Cause))
		r.instant("at", l.At)
		x.group("withdrawn", r)
	}
	g["extension"] = x.list
	return g
}

func (o *Opportunity) orderIdentifier(r *Order) object {
	if len(r.Identifiers) > 0 {
		return r.Identifiers[0].object()
	}
	return object{"system": orderSystem + o.Member, "value": r.ID}
}

func (id Identifier) object() object {
	if id.System == "" {
		return object{"value": id.Value}
	}
	return object{"system": id.System, "value": id.Value}
}

func (o *Opportunity) orderExtensions(r *Order) (x extensions) {
	x.text("id", r.ID)
	for _, id := range r.Identifiers {
		x.add("identifier", "valueIdentifier", id.object())
	}
	x.reference("order", r.Reference)
	return x
}

func (s *Shown) extensions() (x extensions) {
	x.reference("result", s.Result)
	x.text("version", strconv.FormatUint(s.Version, 10))
	x.reference("patient", s.Patient)
	x.member("giving", s.Producer)
	x.code("outcome", string(s.Outcome))
	x.instant("taken", s.Taken)
	x.instant("expires", s.Expires)
	x.text("mark", s.Mark)
	x.flag("best", s.Best)
	x.flag("unqualified", s.Unqualified)
	for _, code := range s.Reasons {
		x.code("reason", string(code))
	}
	x.text("said", s.Said)
	if s.Parts > 0 {
		x.number("parts", s.Parts)
	}
	return x
}

func (c *Choice) extensions() (x extensions) {
	x.code("verdict", string(c.Verdict))
	x.code("reason", c.Reason)
	x.text("text", c.Text)
	x.text("who", c.Who)
	x.instant("at", c.At)
	return x
}

// issue is the DetectedIssue (R4 detectedissue.html) that says that the test would be a duplicate.
func (o *Opportunity) issue() object {
	status := "final"
	if len(o.Withdrawn) > 0 {
		status = "amended"
	}
	i := object{"resourceType": "DetectedIssue", "meta": o.meta(), "status": status, "severity": "low",
		"code":       object{"coding": []any{titled("http://terminology.hl7.org/CodeSystem/v3-ActCode", "DUPTHPY", "Duplicate Therapy Alert"), titled(System, "duplicate-test", "Duplicate test (重复检查)")}},
		"identifier": []any{object{"system": System + ":opportunity", "value": o.ID}}, "patient": object{"reference": o.Patient}, "identifiedDateTime": instant(o.First)}
	var about []any
	for _, s := range o.best() {
		about = append(about, object{"reference": s.Result})
	}
	if order := o.order(); order != nil {
		about = append(about, order)
	}
	if about != nil {
		i["implicated"] = about
	}
	i["evidence"] = []any{object{"detail": []any{object{"reference": o.name().String()}}}}
	if c := &o.Choice; c.Verdict != "" {
		i["mitigation"] = []any{object{"action": o.choiceConcept(), "date": instant(c.At)}}
	}
	return i
}

// order refers to the order: by its reference where there is one, else by its identifier.
func (o *Opportunity) order() object {
	for i := len(o.Orders) - 1; i >= 0; i-- {
		if r := &o.Orders[i]; r.Reference != "" {
			return object{"reference": r.Reference, "identifier": o.orderIdentifier(r)}
		}
	}
	if len(o.Orders) > 0 {
		return object{"type": "ServiceRequest", "identifier": o.orderIdentifier(&o.Orders[len(o.Orders)-1])}
	}
	return nil
}

func (o *Opportunity) choiceConcept() object {
	c := object{"coding": []any{coded(System+":choice", string(o.Choice.Verdict))}}
	if reason := o.Reason(); reason != "" {
		c["coding"] = append(c["coding"].([]any), coded(System+":reason", reason))
	}
	if o.Choice.Text != "" {
		c["text"] = o.Choice.Text
	}
	return c
}

// DecisionCode is the code of the Basic that is a doctor's choice.
const DecisionCode = "recognition-decision"

// decision is the Basic (R4 basic.html) that is the doctor's choice.
func (o *Opportunity) decision() object {
	b := object{"resourceType": "Basic", "meta": o.meta(), "code": object{"coding": []any{titled(System, DecisionCode, "Decision on recognition (互认决定)")}},
		"identifier": []any{object{"system": System + ":opportunity", "value": o.ID}},
		"subject":    object{"reference": o.Patient}, "created": o.Choice.At.In(fhir.ChinaTime()).Format(time.DateOnly)}
	var x extensions
	x.reference("opportunity", o.name().String())
	x.member("using", o.Member)
	x.add("choice", "valueCodeableConcept", o.choiceConcept())
	x.text("who", o.Choice.Who)
	x.instant("at", o.Choice.At)
	if order := o.order(); order != nil {
		x.add("order", "valueReference", order)
		for i := range o.Orders {
			b["identifier"] = append(b["identifier"].([]any), o.orderIdentifier(&o.Orders[i]))
		}
	}
	for _, s := range o.best() {
		x.reference("result", s.Result)
	}
	for _, l := range o.Withdrawn {
		x.code("withdrawn", string(l.Cause))
	}
	b["extension"] = x.list
	return b
}

func titled(system, code, display string) object {
	c := coded(system, code)
	if display != "" {
		c["display"] = display
	}
	return c
}

func instant(t time.Time) string { return t.UTC().Format(fhir.InstantFormat) }
