package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"concord/internal/dicom"
)

// instanceOf makes an instance of JSON attributes besides its UIDs.
func instanceOf(t *testing.T, class, study, series, sop string, more ...string) []byte {
	t.Helper()
	object := fmt.Sprintf(`{"00080016":{"vr":"UI","Value":[%q]},"00080018":{"vr":"UI","Value":[%q]},"0020000D":{"vr":"UI","Value":[%q]},"0020000E":{"vr":"UI","Value":[%q]}`, class, sop, study, series)
	all, err := dicom.ReadJSON([]byte(strings.Join(append([]string{object}, more...), ",")+"}"), dicom.Limits{})
	if err != nil || all[0].Err != nil {
		t.Fatal(err, all)
	}
	out := bytes.NewBuffer(dicom.AppendMeta(nil, "1.2.840.10008.1.2.1", class, sop, "1.2.3"))
	if err := dicom.Encode(out, all[0].Body, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const (
	ctClass        = "1.2.840.10008.5.1.4.1.1.2"
	basicTextClass = "1.2.840.10008.5.1.4.1.1.88.11"
)

// eventually asks until the answer is as wanted; it fails with the last answer after some seconds.
func (h *corpusHub) eventually(what, path string, wanted func(r reply) bool) reply {
	h.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		r := h.get(path)
		if wanted(r) {
			return r
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: %s is %d %.800s", what, path, r.status, r.body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func says(parts ...string) func(reply) bool {
	return func(r reply) bool {
		for _, p := range parts {
			if !bytes.Contains(r.body, []byte(p)) {
				return false
			}
		}
		return r.status == 200
	}
}

func (h *corpusHub) putFHIR(path, token, body string) {
	h.t.Helper()
	r := h.do(request{method: "PUT", path: "/fhir/" + path, token: token, body: []byte(body), header: map[string]string{"Content-Type": "application/fhir+json"}})
	if r.status != 200 && r.status != 201 {
		h.t.Fatalf("PUT %s: %d %s", path, r.status, r.body)
	}
}

const patientAndOrder = `"00080020":{"vr":"DA","Value":["20250301"]},"00080060":{"vr":"CS","Value":["CT"]},"00080050":{"vr":"SH","Value":["ACC-%d"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"Wang^X"}]},"00100020":{"vr":"LO","Value":["PID-%d"]}`

// TestStudiesAreLinkedWhicheverComesFirst stores studies before and after their patients and orders.
func TestStudiesAreLinkedWhicheverComesFirst(t *testing.T) {
	t.Parallel()
	h := startCorpusHub(t)
	records := func(n int) {
		h.putFHIR(fmt.Sprintf("Patient/p%d", n), "", fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","identifier":[{"system":"urn:x","value":"PID-%d"}]}`, n, n))
		h.putFHIR(fmt.Sprintf("ServiceRequest/o%d", n), "", fmt.Sprintf(`{"resourceType":"ServiceRequest","id":"o%d","status":"active","intent":"order","identifier":[{"value":"ACC-%d"}],"subject":{"reference":"Patient/p%d"},"requester":{"reference":"Practitioner/dr","display":"Dr"}}`, n, n, n))
	}
	store := func(n int) {
		if s := h.stow(instanceOf(t, ctClass, fmt.Sprint("1.2.", n), fmt.Sprint("1.2.", n, ".1"), fmt.Sprint("1.2.", n, ".1.1"), fmt.Sprintf(patientAndOrder, n, n))); s.status != 200 {
			t.Fatalf("store: %d %s", s.status, s.raw)
		}
	}
	linked := func(n int) func(reply) bool {
		return says(fmt.Sprintf(`"reference":"Patient/p%d"`, n), fmt.Sprintf(`"basedOn":[{"reference":"ServiceRequest/o%d"}]`, n), `"referrer":{"reference":"Practitioner/dr"`)
	}
	records(1)
	store(1)
	h.eventually("records before the study", "/fhir/ImagingStudy/1.2.1", linked(1))
	store(2)
	h.eventually("a study alone", "/fhir/ImagingStudy/1.2.2", says(`"value":"PID-2"`))
	records(2)
	h.eventually("records after the study", "/fhir/ImagingStudy/1.2.2", linked(2))
	for n := 3; n < 23; n++ { // at the same time
		n := n
		done := make(chan bool)
		go func() { defer close(done); store(n) }()
		records(n)
		<-done
	}
	for n := 3; n < 23; n++ {
		h.eventually("records beside the study", fmt.Sprint("/fhir/ImagingStudy/1.2.", n), linked(n))
	}
	h.putFHIR("Patient/p2", "", `{"resourceType":"Patient","id":"p2","identifier":[{"value":"another"}]}`)
	h.eventually("a patient whose identifier is taken away", "/fhir/ImagingStudy/1.2.2", func(r reply) bool {
		return r.status == 200 && !bytes.Contains(r.body, []byte(`"reference":"Patient/p2"`))
	})
	h.putFHIR("Patient/c", h.county, `{"resourceType":"Patient","id":"c","identifier":[{"value":"PID-2"}]}`)
	h.putFHIR("Patient/v", "", `{"resourceType":"Patient","id":"v","identifier":[{"value":"PID-2"}]}`)
	h.eventually("a patient of the same member, not of another", "/fhir/ImagingStudy/1.2.2", says(`"reference":"Patient/v"`))
	if r := h.get("/fhir/Endpoint/dicom-web"); !says(`"code":"dicom-wado-rs"`)(r) {
		t.Errorf("the endpoint is %d %s", r.status, r.body)
	}
	if r := h.get("/fhir/ImagingStudy?_include=ImagingStudy:basedon&identifier=urn:oid:1.2.1"); !says(`"ServiceRequest"`)(r) {
		t.Errorf("the order is not found through the study: %.500s", r.body)
	}
	// Nothing moves any more: what is derived again and is the same is not written.
	before := h.get("/fhir/ImagingStudy/1.2.1").header.Get("ETag")
	h.putFHIR("Patient/p1", "", `{"resourceType":"Patient","id":"p1","active":true,"identifier":[{"system":"urn:x","value":"PID-1"}]}`)
	h.putFHIR("Patient/last", "", `{"resourceType":"Patient","id":"last","identifier":[{"value":"PID-9"}]}`)
	h.eventually("a second patient with the identifier", "/fhir/ImagingStudy/1.2.9", func(r reply) bool { return !bytes.Contains(r.body, []byte(`Patient/p9`)) })
	if after := h.get("/fhir/ImagingStudy/1.2.1").header.Get("ETag"); after != before {
		t.Errorf("a study that is the same went from version %s to %s", before, after)
	}
}

// TestDocumentsComeAndGoWithTheirInstances stores a report beside images and deletes first it, then the study.
func TestDocumentsComeAndGoWithTheirInstances(t *testing.T) {
	t.Parallel()
	h := startCorpusHub(t)
	measured := `"0040A730":{"vr":"SQ","Value":[{"0040A040":{"vr":"CS","Value":["CONTAINER"]},"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["125007"]},"00080102":{"vr":"SH","Value":["DCM"]},"00080104":{"vr":"LO","Value":["Measurement Group"]}}]},
		"0040A730":{"vr":"SQ","Value":[{"0040A040":{"vr":"CS","Value":["NUM"]},"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["410668003"]},"00080102":{"vr":"SH","Value":["SCT"]},"00080104":{"vr":"LO","Value":["Length"]}}]},
		"0040A300":{"vr":"SQ","Value":[{"0040A30A":{"vr":"DS","Value":[12.50]},"004008EA":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["mm"]},"00080102":{"vr":"SH","Value":["UCUM"]},"00080104":{"vr":"LO","Value":["millimeter"]}}]}}]}}]}},
		{"0040A040":{"vr":"CS","Value":["TEXT"]},"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["121077"]},"00080102":{"vr":"SH","Value":["DCM"]},"00080104":{"vr":"LO","Value":["Conclusion"]}}]},"0040A160":{"vr":"UT","Value":["右肺结节"]}}]}`
	root := `"00080060":{"vr":"CS","Value":["SR"]},"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["126000"]},"00080102":{"vr":"SH","Value":["DCM"]},"00080104":{"vr":"LO","Value":["Imaging Measurement Report"]}}]},"0040A491":{"vr":"CS","Value":["COMPLETE"]},"0040A493":{"vr":"CS","Value":["VERIFIED"]},` + measured
	if s := h.stow(instanceOf(t, ctClass, "1.2.5", "1.2.5.1", "1.2.5.1.1", fmt.Sprintf(patientAndOrder, 5, 5)), instanceOf(t, basicTextClass, "1.2.5", "1.2.5.2", "1.2.5.2.1", root)); len(s.stored) != 2 {
		t.Fatalf("store: %d %s", s.status, s.raw)
	}
	r := h.eventually("the report", "/fhir/DiagnosticReport?_include=DiagnosticReport:result", says(`"conclusion":"右肺结节"`, `"value":12.50,"unit":"millimeter"`, `"status":"final"`, `"reference":"ImagingStudy/1.2.5"`, `"total":1`))
	var bundle struct {
		Entry []struct {
			Resource struct{ ResourceType, ID string }
		}
	}
	if err := json.Unmarshal(r.body, &bundle); err != nil || len(bundle.Entry) != 2 {
		t.Fatalf("%v: %s", err, r.body)
	}
	if r := h.do(request{method: "DELETE", path: "/dicom-web/studies/1.2.5/series/1.2.5.2/instances/1.2.5.2.1"}); r.status/100 != 2 {
		t.Fatalf("delete the report: %d %s", r.status, r.body)
	}
	for _, e := range bundle.Entry {
		h.eventually("the report's resource", "/fhir/"+e.Resource.ResourceType+"/"+e.Resource.ID, func(r reply) bool { return r.status == 410 })
	}
	h.eventually("the study without it", "/fhir/ImagingStudy/1.2.5", says(`"numberOfSeries":1`, `"numberOfInstances":1`, `"status":"available"`))
	if r := h.do(request{method: "DELETE", path: "/dicom-web/studies/1.2.5"}); r.status/100 != 2 {
		t.Fatalf("delete the study: %d %s", r.status, r.body)
	}
	h.eventually("the study that is gone", "/fhir/ImagingStudy/1.2.5", says(`"numberOfInstances":0`, `"status":"entered-in-error"`, `"value":"PID-5"`))
	h.stow(instanceOf(t, ctClass, "1.2.5", "1.2.5.1", "1.2.5.1.1", fmt.Sprintf(patientAndOrder, 5, 5)))
	h.eventually("the study that is there again", "/fhir/ImagingStudy/1.2.5", says(`"numberOfInstances":1`, `"status":"available"`))
}
