package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// counted is what a hub holds: totals of some types and of DICOM studies, which a refused request must not change.
func (h *corpusHub) counted() string {
	h.t.Helper()
	var b strings.Builder
	for _, typ := range []string{"Patient", "Observation", "ImagingStudy", "Bundle", "Binary"} {
		_, total := h.pages("/fhir/" + typ + "?_summary=count")
		fmt.Fprintf(&b, "%s %d, ", typ, total)
	}
	fmt.Fprintf(&b, "instances %s", h.get("/dicom-web/instances?limit=1000").body)
	return b.String()
}

// patients and the like, the smallest that pass.
const (
	woman    = `{"resourceType":"Patient","id":"one","gender":"female"}`
	noOnesID = `{"resourceType":"Patient","gender":"female"}`
)

// observed is an Observation with a value.
func observed(value string) []byte {
	return []byte(`{"resourceType":"Observation","status":"final","code":{"text":"x"},` + value + `}`)
}

// repeated gives n bytes: head, then unit again and again.
func repeated(head, unit string, n int64) io.Reader {
	return io.LimitReader(io.MultiReader(strings.NewReader(head), &cycle{unit: unit}), n)
}

// cycle is a text without end.
type cycle struct {
	unit string
	at   int
}

func (c *cycle) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], c.unit[c.at:])
		n, c.at = n+k, (c.at+k)%len(c.unit)
	}
	return n, nil
}

func zipped(r io.Reader) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.Copy(z, r)
	z.Close()
	return b.Bytes()
}

