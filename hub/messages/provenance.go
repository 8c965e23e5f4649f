package messages

import (
	"strings"
	"time"

	"concord/hub"
	"concord/internal/fhir"
)

// The identifier systems in a Provenance.
const (
	MessageSystem = "urn:concord:message" // values are ids of messages
	MappingSystem = "urn:concord:mapping" // values are names of rules with their version
	MemberSystem  = "urn:concord:member"
)

const participants = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

// provenance fills note for a list of resources.
//
// A Provenance tells which message a part, or what is shared, is from, and by which rules it was made. Its targets are all
// that the part has; it occurred from when the message's content became so until the message was received. The next message
// about the part makes a new version of it.
func (in *Intake) provenance(note *resource, m *Message, at time.Time, list []*resource) (err error) {
	b := append(make([]byte, 0, 1024+96*len(list)), `{"resourceType":"Provenance","target":`...)
	for i, r := range list {
		b = hub.AppendText(append(append(b, "[,"[min(i, 1)]), `{"reference":`...), r.name.String())
		b = append(b, '}')
	}
	b = at.AppendFormat(append(b, `],"occurredPeriod":{"start":"`...), fhir.InstantFormat)
	b = m.Received.AppendFormat(append(b, `","end":"`...), fhir.InstantFormat)
	b = m.Attempt.At.AppendFormat(append(b, `"},"recorded":"`...), fhir.InstantFormat)
	b = appendAgent(append(b, `","agent":[`...), "informant", MemberSystem, m.Member)
	if m.Mapping != "" {
		b = appendAgent(append(b, ','), "assembler", MappingSystem, m.Mapping)
	}
	b = appendIdentified(append(b, `],"entity":[{"role":"source","what":`...), MessageSystem, m.ID)
	b = append(b, `}]}`...)
	if note.doc, err = fhir.Parse(b, fhir.Limits{}); err != nil {
		return err
	}
	return in.project(note)
}

func appendAgent(b []byte, role, system, value string) []byte {
	b = append(append(b, `{"type":{"coding":[{"system":"`+participants+`","code":"`...), role...)
	return append(appendIdentified(append(b, `"}]},"who":`...), system, value), '}')
}

// appendIdentified writes a Reference by identifier.
func appendIdentified(b []byte, system, value string) []byte {
	b = append(append(b, `{"identifier":{"system":"`...), system...)
	return append(hub.AppendText(append(b, `","value":`...), value), "}}"...)
}

// origin is which message had the last word on something.
type origin struct {
	said, received time.Time
	targets        []hub.Name
}

// before reports whether a message of these times comes too late after o.
func (o origin) after(said, received time.Time) bool {
	return o.said.After(said) || o.said.Equal(said) && o.received.After(received)
}

// originOf reads a part's Provenance.
func originOf(rec *hub.Record) (origin, error) {
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return origin{}, &hub.Error{Kind: hub.Corrupt, Msg: "read " + rec.Name.String(), Err: err}
	}
	span := doc.Root().Get("occurredPeriod")
	o := origin{instant(span.Get("start").Text()), instant(span.Get("end").Text()), nil}
	for target := range doc.Root().Get("target").Items() {
		if typ, id, ok := strings.Cut(target.Get("reference").Text(), "/"); ok {
			o.targets = append(o.targets, hub.Name{Type: typ, ID: id})
		}
	}
	return o, nil
}

// sourcePrefix is how meta.source of a shared resource begins; behind it come the message's id and, as the fragment, the
// interval that a Provenance has as occurredPeriod.
const sourcePrefix = "urn:concord:message:"

func sourceOf(m *Message, said time.Time) string {
	return sourcePrefix + m.ID + "#" + said.Format(fhir.InstantFormat) + "/" + m.Received.Format(fhir.InstantFormat)
}

// originIn reads meta.source of a shared resource. What somebody wrote otherwise became so when it was written.
func originIn(doc *fhir.Doc, written time.Time) origin {
	rest, ok := strings.CutPrefix(doc.Root().Get("meta").Get("source").Text(), sourcePrefix)
	_, span, has := strings.Cut(rest, "#")
	if !ok || !has {
		return origin{said: written, received: written}
	}
	said, received, _ := strings.Cut(span, "/")
	return origin{said: instant(said), received: instant(received)}
}

// instant reads what the hub wrote; the zero time is earlier than any.
func instant(s string) time.Time {
	t, _ := time.Parse(fhir.InstantFormat, s)
	return t
}
