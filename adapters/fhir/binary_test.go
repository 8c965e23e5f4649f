package fhir_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	face "concord/adapters/fhir"
	"concord/internal/memobjects"
)

// noise are n bytes that no packing makes smaller.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	data := make([]byte, n)
	r.Read(data)
	return data
}

// blobs are the keys of blobs in the store of a hub that start was asked to show.
func blobs(s *memobjects.Store) (keys []string) {
	for _, k := range s.Keys() {
		if strings.HasPrefix(k, "blob/") {
			keys = append(keys, k)
		}
	}
	return keys
}

func showing(s **memobjects.Store) func(*face.Deps) {
	return func(d *face.Deps) { *s = d.Blobs.(*memobjects.Store) }
}

const fhirJSON = "Accept: application/fhir+json"

func TestABinaryComesAndGoesAsBytesAndAsAResource(t *testing.T) {
	for name, c := range map[string]struct{ size, blobs int }{
		"nothing": {0, 0}, "a few bytes": {3, 0}, "the last that lies in the record": {64<<10 - 1, 0}, "the first in a blob": {64 << 10, 1}, "large": {300_001, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var store *memobjects.Store
			h := start(t, showing(&store))
			h.put("Patient/p", `{"resourceType":"Patient","id":"p"}`).want(201)
			data := noise(c.size)
			made := h.do("PUT", "Binary/b", string(data), "Content-Type: application/pdf; x=1", "X-Security-Context: Patient/p").want(201)
			if len(made.body) > 0 || !strings.HasSuffix(made.header.Get("Location"), "/Binary/b/_history/1") {
				t.Errorf("answered with %d bytes, Location %s", len(made.body), made.header.Get("Location"))
			}
			if n := len(blobs(store)); n != c.blobs {
				t.Fatalf("%d blobs, want %d", n, c.blobs)
			}
			for _, path := range []string{"Binary/b", "Binary/b/_history/1"} {
				raw := h.get(path).want(200)
				if !bytes.Equal(raw.body, data) {
					t.Errorf("GET %s: %d bytes, not those sent", path, len(raw.body))
				}
				for header, want := range map[string]string{"Content-Type": "application/pdf; x=1", "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff",
					"Content-Length": fmt.Sprint(c.size), "ETag": `W/"1"`, "Accept-Ranges": "bytes", "X-Security-Context": "Patient/p", "Vary": "Accept"} {
					if got := raw.header.Get(header); got != want {
						t.Errorf("GET %s: %s is %q, want %q", path, header, got, want)
					}
				}
				if !strings.Contains(raw.header.Get("Content-Security-Policy"), "sandbox") || raw.header.Get("Last-Modified") == "" {
					t.Errorf("GET %s: %v", path, raw.header)
				}
				head := h.do("HEAD", path, "").want(200)
				if len(head.body) > 0 || head.header.Get("Content-Length") != fmt.Sprint(c.size) {
					t.Errorf("HEAD %s: %v", path, head.header)
				}
				resource := h.get(path, fhirJSON).want(200).is("contentType", "application/pdf; x=1", "securityContext.reference", "Patient/p", "data", base64.StdEncoding.EncodeToString(data))
				if got := h.get(path + "?_format=json").want(200); !bytes.Equal(got.body, resource.body) {
					t.Errorf("%s: _format=json gives other JSON", path)
				}
				if head := h.do("HEAD", path, "", fhirJSON).want(200); head.header.Get("Content-Length") != fmt.Sprint(len(resource.body)) {
					t.Errorf("HEAD %s as JSON: %v", path, head.header)
				}
			}
			// What was given out as JSON can be sent back.
			body := h.get("Binary/b", fhirJSON).body
			h.put("Binary/b", string(body)).want(200).is("data", base64.StdEncoding.EncodeToString(data))
			if got := h.get("Binary/b").want(200); !bytes.Equal(got.body, data) || got.header.Get("ETag") != `W/"2"` {
				t.Errorf("after an update with the JSON: %d bytes", len(got.body))
			}
			posted := h.do("POST", "Binary", string(data), "Content-Type: text/plain", "Prefer: return=representation").want(201).is("contentType", "text/plain", "data", base64.StdEncoding.EncodeToString(data))
			if got := h.get("Binary/" + posted.at("id")).want(200); !bytes.Equal(got.body, data) {
				t.Error("what was posted comes back as something else")
			}
		})
	}
}

