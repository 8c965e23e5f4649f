package imaging

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/internal/fhir"
)

func record(typ, id, body string) hub.Record {
	return hub.Record{Name: hub.Name{Type: typ, ID: id}, Member: "village", Body: []byte(body)}
}

func attrs(body string) attributes { return parseBody([]byte(body)) }

func TestAnImagingStudySaysWhatItsRecordsSay(t *testing.T) {
	second := attrs(`{"0008103E":{"vr":"LO","Value":["轴位"]},"00080021":{"vr":"DA","Value":["20250301"]},"00080060":{"vr":"CS","Value":["CT"]},` +
		`"00081050":{"vr":"PN","Value":[{"Alphabetic":"Li^Hong","Ideographic":"李^红"}]},` +
		`"00180015":{"vr":"CS","Value":["CHEST"]},"0020000E":{"vr":"UI","Value":["1.2.3"]},"00200011":{"vr":"IS","Value":[2]},"00200060":{"vr":"CS","Value":["L"]},` +
		`"00400275":{"vr":"SQ","Value":[{"00321060":{"vr":"LO","Value":["胸部CT平扫"]},"00401002":{"vr":"LO","Value":["咳嗽"]}}]}}`)
	ct := func(uid string, number string) attributes {
		return attrs(`{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2"]},"00080018":{"vr":"UI","Value":["` + uid + `"]},"00081140":{"vr":"SQ","Value":[{"00080018":{"vr":"UI","Value":["9.9"]}}]},"00200013":{"vr":"IS","Value":[` + number + `]}}`)
	}
	s := study{
		record: record("dicom.study", "1.2", `{"00080020":{"vr":"DA","Value":["20250301"]},"00080030":{"vr":"TM","Value":["083000.5"]},`+
			`"00080050":{"vr":"SH","Value":["A\"1"]},"00080061":{"vr":"CS","Value":["CT",null,"SR"]},"00080090":{"vr":"PN","Value":[{"Alphabetic":"Doe^Jane^^Dr"}]},"00080201":{"vr":"SH","Value":["-0330"]},`+
			`"00081030":{"vr":"LO","Value":["胸部"]},"00081060":{"vr":"PN","Value":[{"Alphabetic":"Roe^Jo"}]}}`),
		series: []seriesOf{
			{attributes: attrs(`{"00080060":{"vr":"CS"},"0020000E":{"vr":"UI","Value":["1.2.9"]}}`), uid: "1.2.9", count: 1, instances: []models.ImagingStudySeriesInstance{
				instanceOf(attrs(`{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.88.11"]},"00080018":{"vr":"UI","Value":["1.2.9.1"]},"00200013":{"vr":"IS","Value":[null]},"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["18748-4"]},"00080102":{"vr":"SH","Value":["LN"]},"00080104":{"vr":"LO","Value":["Report"]}}]}}`))}},
			{attributes: second, uid: "1.2.3", count: 2, first: ct("1.2.3.2", "10"), instances: []models.ImagingStudySeriesInstance{instanceOf(ct("1.2.3.2", "10")), instanceOf(ct("1.2.3.1", `"9"`))}},
		},
		remarks: map[string]int{"text read as GBK, Specific Character Set says nothing": 2},
	}
	sites := map[string]models.Coding{"CHEST": {System: ptr(systemSCT), Code: ptr("816094009"), Display: ptr("Thorax")}}
	raw, err := s.resource(links{subject: models.Reference{Reference: ptr("Patient/1")}, basedOn: []models.Reference{{Reference: ptr("ServiceRequest/2")}}}, sites)
	if err != nil {
		t.Fatal(err)
	}
	sameResource(t, raw, `{"resourceType":"ImagingStudy","meta":{"source":"urn:concord:member:village"},"status":"available","subject":{"reference":"Patient/1"},"basedOn":[{"reference":"ServiceRequest/2"}],
	"identifier":[{"system":"urn:dicom:uid","value":"urn:oid:1.2"},{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"ACSN"}]},"value":"A\"1"}],
	"modality":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"},{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"SR"}],
	"started":"2025-03-01T08:30:00-03:30","description":"胸部","numberOfSeries":2,"numberOfInstances":3,"referrer":{"display":"Dr Jane Doe"},"interpreter":[{"display":"Jo Roe"}],"endpoint":[{"reference":"Endpoint/dicom-web"}],
	"procedureCode":[{"text":"胸部CT平扫"}],"reasonCode":[{"text":"咳嗽"}],"note":[{"text":"text read as GBK, Specific Character Set says nothing (2 instances)"}],
	"series":[
	{"uid":"1.2.3","number":2,"started":"2025-03-01","description":"轴位","bodySite":{"system":"http://snomed.info/sct","code":"816094009","display":"Thorax"},"laterality":{"system":"http://snomed.info/sct","code":"7771000","display":"Left"},
	 "performer":[{"function":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"PRF"}]},"actor":{"display":"李红"}}],
	 "numberOfInstances":2,"modality":{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"},
	 "instance":[{"uid":"1.2.3.1","number":9,"sopClass":{"system":"urn:ietf:rfc:3986","code":"urn:oid:1.2.840.10008.5.1.4.1.1.2"}},{"uid":"1.2.3.2","number":10,"sopClass":{"system":"urn:ietf:rfc:3986","code":"urn:oid:1.2.840.10008.5.1.4.1.1.2"}}]},
	{"uid":"1.2.9","numberOfInstances":1,"modality":{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"OT"},
	 "instance":[{"uid":"1.2.9.1","title":"Report","sopClass":{"system":"urn:ietf:rfc:3986","code":"urn:oid:1.2.840.10008.5.1.4.1.1.88.11"}}]}]}`)
	s.gone, s.series, s.remarks = true, nil, nil
	raw, err = s.resource(links{}, sites)
	if err != nil || !bytes.Contains(raw, []byte(`"status":"entered-in-error"`)) || bytes.Contains(raw, []byte("endpoint")) {
		t.Errorf("a study without instances: %s, %v", raw, err)
	}
}

