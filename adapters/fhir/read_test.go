package fhir_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// clinic stores a patient with encounters, observations and who made them.
func clinic(t testing.TB) *client {
	t.Helper()
	c := start(t)
	for _, r := range []string{
		`{"resourceType":"Organization","id":"o1","name":"Village"}`,
		`{"resourceType":"Practitioner","id":"d1","name":[{"family":"Li"}]}`,
		`{"resourceType":"PractitionerRole","id":"r1","practitioner":{"reference":"Practitioner/d1"},"organization":{"reference":"Organization/o1"}}`,
		`{"resourceType":"Patient","id":"p1","active":true,"identifier":[{"system":"urn:mrn","value":"1"}],"name":[{"family":"Zhang"}],"managingOrganization":{"reference":"Organization/o1"}}`,
		`{"resourceType":"Patient","id":"p2","active":true,"name":[{"family":"Wang"}]}`,
		`{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"},"period":{"start":"2024-01-05","end":"2024-01-05"}}`,
		`{"resourceType":"Encounter","id":"e2","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"},"period":{"start":"2025-01-05","end":"2025-01-05"}}`,
		observation("b1", "p1", "e1", "8867-4", "2024-01-05T08:00:00Z", "60"),
		observation("b2", "p1", "e2", "8867-4", "2025-01-05T08:00:00Z", "61.50"),
		observation("b3", "p1", "e2", "8310-5", "2025-01-05T09:00:00Z", "36.6"),
		observation("b4", "p2", "", "8867-4", "2025-02-05T09:00:00Z", "70"),
	} {
		var head struct{ ResourceType, ID string }
		if err := json.Unmarshal([]byte(r), &head); err != nil {
			t.Fatal(err)
		}
		c.put(head.ResourceType+"/"+head.ID, r).want(201)
	}
	return c
}

