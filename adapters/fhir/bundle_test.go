package fhir_test

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	face "concord/adapters/fhir"
)

func bundle(kind string, entries ...string) string {
	return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
}

// request is an entry; resource and fullUrl may be empty, more are further members of its request.
func request(method, url, fullURL, resource string, more ...string) string {
	var b strings.Builder
	b.WriteString(`{`)
	if fullURL != "" {
		b.WriteString(`"fullUrl":"` + fullURL + `",`)
	}
	if resource != "" {
		b.WriteString(`"resource":` + resource + `,`)
	}
	b.WriteString(`"request":{"method":"` + method + `","url":"` + url + `"`)
	for _, m := range more {
		b.WriteString("," + m)
	}
	return b.String() + `}}`
}

const (
	urn1 = "urn:uuid:00000000-0000-4000-8000-000000000001"
	urn2 = "urn:uuid:00000000-0000-4000-8000-000000000002"
)

func observed(subject string) string {
	return `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"` + subject + `"}}`
}

func TestTransactionReferencesAreResolved(t *testing.T) {
	c := start(t)
	c.put("Patient/known", withNumber("7", `,"id":"known"`)).want(201)
	a := c.post("", bundle("transaction",
		request("POST", "Observation", urn2, `{"resourceType":"Observation","status":"final","code":{"text":"`+urn1+`"},"subject":{"reference":"`+urn1+`"},
			"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"`+urn1+`\">p</a></div>"},
			"extension":[{"url":"http://x","valueUri":"`+urn1+`"}],
			"focus":[{"reference":"http://elsewhere/fhir/Patient/123"},{"reference":"Patient/123"},{"reference":"Patient/known/_history/1"}],
			"hasMember":[{"reference":"`+urn2+`"}]}`),
		request("POST", "Patient", urn1, withNumber("1", "")),
		request("POST", "Patient", "http://elsewhere/fhir/Patient/123", withNumber("2", `,"id":"123"`)),
		request("POST", "Observation", "http://elsewhere/fhir/Observation/9", observed("Patient/123")),
		request("POST", "Observation", "", observed("Patient?identifier=urn:mrn|7")),
		request("POST", "Observation", "", observed("Patient?identifier=urn:mrn|1")),
	)).want(200).is("type", "transaction-response", "entry.#", "6", "entry.0.response.status", "201 Created")
	name := func(i int) string {
		location := a.at(fmt.Sprintf("entry.%d.response.location", i))
		return strings.TrimSuffix(strings.TrimPrefix(location, c.base+"/"), "/_history/1")
	}
	p1, p2 := name(1), name(2)
	o := c.get(name(0)).want(200).is(
		"subject.reference", p1, "code.text", urn1, "extension.0.valueUri", p1, "focus.0.reference", p2,
		"focus.1.reference", "Patient/123", // it comes from no server, so it means the hub's own
		"focus.2.reference", "Patient/known/_history/1", "hasMember.0.reference", name(0))
	if !strings.Contains(o.at("text.div"), `href="`+p1+`"`) {
		t.Errorf("the narrative's link is %s", o.at("text.div"))
	}
	c.get(name(3)).is("subject.reference", p2)
	c.get(name(4)).is("subject.reference", "Patient/known")
	c.get(name(5)).is("subject.reference", p1)
}

