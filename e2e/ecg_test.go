package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// corpusECG reads an electrocardiogram of the corpus.
func corpusECG(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(corpusDir(t), "ecg", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sendECG posts a file and returns where the recording is.
func (h *corpusHub) sendECG(token string, file []byte, status int) string {
	h.t.Helper()
	got := h.do(request{method: "POST", path: "/ecg", token: token, body: file})
	if got.status != status {
		h.t.Fatalf("POST /ecg: %d, want %d: %s", got.status, status, got.body)
	}
	return got.header.Get("Location")
}

// columns are the samples of a CSV by lead; the first line names them.
func columns(t *testing.T, table io.Reader) map[string][]float64 {
	t.Helper()
	rows, err := csv.NewReader(table).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("read CSV of %d rows: %v", len(rows), err)
	}
	all := map[string][]float64{}
	for i, name := range rows[0] {
		name, _, _ = strings.Cut(name, " ")
		for _, row := range rows[1:] {
			v, err := strconv.ParseFloat(row[i], 64)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = append(all[name], v)
		}
	}
	return all
}

// TestOneRecordingInThreeFormatsIsTheSameForThreeMembers sends one recording as SCP-ECG, as aECG and as DICOM, each by another
// member, and kills the hub between. The three give the samples that independent readers gave.
func TestOneRecordingInThreeFormatsIsTheSameForThreeMembers(t *testing.T) {
	h := startCorpusHub(t)
	centre := h.Stores.Member(t, "centre")
	packed, err := gzip.NewReader(bytes.NewReader(corpusECG(t, filepath.Join("expected", "Example_uV.csv.gz"))))
	if err != nil {
		t.Fatal(err)
	}
	want := columns(t, packed)
	sent := []struct{ name, token string }{{"Example.scp", h.village}, {"Example.xml", h.county}, {"Example.dcm", centre}}
	at := map[string]string{}
	for _, f := range sent {
		at[f.name] = h.sendECG(f.token, corpusECG(t, f.name), http.StatusCreated)
		h.Kill()
		h.Restart()
	}
	for _, f := range sent {
		if again := h.sendECG(f.token, corpusECG(t, f.name), http.StatusOK); again != at[f.name] {
			t.Errorf("%s sent again is at %s, not %s", f.name, again, at[f.name])
		}
		got := h.get(at[f.name] + "/csv")
		if got.status != http.StatusOK {
			t.Fatalf("%s as CSV: %d %s", f.name, got.status, got.body)
		}
		have := columns(t, bytes.NewReader(got.body))
		for lead, values := range want {
			if len(have[lead]) != len(values) {
				t.Errorf("%s has %d samples of %s, want %d", f.name, len(have[lead]), lead, len(values))
				continue
			}
			for i := range values {
				if math.Abs(have[lead][i]-values[i]) > 1e-6 {
					t.Errorf("%s: sample %d of %s is %v µV, want %v", f.name, i, lead, have[lead][i], values[i])
					break
				}
			}
		}
		original := h.get(at[f.name] + "/original")
		if !bytes.Equal(original.body, corpusECG(t, f.name)) || !strings.HasPrefix(original.header.Get("Content-Disposition"), "attachment") || original.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("the original of %s is not served as it was sent: %v", f.name, original.header)
		}
	}
	h.foundByPatientAndCode(at)
	if out, errs, err := h.fsck(); err != nil {
		t.Errorf("fsck: %v\n%s%s", err, out, errs)
	}
}

func (h *corpusHub) fsck() (out, errs string, err error) {
	h.t.Helper()
	h.Stop()
	out, errs, err = h.Stores.Command(h.t, "fsck", "--deep")
	h.Restart()
	return out, errs, err
}