func TestWhatAcceptMeansForABinary(t *testing.T) {
	h := start(t)
	h.do("PUT", "Binary/pdf", "%PDF", "Content-Type: application/pdf").want(201)
	h.do("PUT", "Binary/json", `{"a":1}`, "Content-Type: application/json").want(201)
	h.put("Binary/odd", `{"resourceType":"Binary","id":"odd","contentType":"xml","data":"QUJD"}`).want(201)
	const raw, resource = "application/pdf", "application/fhir+json; charset=utf-8"
	for _, c := range []struct{ path, accept, typ string }{
		{"pdf", "*/*", raw}, {"pdf", "application/pdf", raw}, {"pdf", "application/*", raw}, {"pdf", "", raw},
		{"pdf", "application/fhir+json", resource}, {"pdf", "application/json+fhir", resource}, {"pdf", "application/json", resource},
		{"pdf", "application/fhir+json, */*", resource}, {"pdf", "application/fhir+json;q=0.5, application/pdf", raw},
		{"pdf", "text/html, application/json;q=0.9, */*;q=0.8", resource}, {"pdf", "text/html, */*;q=0.8", raw},
		{"pdf", "text/plain", ""}, {"pdf", "application/fhir+xml", ""}, {"pdf", "application/pdf;q=0", ""},
		{"json", "application/json", "application/json"}, {"json", "application/fhir+json", resource}, {"json", "*/*", "application/json"},
		{"odd", "*/*", "application/octet-stream"},
	} {
		a := h.get("Binary/"+c.path, "Accept: "+c.accept)
		want := 200
		if c.typ == "" {
			want = 406
		}
		if a.status != want || want == 200 && a.header.Get("Content-Type") != c.typ {
			t.Errorf("%s, Accept %q: %d %s, want %q", c.path, c.accept, a.status, a.header.Get("Content-Type"), c.typ)
		}
	}
	h.get("Binary?_id=pdf", "Accept: application/pdf").want(406)
	h.get("Binary/pdf?_format=xml").want(406)
	h.get("Binary/pdf?color=red").want(400)
}

func TestRangesOfABinary(t *testing.T) {
	h := start(t)
	for _, size := range []int{1000, 200_000} {
		data := noise(size)
		path := fmt.Sprintf("Binary/b%d", size)
		h.do("PUT", path, string(data), "Content-Type: image/png").want(201)
		for asked, want := range map[string][2]int{
			"bytes=0-9": {0, 10}, "bytes=10-": {10, size}, "bytes=-5": {size - 5, size}, "bytes=999-99999999": {999, size}, "bytes=0-0": {0, 1},
		} {
			a := h.get(path, "Range: "+asked).want(206)
			if !bytes.Equal(a.body, data[want[0]:want[1]]) || a.header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, size) {
				t.Errorf("%s of %d: %d bytes, %s", asked, size, len(a.body), a.header.Get("Content-Range"))
			}
		}
		several := h.get(path, "Range: bytes=1-2,500-503").want(206)
		_, params, _ := mime.ParseMediaType(several.header.Get("Content-Type"))
		parts := multipart.NewReader(bytes.NewReader(several.body), params["boundary"])
		for _, want := range [][]byte{data[1:3], data[500:504]} {
			p, err := parts.NextPart()
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(p); !bytes.Equal(got, want) {
				t.Errorf("part %x, want %x", got, want)
			}
		}
		beyond := h.get(path, fmt.Sprintf("Range: bytes=%d-", size)).want(416)
		if beyond.header.Get("Content-Range") != fmt.Sprintf("bytes */%d", size) || !strings.Contains(string(beyond.body), `"OperationOutcome"`) {
			t.Errorf("a range beyond the end: %v %s", beyond.header, beyond.body)
		}
		h.get(path, "Range: bytes=5-2").want(416)
		if a := h.get(path, "Range: bytes=0-9", "If-Range: "+a304(h, path).header.Get("Last-Modified")).want(206); len(a.body) != 10 {
			t.Errorf("If-Range: %d bytes", len(a.body))
		}
		if a := h.get(path, "Range: bytes=0-9", "If-Range: Mon, 01 Jan 2001 00:00:00 GMT").want(200); len(a.body) != size {
			t.Errorf("If-Range of long ago: %d bytes", len(a.body))
		}
	}
}

