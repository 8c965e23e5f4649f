package upload

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"mime"
	parts "mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
)

// fakeHub answers as the hub's doors do. before may answer a request itself, and says so by returning true.
type fakeHub struct {
	*httptest.Server
	before func(n int, w http.ResponseWriter, r *http.Request) bool
	fail   map[string]uint16 // SOP Instance UID → Failure Reason
	warn   map[string]uint16
	needs  map[string]string // resource → resource that must be there first

	mu        sync.Mutex
	requests  int
	instances map[string][][]byte
	resources map[string]int // "PUT Patient/1" → times
	batches   []int
}

func newHub(t *testing.T) *fakeHub {
	h := &fakeHub{instances: map[string][][]byte{}, resources: map[string]int{}, fail: map[string]uint16{}, warn: map[string]uint16{}, needs: map[string]string{}}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.Close)
	return h
}

func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.requests++
	n := h.requests
	h.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
	case h.before != nil && h.before(n, w, r):
	case r.Method == http.MethodPost && r.URL.Path == "/dicom-web/studies":
		h.stow(w, r)
	case strings.HasPrefix(r.URL.Path, "/fhir"):
		h.fhir(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (h *fakeHub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.requests
}

func (h *fakeHub) stow(w http.ResponseWriter, r *http.Request) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["type"] != "application/dicom" || r.ContentLength <= 0 {
		http.Error(w, "not a STOW request", http.StatusBadRequest)
		return
	}
	var stored, failed []map[string]any
	form := parts.NewReader(r.Body, params["boundary"])
	for {
		part, err := form.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return
		}
		uid, ok := knowsDICOM("", data)
		if !ok || uid == "" {
			http.Error(w, "a part is not DICOM", http.StatusBadRequest)
			return
		}
		item := map[string]any{"00081155": map[string]any{"vr": "UI", "Value": []string{uid}}}
		if code := h.fail[uid]; code != 0 {
			item["00081197"] = map[string]any{"vr": "US", "Value": []uint16{code}}
			failed = append(failed, item)
			continue
		}
		if code := h.warn[uid]; code != 0 {
			item["00081196"] = map[string]any{"vr": "US", "Value": []uint16{code}}
		}
		stored = append(stored, item)
		h.mu.Lock()
		h.instances[uid] = append(h.instances[uid], data)
		h.mu.Unlock()
	}
	h.mu.Lock()
	h.batches = append(h.batches, len(stored)+len(failed))
	h.mu.Unlock()
	status := http.StatusOK
	switch {
	case len(stored) == 0:
		status = http.StatusConflict
	case len(failed) > 0:
		status = http.StatusAccepted
	}
	w.Header().Set("Content-Type", "application/dicom+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{
		"00081198": map[string]any{"vr": "SQ", "Value": failed}, "00081199": map[string]any{"vr": "SQ", "Value": stored}})
}

func (h *fakeHub) fhir(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/fhir"), "/")
	if name == "" {
		var b struct {
			Entry []struct {
				Request  struct{ Method, URL string }
				Resource json.RawMessage
			}
		}
		json.Unmarshal(body, &b)
		fmt.Fprint(w, `{"resourceType":"Bundle","type":"batch-response","entry":[`)
		for i, e := range b.Entry {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			if bytes.Contains(e.Resource, []byte(`"bad"`)) {
				fmt.Fprint(w, `{"response":{"status":"422 Unprocessable","outcome":`+oops("bad birthDate")+`}}`)
				continue
			}
			h.resources[e.Request.Method+" "+e.Request.URL]++
			fmt.Fprint(w, `{"response":{"status":"201 Created"}}`)
		}
		fmt.Fprint(w, `]}`)
		return
	}
	if need := h.needs[name]; need != "" && h.resources["PUT "+need] == 0 {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, oops("no such "+need))
		return
	}
	h.resources[r.Method+" "+name]++
	w.WriteHeader(http.StatusCreated)
}

func oops(text string) string {
	return `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"` + text + `"}]}`
}

func (h *fakeHub) options(t *testing.T, paths ...string) Options {
	return Options{Paths: paths, To: h.URL, Token: "secret", Journal: filepath.Join(t.TempDir(), "journal"),
		sleep: func(context.Context, time.Duration) {}}
}

