package imaging

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
)

func record(typ, id, body string) hub.Record {
	return hub.Record{Name: hub.Name{Type: typ, ID: id}, Member: "village", Body: []byte(body)}
}

func TestAnImagingStudySaysWhatItsRecordsSay(t *testing.T) {
	s := study{
		record: record("dicom.study", "1.2", `{"00080020":{"vr":"DA","Value":["20250301"]},"00080030":{"vr":"TM","Value":["083000.5"]},`+
			`"00080050":{"vr":"SH","Value":["A\"1"]},"00080061":{"vr":"CS","Value":["CT",null,"SR"]},"00081030":{"vr":"LO","Value":["胸部"]}}`),
		series: []hub.Record{
			record("dicom.series", "1.2/1.2.9", `{"00080060":{"vr":"CS"},"0020000E":{"vr":"UI","Value":["1.2.9"]}}`),
			record("dicom.series", "1.2/1.2.3", `{"00080021":{"vr":"DA","Value":["20250301"]},"00080060":{"vr":"CS","Value":["CT"]},"0008103E":{"vr":"LO","Value":["轴位"]},`+
				`"00180015":{"vr":"CS","Value":["CHEST"]},"0020000E":{"vr":"UI","Value":["1.2.3"]},"00200011":{"vr":"IS","Value":[2]}}`),
		},
		instances: []hub.Record{
			record("dicom.instance", "1.2/1.2.3.2", `{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2"]},"00080018":{"vr":"UI","Value":["1.2.3.2"]},"0020000E":{"vr":"UI","Value":["1.2.3"]},"00200013":{"vr":"IS","Value":[10]}}`),
			record("dicom.instance", "1.2/1.2.3.1", `{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2"]},"00080018":{"vr":"UI","Value":["1.2.3.1"]},"00081140":{"vr":"SQ","Value":[{"00080018":{"vr":"UI","Value":["9.9"]}}]},"0020000E":{"vr":"UI","Value":["1.2.3"]},"00200013":{"vr":"IS","Value":["9"]}}`),
			record("dicom.instance", "1.2/1.2.9.1", `{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.88.11"]},"00080018":{"vr":"UI","Value":["1.2.9.1"]},"0020000E":{"vr":"UI","Value":["1.2.9"]},"00200013":{"vr":"IS","Value":[null]}}`),
		},
	}
	raw, err := s.imagingStudy(models.Reference{Reference: ptr("Patient/1")})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"resourceType":"ImagingStudy","meta":{"source":"urn:concord:member:village"},"status":"available","subject":{"reference":"Patient/1"},
	"identifier":[{"system":"urn:dicom:uid","value":"urn:oid:1.2"},{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"ACSN"}]},"value":"A\"1"}],
	"modality":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"},{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"SR"}],
	"started":"2025-03-01T08:30:00+08:00","description":"胸部","numberOfSeries":2,"numberOfInstances":3,
	"series":[
	{"uid":"1.2.3","number":2,"started":"2025-03-01","description":"轴位","bodySite":{"display":"CHEST"},"numberOfInstances":2,"modality":{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"},
	 "instance":[{"uid":"1.2.3.1","number":9,"sopClass":{"system":"urn:ietf:rfc:3986","code":"urn:oid:1.2.840.10008.5.1.4.1.1.2"}},{"uid":"1.2.3.2","number":10,"sopClass":{"system":"urn:ietf:rfc:3986","code":"urn:oid:1.2.840.10008.5.1.4.1.1.2"}}]},
	{"uid":"1.2.9","numberOfInstances":1,"modality":{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"OT"},
	 "instance":[{"uid":"1.2.9.1","sopClass":{"system":"urn:ietf:rfc:3986","code":"urn:oid:1.2.840.10008.5.1.4.1.1.88.11"}}]}]}`
	var got, expected any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
