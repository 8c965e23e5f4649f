package fhir_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	face "concord/adapters/fhir"
	"concord/hub/lookup"
	"concord/internal/memobjects"
)

func encoded(n int) string { return base64.StdEncoding.EncodeToString(noise(n)) }

// report is a DiagnosticReport with two forms that lie in a blob and one that does not.
func report(id string) string {
	return `{"resourceType":"DiagnosticReport","id":"` + id + `","meta":{"versionId":"1"},"status":"final","code":{"text":"CT"},` +
		`"presentedForm":[{"contentType":"application/pdf","data":"` + encoded(100_001) + `"},{"contentType":"text/plain","data":"QUJD"},{"data":"` + encoded(70_000) + `"}]}`
}

// forms are what the presented forms of a DiagnosticReport hold, by their lengths.
func forms(t *testing.T, resource []byte) (sizes []int) {
	t.Helper()
	var r struct {
		PresentedForm []struct{ Data []byte }
	}
	if err := json.Unmarshal(resource, &r); err != nil {
		t.Fatalf("%v: %.300s", err, resource)
	}
	for _, f := range r.PresentedForm {
		if len(f.Data) > 1000 && !bytes.Equal(f.Data, noise(len(f.Data))) {
			t.Errorf("%d bytes are not those sent", len(f.Data))
		}
		sizes = append(sizes, len(f.Data))
	}
	return sizes
}

// opened counts how often a blob of the store is opened.
func opened(s *memobjects.Store) *atomic.Int64 {
	var n atomic.Int64
	s.BeforeOpen = func(_ context.Context, key string) error {
		if strings.HasPrefix(key, "blob/") {
			n.Add(1)
		}
		return nil
	}
	return &n
}