func TestTransactionConditions(t *testing.T) {
	c := start(t)
	c.put("Patient/a", withNumber("1", `,"id":"a"`)).want(201)
	c.put("Patient/b", withNumber("2", `,"id":"b"`)).want(201)
	jsonPatch := base64.StdEncoding.EncodeToString([]byte(`[{"op":"add","path":"/active","value":true}]`))
	a := c.post("", bundle("transaction",
		request("GET", "Patient?identifier=urn:mrn|1&_summary=count", "", ""),
		request("POST", "Patient", urn1, withNumber("1", ""), `"ifNoneExist":"identifier=urn:mrn|1"`),
		request("POST", "Observation", "", observed(urn1)),
		request("PUT", "Patient?identifier=urn:mrn|3", urn2, withNumber("3", "")),
		request("PATCH", "Patient?identifier=urn:mrn|2", "", `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"`+jsonPatch+`"}`, `"ifMatch":"W/\"1\""`),
		request("DELETE", "Patient?identifier=urn:mrn|9", "", ""),
		request("GET", "Patient/a", "", "", `"ifNoneMatch":"W/\"1\""`),
		request("GET", "Patient/b/_history", "", ""),
		request("HEAD", "Patient/b", "", ""),
	), "Prefer: return=representation").want(200).is(
		"entry.0.resource.total", "1",
		"entry.1.response.status", "200 OK", "entry.1.resource.id", "a",
		"entry.2.response.status", "201 Created", "entry.2.resource.subject.reference", "Patient/a",
		"entry.3.response.status", "201 Created",
		"entry.4.response.status", "200 OK", "entry.4.resource.active", "true", "entry.4.response.etag", `W/"2"`,
		"entry.5.response.status", "204 No Content",
		"entry.6.response.status", "304 Not Modified", "entry.6.resource", "",
		"entry.7.resource.type", "history", "entry.7.resource.total", "2",
		"entry.8.response.status", "200 OK", "entry.8.resource", "",
	)
	if a.at("entry.4.response.lastModified") == "" {
		t.Error("no lastModified")
	}
	// Deletes come first, whatever their place: what they take away is not met, and what is created is.
	c.post("", bundle("transaction",
		request("POST", "Patient", urn1, withNumber("1", ""), `"ifNoneExist":"identifier=urn:mrn|1"`),
		request("POST", "Patient", urn2, withNumber("1", ""), `"ifNoneExist":"identifier=urn:mrn|1"`),
		request("POST", "Observation", "", observed(urn2)),
		request("DELETE", "Patient/a", "", ""),
	)).want(200).is("entry.0.response.status", "201 Created", "entry.1.response.status", "200 OK", "entry.3.response.status", "204 No Content")
	c.get("Patient?identifier=urn:mrn|1&_total=accurate").is("total", "1")
}