// a304 asks for what has not changed.
func a304(h *client, path string) answer {
	h.t.Helper()
	a := h.get(path, `If-None-Match: W/"1"`).want(304)
	if len(a.body) > 0 {
		h.t.Errorf("304 with %d bytes", len(a.body))
	}
	full := h.do("HEAD", path, "").want(200)
	h.get(path, "If-Modified-Since: "+full.header.Get("Last-Modified")).want(304)
	h.get(path, `If-None-Match: W/"7"`).want(200)
	return full
}

func TestWhoMayNotReadTheSecurityContextFindsNoBinary(t *testing.T) {
	h := start(t)
	h.put("Patient/p", `{"resourceType":"Patient","id":"p"}`).want(201)
	secret := noise(100_000)
	h.do("PUT", "Binary/b", string(secret), "Content-Type: application/pdf", "X-Security-Context: Patient/p").want(201)
	h.put("Binary/small", `{"resourceType":"Binary","id":"small","contentType":"text/plain","securityContext":{"reference":"Patient/p"},"data":"c2VjcmV0"}`).want(201)
	h.put("Binary/escaped", `{"resourceType":"Binary","id":"escaped","contentType":"text/plain","securit\u0079Context":{"reference":"Patient\/p"},"data":"c2VjcmV0"}`).want(201)
	h.put("Binary/open", `{"resourceType":"Binary","id":"open","contentType":"text/plain","data":"QUJD"}`).want(201)
	h.put("Provenance/v", `{"resourceType":"Provenance","id":"v","target":[{"reference":"Binary/b"},{"reference":"Binary/open"}],"recorded":"2024-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}`).want(201)
	h.put("List/l", `{"resourceType":"List","id":"l","status":"current","mode":"working","entry":[{"item":{"reference":"Binary/b"}}]}`).want(201)

	const binaries = "system/Binary.cruds system/Provenance.rs system/List.rs system/Bundle.c"
	out, in := h.as("m2").scoped(binaries), h.as("m2").scoped(binaries+" system/Patient.r")
	for _, c := range []struct {
		path  string
		ids   []string // what who may not read the patient finds; nil: 404
		total string
	}{
		{"Binary/b", nil, ""}, {"Binary/b?_format=json", nil, ""}, {"Binary/small", nil, ""}, {"Binary/escaped", nil, ""}, {"Binary/b/_history/1", nil, ""}, {"Binary/b/_history", nil, ""}, {"Binary/b/$meta", nil, ""},
		{"Binary?_total=accurate", []string{"open"}, "1"}, {"Binary?_summary=count", []string{}, "1"}, {"Binary?_id=b,small,open&_total=accurate", []string{"open"}, "1"},
		{"Binary/_history", []string{"open"}, ""}, {"_history?_count=50", []string{"l", "v", "open"}, ""},
		{"?_type=Binary,List&_total=accurate", []string{"open", "l"}, "2"},
		{"Provenance?_include=Provenance:target", []string{"v", "open"}, "1"},
		{"List?item:Binary._id=b", []string{}, "0"}, {"Provenance?target:Binary._id=b", []string{}, "0"}, {"Provenance?target:Binary._id=open", []string{"v"}, "1"},
		{"Binary?_has:List:item:_id=l", []string{}, "0"}, {"Binary?_list=l", []string{}, "0"},
	} {
		a := out.get(c.path)
		switch {
		case c.ids == nil:
			a.want(404)
			if in.get(c.path).want(200); bytes.Contains(a.body, []byte("secret")) {
				t.Errorf("%s: %s", c.path, a.body)
			}
			if c.path == "Binary/b" {
				out.do("HEAD", c.path, "").want(404)
			}
		default:
			ids := a.want(200).ids()
			slices.Sort(ids)
			slices.Sort(c.ids)
			if !slices.Equal(ids, c.ids) {
				t.Errorf("%s: found %v, want %v", c.path, ids, c.ids)
			}
			if c.total != "" {
				a.is("total", c.total)
			}
			if bytes.Contains(a.body, []byte("c2VjcmV0")) {
				t.Errorf("%s gives it away", c.path)
			}
		}
	}
	out.post("", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Binary/b"}}]}`).want(200).is("entry.0.response.status", "404 Not Found")
	in.post("", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Binary/b"}}]}`).want(200).is("entry.0.resource.data", base64.StdEncoding.EncodeToString(secret))
	if ids := in.get("Binary?_total=accurate").want(200).is("total", "4").ids(); len(ids) != 4 {
		t.Errorf("who may read the patient finds %v", ids)
	}
	// A patch answers with the resource: it takes who may read it.
	const patch = `[{"op":"add","path":"/language","value":"en"}]`
	h.scoped(binaries).do("PATCH", "Binary/b", patch, "Content-Type: application/json-patch+json").want(404)
	h.do("PATCH", "Binary/b", patch, "Content-Type: application/json-patch+json").want(200)

	// The context is looked at as it is now.
	h.delete("Patient/p").want(204)
	in.get("Binary/b").want(404)
	h.get("Binary/b").want(404)
	h.put("Patient/p", `{"resourceType":"Patient","id":"p"}`).want(201)
	if got := in.get("Binary/b").want(200); !bytes.Equal(got.body, secret) {
		t.Error("other bytes")
	}
	h.do("PUT", "Binary/x", "x", "Content-Type: text/plain", "X-Security-Context: Patient/nobody").want(201)
	h.get("Binary/x").want(404)
	// A transaction may create it beside its context.
	h.post("", `{"resourceType":"Bundle","type":"transaction","entry":[`+
		`{"fullUrl":"urn:uuid:0c6f1b1e-0000-4000-8000-000000000001","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},`+
		`{"resource":{"resourceType":"Binary","id":"tx","contentType":"text/plain","securityContext":{"reference":"urn:uuid:0c6f1b1e-0000-4000-8000-000000000001"},"data":"QUJD"},"request":{"method":"PUT","url":"Binary/tx"}}]}`).want(200)
	out.get("Binary/tx").want(404)
	in.get("Binary/tx").want(200)
}

func TestWrongBinariesAreRefused(t *testing.T) {
	var store *memobjects.Store
	h := start(t, showing(&store), func(d *face.Deps) { d.Limits = face.Limits{Binary: 200_000, Resource: 100_000} })
	h.do("PUT", "Binary/mine", "x", "Content-Type: text/plain").want(201)
	long := strings.Repeat("x", 200_001)
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		says               string
	}{
		"no content type":                       {"POST", "Binary", "x", []string{"Content-Type:"}, 415, "content type"},
		"XML resources":                         {"POST", "Binary", "<Binary/>", []string{"Content-Type: application/fhir+xml"}, 415, "XML"},
		"a content type that is none":           {"POST", "Binary", "x", []string{"Content-Type: a b"}, 400, "Binary.contentType"},
		"longer than the limit":                 {"POST", "Binary", long, []string{"Content-Type: text/plain"}, 413, "200000"},
		"a resource longer than its limit":      {"POST", "Binary", `{"resourceType":"Binary","data":"` + long[:150_000] + `"}`, nil, 413, "100000"},
		"broken JSON":                           {"POST", "Binary", `{"resourceType":"Binary"`, nil, 400, "JSON"},
		"JSON that is no resource":              {"POST", "Binary", `{"a":1}`, nil, 400, "resourceType"},
		"a resource without content type":       {"POST", "Binary", `{"resourceType":"Binary","data":"QUJD"}`, nil, 400, "contentType"},
		"data that is not base64":               {"POST", "Binary", `{"resourceType":"Binary","contentType":"text/plain","data":"@0"}`, nil, 400, "base64"},
		"a context of a version":                {"POST", "Binary", "x", []string{"Content-Type: text/plain", "X-Security-Context: Patient/1/_history/1"}, 422, "X-Security-Context"},
		"a context elsewhere":                   {"POST", "Binary", "x", []string{"Content-Type: text/plain", "X-Security-Context: http://x/Patient/1"}, 422, "X-Security-Context"},
		"a context that is a Binary":            {"POST", "Binary", "x", []string{"Content-Type: text/plain", "X-Security-Context: Binary/1"}, 422, "X-Security-Context"},
		"a context of no type":                  {"POST", "Binary", "x", []string{"Content-Type: text/plain", "X-Security-Context: Patent/1"}, 422, "X-Security-Context"},
		"a context by identifier, in JSON":      {"POST", "Binary", `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"identifier":{"value":"1"}}}`, nil, 422, "Binary.securityContext"},
		"a context header and a resource":       {"POST", "Binary", `{"resourceType":"Binary","contentType":"text/plain"}`, []string{"X-Security-Context: Patient/1"}, 400, "X-Security-Context"},
		"a condition that a create cannot have": {"POST", "Binary", "x", []string{"Content-Type: text/plain", `If-Match: W/"1"`}, 400, "If-Match"},
		"an id that is none":                    {"PUT", "Binary/a_b", "x", []string{"Content-Type: text/plain"}, 400, "id"},
		"another version than is there":         {"PUT", "Binary/mine", "x", []string{"Content-Type: text/plain", `If-Match: W/"3"`}, 412, "version 1"},
		"gzip that is none":                     {"POST", "Binary", "xxxxxxxxxxxxxxxxx", []string{"Content-Type: text/plain", "Content-Encoding: gzip"}, 400, "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.do(c.method, c.path, c.body, c.headers...).want(c.status).is("resourceType", "OperationOutcome")
			if !strings.Contains(string(a.body), c.says) {
				t.Errorf("it does not say %q: %s", c.says, a.body)
			}
		})
	}
	h.get("Binary?_total=accurate").want(200).is("total", "1")
	if keys := blobs(store); len(keys) != 0 {
		t.Errorf("blobs %v", keys)
	}
	h.scoped("system/Binary.r").do("PUT", "Binary/mine", "x", "Content-Type: text/plain").want(403)
	// Resources that are no Binary are content like any other.
	h.do("PUT", "Binary/patient", `{"resourceType":"Patient"}`).want(201)
	if a := h.get("Binary/patient").want(200); string(a.body) != `{"resourceType":"Patient"}` || a.header.Get("Content-Type") != "application/fhir+json" {
		t.Errorf("%s %s", a.header.Get("Content-Type"), a.body)
	}
	h.do("PUT", "Binary/generic", `{"resourceType":"Binary","id":"generic","contentType":"text/plain","data":"QUJD"}`, "Content-Type: application/json").want(201)
	if a := h.get("Binary/generic").want(200); string(a.body) != "ABC" {
		t.Errorf("a Binary sent as application/json: %q", a.body)
	}
	text := strings.Repeat("[1,2]", 30_000) // JSON, and longer than a resource may be
	h.do("PUT", "Binary/list", text, "Content-Type: application/json").want(201)
	if a := h.get("Binary/list").want(200); string(a.body) != text {
		t.Errorf("%d bytes of JSON, %d were sent", len(a.body), len(text))
	}
}