// sameResource compares JSON, and wants it to be right R4 once it has an id.
func sameResource(t *testing.T, raw []byte, want string) {
	t.Helper()
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
	isR4(t, raw)
}

func isR4(t *testing.T, raw []byte) {
	t.Helper()
	doc, err := fhir.Parse(raw, fhir.Limits{})
	if err == nil {
		err = doc.Check()
	}
	if err != nil {
		t.Errorf("%v in %.300s", err, raw)
	}
}

func TestTimesHaveAZone(t *testing.T) {
	for _, c := range [][4]string{
		{"20250301", "", "", "2025-03-01"}, {"20250301", "0830", "", "2025-03-01T08:30:00+08:00"}, {"20250301", "083000.123", "+0100", "2025-03-01T08:30:00+01:00"},
		{"20250301", "083000", "nonsense", "2025-03-01T08:30:00+08:00"}, {"20250301", "990000", "", "2025-03-01"}, {"20251301", "083000", "", ""},
		{"20240229", "", "", "2024-02-29"}, {"20250229", "083000", "", ""}, {"20250431", "", "", ""}, {"00000101", "", "", ""}, {"", "083000", "", ""},
	} {
		got := ""
		if s := dateTime(c[0], c[1], c[2]); s != nil {
			got = *s
		}
		if got != c[3] {
			t.Errorf("%q is %s, expected %s", c[:3], got, c[3])
		}
	}
}

func TestNumbersAreUnsignedInt(t *testing.T) {
	for text, want := range map[string]int{`7`: 7, `"012"`: 12, `-1`: -1, `1.5`: -1, `99999999999`: -1, `1e400`: -1, `"x"`: -1, `2147483647`: 2147483647} {
		got := -1
		if n := attrs(`{"00200011":{"vr":"IS","Value":[` + text + `]}}`).number(0x00200011); n != nil {
			got = *n
		}
		if got != want {
			t.Errorf("%s is %d", text, got)
		}
	}
}

func TestAStudyOfNobodyKnownSaysSo(t *testing.T) {
	nobody, _ := json.Marshal(subjectOf(attrs(`{"00100010":{"vr":"PN"},"00100020":{"vr":"LO"}}`)))
	if want := `{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}],"type":"Patient"}`; string(nobody) != want {
		t.Errorf("%s", nobody)
	}
	if named := subjectOf(attrs(`{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A"}]}}`)); named.Extension != nil || named.Display == nil {
		t.Errorf("%+v", named)
	}
}

func TestNamesAreWrittenAsPeopleDo(t *testing.T) {
	for in, want := range map[string]string{"Wang^XiaoDong": "XiaoDong Wang", "王^小东": "王小东", "Buc^Jérôme": "Jérôme Buc", "Doe^Jane^M^Dr^PhD": "Dr Jane M Doe PhD", "Smith": "Smith", "": "", "^^": "", "山田^太郎": "山田太郎"} {
		if got := person(in); got != want {
			t.Errorf("%s is %q, expected %q", in, got, want)
		}
	}
}
