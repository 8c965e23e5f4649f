package imaging

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/internal/dicom"
)

// corpusDocument reads a real file as the hub keeps it.
func corpusDocument(t *testing.T, name string) *hub.Record {
	t.Helper()
	root := os.Getenv("CONCORD_CORPUS")
	if root == "" {
		t.Skip("CONCORD_CORPUS is not set: real documents are not tested")
	}
	data, err := os.ReadFile(filepath.Join(root, "dicom", name))
	if err != nil {
		t.Fatal(err)
	}
	h, err := dicom.ScanFile(bytes.NewReader(data), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	rec := record("dicom.instance", h.StudyInstanceUID+"/"+h.SOPInstanceUID, string(dicom.AppendJSON(nil, h, dicom.JSONOptions{})))
	return &rec
}

func TestDocumentsBecomeResources(t *testing.T) {
	for _, c := range []struct {
		file, makes string
		says        []string // in the first resource
	}{
		{"derived/encapsulated-pdf.dcm", "DocumentReference", []string{`"contentType":"application/pdf"`, `/bulk/00420011"`, `"url":"https://hub/dicom-web/studies/`, `"related":[{"reference":"ImagingStudy/`}},
		{"derived/encapsulated-cda.dcm", "DocumentReference", []string{`"contentType":"text/xml"`, `"size":25270`, `"title":"Chest X-Ray, PA and LAT View"`, `"code":"18748-4"`}},
		{"sop/SR_basic_text_reportsi.dcm", "DiagnosticReport", []string{`"status":"partial"`, `"imagingStudy":[{"reference":"ImagingStudy/`, `Section Heading`}},
		{"sop/SR_comprehensive_deep.dcm", "DiagnosticReport", []string{`"display":"Diagnosis"`, `: 3 cm`}},
		{"sop/SR_enhanced_deflated.dcm", "DiagnosticReport", []string{`Consultation Report`, `squamous cell carcinoma`}},
		{"sop/SR_TID1500_comprehensive3D.dcm", "DiagnosticReport Observation", []string{`"result":[{"reference":"Observation/dicom-`, `"code":"126000"`}},
		{"sop/SR_dcmqi_measurements.dcm", "DiagnosticReport" + strings.Repeat(" Observation", 22), []string{`Imaging Measurement Report`}},
	} {
		t.Run(c.file, func(t *testing.T) {
			all, err := documentsOf(corpusDocument(t, c.file), links{subject: models.Reference{Reference: ptr("Patient/1")}}, "https://hub/dicom-web")
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			for _, r := range all {
				types = append(types, r.name.Type)
				isR4(t, r.body)
				if !bytes.Contains(r.body, []byte(`"subject":{"reference":"Patient/1"}`)) || !bytes.Contains(r.body, []byte(`"source":"urn:concord:member:village"`)) {
					t.Errorf("%s does not say whose it is", r.name)
				}
			}
			if got := strings.Join(types, " "); got != c.makes {
				t.Fatalf("makes %s, expected %s", got, c.makes)
			}
			for _, part := range c.says {
				if !bytes.Contains(all[0].body, []byte(part)) {
					t.Errorf("%s does not say %s", all[0].body, part)
				}
			}
			if again := resultsOf(&hub.Record{Name: all[0].name, Body: all[0].body}); len(again) != len(all)-1 {
				t.Errorf("%d results are found again of %d", len(again), len(all)-1)
			}
		})
	}
}

func TestAMeasurementIsAnObservationWithItsUnitAndSite(t *testing.T) {
	all, err := documentsOf(corpusDocument(t, "sop/SR_dcmqi_measurements.dcm"), links{subject: models.Reference{Reference: ptr("Patient/1")}}, "/dicom-web")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"valueQuantity":{"value":6.01529,"unit":"Standardized Uptake Value body weight","system":"http://unitsofmeasure.org","code":"{SUVbw}g/ml"}`,
		`"code":"T-C5300"`, `"method":{"coding":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"126410"`, `"effectiveDateTime":"1986-03-11T11:42:43+08:00"`, `"code":"126401","display":"SUVbw"}],"text":"SUVbw, `} {
		if !bytes.Contains(all[1].body, []byte(part)) {
			t.Errorf("%s does not say %s", all[1].body, part)
		}
	}
}

func TestWhatIsNoDocumentMakesNone(t *testing.T) {
	if all, err := documentsOf(corpusDocument(t, "transfer-syntax/CT_small.dcm"), links{}, ""); err != nil || len(all) > 0 {
		t.Errorf("%v %v", all, err)
	}
}

// TestNarrativesAreXHTMLWhateverTheTextHolds puts markup, control characters and much of it into a report.
func TestNarrativesAreXHTMLWhateverTheTextHolds(t *testing.T) {
	item := func(text string) string {
		return `{"0040A010":{"vr":"CS","Value":["CONTAINS"]},"0040A040":{"vr":"CS","Value":["TEXT"]},"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["121077"]},"00080102":{"vr":"SH","Value":["DCM"]},"00080104":{"vr":"LO","Value":["<b>Conclusion"]}}]},"0040A160":{"vr":"UT","Value":["` + text + `"]}}`
	}
	for _, text := range []string{`<script>alert(1)</script>&amp;`, `a\u0000\u0001\ufffe\r\nb\tc`, strings.Repeat("长", 200_000), "", "]]>"} {
		items := strings.Repeat(item(text)+",", 30) + item(text)
		rec := record("dicom.instance", "1.2/1.2.3", `{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.88.11"]},"00080018":{"vr":"UI","Value":["1.2.3"]},"0020000D":{"vr":"UI","Value":["1.2"]},"0040A730":{"vr":"SQ","Value":[`+items+`]}}`)
		all, err := documentsOf(&rec, links{subject: models.Reference{Reference: ptr("Patient/1")}}, "/dicom-web")
		if err != nil || len(all) != 1 {
			t.Fatalf("%v %v", all, err)
		}
		isR4(t, all[0].body)
		if bytes.Contains(all[0].body, []byte("<script")) || len(all[0].body) > 40*600_000 {
			t.Errorf("%d bytes: %.500s", len(all[0].body), all[0].body)
		}
	}
}