// slowly counts how much of it was read.
type slowly struct {
	left int64
	read atomic.Int64
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.read.Load() >= s.left {
		return 0, io.EOF
	}
	s.read.Add(int64(len(p)))
	return len(p), nil
}

func TestWhatCannotBeWrittenIsRefusedBeforeItsBytesAreTaken(t *testing.T) {
	var store *memobjects.Store
	h := start(t, showing(&store))
	h.do("PUT", "Binary/mine", "x", "Content-Type: text/plain", "X-Security-Context: Patient/p").want(201)
	for name, c := range map[string]struct {
		member, header string
		status         int
	}{
		"another member's": {"m2", "", 403}, "at another version": {"m1", `If-Match: W/"9"`, 412}, "there, and to be made": {"m1", "If-None-Match: *", 412},
	} {
		t.Run(name, func(t *testing.T) {
			body := &slowly{left: 64 << 20}
			req, _ := http.NewRequestWithContext(t.Context(), "PUT", h.base+"/Binary/mine", body)
			req.ContentLength = body.left
			req.Header.Set("Test-Member", c.member)
			req.Header.Set("Test-Scope", h.scope)
			req.Header.Set("Content-Type", "text/plain")
			req.Header.Set("Expect", "100-continue")
			if name, value, ok := strings.Cut(c.header, ": "); ok {
				req.Header.Set(name, value)
			}
			res, err := (&http.Transport{ExpectContinueTimeout: 1e10}).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != c.status || body.read.Load() > 0 {
				t.Errorf("%d after %d bytes, want %d", res.StatusCode, body.read.Load(), c.status)
			}
		})
	}
	if keys := blobs(store); len(keys) > 0 {
		t.Errorf("blobs %v", keys)
	}
}

