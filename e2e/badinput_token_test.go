package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// unsigned is a token's claims under another header and no signature.
func unsigned(token, header string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "."
}

// TestNobodyComesInWithoutAGoodToken asks FHIR and DICOMweb with credentials that are none.
func TestNobodyComesInWithoutAGoodToken(t *testing.T) {
	t.Parallel()
	h, other := startCorpusHub(t), startCorpusHub(t)
	if made := h.send("PUT", "/fhir/Patient/one", []byte(woman)); made.status != 201 {
		t.Fatal(made.status)
	}
	h.Stores.Must(t, "member", "add", "former", "--name", "former")
	former := h.Stores.Token(t, "former")
	for end := time.Now().Add(5 * time.Second); h.do(request{method: "GET", path: "/fhir/Patient/one", token: former}).status != 200; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) { // a running hub reads who its members are every few seconds
			t.Fatal("a member that was taken in is not known after 5 s")
		}
	}
	h.Stores.Must(t, "member", "disable", "former")
	short := h.Stores.Token(t, "village", "--ttl", "1s")
	flipped := []byte(h.village)
	flipped[len(flipped)-5] ^= 1
	before := h.counted()
	time.Sleep(7 * time.Second) // the short token ends, 5 s of clock skew included; the hub hears of the disabled member
	for name, token := range map[string]string{
		"none":                        "-",
		"malformed":                   "abc",
		"empty parts":                 "..",
		"expired":                     short,
		"of another consortium":       other.village,
		"with a changed signature":    string(flipped),
		"of algorithm none":           unsigned(h.village, `{"alg":"none","typ":"JWT"}`),
		"of algorithm NONE":           unsigned(h.village, `{"alg":"NONE"}`),
		"of another algorithm":        unsigned(h.village, `{"alg":"RS256"}`) + "AAAA",
		"of a disabled member":        former,
		"of 9 kB":                     strings.Repeat("a", 9<<10),
		"with a key from its sender":  unsigned(h.village, `{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}`) + "AAAA",
		"with a path as its key's id": unsigned(h.village, `{"alg":"HS256","kid":"../../../dev/null"}`) + "AAAA",
	} {
		for _, path := range []string{"/fhir/Patient/one", "/fhir/Patient", "/dicom-web/studies", "/fhir/NoSuchType"} {
			got := h.do(request{method: "GET", path: path, token: token})
			if got.status != 401 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("a token %s: %s is answered %d, WWW-Authenticate %q", name, path, got.status, got.header.Get("WWW-Authenticate"))
			}
			if strings.HasPrefix(path, "/fhir") && got.diagnostics() == "" {
				t.Errorf("a token %s: %s is answered with %.200s, no OperationOutcome", name, path, got.body)
			}
		}
		if got, err := h.try(request{method: "PUT", path: "/fhir/Patient/two", token: token, body: []byte(`{"resourceType":"Patient","id":"two"}`),
			header: headers("Content-Type", fhirJSON)}); err != nil || got.status != 401 {
			t.Errorf("a token %s: a write is answered %d %v", name, got.status, err)
		}
	}
	if after := h.counted(); after != before {
		t.Errorf("something was stored:\nbefore %s\nafter  %s", before, after)
	}
}