func TestLargeAttachmentsComeBackAsSentOnEveryWayOut(t *testing.T) {
	var store *memobjects.Store
	h := start(t, showing(&store))
	opens := opened(store)
	sent := report("r")
	made := h.put("DiagnosticReport/r", sent).want(201)
	forms(t, made.body)
	if n := len(blobs(store)); n != 1 {
		t.Fatalf("%d blobs, want one for both attachments", n)
	}
	for _, key := range store.Keys() {
		if strings.HasPrefix(key, "log/") {
			store.Change(key, func(data []byte) []byte {
				if len(data) > 5000 {
					t.Errorf("%s has %d bytes", key, len(data))
				}
				return data
			})
		}
	}
	read := h.get("DiagnosticReport/r").want(200)
	if got := strings.Replace(string(read.body), `"lastUpdated":"`+read.at("meta.lastUpdated")+`",`, "", 1); got != sent {
		t.Errorf("it is not as sent:\n%.300s", got)
	}
	if read.header.Get("Content-Length") != fmt.Sprint(len(read.body)) {
		t.Errorf("Content-Length %s of %d", read.header.Get("Content-Length"), len(read.body))
	}
	pretty := h.get("DiagnosticReport/r?_pretty=true").want(200)
	var flat bytes.Buffer
	if err := json.Compact(&flat, pretty.body); err != nil || flat.String() != string(read.body) || !bytes.Contains(pretty.body, []byte("\n      \"data\": \"")) {
		t.Errorf("pretty: %v\n%.300s", err, pretty.body)
	}
	h.post("", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":`+report("s")+`,"request":{"method":"PUT","url":"DiagnosticReport/s"}},`+
		`{"resource":{"resourceType":"Communication","id":"c","status":"completed","about":[{"reference":"DiagnosticReport/s"}],"payload":[{"contentAttachment":{"data":"`+encoded(80_000)+`"}}]},"request":{"method":"PUT","url":"Communication/c"}}]}`).want(200)
	h.put("DiagnosticReport/r", strings.Replace(sent, `"final"`, `"amended"`, 1)).want(200)

	want := []int{100_001, 3, 70_000}
	for _, c := range []struct {
		path  string
		where []string // of DiagnosticReports in the answer
	}{
		{"DiagnosticReport/r/_history/1", []string{""}},
		{"DiagnosticReport/r/_history", []string{"entry.0.resource", "entry.1.resource"}},
		{"DiagnosticReport/_history", []string{"entry.0.resource", "entry.1.resource", "entry.2.resource"}},
		{"DiagnosticReport?_sort=_lastUpdated", []string{"entry.0.resource", "entry.1.resource"}},
		{"DiagnosticReport?_pretty=true&_elements=presentedForm", []string{"entry.0.resource", "entry.1.resource"}},
		{"Communication?_include=Communication:about&_type=Communication", nil},
		{"?_type=DiagnosticReport", []string{"entry.0.resource"}},
	} {
		a := h.get(c.path)
		if c.where == nil {
			continue
		}
		a.want(200)
		for _, at := range c.where {
			body := a.body
			if at != "" {
				body = []byte(a.at(at))
			}
			if got := forms(t, body); !slices.Equal(got, want) {
				t.Errorf("%s: %s has forms of %v bytes", c.path, at, got)
			}
		}
	}
	batch := h.post("", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"DiagnosticReport/r"}},{"request":{"method":"GET","url":"DiagnosticReport?_id=s"}},`+
		`{"resource":`+report("t")+`,"request":{"method":"PUT","url":"DiagnosticReport/t"}}]}`, "Prefer: return=representation").want(200)
	for _, at := range []string{"entry.0.resource", "entry.1.resource.entry.0.resource", "entry.2.resource"} {
		if got := forms(t, []byte(batch.at(at))); !slices.Equal(got, want) {
			t.Errorf("in a batch: %s has forms of %v bytes", at, got)
		}
	}
	if a := h.get("Communication/c").want(200); a.at("payload.0.contentAttachment.data") != encoded(80_000) {
		t.Error("the payload is not as sent")
	}

	before := opens.Load()
	for _, path := range []string{"DiagnosticReport/r?_elements=status", "DiagnosticReport?_elements=status", "DiagnosticReport/r?_summary=text", "DiagnosticReport?_summary=count", "DiagnosticReport?_content=CT&_summary=count"} {
		h.get(path).want(200)
	}
	h.do("HEAD", "DiagnosticReport/r", "").want(200)
	h.get("DiagnosticReport/r", `If-None-Match: W/"2"`).want(304)
	if n := opens.Load() - before; n != 0 {
		t.Errorf("what shows no attachment opened a blob %d times", n)
	}
	h.get("DiagnosticReport?_content=CT").want(200).is("total", "3")
	h.get("DiagnosticReport?_content="+encoded(70_000)[:40]).want(200).is("total", "0")
	h.get("DiagnosticReport?_content=@0").want(200).is("total", "0")

	h.post("DiagnosticReport/r/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"urn:t","code":"1"}]}}]}`).want(200)
	if got := forms(t, h.get("DiagnosticReport?_tag=urn:t|1&_count=1&_elements=presentedForm").want(200).entry(0)); !slices.Equal(got, want) {
		t.Errorf("after $meta-add: forms of %v bytes", got)
	}
}

// entry is the resource of a bundle's entry.
func (a answer) entry(i int) []byte {
	a.t.Helper()
	return []byte(a.at(fmt.Sprintf("entry.%d.resource", i)))
}