func TestTransactionsAreRefusedWhole(t *testing.T) {
	c := start(t)
	c.put("Patient/a", withNumber("1", `,"id":"a"`)).want(201)
	c.put("Patient/theirs", withNumber("5", `,"id":"theirs"`)).want(201)
	good := request("POST", "Patient", "", withNumber("2", ""))
	for say, x := range map[string]struct {
		entries []string
		status  int
		paths   string
	}{
		"two changes of one resource": {[]string{request("PUT", "Patient/a", "", `{"resourceType":"Patient","id":"a"}`), request("DELETE", "Patient/a", "", "")}, 400, "Bundle.entry[1]"},
		"criteria that meet what another entry changes": {[]string{request("PUT", "Patient/a", "", `{"resourceType":"Patient","id":"a"}`),
			request("PUT", "Patient?identifier=urn:mrn|1", "", withNumber("1", ""))}, 400, "Bundle.entry[2]"},
		"criteria that meet what the transaction creates": {[]string{request("PATCH", "Patient?identifier=urn:mrn|2", "", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.active"}]}]}`)}, 400, "Bundle.entry[1]"},
		"one fullUrl twice": {[]string{request("POST", "Patient", urn1, withNumber("3", "")), request("POST", "Patient", urn1, withNumber("4", ""))}, 400, "Bundle.entry[2]"},
		"all that is wrong": {[]string{request("POST", "Patient", "", `{"resourceType":"Patient","nmae":"x"}`), request("PUT", "Patient/b", "", `{"resourceType":"Patient","id":"c"}`),
			request("BREW", "Patient", "", ""), request("PUT", "Nothing/1", "", ""), request("POST", "Patient", "", ""), request("GET", "Nothing", "", ""), `{"fullUrl":"` + urn1 + `"}`},
			400, "Bundle.entry[1].resource.nmae Bundle.entry[2].resource.id Bundle.entry[3].request.method Bundle.entry[4].request.url Bundle.entry[5].resource Bundle.entry[6].request.url Bundle.entry[7].request"},
		"a stale If-Match and a wrong patch": {[]string{request("PUT", "Patient/a", "", `{"resourceType":"Patient","id":"a"}`, `"ifMatch":"W/\"7\""`),
			request("PATCH", "Patient/theirs", "", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.gender"},{"name":"value","valueCode":"male"}]}]}`)},
			412, "Bundle.entry[1] Bundle.entry[2].resource.parameter[0]"},
		"a conditional reference to nothing": {[]string{request("POST", "Observation", "", observed("Patient?identifier=urn:mrn|nobody"))}, 412, "Bundle.entry[1]"},
		"criteria without a parameter":       {[]string{request("DELETE", "Patient?", "", "")}, 400, "Bundle.entry[1]"},
		"an operation":                       {[]string{request("POST", "Patient/a/$meta-add", "", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`)}, 400, "Bundle.entry[1].request.url"},
	} {
		t.Run(say, func(t *testing.T) {
			a := c.post("", bundle("transaction", append([]string{good}, x.entries...)...)).want(x.status)
			var paths []string
			for i := range 20 {
				if p := a.at(fmt.Sprintf("issue.%d.expression.0", i)); p != "" {
					paths = append(paths, p)
				}
			}
			if got := strings.Join(paths, " "); got != x.paths {
				t.Errorf("faults at %s, want %s\n%s", got, x.paths, a.body)
			}
		})
	}
	c.get("Patient?identifier=urn:mrn|2&_total=accurate").is("total", "0")
	c.as("m2").post("", bundle("transaction", good, request("PUT", "Patient/theirs", "", `{"resourceType":"Patient","id":"theirs"}`))).want(403).is("issue.0.expression.0", "Bundle.entry[1]")
	c.get("Patient?identifier=urn:mrn|2&_total=accurate").is("total", "0")
}

func TestBatchEntriesStandAlone(t *testing.T) {
	c := start(t)
	c.put("Patient/a", withNumber("1", `,"id":"a"`)).want(201)
	c.post("", bundle("batch",
		request("POST", "Patient", urn1, withNumber("2", "")),
		request("POST", "Patient", "", `{"resourceType":"Patient","nmae":"x"}`),
		request("GET", "Patient/nobody", "", ""),
		request("GET", c0(c)+"Patient/a", "", ""),
		request("PUT", "/Patient/a", "", `{"resourceType":"Patient","id":"a"}`, `"ifMatch":"W/\"9\""`),
		request("POST", "Patient/a/$meta-add", "", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"urn:t","code":"x"}]}}]}`),
		request("DELETE", "Patient?identifier=urn:mrn|none", "", ""),
	)).want(200).is(
		"type", "batch-response", "entry.#", "7",
		"entry.0.response.status", "201 Created", "entry.0.resource", "",
		"entry.1.response.status", "400 Bad Request", "entry.1.response.outcome.issue.0.expression.0", "Bundle.entry[1].resource.nmae",
		"entry.2.response.status", "404 Not Found", "entry.2.response.outcome.issue.0.code", "not-found",
		"entry.3.response.status", "200 OK", "entry.3.resource.id", "a",
		"entry.4.response.status", "412 Precondition Failed",
		"entry.5.response.status", "200 OK",
		"entry.6.response.status", "204 No Content",
	)
	c.post("", bundle("batch", request("POST", "Patient", "", withNumber("8", ""))), "Prefer: return=OperationOutcome").
		want(200).is("entry.0.response.outcome.resourceType", "OperationOutcome")
}

// c0 is the service root with a slash.
func c0(c *client) string { return c.base + "/" }

func TestBundlesOfOtherTypesAreKeptOnlyAsResources(t *testing.T) {
	c := start(t)
	for _, kind := range []string{"history", "collection", "document", "searchset"} {
		a := c.post("", `{"resourceType":"Bundle","type":"`+kind+`"}`).want(400).is("issue.0.expression.0", "Bundle.type")
		if !strings.Contains(a.at("issue.0.diagnostics"), "/Bundle") {
			t.Errorf("%s: %s", kind, a.body)
		}
	}
	id := c.post("Bundle", `{"resourceType":"Bundle","type":"collection"}`).want(201).at("id")
	c.get("Bundle/"+id).is("type", "collection")
	c.post("", `{"resourceType":"Patient"}`).want(400)
}

func TestABundleMayHaveSoManyEntries(t *testing.T) {
	c := start(t, func(d *face.Deps) { d.Limits.Entries = 3 })
	one := request("POST", "Patient", "", withNumber("1", ""))
	c.post("", bundle("transaction", one, one, one)).want(200)
	c.post("", bundle("transaction", one, one, one, one)).want(413).is("issue.0.diagnostics", "a bundle may have 3 entries")
}

// TestFiveThousandEntriesAreOneTransaction also says what it took.
func TestFiveThousandEntriesAreOneTransaction(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a second")
	}
	for say, x := range map[string]struct {
		entries     int
		conditional string
	}{"plain": {5000, ""}, "each conditional": {5000, `"ifNoneExist":"identifier=urn:x|%d"`}} {
		t.Run(say, func(t *testing.T) {
			c := start(t)
			entries := []string{request("POST", "Patient", urn1, withNumber("1", ""))}
			for i := 1; i < x.entries; i++ {
				var more []string
				if x.conditional != "" {
					more = []string{fmt.Sprintf(x.conditional, i)}
				}
				entries = append(entries, request("POST", "Observation", fmt.Sprintf("urn:uuid:00000000-0000-4000-9000-%012d", i), fmt.Sprintf(
					`{"resourceType":"Observation","identifier":[{"system":"urn:x","value":"%d"}],"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2345-7"}]},`+
						`"subject":{"reference":"`+urn1+`"},"effectiveDateTime":"2024-05-01T08:%02d:00+08:00","valueQuantity":{"value":%d.50,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`,
					i, i%60, i%30), more...))
			}
			text := bundle("transaction", entries...)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := time.Now()
			a := c.post("", text).want(200)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			t.Logf("%.1f MB in %v, %d MB allocated, %d MB held", float64(len(text))/1e6, took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>20)
			patient := strings.TrimSuffix(strings.TrimPrefix(a.at("entry.0.response.location"), c.base+"/"), "/_history/1")
			c.get("Observation?subject="+patient+"&_summary=count").want(200).is("total", fmt.Sprint(x.entries-1))
		})
	}
}

func TestWhatAnEntryDoesNotFindIsNoFaultOfTheAddress(t *testing.T) {
	c := start(t, func(d *face.Deps) { d.Rules.NoUpdateCreate = true })
	c.put("Patient?identifier=x", `{"resourceType":"Patient"}`).want(201)
	for entry, code := range map[string]string{
		`{"request":{"method":"PUT","url":"Patient/none"},"resource":{"resourceType":"Patient","id":"none"}}`:                                                "not-supported",
		`{"request":{"method":"POST","url":"CodeSystem/$lookup"},"resource":{"resourceType":"Parameters"}}`:                                                  "not-found",
		`{"request":{"method":"PATCH","url":"Patient/none"},"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"W10="}}`: "not-found",
	} {
		got := c.post("", `{"resourceType":"Bundle","type":"transaction","entry":[`+entry+`]}`).want(400).is("issue.0.code", code)
		if at := got.at("issue.0.expression.0"); !strings.HasPrefix(at, "Bundle.entry[0]") {
			t.Errorf("the fault is at %q", at)
		}
	}
}
