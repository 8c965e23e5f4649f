package fhir

import (
	"strings"
	"testing"
)

const referring = `{"resourceType":"Observation",
 "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"urn:uuid:1\">x</a><img src='urn:uuid:2'/></div>"},
 "contained":[{"resourceType":"Specimen","id":"s","subject":{"reference":"urn:uuid:1"}}],
 "extension":[{"url":"urn:oid:1.2","valueReference":{"reference":"urn:uuid:2","display":"urn:uuid:2"}}],
 "identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:1"}],
 "_status":{"extension":[{"url":"x","valueUri":"urn:uuid:2"}]},
 "code":{"text":"urn:uuid:1"},
 "subject":{"reference":"urn:uuid:1"},
 "performer":[{"reference":"Practitioner/9"},{"reference":"#p"}],
 "unknown":{"reference":"urn:uuid:1"}}`

func TestReferencesAreFoundByTheTypeOfTheirElement(t *testing.T) {
	d := parse(t, referring)
	var got []string
	for s := range d.References() {
		if string(d.data[s.Start:s.End]) != s.Target {
			t.Errorf("span of %s holds %s", s.Target, d.data[s.Start:s.End])
		}
		mark := "-"
		if s.Literal {
			mark = "+"
		}
		got = append(got, mark+s.Target)
	}
	want := "-urn:uuid:1 -urn:uuid:2 +urn:uuid:1 +urn:uuid:2 -urn:uuid:2 +urn:uuid:1 +Practitioner/9 +#p"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestRewriteChangesReferencesOnly(t *testing.T) {
	out := string(parse(t, referring).RewriteReferences(map[string]string{"urn:uuid:1": "Patient/1", "urn:uuid:2": "Media/2"}))
	want := strings.NewReplacer(
		`href=\"urn:uuid:1\"`, `href=\"Patient/1\"`, `src='urn:uuid:2'`, `src='Media/2'`,
		`"subject":{"reference":"urn:uuid:1"}`, `"subject":{"reference":"Patient/1"}`,
		`{"reference":"urn:uuid:2","display"`, `{"reference":"Media/2","display"`,
		`"valueUri":"urn:uuid:2"`, `"valueUri":"Media/2"`,
	).Replace(referring)
	if out != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	parse(t, out)
}