// TestBadFHIRIsRefusedWithTheReason sends what no hub should take. Each is a clear OperationOutcome, nothing is stored, and
// the hub's memory stays as it is.
func TestBadFHIRIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	h := startCorpusHub(t)
	if made := h.send("PUT", "/fhir/Patient/one", []byte(woman)); made.status != 201 {
		t.Fatal(made.status, made.diagnostics())
	}
	page := h.send("POST", "/fhir/Patient", []byte(noOnesID))
	if page.status != 201 {
		t.Fatal(page.diagnostics())
	}
	next := ""
	for _, link := range exact(t, h.get("/fhir/Patient?_count=1").body)["link"].([]any) {
		if l := link.(map[string]any); l["relation"] == "next" {
			_, next, _ = strings.Cut(l["url"].(string), "_after=")
		}
	}
	if next == "" {
		t.Fatal("the first page has no next link")
	}
	forged, _ := base64.RawURLEncoding.DecodeString(next)
	forged[len(forged)-2] ^= 1
	before := h.counted()
	asJSON := map[string]string{"Content-Type": fhirJSON}
	with := func(more ...string) map[string]string {
		m := map[string]string{"Content-Type": fhirJSON}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	deep := func(n int) []byte {
		ext := strings.Repeat(`{"url":"u","extension":[`, n) + `{"url":"u"}` + strings.Repeat("]}", n)
		return []byte(`{"resourceType":"Patient","extension":[` + ext + `]}`)
	}
	for _, c := range []struct {
		name   string
		req    request
		status int
		reason string
	}{
		{"a wrong content type", request{method: "POST", path: "/fhir/Patient", body: []byte(noOnesID), header: map[string]string{"Content-Type": "text/plain"}}, 415, "not-supported: the hub takes application/fhir+json"},
		{"XML", request{method: "POST", path: "/fhir/Patient", body: []byte(`<Patient xmlns="http://hl7.org/fhir"/>`), header: map[string]string{"Content-Type": "application/fhir+xml"}}, 415, "application/fhir+json"},
		{"an unknown content encoding", request{method: "POST", path: "/fhir/Patient", body: []byte(noOnesID), header: with("Content-Encoding", "br")}, 415, "Content-Encoding"},
		{"an answer in XML", request{method: "GET", path: "/fhir/Patient", header: map[string]string{"Accept": "application/fhir+xml"}}, 406, "answers in"},
		{"_format=xml", request{method: "GET", path: "/fhir/Patient?_format=xml"}, 406, "answers in JSON"},
		{"a patch in XML", request{method: "PATCH", path: "/fhir/Patient/one", body: []byte("<diff/>"), header: map[string]string{"Content-Type": "application/xml-patch+xml"}}, 415, "XML Patch"},
		{"a patch that is none", request{method: "PATCH", path: "/fhir/Patient/one", body: []byte("{}"), header: map[string]string{"Content-Type": "application/json-patch+json"}}, 400, "JSON Patch"},
		{"a patch that breaks the resource", request{method: "PATCH", path: "/fhir/Patient/one", body: []byte(`[{"op":"add","path":"/gendr","value":"male"}]`), header: map[string]string{"Content-Type": "application/json-patch+json"}}, 400, "gendr"},
		{"a conditional delete without criteria", request{method: "DELETE", path: "/fhir/Patient"}, 400, "search parameter"},
		{"a method that an address does not take", request{method: "DELETE", path: "/fhir/Patient/one/_history/1"}, 405, "DELETE"},
		{"no body", request{method: "POST", path: "/fhir/Patient", header: asJSON}, 400, "JSON"},
		{"a body cut in the middle", request{method: "POST", path: "/fhir/Patient", body: []byte(noOnesID[:30]), header: asJSON}, 400, "at byte 30"},
		{"trailing garbage", request{method: "POST", path: "/fhir/Patient", body: []byte(noOnesID + "x"), header: asJSON}, 400, "byte 44"},
		{"two resources in one body", request{method: "POST", path: "/fhir/Patient", body: []byte(noOnesID + noOnesID), header: asJSON}, 400, "byte 44"},
		{"a repeated member", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","gender":"male","gender":"female"}`), header: asJSON}, 400, "gender"},
		{"a repeated member hidden by an escape", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","gender":"male","g\u0065nder":"female"}`), header: asJSON}, 400, "gender"},
		{"invalid UTF-8", request{method: "POST", path: "/fhir/Patient", body: []byte("{\"resourceType\":\"Patient\",\"name\":[{\"text\":\"\xd5\xc5\"}]}"), header: asJSON}, 400, "UTF-8"},
		{"an unpaired surrogate", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","name":[{"text":"\ud800"}]}`), header: asJSON}, 400, "surrogate"},
		{"a depth of 10,000", request{method: "POST", path: "/fhir/Patient", body: deep(5000), header: asJSON}, 413, "nesting deeper"},
		{"a depth of 1,000", request{method: "POST", path: "/fhir/Patient", body: deep(500), header: asJSON}, 413, "nesting deeper than 64"},
		{"an array of arrays 10,000 deep", request{method: "POST", path: "/fhir/Patient", body: []byte(strings.Repeat("[", 10000)), header: asJSON}, 413, "nesting deeper"},
		{"a NUL in a text", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","name":[{"text":"a\u0000b"}]}`), header: asJSON}, 400, "no control character but tab, line feed and carriage return Patient.name[0].text"},
		{"a raw control character", request{method: "POST", path: "/fhir/Patient", body: []byte("{\"resourceType\":\"Patient\",\"name\":[{\"text\":\"a\x01b\"}]}"), header: asJSON}, 400, "a control character inside a string at byte 44"},
		{"NaN", request{method: "POST", path: "/fhir/Observation", body: observed(`"valueQuantity":{"value":NaN}`), header: asJSON}, 400, "no JSON value at byte"},
		{"a number with a leading zero", request{method: "POST", path: "/fhir/Observation", body: observed(`"valueQuantity":{"value":01}`), header: asJSON}, 400, "Observation.valueQuantity"},
		{"a number as a string", request{method: "POST", path: "/fhir/Observation", body: observed(`"valueQuantity":{"value":"5"}`), header: asJSON}, 400, "a JSON number is due Observation.valueQuantity.value"},
		{"an integer of 33 bits", request{method: "POST", path: "/fhir/Observation", body: observed(`"valueInteger":4294967296`), header: asJSON}, 400, "32 bits is due, as a JSON number without fraction or exponent Observation.valueInteger"},
		{"two values of a choice", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}`), header: asJSON}, 400, "Patient.deceasedDateTime"},
		{"a script in a narrative", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script/></div>"}}`), header: asJSON}, 400, "script is not admitted Patient.text.div"},
		{"a code outside of its value set", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","gender":"femal"}`), header: asJSON}, 400, "female, male, other, unknown) Patient.gender"},
		{"a reference to another type", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","managingOrganization":{"reference":"Patient/one"}}`), header: asJSON}, 400, "(to one of Organization) Patient.managingOrganization.reference"},
		{"criteria of a create in its URL", request{method: "POST", path: "/fhir/Patient?identifier=1", body: []byte(noOnesID), header: asJSON}, 400, "If-None-Exist"},
		{"criteria beside an id", request{method: "DELETE", path: "/fhir/Patient/one?gender=male"}, 400, "leave either the id or the criteria out"},
		{"an unknown resource type in the URL", request{method: "POST", path: "/fhir/Pateint", body: []byte(noOnesID), header: asJSON}, 404, "Patient"},
		{"an unknown resource type in the body", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Pateint"}`), header: asJSON}, 400, "no resource type"},
		{"another type than the URL's", request{method: "POST", path: "/fhir/Observation", body: []byte(noOnesID), header: asJSON}, 400, "the URL says Observation"},
		{"an unknown element", request{method: "POST", path: "/fhir/Patient", body: []byte(`{"resourceType":"Patient","gendr":"male"}`), header: asJSON}, 400, "gendr"},
		{"another id than the URL's", request{method: "PUT", path: "/fhir/Patient/two", body: []byte(woman), header: asJSON}, 400, `the URL says "two"`},
		{"no id in an update", request{method: "PUT", path: "/fhir/Patient/two", body: []byte(noOnesID), header: asJSON}, 400, "id"},
		{"an id with a blank", request{method: "PUT", path: "/fhir/Patient/a%20b", body: []byte(`{"resourceType":"Patient","id":"a b"}`), header: asJSON}, 400, "an id is"},
		{"an id of 65 characters", request{method: "PUT", path: "/fhir/Patient/" + strings.Repeat("x", 65), body: []byte(`{"resourceType":"Patient","id":"` + strings.Repeat("x", 65) + `"}`), header: asJSON}, 400, "an id is"},
		{"an id that is a path", request{method: "PUT", path: "/fhir/Patient/..%2f..%2fetc", body: []byte(`{"resourceType":"Patient","id":"../../etc"}`), header: asJSON}, 405, "not-supported"},
		{"reading a path", request{method: "GET", path: "/fhir/Patient/..%2f..%2fetc%2fpasswd"}, 404, "not-found"},
		{"a batch of no known kind", request{method: "POST", path: "/fhir", body: []byte(`{"resourceType":"Bundle","type":"collection"}`), header: asJSON}, 400, "batch or a transaction"},
		{"a transaction with one bad entry", request{method: "POST", path: "/fhir", body: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[
			{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},{"resource":{"resourceType":"Observation"},"request":{"method":"POST","url":"Patient"}}]}`), header: asJSON}, 400, "Observation"},
		{"a transaction with an address outside", request{method: "POST", path: "/fhir", body: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET","url":"../../etc/passwd"}}]}`), header: asJSON}, 400, "Bundle.entry[0].request.url"},
		{"a transaction with an address of another server", request{method: "POST", path: "/fhir", body: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET","url":"http://other/fhir/Patient"}}]}`), header: asJSON}, 400, "Bundle.entry[0].request.url"},
		{"an entry without an address", request{method: "POST", path: "/fhir", body: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"GET"}}]}`), header: asJSON}, 400, "Bundle.entry[0].request.url"},
		{"5,001 entries", request{method: "POST", path: "/fhir", body: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Repeat(`{"request":{"method":"GET","url":"Patient/one"}},`, 5000) + `{"request":{"method":"GET","url":"Patient/one"}}]}`), header: asJSON}, 413, "5000 entries"},
		{"a broken If-Match", request{method: "PUT", path: "/fhir/Patient/one", body: []byte(woman), header: with("If-Match", `W/"one"`)}, 400, "entity tag"},
		{"an If-Match of another version", request{method: "PUT", path: "/fhir/Patient/one", body: []byte(woman), header: with("If-Match", `W/"7"`)}, 412, "version 1"},
		{"an unknown search parameter", request{method: "GET", path: "/fhir/Patient?brithdate=1970"}, 400, "birthdate"},
		{"an unknown parameter far from any", request{method: "GET", path: "/fhir/Patient?xyzzyplugh=1"}, 400, "xyzzyplugh"},
		{"an unknown modifier", request{method: "GET", path: "/fhir/Patient?name:exakt=x"}, 400, "exakt"},
		{"a date that is none", request{method: "GET", path: "/fhir/Patient?birthdate=1970-13-01"}, 400, "birthdate"},
		{"a _count that is none", request{method: "GET", path: "/fhir/Patient?_count=many"}, 400, "_count"},
		{"a query in GBK", request{method: "GET", path: "/fhir/Patient?name=%D5%C5"}, 400, "it is not UTF-8"},
		{"an empty value", request{method: "GET", path: "/fhir/Patient?name="}, 400, "the value is empty name"},
		{"a number that is none", request{method: "GET", path: "/fhir/Observation?value-quantity=abc"}, 400, "a number is due, such as 5.4"},
		{"10,000 values", request{method: "GET", path: "/fhir/Observation?code=" + strings.Repeat("a,", 9999) + "a"}, 413, "10000 values where one parameter may have 1000 (ask in several searches) code"},
		{"1,001 parameters", request{method: "GET", path: "/fhir/Patient?" + strings.Repeat("name=a&", 1001)}, 413, "more conditions than 1000"},
		{"a chain of 20", request{method: "GET", path: "/fhir/Observation?" + strings.Repeat("derived-from:Observation.", 20) + "code=x"}, 413, "a chain follows more references than 8 (search for what stands at its end first"},
		{"a _has of 20", request{method: "GET", path: "/fhir/Patient?" + strings.Repeat("_has:Patient:link:", 20) + "name=x"}, 413, "a chain follows more references than 8"},
		{"a chain that may lead anywhere", request{method: "GET", path: "/fhir/Provenance?target.target.target.target=x"}, 413, "name the types that chains lead to"},
		{"100 parentheses", request{method: "GET", path: "/fhir/Patient?_filter=" + strings.Repeat("(", 100) + "name+eq+x" + strings.Repeat(")", 100)}, 413, "deeper than 32 _filter"},
		{"9 sort keys", request{method: "GET", path: "/fhir/Patient?_sort=name,name,name,name,name,name,name,name,name"}, 413, "more keys than 8 _sort"},
		{"an include of nothing", request{method: "GET", path: "/fhir/Patient?_include=Patient:organisation"}, 400, "did you mean organization?"},
		{"a search of two types by what one has", request{method: "GET", path: "/fhir?_type=Patient,Binary&name=x"}, 400, "Binary has no search parameter"},
		{"a form of 2 MB", request{method: "POST", path: "/fhir/Patient/_search", body: repeated("name=a", "&name=a", 2<<20), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 413, "1048576 bytes"},
		{"a search whose form is JSON", request{method: "POST", path: "/fhir/Patient/_search", body: []byte("{}"), header: asJSON}, 415, "application/x-www-form-urlencoded"},
		{"a broken escape in the query", request{method: "GET", path: "/fhir/Patient?name=%zz"}, 400, ""},
		{"a forged cursor", request{method: "GET", path: "/fhir/Patient?_count=1&_after=" + base64.RawURLEncoding.EncodeToString(forged)}, 400, "cursor"},
		{"a cursor of another search", request{method: "GET", path: "/fhir/Patient?_count=1&gender=female&_after=" + next}, 400, "cursor"},
		{"a cursor of another type", request{method: "GET", path: "/fhir/Observation?_count=1&_after=" + next}, 400, "cursor"},
		{"a cursor that is noise", request{method: "GET", path: "/fhir/Patient?_after=!!!"}, 400, "cursor"},
		{"version 0", request{method: "GET", path: "/fhir/Patient/one/_history/0"}, 404, "versions"},
		{"a version that is no number", request{method: "GET", path: "/fhir/Patient/one/_history/latest"}, 404, "versions"},
		{"a version to come", request{method: "GET", path: "/fhir/Patient/one/_history/99"}, 404, "not-found"},
		{"an unknown operation", request{method: "POST", path: "/fhir/Patient/$everything-else", header: asJSON}, 404, "operation"},
		{"a resource above 10 MB", request{method: "POST", path: "/fhir/Patient", body: repeated(`{"resourceType":"Patient","name":[{"text":"`, "x", 11<<20), header: asJSON}, 413, "too-long"},
		{"100 MB", request{method: "POST", path: "/fhir/Patient", body: repeated(`{"resourceType":"Patient","name":[{"text":"`, "x", 100<<20), header: asJSON}, 413, "too-long"},
		{"700,000 small values", request{method: "POST", path: "/fhir/Patient", body: repeated(`{"resourceType":"Patient","name":[`, `{"text":"x"},`, 9<<20), header: asJSON}, 413, "values at byte"},
		{"900 MB with a length", request{method: "POST", path: "/fhir/Patient", body: repeated(`{"resourceType":"Patient","name":[`, `{"text":"x"},`, 900<<20), header: with("Content-Length", fmt.Sprint(900<<20))}, 413, "too-long"},
		{"900 MB without a length", request{method: "POST", path: "/fhir/Patient", body: repeated(`{"resourceType":"Patient","name":[`, `{"text":"x"},`, 900<<20), header: asJSON}, 413, "too-long"},
		{"a gzip bomb", request{method: "POST", path: "/fhir/Patient", body: zipped(repeated(`{"resourceType":"Patient","name":[{"text":"`, "x", 64<<20)), header: with("Content-Encoding", "gzip")}, 413, "too-long"},
		{"a gzip body that is none", request{method: "POST", path: "/fhir/Patient", body: []byte(noOnesID), header: with("Content-Encoding", "gzip")}, 400, "gzip"},
		{"a gzip body that is cut", request{method: "POST", path: "/fhir/Patient", body: zipped(strings.NewReader(noOnesID))[:40], header: with("Content-Encoding", "gzip")}, 400, "gzip"},
	} {
		h.staysFlat(c.name, func() {
			began := time.Now()
			got, err := h.try(c.req)
			switch {
			case err != nil:
				t.Errorf("%s: %v", c.name, err)
			case got.status != c.status || got.diagnostics() == "" || !strings.Contains(got.diagnostics(), c.reason):
				t.Errorf("%s: %d %q, want %d and %q", c.name, got.status, got.diagnostics(), c.status, c.reason)
			case !strings.HasPrefix(got.header.Get("Content-Type"), fhirJSON):
				t.Errorf("%s: answered as %s", c.name, got.header.Get("Content-Type"))
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s took %v", c.name, took)
			}
		})
	}
	if after := h.counted(); after != before {
		t.Errorf("something was stored:\nbefore %s\nafter  %s", before, after)
	}
	if read := h.get("/fhir/Patient/one"); read.status != 200 || read.header.Get("ETag") != `W/"1"` {
		t.Errorf("the patient reads %d %s", read.status, read.header.Get("ETag"))
	}
}

// TestCostlySearchesStayFlat asks for much with few words. Each search is answered, truly or with a refusal that says how to
// narrow it, within seconds and in the memory there is.
func TestCostlySearchesStayFlat(t *testing.T) {
	t.Parallel()
	h := startCorpusHub(t)
	var entries []string
	put := func(typ string, n int, rest string) {
		name := fmt.Sprintf("%s/%d", typ, n)
		entries = append(entries, fmt.Sprintf(`{"request":{"method":"PUT","url":%q},"resource":{"resourceType":%q,"id":"%d"%s}}`, name, typ, n, rest))
	}
	const circle = 1200 // observations, each derived from the one before
	for n := range 50 {
		put("Patient", n, fmt.Sprintf(`,"name":[{"text":"n%d"}],"active":true,"link":[{"type":"seealso","other":{"reference":"Patient/%d"}}]`, n, (n+1)%50))
	}
	for n := range circle {
		put("Observation", n, fmt.Sprintf(`,"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/%d"},"derivedFrom":[{"reference":"Observation/%d"}],"valueQuantity":{"value":%d,"unit":"x"}`, n%50, (n+1)%circle, n))
	}
	if done := h.send("POST", "/fhir", []byte(`{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`)); done.status != 200 {
		t.Fatal(done.status, done.diagnostics())
	}
	conjunctions := make([]string, 300)
	names, words := make([]string, 400), make([]string, 400)
	for i := range names {
		names[i], words[i] = fmt.Sprint("x", i), fmt.Sprint("name+eq+x", i)
	}
	for i := range conjunctions {
		conjunctions[i] = fmt.Sprintf("(name+eq+x%d+and+active+eq+true)", i)
	}
	for _, c := range []struct {
		name, path string
		status     int
		says       string
	}{
		{"a page of a million", "Observation?_count=1000000", 200, `"total":1200,"link":[{"relation":"self","url":"` + h.URL + `/fhir/Observation?_count=1000"`},
		{"a page beyond all numbers", "Observation?_count=99999999999999999999", 200, `_count=1000"`},
		{"a circle of includes", "Observation?_id=0&_include:iterate=Observation:derived-from", 200, `"total":1`},
		{"includes both ways", "Observation?_id=0&_include:iterate=*&_revinclude:iterate=*", 422, "name types and parameters instead of *"},
		{"a circle of links", "Patient?_id=0&_include:iterate=Patient:link&_revinclude:iterate=Patient:link", 200, `"total":1`},
		{"400 names", "Patient?name=" + strings.Join(names, ","), 200, `"total":0`},
		{"400 alternatives", "Patient?_filter=" + strings.Join(words, "+or+"), 200, `"total":0`},
		{"300 conjunctions", "Patient?_filter=" + strings.Join(conjunctions, "+or+"), 200, `"total":0`},
		{"a chain around the circle", "Observation?" + strings.Repeat("derived-from:Observation.", 8) + "_id=8", 200, `"total":1`},
		{"words of every resource", "?_content=nowhere", 200, `"total":0`},
		{"an order that is computed", "Observation?_sort=subject,-code&_count=1000&_total=accurate", 200, `"total":1200`},
	} {
		h.staysFlat(c.name, func() {
			began := time.Now()
			got := h.get("/fhir/" + c.path)
			if got.status != c.status || !strings.Contains(string(got.body), c.says) {
				t.Errorf("%s: %d %.400s, want %d and %s", c.name, got.status, got.body, c.status, c.says)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%s took %v", c.name, took)
			}
		})
	}
}