// foundByPatientAndCode asks for recordings as a FHIR client does that knows the patient alone.
func (h *corpusHub) foundByPatientAndCode(at map[string]string) {
	h.t.Helper()
	for name, place := range at {
		id := strings.TrimPrefix(place, "/ecg/")
		var o struct{ Subject struct{ Reference string } }
		if err := json.Unmarshal(h.get("/fhir/Observation/"+id).body, &o); err != nil || o.Subject.Reference == "" {
			h.t.Fatalf("the Observation of %s: %v %+v", name, err, o)
		}
		for typ, status := range map[string]string{"Observation": "final", "DiagnosticReport": "preliminary"} {
			var found struct {
				Entry []struct {
					Resource struct {
						ID, Status, Conclusion string
					}
				}
			}
			path := "/fhir/" + typ + "?patient=" + o.Subject.Reference + "&code=http%3A%2F%2Floinc.org%7C11524-6"
			if err := json.Unmarshal(h.get(path).body, &found); err != nil || len(found.Entry) != 1 || found.Entry[0].Resource.ID != id {
				h.t.Errorf("%s of %s: %v %+v", typ, name, err, found)
			} else if found.Entry[0].Resource.Status != status {
				h.t.Errorf("%s of %s is %s", typ, name, found.Entry[0].Resource.Status)
			}
		}
		if got := h.get("/fhir/Provenance?target=DiagnosticReport/" + id); !bytes.Contains(got.body, []byte("ecg@1")) {
			h.t.Errorf("no Provenance tells how %s was read: %s", name, got.body)
		}
	}
}

// TestAnECGByEveryDICOMWayIsServedLikeAFile stores an instance by STOW-RS and asks for all its forms.
func TestAnECGByEveryDICOMWayIsServedLikeAFile(t *testing.T) {
	h := startCorpusHub(t)
	file := corpusECG(t, "dicom_12lead_waveform_ecg.dcm")
	if a, err := h.Client(h.village).Store(file); err != nil || a.Status != http.StatusOK {
		t.Fatalf("STOW: %v %v", a, err)
	}
	type list struct {
		Recordings []struct{ ID, Format string }
	}
	var found list
	for deadline := time.Now().Add(20 * time.Second); len(found.Recordings) == 0; time.Sleep(50 * time.Millisecond) {
		if err := json.Unmarshal(h.get("/ecg").body, &found); err != nil || time.Now().After(deadline) {
			t.Fatalf("the instance is not listed: %v", err)
		}
	}
	at := "/ecg/" + found.Recordings[0].ID
	for form, begins := range map[string]string{"svg": "<svg", "png": "\x89PNG", "csv": "time", "sampled-data": "{", "quality": "{", "aecg": "<?xml"} {
		if got := h.get(at + "/" + form); got.status != http.StatusOK || !bytes.HasPrefix(got.body, []byte(begins)) {
			t.Errorf("%s: %d %.200s", form, got.status, got.body)
		}
	}
	for _, form := range []string{"original", "dicom"} {
		if got := h.get(at + "/" + form); !bytes.Equal(got.body, file) {
			t.Errorf("%s is not what was stored: %d", form, got.status)
		}
	}
	h.foundByPatientAndCode(map[string]string{"the instance": at})
	if again := h.sendECG(h.village, file, http.StatusOK); again != at {
		t.Errorf("the same instance sent to /ecg is at %s, not %s", again, at)
	}
	if got := h.do(request{method: "POST", path: "/ecg", token: "-", body: file}); got.status != http.StatusUnauthorized {
		t.Errorf("without a credential: %d", got.status)
	}
}