func TestPatchesOfResourcesWithLargeAttachments(t *testing.T) {
	value := func(data string) string { return `{"contentType":"application/pdf","data":"` + data + `"}` }
	for name, c := range map[string]struct {
		patch  string
		status int
		forms  []int
		blobs  int // besides the first
	}{
		"what is not touched stays":       {`[{"op":"replace","path":"/status","value":"amended"}]`, 200, []int{100_001, 3, 70_000}, 0},
		"one is removed":                  {`[{"op":"remove","path":"/presentedForm/0"}]`, 200, []int{3, 70_000}, 0},
		"all are removed":                 {`[{"op":"remove","path":"/presentedForm"}]`, 200, nil, 0},
		"one is copied":                   {`[{"op":"copy","from":"/presentedForm/0","path":"/presentedForm/1"}]`, 200, []int{100_001, 100_001, 3, 70_000}, 0},
		"the data of one is copied":       {`[{"op":"copy","from":"/presentedForm/0/data","path":"/presentedForm/1/data"}]`, 200, []int{100_001, 100_001, 70_000}, 0},
		"one is moved":                    {`[{"op":"move","from":"/presentedForm/2","path":"/presentedForm/0"}]`, 200, []int{70_000, 100_001, 3}, 0},
		"a small one is brought in":       {`[{"op":"add","path":"/presentedForm/0","value":` + value("QUJDRA==") + `}]`, 200, []int{4, 100_001, 3, 70_000}, 0},
		"a large one is brought in":       {`[{"op":"add","path":"/presentedForm/1","value":` + value(encoded(90_000)) + `}]`, 200, []int{100_001, 90_000, 3, 70_000}, 1},
		"a large one takes all places":    {`[{"op":"replace","path":"/presentedForm","value":[` + value(encoded(90_000)) + `]}]`, 200, []int{90_000}, 1},
		"a placeholder":                   {`[{"op":"replace","path":"/presentedForm/1/data","value":"@0"}]`, 400, nil, 0},
		"a test that holds":               {`[{"op":"test","path":"/presentedForm/1/data","value":"QUJD"},{"op":"replace","path":"/status","value":"amended"}]`, 200, []int{100_001, 3, 70_000}, 0},
		"a test of a large one for less":  {`[{"op":"test","path":"/presentedForm/0/data","value":"@0"}]`, 409, nil, 0},
		"a test of a large one":           {`[{"op":"test","path":"/presentedForm/0/data","value":"` + encoded(100_001) + `"}]`, 422, nil, 0},
		"data into what is no base64":     {`[{"op":"copy","from":"/presentedForm/0/data","path":"/conclusion"}]`, 422, nil, 0},
		"FHIRPath: one is deleted":        {`{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"DiagnosticReport.presentedForm[0]"}]}]}`, 200, []int{3, 70_000}, 0},
		"FHIRPath: a large one is put in": {`{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"insert"},{"name":"path","valueString":"DiagnosticReport.presentedForm"},{"name":"index","valueInteger":0},{"name":"value","valueAttachment":` + value(encoded(90_000)) + `}]}]}`, 200, []int{90_000, 100_001, 3, 70_000}, 1},
		"FHIRPath: data is replaced":      {`{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"DiagnosticReport.presentedForm[0].data"},{"name":"value","valueBase64Binary":"` + encoded(90_000) + `"}]}]}`, 200, []int{90_000, 3, 70_000}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var store *memobjects.Store
			h := start(t, showing(&store))
			h.put("DiagnosticReport/r", report("r")).want(201)
			typ := "Content-Type: application/json-patch+json"
			if c.patch[0] == '{' {
				typ = "Content-Type: application/fhir+json"
			}
			a := h.do("PATCH", "DiagnosticReport/r", c.patch, typ).want(c.status)
			if c.status == 200 {
				for _, body := range [][]byte{a.body, h.get("DiagnosticReport/r").want(200).body} {
					if got := forms(t, body); !slices.Equal(got, c.forms) {
						t.Errorf("forms of %v bytes, want %v", got, c.forms)
					}
				}
			}
			if got := forms(t, h.get("DiagnosticReport/r/_history/1").want(200).body); !slices.Equal(got, []int{100_001, 3, 70_000}) {
				t.Errorf("the version before has forms of %v bytes", got)
			}
			if n := len(blobs(store)) - 1; n != c.blobs {
				t.Errorf("%d blobs more, want %d", n, c.blobs)
			}
			if c.status == 200 { // and once more, on what it came to
				h.do("PATCH", "DiagnosticReport/r", `[{"op":"add","path":"/language","value":"en"}]`, "Content-Type: application/json-patch+json").want(200)
				if got := forms(t, h.get("DiagnosticReport/r").want(200).body); !slices.Equal(got, c.forms) {
					t.Errorf("after another patch: forms of %v bytes, want %v", got, c.forms)
				}
			}
		})
	}
}