func TestConditionsOnBinaries(t *testing.T) {
	var store *memobjects.Store
	h := start(t, showing(&store))
	big := string(noise(100_000))
	h.put("Binary/b", `{"resourceType":"Binary","id":"b","meta":{"tag":[{"system":"urn:t","code":"1"}]},"contentType":"text/plain","data":"QUJD"}`).want(201)
	met := h.do("POST", "Binary", big, "Content-Type: text/plain", "If-None-Exist: _tag=urn:t|1").want(200)
	if !strings.HasSuffix(met.header.Get("Location"), "Binary/b/_history/1") || len(blobs(store)) != 0 {
		t.Errorf("met %s, blobs %v", met.header.Get("Location"), blobs(store))
	}
	h.do("POST", "Binary", big, "Content-Type: text/plain", "If-None-Exist: _tag=urn:t|2").want(201)
	h.do("PUT", "Binary?_tag=urn:t|1", big, "Content-Type: text/html", `If-Match: W/"1"`).want(200)
	if a := h.get("Binary/b").want(200); string(a.body) != big || a.header.Get("Content-Type") != "text/html" || a.header.Get("ETag") != `W/"2"` {
		t.Errorf("%d bytes of %s", len(a.body), a.header.Get("Content-Type"))
	}
	h.do("PUT", "Binary/new", big, "Content-Type: text/plain", "If-None-Match: *").want(201)
	h.do("PUT", "Binary/new", big, "Content-Type: text/plain", "Prefer: return=OperationOutcome").want(200).is("resourceType", "OperationOutcome")
	h.delete("Binary/new").want(204)
	if a := h.get("Binary/new").want(410); a.header.Get("ETag") != `W/"3"` {
		t.Errorf("ETag %s", a.header.Get("ETag"))
	}
	if a := h.get("Binary/new/_history/2").want(200); string(a.body) != big {
		t.Error("the version before the deletion has other bytes")
	}
}