// TestAMemberChangesOnlyWhatIsItsOwn tries to change another member's resource in every way there is.
func TestAMemberChangesOnlyWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	h := startCorpusHub(t)
	if made := h.send("PUT", "/fhir/Patient/one", []byte(woman)); made.status != 201 {
		t.Fatal(made.status)
	}
	man := strings.Replace(woman, "female", "male", 1)
	entry := func(method, resource string) []byte {
		return []byte(`{"resourceType":"Bundle","type":"%s","entry":[{"request":{"method":"` + method + `","url":"Patient/one"}` + resource + `}]}`)
	}
	kinds := func(b []byte, kind string) []byte { return []byte(fmt.Sprintf(string(b), kind)) }
	for _, c := range []struct {
		name, method, path string
		body               []byte
		header             map[string]string
	}{
		{"an update", "PUT", "/fhir/Patient/one", []byte(man), headers("Content-Type", fhirJSON)},
		{"an update of the right version", "PUT", "/fhir/Patient/one", []byte(man), headers("Content-Type", fhirJSON, "If-Match", `W/"1"`)},
		{"a delete", "DELETE", "/fhir/Patient/one", nil, nil},
		{"a transaction that updates", "POST", "/fhir", kinds(entry("PUT", `,"resource":`+man), "transaction"), headers("Content-Type", fhirJSON)},
		{"a transaction that deletes", "POST", "/fhir", kinds(entry("DELETE", ""), "transaction"), headers("Content-Type", fhirJSON)},
	} {
		got := h.do(request{method: c.method, path: c.path, body: c.body, header: c.header, token: h.county})
		if got.status != 403 || !strings.Contains(got.diagnostics(), "forbidden") {
			t.Errorf("%s by another member: %d %s", c.name, got.status, got.diagnostics())
		}
	}
	for _, body := range [][]byte{kinds(entry("PUT", `,"resource":`+man), "batch"), kinds(entry("DELETE", ""), "batch")} {
		got := h.do(request{method: "POST", path: "/fhir", body: body, header: headers("Content-Type", fhirJSON), token: h.county})
		var b struct {
			Entry []struct{ Response struct{ Status string } }
		}
		if json.Unmarshal(got.body, &b); len(b.Entry) != 1 || !strings.HasPrefix(b.Entry[0].Response.Status, "403") {
			t.Errorf("a batch by another member: %.300s", got.body)
		}
	}
	readOnly := h.Stores.Token(t, "village", "--scope", "system/*.rs")
	if got := h.do(request{method: "PUT", path: "/fhir/Patient/one", body: []byte(man), header: headers("Content-Type", fhirJSON), token: readOnly}); got.status != 403 {
		t.Errorf("a write with a token for reading: %d %s", got.status, got.diagnostics())
	}
	if read := h.get("/fhir/Patient/one"); read.header.Get("ETag") != `W/"1"` {
		t.Errorf("the patient is at %s", read.header.Get("ETag"))
	}
	// A deleted resource stays its owner's: nobody else may bring the id back.
	if gone := h.do(request{method: "DELETE", path: "/fhir/Patient/one"}); gone.status != 204 {
		t.Fatal(gone.status)
	}
	if got := h.do(request{method: "PUT", path: "/fhir/Patient/one", body: []byte(man), header: headers("Content-Type", fhirJSON), token: h.county}); got.status != 403 {
		t.Errorf("another member brings a deleted resource back: %d %s", got.status, got.diagnostics())
	}
}

// TestRudeConnectionsDisturbNobody opens connections that no client opens, while another client is served.
func TestRudeConnectionsDisturbNobody(t *testing.T) {
	t.Parallel()
	h := startCorpusHub(t)
	address := strings.TrimPrefix(h.URL, "http://")
	dial := func() net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	ends := func(name string, c net.Conn, within time.Duration, status string) {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(within))
		line, err := bufio.NewReader(c).ReadString('\n')
		if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
			t.Errorf("%s: nothing happened within %v", name, within)
		} else if !strings.Contains(line, status) {
			t.Errorf("%s: answered %q, want %s", name, line, status)
		}
	}
	before := h.counted()
	h.staysFlat("rude connections", func() {
		long := dial()
		go func() {
			fmt.Fprintf(long, "GET /fhir/Patient HTTP/1.1\r\nHost: x\r\nX-Long: ")
			io.Copy(long, repeated("", "x", 1<<20))
			fmt.Fprintf(long, "\r\n\r\n")
		}()
		ends("a header of 1 MB", long, 5*time.Second, "431")

		var slow []net.Conn
		for range 200 { // heads that never end
			c := dial()
			fmt.Fprintf(c, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\n")
			slow = append(slow, c)
		}
		lying := dial() // a body that is announced and never comes
		fmt.Fprintf(lying, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n{", h.village, fhirJSON)
		noToken := dial() // 401 comes before the body does
		fmt.Fprintf(noToken, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 1000000\r\n\r\n{", fhirJSON)
		ends("a body without a credential", noToken, 3*time.Second, "401")
		smuggled := dial()
		fmt.Fprintf(smuggled, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n")
		ends("two lengths", smuggled, 3*time.Second, "400")

		for range 20 { // others are served meanwhile
			began := time.Now()
			if got := h.get("/fhir/Patient"); got.status != 200 || time.Since(began) > time.Second {
				t.Errorf("meanwhile another client is answered %d in %v", got.status, time.Since(began))
			}
		}
		ends("a head that never ends", slow[0], 10*time.Second, "")
		ends("a body that never comes", lying, 35*time.Second, "400")
	})
	if after := h.counted(); after != before {
		t.Errorf("something was stored:\nbefore %s\nafter  %s", before, after)
	}
}
