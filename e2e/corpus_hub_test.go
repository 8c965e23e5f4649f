package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"concord/e2e/hubproc"
)

// corpusDir is the folder of real files; without it the test is skipped.
func corpusDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CONCORD_CORPUS")
	if dir == "" {
		t.Skip("skipped: CONCORD_CORPUS names no folder of real files")
	}
	return dir
}

// corpusHub is a running hub on the embedded default with two members, village and county, and their tokens.
type corpusHub struct {
	*hubproc.Hub
	t               *testing.T
	village, county string
}

// startCorpusHub starts a hub that ends with the test and must not have met a panic by then.
func startCorpusHub(t *testing.T, flags ...string) *corpusHub {
	t.Helper()
	stores := hubproc.Embedded(t)
	h := &corpusHub{t: t, village: stores.Member(t, "village"), county: stores.Member(t, "county")}
	h.Hub = hubproc.Start(t, stores, flags...)
	t.Cleanup(func() {
		if log := h.Log(); strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
			t.Errorf("the hub's log speaks of a panic:\n%.4000s", log[strings.Index(log, "panic"):])
		}
	})
	return h
}

// reply is an answer whose body was read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// request is one call of the hub; token defaults to the village's, "-" sends none.
type request struct {
	method, path string
	body         any // nil, []byte or io.Reader
	token        string
	header       map[string]string
}

func (h *corpusHub) do(r request) reply {
	h.t.Helper()
	got, err := h.try(r)
	if err != nil {
		h.t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	return got
}

func (h *corpusHub) try(r request) (reply, error) {
	var body io.Reader
	switch b := r.body.(type) {
	case []byte:
		body = bytes.NewReader(b)
	case io.Reader:
		body = b
	}
	url := r.path
	if !strings.HasPrefix(url, "http") {
		url = h.URL + url
	}
	req, err := http.NewRequest(r.method, url, body)
	if err != nil {
		return reply{}, err
	}
	switch r.token {
	case "":
		req.Header.Set("Authorization", "Bearer "+h.village)
	case "-":
	default:
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for name, value := range r.header {
		if name == "Content-Length" {
			req.ContentLength, err = strconv.ParseInt(value, 10, 64)
			if err != nil {
				return reply{}, err
			}
			continue
		}
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	got := reply{status: res.StatusCode, header: res.Header}
	got.body, err = io.ReadAll(res.Body)
	return got, err
}

func (h *corpusHub) get(path string) reply {
	h.t.Helper()
	return h.do(request{method: "GET", path: path})
}

const fhirJSON = "application/fhir+json"

func (h *corpusHub) send(method, path string, body []byte) reply {
	h.t.Helper()
	return h.do(request{method: method, path: path, body: body, header: map[string]string{"Content-Type": fhirJSON}})
}

// memory is the resident size of the hub's process and its peak so far, in bytes.
func (h *corpusHub) memory() (resident, peak int64) {
	h.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.PID()))
	if err != nil {
		h.t.Skipf("skipped: the memory of a process cannot be read here: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			resident = kb << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			peak = kb << 10
		}
	}
	return resident, peak
}

// forgetPeak makes the peak count from now on.
func (h *corpusHub) forgetPeak() {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.PID()), []byte("5"), 0); err != nil {
		h.t.Logf("the peak of the hub's memory cannot be reset: %v", err)
	}
}

const flat = 64 << 20

// staysFlat runs work and fails when the hub's memory rises by more than 64 MiB meanwhile.
func (h *corpusHub) staysFlat(what string, work func()) {
	h.t.Helper()
	h.forgetPeak()
	before, _ := h.memory()
	work()
	if _, peak := h.memory(); peak-before > flat {
		h.t.Errorf("%s: the hub's memory rose from %d to %d MiB", what, before>>20, peak>>20)
	}
}

// diagnostics are the texts and places of an OperationOutcome; empty when the body is none.
func (r reply) diagnostics() string {
	var o struct {
		ResourceType string
		Issue        []struct {
			Code, Diagnostics string
			Expression        []string
		}
	}
	if json.Unmarshal(r.body, &o) != nil || o.ResourceType != "OperationOutcome" {
		return ""
	}
	var all []string
	for _, i := range o.Issue {
		all = append(all, strings.TrimSpace(i.Code+": "+i.Diagnostics+" "+strings.Join(i.Expression, " ")))
	}
	return strings.Join(all, "; ")
}

// exact reads JSON with numbers kept to the last digit.
func exact(t *testing.T, data []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("read JSON: %v: %.200s", err, data)
	}
	return v
}

func gunzip(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