// instance is a small Part 10 file in explicit little endian.
func instance(uid string, size int) []byte {
	var b bytes.Buffer
	b.Write(make([]byte, preambleSize))
	b.WriteString("DICM")
	put := func(group, element uint16, vr, value string) {
		if len(value)%2 == 1 {
			value += "\x00"
		}
		binary.Write(&b, binary.LittleEndian, []uint16{group, element})
		b.WriteString(vr)
		binary.Write(&b, binary.LittleEndian, uint16(len(value)))
		b.WriteString(value)
	}
	put(2, 0x0003, "UI", uid)
	put(2, 0x0010, "UI", "1.2.840.10008.1.2.1")
	put(8, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.7")
	put(8, 0x0018, "UI", uid)
	put(0x10, 0x0020, "LO", "nobody")
	b.Write(make([]byte, size))
	return b.Bytes()
}

func folder(t *testing.T, files map[string][]byte) string {
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func study(n int) map[string][]byte {
	files := map[string][]byte{}
	for i := range n {
		files[fmt.Sprintf("series/%03d.dcm", i)] = instance(fmt.Sprintf("1.2.3.%d", i), 2000)
	}
	return files
}

func seq(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func zipped(data string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, data)
	z.Close()
	return b.Bytes()
}

func expect(t *testing.T, r Report, status Status, n int) {
	t.Helper()
	if got := r.Total(status); got != n {
		t.Errorf("status %d: %d files, expected %d; refused: %v", status, got, n, r.Refused)
	}
}

func TestEveryFileOfAMixedFolderArrivesOnceAsItIs(t *testing.T) {
	h := newHub(t)
	files := study(23)
	files["patient.json"] = []byte(`{"resourceType":"Patient","id":"p1"}`)
	files["nameless.json"] = []byte("\ufeff" + ` {"resourceType":"Patient"}`)
	files["packed.json.gz"] = zipped(`{"entry":[{"request":{"method":"PUT","url":"Patient/z"},"resource":{}}],"resourceType":"Bundle","type":"transaction"}`)
	files["export.ndjson"] = []byte("{\"resourceType\":\"Patient\",\"id\":\"n1\"}\n\n{\"resourceType\":\"Patient\",\"id\":\"n2\"}")
	files["document.json"] = []byte(`{"resourceType":"Bundle","type":"document","id":"d"}`)
	files["packed.dcm.gz"] = zipped(string(instance("1.2.3.99", 2000)))
	files["README.txt"] = []byte("hello")
	files["package.json"] = []byte(`{"name":"viewer","dependencies":[{"resourceType":"no"}]}`)
	files[".git/config"] = []byte(`{"resourceType":"Patient"}`)
	dir := folder(t, files)

	var out bytes.Buffer
	rep, err := Run(t.Context(), h.options(t, dir), &out)
	if err != nil {
		t.Fatal(err, out.String())
	}
	expect(t, rep, Sent, 29)
	if len(rep.Strange) != 2 || !strings.HasSuffix(rep.Strange[0].Path, "README.txt") || !strings.HasSuffix(rep.Strange[1].Path, "package.json") {
		t.Errorf("not understood: %v", rep.Strange)
	}
	for _, i := range append([]int{99}, seq(23)...) {
		uid := fmt.Sprintf("1.2.3.%d", i)
		if got := h.instances[uid]; len(got) != 1 || !bytes.Equal(got[0], instance(uid, 2000)) {
			t.Errorf("instance %s arrived %d times, or changed", uid, len(got))
		}
	}
	slices.Sort(h.batches)
	if !slices.Equal(h.batches, []int{4, 10, 10}) {
		t.Errorf("batches of %v", h.batches)
	}
	for _, r := range []string{"PUT Patient/p1", "POST Patient", "PUT Patient/z", "PUT Patient/n1", "PUT Patient/n2", "PUT Bundle/d"} {
		if h.resources[r] != 1 {
			t.Errorf("%s: %d times", r, h.resources[r])
		}
	}
}

func TestMembersOfAnArchiveAreSentLikeFiles(t *testing.T) {
	h := newHub(t)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range map[string][]byte{"a/1.dcm": instance("1.9.1", 10), "a/p.json": []byte(`{"resourceType":"Patient","id":"zip"}`)} {
		w, _ := z.Create(name)
		w.Write(data)
	}
	z.Close()
	rep, err := Run(t.Context(), h.options(t, folder(t, map[string][]byte{"all.zip": b.Bytes()})), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, rep, Sent, 2)
	if len(h.instances["1.9.1"]) != 1 || h.resources["PUT Patient/zip"] != 1 {
		t.Errorf("got %v %v", h.instances, h.resources)
	}
}

func TestOneRefusedInstanceDoesNotFailItsNeighbours(t *testing.T) {
	h := newHub(t)
	h.fail["1.2.3.2"], h.fail["1.2.3.3"], h.warn["1.2.3.4"] = 0xA900, 0x0111, 0xB000
	var out bytes.Buffer
	rep, err := Run(t.Context(), h.options(t, folder(t, study(6))), &out)
	if !hub.Is(err, hub.Unprocessable) {
		t.Errorf("error %v, expected one for the refusal", err)
	}
	expect(t, rep, Sent, 4)
	expect(t, rep, There, 1)
	expect(t, rep, Refused, 1)
	if len(rep.Refused) != 1 || rep.Refused[0].Code != "A900H" || !strings.HasSuffix(rep.Refused[0].Path, "002.dcm") {
		t.Errorf("refused: %v", rep.Refused)
	}
	if len(rep.Warned) != 1 || !strings.HasSuffix(rep.Warned[0].Path, "004.dcm") {
		t.Errorf("warned: %v", rep.Warned)
	}
	for _, want := range []string{"002.dcm", "A900H", "already there"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
}

func TestAFileThatSpoilsItsRequestIsFoundByItself(t *testing.T) {
	h := newHub(t)
	h.before = func(_ int, w http.ResponseWriter, r *http.Request) bool {
		data, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(data))
		if bytes.Contains(data, []byte("1.2.3.1\x00")) {
			http.Error(w, "part 2 is spoilt", http.StatusBadRequest)
			return true
		}
		return false
	}
	rep, err := Run(t.Context(), h.options(t, folder(t, study(4))), io.Discard)
	if err == nil {
		t.Error("no error for a refused file")
	}
	expect(t, rep, Sent, 3)
	if len(rep.Refused) != 1 || rep.Refused[0].Reason != "part 2 is spoilt" || rep.Refused[0].Code != "400" {
		t.Errorf("refused: %v", rep.Refused)
	}
}

func TestABusyHubIsAskedAgainWhenItSaid(t *testing.T) {
	h := newHub(t)
	h.before = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n > 2 {
			return false
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	o := h.options(t, folder(t, study(3)))
	var waits []time.Duration
	o.sleep = func(_ context.Context, d time.Duration) { waits = append(waits, d) }
	rep, err := Run(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, rep, Sent, 3)
	if !slices.Equal(waits, []time.Duration{7 * time.Second, 7 * time.Second}) {
		t.Errorf("waited %v", waits)
	}
}

func TestAConnectionCutInTheMiddleIsTriedAgainFromTheStart(t *testing.T) {
	h := newHub(t)
	h.before = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return false
		}
		io.CopyN(io.Discard, r.Body, 10_000)
		panic(http.ErrAbortHandler)
	}
	rep, err := Run(t.Context(), h.options(t, folder(t, study(9))), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, rep, Sent, 9)
	if got := h.instances["1.2.3.8"]; len(got) != 1 || !bytes.Equal(got[0], instance("1.2.3.8", 2000)) {
		t.Error("the last instance is not whole")
	}
}

func TestACreateWithoutAnswerIsNotSentTwice(t *testing.T) {
	h := newHub(t)
	h.before = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}
	rep, err := Run(t.Context(), h.options(t, folder(t, map[string][]byte{"p.json": []byte(`{"resourceType":"Patient"}`)})), io.Discard)
	if err == nil || h.count() != 1 {
		t.Errorf("%d requests, error %v", h.count(), err)
	}
	if len(rep.Refused) != 1 || rep.Refused[0].Code != "unknown" {
		t.Errorf("refused: %v", rep.Refused)
	}
}