// TestEveryECGOfTheCorpusGivesAPicture uploads the folder by command and draws all that have signals.
func TestEveryECGOfTheCorpusGivesAPicture(t *testing.T) {
	h := startCorpusHub(t)
	upload := exec.Command(hubproc.Binary(t), "upload", filepath.Join(corpusDir(t), "ecg"), "--to", h.URL, "--token", h.village, "--resume-file", filepath.Join(t.TempDir(), "journal"))
	out, _ := upload.CombinedOutput() // it says with its code that files were refused: the empty aECG
	t.Logf("%s", out)
	time.Sleep(2 * time.Second) // instances are derived once they have settled
	var found struct {
		Recordings []struct {
			ID, Format string
			Read       bool
		}
	}
	if err := json.Unmarshal(h.get("/ecg?_count=100").body, &found); err != nil {
		t.Fatal(err)
	}
	drawn := 0
	for _, r := range found.Recordings {
		for _, form := range []string{"svg?layout=3x4", "svg?layout=6x2", "svg?layout=12x1", "png"} {
			got := h.get("/ecg/" + r.ID + "/" + form)
			switch {
			case got.status == http.StatusOK && len(got.body) > 1000:
				drawn++
			case got.status != http.StatusUnprocessableEntity:
				t.Errorf("%s of a %s: %d %.300s", form, r.Format, got.status, got.body)
			}
		}
	}
	if drawn < 4*6 { // two of Healforce, two of DICOM or one that the archive refuses, SCP, aECG
		t.Errorf("%d pictures of %d recordings", drawn, len(found.Recordings))
	}
}

// TestWrongECGsAreRefusedOrKeptWithTheReason sends what carts do not.
func TestWrongECGsAreRefusedOrKeptWithTheReason(t *testing.T) {
	h := startCorpusHub(t)
	scp, aecg := corpusECG(t, "Example.scp"), corpusECG(t, "Example.xml")
	laughs := `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">`
	for i := range 20 {
		laughs += fmt.Sprintf(`<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">`, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	laughs += `]><AnnotatedECG xmlns="urn:hl7-org:v3"><code code="&u;"/></AnnotatedECG>`
	external := `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><AnnotatedECG xmlns="urn:hl7-org:v3"><text>&x;</text></AnnotatedECG>`
	h.staysFlat("wrong files", func() {
		for name, f := range map[string]struct {
			file     []byte
			statuses []int
		}{
			"half an SCP file":       {scp[:len(scp)/2], []int{422}},
			"half an aECG":           {aecg[:len(aecg)/2], []int{422}},
			"an empty aECG":          {corpusECG(t, "aecg_empty.xml"), []int{422}},
			"an external entity":     {[]byte(external), []int{422, 202}},
			"a billion laughs":       {[]byte(laughs), []int{422, 202}},
			"XML nested a lot":       {[]byte(`<AnnotatedECG xmlns="urn:hl7-org:v3">` + strings.Repeat("<component>", 1<<18)), []int{422}},
			"something else":         {[]byte(strings.Repeat("cart", 1000)), []int{202}},
			"nothing":                {nil, []int{400}},
			"an SCP that promises":   {append(bytes.Clone(scp[:2]), append([]byte{0xff, 0xff, 0xff, 0x7f}, scp[6:]...)...), []int{422, 201}},
			"a body in another code": {bytes.Repeat([]byte{0}, 4096), []int{202}},
		} {
			got := h.do(request{method: "POST", path: "/ecg", body: f.file})
			ok := false
			for _, s := range f.statuses {
				ok = ok || got.status == s
			}
			var o struct {
				Issue []struct{ Diagnostics string }
			}
			if err := json.Unmarshal(got.body, &o); !ok || err != nil || len(o.Issue) == 0 || o.Issue[0].Diagnostics == "" {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
			if bytes.Contains(got.body, []byte("root:")) {
				t.Errorf("%s reads files of the hub", name)
			}
			t.Logf("%s: %d %.200s", name, got.status, got.body)
		}
		for range 3 {
			body := io.MultiReader(bytes.NewReader(scp), io.LimitReader(zeros{}, 200<<20))
			got, err := h.try(request{method: "POST", path: "/ecg", body: body})
			if err == nil && got.status != http.StatusRequestEntityTooLarge {
				t.Errorf("200 MB: %d %s", got.status, got.body)
			}
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