func TestTenClientsWriteAndReadBinariesAtOnce(t *testing.T) {
	h := start(t)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			data := noise(500_000 + i)
			for n := range 3 {
				path := fmt.Sprintf("Binary/b%d", i)
				if a := h.do("PUT", path, string(data), "Content-Type: image/jpeg"); a.status >= 300 {
					t.Errorf("%s: %d", path, a.status)
				}
				h.do("PUT", "Binary/shared", string(data), "Content-Type: image/jpeg", fmt.Sprintf("If-None-Match: W/\"%d\"", 100+n))
				if a := h.get(path); !bytes.Equal(a.body, data) {
					t.Errorf("%s: %d bytes", path, len(a.body))
				}
				var shared struct{ Data []byte }
				if err := json.Unmarshal(h.get("Binary/shared", fhirJSON).body, &shared); err != nil || !bytes.Equal(shared.Data, noise(len(shared.Data))) {
					t.Errorf("what all write is what none wrote: %d bytes, %v", len(shared.Data), err)
				}
			}
		})
	}
	wg.Wait()
	h.get("Binary/shared/_history?_summary=count").want(200).is("total", "30")
}

func TestABodyThatBreaksOffLeavesNothing(t *testing.T) {
	var store *memobjects.Store
	h := start(t, showing(&store))
	req, _ := http.NewRequestWithContext(t.Context(), "PUT", h.base+"/Binary/b", io.MultiReader(bytes.NewReader(noise(300_000)), broken{}))
	req.ContentLength = 500_000
	req.Header.Set("Test-Member", "m1")
	req.Header.Set("Test-Scope", h.scope)
	req.Header.Set("Content-Type", "image/jpeg")
	if res, err := http.DefaultClient.Do(req); err == nil && res.StatusCode < 400 {
		t.Errorf("status %d", res.StatusCode)
	}
	h.get("Binary/b").want(404)
	if keys := blobs(store); len(keys) > 0 {
		t.Errorf("blobs %v", keys)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