func TestAResourceSentBeforeWhatItRefersToGetsAnotherRound(t *testing.T) {
	h := newHub(t)
	h.needs["Observation/a"], h.needs["Encounter/b"] = "Encounter/b", "Patient/c"
	files := map[string][]byte{}
	for name, r := range map[string]string{"a": "Observation", "b": "Encounter", "c": "Patient"} {
		files[name+".json"] = fmt.Appendf(nil, `{"resourceType":%q,"id":%q}`, r, name)
	}
	files["z.json"] = []byte(`{"resourceType":"Observation","id":"z"}`)
	h.needs["Observation/z"] = "Patient/nobody"
	o := h.options(t, folder(t, files))
	o.Parallel = 1
	rep, err := Run(t.Context(), o, io.Discard)
	if err == nil {
		t.Error("no error for the one that nothing helps")
	}
	expect(t, rep, Sent, 3)
	if len(rep.Refused) != 1 || rep.Refused[0].Reason != "no such Patient/nobody" {
		t.Errorf("refused: %v", rep.Refused)
	}
}

func TestAStoppedRunGoesOnWhereItWas(t *testing.T) {
	h := newHub(t)
	dir := folder(t, study(40))
	o := h.options(t, dir)
	o.Parallel = 1
	stop := make(chan struct{})
	o.Stop = stop
	h.before = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 2 {
			close(stop) // while request 2 runs
		}
		return false
	}
	rep, err := Run(t.Context(), o, io.Discard)
	if !hub.Is(err, hub.Unavailable) {
		t.Errorf("error %v", err)
	}
	expect(t, rep, Sent, 20)
	expect(t, rep, Unsent, 20)

	// Half a line at the end is what a crash leaves.
	j, _ := os.OpenFile(o.Journal, os.O_APPEND|os.O_WRONLY, 0)
	j.WriteString(`{"path":"/tmp/ha`)
	j.Close()
	o.Stop, h.before = nil, nil
	rep, err = Run(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, rep, Resumed, 20)
	expect(t, rep, Sent, 20)
	for uid, got := range h.instances {
		if len(got) != 1 {
			t.Errorf("instance %s was sent %d times", uid, len(got))
		}
	}

	os.WriteFile(filepath.Join(dir, "series/007.dcm"), instance("1.2.3.7", 2001), 0o644)
	later := time.Now().Add(time.Hour)
	os.Chtimes(filepath.Join(dir, "series/008.dcm"), later, later)
	rep, err = Run(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, rep, Sent, 1) // the changed one, not the touched one
	expect(t, rep, Resumed, 39)
}

