package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/sample"
)

// TestAPatientsDirectiveHoldsOnEveryWayToTheImages has a village send a study, its patient refuse disclosure, and a county ask for the
// images in every way there is.
func TestAPatientsDirectiveHoldsOnEveryWayToTheImages(t *testing.T) {
	address := hubproc.FreeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	h := startCorpusHub(t, "--dimse", address)
	h.Stores.Must(t, "member", "dicom", "county", "--aet", "COUNTY")
	village, county := h.Client(h.village), h.Client(h.county)

	person := sample.NewPerson(7)
	if a, err := village.JSON("PUT", "/fhir/Patient/p7", []byte(strings.Replace(string(sample.PatientResource(person)), "{", `{"id":"p7",`, 1))); err != nil || a.Status != http.StatusCreated {
		t.Fatal(a, err)
	}
	var files [][]byte
	var first sample.File
	for f, err := range sample.CTSeries(7, sample.Options{Slices: 3, Rows: 64, Columns: 64, Person: &person, Time: time.Now().Add(-time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(f.Reader())
		files, first = append(files, body), f
	}
	if a, err := village.Store(files...); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	study := "/dicom-web/studies/" + first.StudyUID
	await(t, "the ImagingStudy of the patient", func() bool {
		a, err := county.Get("/fhir/ImagingStudy?patient=p7")
		return err == nil && strings.Contains(string(a.Body), first.StudyUID)
	})
	time.Sleep(time.Second) // until the hub has looked at its members again

	instance := study + "/series/" + first.SeriesUID + "/instances/" + first.InstanceUID
	paths := []string{study + "/metadata", study + "/series/" + first.SeriesUID + "/metadata", instance + "/metadata", instance + "/frames/1", instance + "/rendered",
		study + "/thumbnail", "/dicom-web/studies/" + first.StudyUID, "/fhir/ImagingStudy/" + first.StudyUID,
		fmt.Sprintf("/dicom-web/wado?requestType=WADO&studyUID=%s&seriesUID=%s&objectUID=%s", first.StudyUID, first.SeriesUID, first.InstanceUID)}
	lists := []string{"/dicom-web/studies?PatientID=" + person.Number, study + "/series", study + "/instances", "/dicom-web/studies?limit=100"}
	// shown counts the ways on which a client meets the study.
	shown := func(c *hubproc.Client) (ways []string) {
		for _, p := range paths {
			a, err := c.Do("GET", p, nil, "Accept: */*")
			if err != nil {
				t.Fatal(err)
			}
			if a.Status == http.StatusOK {
				ways = append(ways, p)
			} else if a.Status != http.StatusNotFound {
				t.Errorf("%s answers %s", p, a)
			}
		}
		for _, p := range lists {
			a, err := c.Get(p)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(a.Body), first.StudyUID) {
				ways = append(ways, p)
			}
		}
		return ways
	}
	found := func() bool { // by C-FIND of the county
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := exec.LookPath("findscu"); err != nil {
			missing(t, "findscu is not in PATH")
		}
		out, err := exec.CommandContext(ctx, "findscu", "-v", "-S", "-aet", "COUNTY", "-aec", "CONCORD", host, port, "-k", "QueryRetrieveLevel=STUDY",
			"-k", "PatientID="+person.Number, "-k", "StudyInstanceUID").CombinedOutput()
		if err != nil {
			t.Fatalf("findscu: %v\n%s", err, out)
		}
		return strings.Contains(string(out), first.StudyUID)
	}
	if n := len(shown(county)); n != len(paths)+len(lists) || !found() {
		t.Fatalf("before the directive the county meets the study on %v", shown(county))
	}
	body := `{"resourceType":"Consent","status":"active","scope":{"coding":[{"code":"patient-privacy"}]},"category":[{"text":"privacy"}],
		"patient":{"reference":"Patient/p7"},"policyRule":{"text":"privacy"},"provision":{"type":"deny"}}`
	if a, err := village.JSON("POST", "/fhir/Consent", []byte(body)); err != nil || a.Status != http.StatusCreated {
		t.Fatal(a, err)
	}
	if ways := shown(county); len(ways) > 0 || found() {
		t.Errorf("the county still meets the study on %v", ways)
	}
	if n := len(shown(village)); n != len(paths)+len(lists) {
		t.Errorf("the village, whose study it is, meets it on %v", shown(village))
	}
}