func observation(id, patient, encounter, code, at, value string) string {
	if encounter != "" {
		encounter = `"encounter":{"reference":"Encounter/` + encounter + `"},`
	}
	return fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],`+
		`"code":{"coding":[{"system":"http://loinc.org","code":"%s"}]},"subject":{"reference":"Patient/%s"},%s"effectiveDateTime":"%s","performer":[{"reference":"PractitionerRole/r1"}],"valueQuantity":{"value":%s},"note":[{"text":"n"}]}`,
		id, code, patient, encounter, at, value)
}

func TestAVersionIsReadUntilItsDeletion(t *testing.T) {
	c := clinic(t)
	c.put("Patient/p2", `{"resourceType":"Patient","id":"p2","active":false}`).want(200)
	c.delete("Patient/p2").want(204)
	if tag := c.get("Patient/p2").want(410).is("resourceType", "OperationOutcome").header.Get("ETag"); tag != `W/"3"` {
		t.Errorf("the deleted one has ETag %s", tag)
	}
	c.get("Patient/p2/_history/3").want(410)
	c.get("Patient/p2/_history/2").want(200).is("active", "false", "meta.versionId", "2")
	c.get("Patient/p2/_history/1").want(200).is("active", "true")
	c.get("Patient/p2/_history/4").want(404)
	c.get("Patient/p2/_history/x").want(404)
	c.get("Patient/nobody").want(404).is("issue.0.code", "not-found")
	c.get("Patient/no_body").want(404)
	c.get("Pateint/p1").want(404)
	c.get("Patient/p1/_history/1/x/y").want(404)
}

func TestWhatDidNotChangeIsNotSentAgain(t *testing.T) {
	c := clinic(t)
	first := c.get("Patient/p1").want(200)
	tag, modified := first.header.Get("ETag"), first.header.Get("Last-Modified")
	if tag != `W/"1"` || modified == "" {
		t.Fatalf("ETag %q, Last-Modified %q", tag, modified)
	}
	for header, status := range map[string]int{
		`If-None-Match: W/"1"`:                             304,
		`If-None-Match: W/"7", W/"1"`:                      304,
		`If-None-Match: *`:                                 304,
		`If-None-Match: W/"2"`:                             200,
		`If-Modified-Since: ` + modified:                   304,
		`If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT`: 200,
		`If-Modified-Since: once`:                          200,
	} {
		a := c.get("Patient/p1", header).want(status)
		if status == 304 && (a.header.Get("ETag") != tag || len(a.body) > 0) {
			t.Errorf("%s: ETag %q, %d bytes", header, a.header.Get("ETag"), len(a.body))
		}
	}
	c.get("Patient/p1", `If-None-Match: W/"2"`, "If-Modified-Since: "+modified).want(200) // RFC 9110 13.1.3
}

func TestHEADIsGETWithoutABody(t *testing.T) {
	c := clinic(t)
	for _, path := range []string{"Patient/p1", "Patient/p1/_history/1", "Patient?_id=p1", "Patient/p1/_history", "Patient/_history", "_history", "?_type=Patient", "metadata", "Patient/p1/Observation", "Patient/p1/$everything", "Patient/p1/$meta"} {
		get, head := c.get(path).want(200), c.do("HEAD", path, "").want(200)
		if len(head.body) != 0 {
			t.Errorf("HEAD %s has a body", path)
		}
		if l := head.header.Get("Content-Length"); l != fmt.Sprint(len(get.body)) {
			t.Errorf("HEAD %s: Content-Length %s, GET has %d", path, l, len(get.body))
		}
	}
	c.do("HEAD", "Patient/nobody", "").want(404)
}

func TestAnAnswerComesInTheFormatAskedFor(t *testing.T) {
	c := clinic(t)
	for _, format := range []string{"json", "application/fhir%2Bjson", "application/fhir+json", "application/json", "text/json"} {
		c.get("Patient/p1?_format=" + format).want(200)
	}
	for _, format := range []string{"xml", "application/fhir%2Bxml", "ttl", "text/turtle", "html"} {
		c.get("Patient/p1?_format="+format).want(406).is("resourceType", "OperationOutcome", "issue.0.expression.0", "_format")
	}
	c.get("Patient/p1", "Accept: application/fhir+xml").want(406)
	c.do("POST", "Patient/_search", "_format=xml", "Content-Type: application/x-www-form-urlencoded").want(406)

	plain, pretty := c.get("Observation/b2").want(200), c.get("Observation/b2?_pretty=true").want(200)
	if !strings.Contains(string(pretty.body), "\n      \"value\": 61.50\n") && !strings.Contains(string(pretty.body), "\"value\": 61.50\n") {
		t.Errorf("not indented, or the decimal changed: %s", pretty.body)
	}
	if got := strings.Join(strings.Fields(string(pretty.body)), ""); got != string(plain.body) {
		t.Errorf("pretty changes more than blanks:\n%s\n%s", got, plain.body)
	}
	c.get("Patient/p1?_pretty=perhaps").want(400)
	c.get("Patient/p1?_prety=true").want(400)
	c.get("Patient/p1?_prety=true", "Prefer: handling=lenient").want(200)
}

func TestAPartOfAResourceIsMarkedAsOne(t *testing.T) {
	c := clinic(t)
	for _, path := range []string{"Observation/b2?", "Observation/b2/_history/1?"} {
		c.get(path+"_summary=true").want(200).is("note", "", "valueQuantity.value", "61.50", "meta.tag.0.code", "SUBSETTED", "meta.versionId", "1")
		c.get(path+"_elements=note").want(200).is("note.0.text", "n", "valueQuantity", "", "status", "final", "meta.tag.0.code", "SUBSETTED")
		c.get(path+"_summary=data").want(200).is("note.0.text", "n", "meta.tag.0.code", "SUBSETTED")
		c.get(path+"_summary=text").want(200).is("valueQuantity", "", "status", "final")
		c.get(path+"_summary=false").want(200).is("meta.tag", "")
		c.get(path + "_summary=count").want(400)
		c.get(path + "_elements=naem").want(400)
	}
	c.get("Observation?_id=b2&_elements=note").want(200).is("entry.0.resource.note.0.text", "n", "entry.0.resource.valueQuantity", "", "entry.0.resource.meta.tag.0.code", "SUBSETTED")
	c.get("Observation?_id=b2&_summary=true").want(200).is("entry.0.resource.note", "", "entry.0.resource.meta.tag.0.code", "SUBSETTED")
	c.get("Observation?_summary=count").want(200).is("total", "4", "entry", "")
	c.get("Observation/b2/_history?_elements=note").want(200).is("entry.0.resource.note.0.text", "n", "entry.0.resource.valueQuantity", "")
	c.get("_history?_summary=true&_count=1").want(200).is("entry.0.resource.meta.tag.0.code", "SUBSETTED")
}

func TestRefusalsAreOutcomesAndSayWhatWouldDo(t *testing.T) {
	c := clinic(t)
	for ask, want := range map[string]struct {
		status int
		allow  string
	}{
		"GET Patient/_search":             {405, "POST"},
		"POST Patient/p1":                 {405, "GET, HEAD, PUT, PATCH, DELETE"},
		"POST Patient/p1/_history":        {405, "GET, HEAD"},
		"GET Patient/p1/$meta-add":        {405, "POST"},
		"GET Patient/p1/$everythin":       {404, ""},
		"POST Patient/p1/$everythin":      {404, ""},
		"GET $nothing":                    {404, ""},
		"GET Patient/$everything":         {404, ""},
		"GET Patient/p1/Patinet":          {404, ""},
		"GET Patient/p1/Organization":     {404, ""},
		"GET Organization/o1/Observation": {404, ""},
		"GET Nothing":                     {404, ""},
		"GET _nothing":                    {404, ""},
	} {
		method, path, _ := strings.Cut(ask, " ")
		a := c.do(method, path, "").want(want.status).is("resourceType", "OperationOutcome")
		if got := a.header.Get("Allow"); got != want.allow {
			t.Errorf("%s: Allow is %q, want %q", ask, got, want.allow)
		}
	}
	if a := c.get("Patient/p1/$everythin").want(404); !strings.Contains(string(a.body), "$everything") {
		t.Errorf("the operation meant is not named: %s", a.body)
	}
	none := c.scoped("system/Patient.rs")
	for _, path := range []string{"Observation/b1", "Observation", "Observation/_history", "Observation/b1/_history", "?_type=Observation", "Patient/p1/Observation", "Observation/$lastn?patient=p1&code=8867-4", "Observation/b1/$meta"} {
		none.get(path).want(http.StatusForbidden)
	}
	none.do("POST", "Patient/p1/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`).want(403)
}