func TestTheDefaultJournalGoesWhenAllIsAcknowledged(t *testing.T) {
	h := newHub(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	h.fail["1.2.3.1"] = 0xC000
	o := h.options(t, folder(t, study(3)))
	o.Journal = ""
	rep, _ := Run(t.Context(), o, io.Discard)
	if _, err := os.Stat(rep.Journal); err != nil {
		t.Fatal("a run with a refusal keeps its journal:", err)
	}
	clear(h.fail)
	path := rep.Journal
	rep, err := Run(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, rep, Resumed, 2)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("the journal is still there:", err)
	}
}

func TestRefusedLinesAreNamedAndOnlyTheirBatchIsSentAgain(t *testing.T) {
	h := newHub(t)
	var lines strings.Builder
	for i := 1; i <= linesPerBatch+2; i++ {
		bad := ""
		if i == linesPerBatch+1 {
			bad = `,"birthDate":"bad"`
		}
		fmt.Fprintf(&lines, `{"resourceType":"Patient","id":"p%d"%s}`+"\n", i, bad)
	}
	o := h.options(t, folder(t, map[string][]byte{"all.ndjson": []byte(lines.String())}))
	rep, err := Run(t.Context(), o, io.Discard)
	if err == nil || len(rep.Refused) != 2 || !strings.HasSuffix(rep.Refused[1].Path, fmt.Sprintf("line %d", linesPerBatch+1)) || rep.Refused[1].Reason != "bad birthDate" {
		t.Errorf("error %v, refused: %v", err, rep.Refused)
	}
	if h.resources["PUT Patient/p1"] != 1 {
		t.Errorf("the first batch was sent %d times", h.resources["PUT Patient/p1"])
	}
}

func TestARunThatCannotSucceedEndsAtOnceWithTheRemedy(t *testing.T) {
	h := newHub(t)
	dir := folder(t, study(60))
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, c := range map[string]struct {
		change func(*Options)
		kind   hub.ErrKind
	}{
		"wrong token":  {func(o *Options) { o.Token = "guess" }, hub.Unauthenticated},
		"wrong path":   {func(o *Options) { o.To += "/dicom-web" }, hub.NotFound},
		"no hub":       {func(o *Options) { o.To = gone.URL }, hub.Unavailable},
		"no URL":       {func(o *Options) { o.To = "hub.example" }, hub.Invalid},
		"no such file": {func(o *Options) { o.Paths = []string{"/nowhere"} }, hub.NotFound},
		"another hub's journal": {func(o *Options) {
			os.WriteFile(o.Journal, []byte(`{"concord":"upload journal 1","to":"http://x"}`+"\n"), 0o600)
		}, hub.Conflict},
		"a journal that is none":   {func(o *Options) { os.WriteFile(o.Journal, []byte("my thesis\n"), 0o600) }, hub.Invalid},
		"JSON of other kinds":      {func(o *Options) { o.Paths = []string{folder(t, map[string][]byte{"a.json": []byte("{}")})} }, hub.Unsupported},
		"nothing that is a format": {func(o *Options) { o.Paths = []string{folder(t, map[string][]byte{"a.txt": []byte("a")})} }, hub.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			o := h.options(t, dir)
			o.Retries = 2
			c.change(&o)
			before := h.count()
			_, err := Run(t.Context(), o, io.Discard)
			if !hub.Is(err, c.kind) {
				t.Errorf("error %v of kind %v, expected %v", err, hub.KindOf(err), c.kind)
			}
			if n := h.count() - before; n > 2*defaultParallel {
				t.Errorf("%d requests before it gave up", n)
			}
		})
	}
}