func TestPatchesThatBringInAttachmentsAtOnceAreAllKept(t *testing.T) {
	h := start(t)
	h.put("DiagnosticReport/r", report("r")).want(201)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			h.do("PATCH", "DiagnosticReport/r", `[{"op":"add","path":"/presentedForm/-","value":{"data":"`+encoded(90_000+i)+`"}}]`, "Content-Type: application/json-patch+json").want(200)
		})
	}
	wg.Wait()
	got := forms(t, h.get("DiagnosticReport/r").want(200).body)
	slices.Sort(got)
	if want := []int{3, 70_000, 90_000, 90_001, 90_002, 90_003, 100_001}; !slices.Equal(got, want) {
		t.Errorf("forms of %v bytes, want %v", got, want)
	}
}

func TestABinarySentAsBytesCanBePatched(t *testing.T) {
	var store *memobjects.Store
	h := start(t, showing(&store), func(d *face.Deps) { d.Limits.Resource = 100_000 })
	data := noise(300_000) // more than a resource may have
	h.do("PUT", "Binary/b", string(data), "Content-Type: application/pdf").want(201)
	h.do("PATCH", "Binary/b", `[{"op":"replace","path":"/contentType","value":"text/plain"}]`, "Content-Type: application/json-patch+json").want(200)
	a := h.get("Binary/b").want(200)
	if !bytes.Equal(a.body, data) || a.header.Get("Content-Type") != "text/plain" || len(blobs(store)) != 1 {
		t.Errorf("%d bytes of %s, blobs %v", len(a.body), a.header.Get("Content-Type"), blobs(store))
	}
}

func TestAMissingBlobIsAFaultAndNotAShorterResource(t *testing.T) {
	var store *memobjects.Store
	h := start(t, showing(&store))
	h.put("DiagnosticReport/r", report("r")).want(201)
	h.do("PUT", "Binary/b", string(noise(100_000)), "Content-Type: image/png").want(201)
	for _, key := range blobs(store) {
		store.Change(key, func(data []byte) []byte { return data[:50_000] })
	}
	for _, path := range []string{"DiagnosticReport/r", "DiagnosticReport?_id=r", "Binary/b", "Binary/b?_format=json"} {
		if status, err := h.try(path); err == nil && status == 200 {
			t.Errorf("%s: it looks whole", path)
		}
	}
}

// try reads an answer that may be cut off.
func (c *client) try(path string) (status int, err error) {
	req, err := http.NewRequestWithContext(c.t.Context(), "GET", c.base+"/"+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Test-Member", c.member)
	req.Header.Set("Test-Scope", c.scope)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func TestAPageOfLargeResourcesEndsAtItsLimitAndLeadsOn(t *testing.T) {
	h := start(t, func(d *face.Deps) { d.Reader.Limits = lookup.Limits{Bytes: 100_000} })
	text := strings.Repeat("x", 30_000) // of a kind that stays in the record
	for i := range 10 {
		h.put(fmt.Sprintf("Basic/b%d", i), fmt.Sprintf(`{"resourceType":"Basic","id":"b%d","code":{"text":"%s"}}`, i, text)).want(201)
	}
	h.put("Basic/huge", `{"resourceType":"Basic","id":"huge","code":{"text":"`+strings.Repeat(text, 5)+`"}}`).want(201)
	for _, query := range []string{"?_sort=_lastUpdated&_count=100", "?_sort=-_lastUpdated&_count=100", "?_count=100&_total=accurate"} {
		seen := map[string]bool{}
		pages := 0
		for next := "Basic" + query; next != ""; pages++ {
			a := h.get(next).want(200)
			if len(a.body) > 250_000 {
				t.Errorf("a page of %d bytes", len(a.body))
			}
			for _, id := range a.ids() {
				if seen[id] {
					t.Errorf("%s came twice", id)
				}
				seen[id] = true
			}
			if next = ""; a.at("link.2.relation") == "next" {
				next = a.at("link.2.url")
			}
		}
		if len(seen) != 11 || pages < 4 {
			t.Errorf("%s: %d resources on %d pages", query, len(seen), pages)
		}
	}
}
