package dicom

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"concord/hub"
)

// identifier writes DICOM JSON, without braces, as a C-FIND carries it.
func identifier(t testing.TB, syntax, charset, body string) []byte {
	t.Helper()
	data, err := AppendDataSet(nil, []byte("{"+body+"}"), syntax, strings.Split(charset, `\`))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func atLevel(l string) string { return `"00080052":{"vr":"CS","Value":["` + l + `"]}` }

func meets(t testing.TB, f *Find, body string) bool {
	t.Helper()
	entry, err := map[Level]func([]byte) (hub.Entry, error){Patient: ProjectStudy, Study: ProjectStudy, Series: ProjectSeries, Instance: ProjectInstance}[f.Level]([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	q := f.Query()
	ok, err := q.Meets(&hub.Record{Body: []byte(body)}, &entry)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestIdentifiersSelectAndAskToBeTold compiles what modalities send and reads the answers back.
func TestIdentifiersSelectAndAskToBeTold(t *testing.T) {
	const wanted = `"00080020":{"vr":"DA"},"00080050":{"vr":"SH"},"00081030":{"vr":"LO"},"00100040":{"vr":"CS"},"00200010":{"vr":"SH"}`
	tests := []struct {
		name, charset, key string
		finds              bool
	}{
		{"nothing but return keys", "", `"00100010":{"vr":"PN"}`, true},
		{"an identifier", "", `"00100020":{"vr":"LO","Value":["P*1"]}`, true},
		{"a name in UTF-8", "ISO_IR 192", `"00100010":{"vr":"PN","Value":[{"Alphabetic":"王*"}]}`, true},
		{"a name in GB18030", "GB18030", `"00100010":{"vr":"PN","Value":[{"Alphabetic":"*","Ideographic":"王^小东"}]}`, true},
		{"a name in GB2312 with code extensions", `\ISO 2022 IR 58`, `"00100010":{"vr":"PN","Value":[{"Alphabetic":"Wang^XiaoDong","Ideographic":"王^小东"}]}`, true},
		{"another name in GB18030", "GB18030", `"00100010":{"vr":"PN","Value":[{"Alphabetic":"李*"}]}`, false},
		{"a list of UIDs", "", `"0020000D":{"vr":"UI","Value":["9.9","1.2.3"]}`, true},
		{"a range of dates", "", `"00080020":{"vr":"DA","Value":["20240101-20240301"]}`, true},
	}
	for _, tt := range tests {
		for _, syntax := range []string{implicitLittle, explicitLittle} {
			t.Run(tt.name, func(t *testing.T) {
				body := string(Merge(nil, nil, []byte("{"+atLevel("STUDY")+","+tt.key+"}"), []byte("{"+wanted+"}")))
				f, err := CompileFind(StudyRoot, identifier(t, syntax, tt.charset, body[1:len(body)-1]), syntax, Rules{})
				if err != nil {
					t.Fatal(err)
				}
				if got := meets(t, f, studyBody); got != tt.finds || len(f.Unsupported) > 0 {
					t.Errorf("finds the study: %v; unsupported %v", got, f.Unsupported)
				}
				answer, err := f.Answer(nil, []byte(studyBody), syntax, "CONCORD")
				if err != nil {
					t.Fatal(err)
				}
				h, err := ReadDataSet(bytes.NewReader(answer), syntax, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if tt.charset != "" && !slices.Equal(h.Charset, strings.Split(tt.charset, `\`)) {
					t.Errorf("the answer is in %q", h.Charset)
				}
				if _, told := h.Find(0x00100040); h.Text(TagLevel) != "STUDY" || h.Text(TagRetrieveAE) != "CONCORD" || !told || h.Text(0x00081030) != "Chest CT 胸部" {
					t.Errorf("the answer is %s", AppendJSON(nil, h, JSONOptions{}))
				}
			})
		}
	}
}

func TestKeysOfOtherLevelsAreUnsupportedOrRelational(t *testing.T) {
	for _, tt := range []struct {
		name        string
		root        Root
		level, key  string
		unsupported []Tag
		parents     bool // the study is asked first
	}{
		{"a key of the series", StudyRoot, "STUDY", `"0020000E":{"vr":"UI","Value":["1.2"]}`, []Tag{tagSeries}, false},
		{"a private key", StudyRoot, "STUDY", `"00091002":{"vr":"LO","Value":["x"]}`, []Tag{0x00091002}, false},
		{"a private key of an instance", StudyRoot, "IMAGE", `"00091002":{"vr":"LO","Value":["x"]}`, nil, false},
		{"the patient of series", StudyRoot, "SERIES", `"00100020":{"vr":"LO","Value":["P"]}`, nil, true},
		{"the study of a patient", PatientRoot, "PATIENT", `"0020000D":{"vr":"UI"}`, []Tag{tagStudy}, false},
		{"the name of a patient", PatientRoot, "PATIENT", `"00100010":{"vr":"PN","Value":[{"Alphabetic":"A*"}]}`, nil, false},
		{"the number of studies", PatientRoot, "PATIENT", `"00201200":{"vr":"IS"}`, nil, false},
		{"a number that is counted, with a value", StudyRoot, "STUDY", `"00201206":{"vr":"IS","Value":[1]}`, []Tag{TagSeriesOfStudy}, false},
		{"the modality of a study", StudyRoot, "STUDY", `"00080060":{"vr":"CS","Value":["CT"]}`, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := CompileFind(tt.root, identifier(t, explicitLittle, "", atLevel(tt.level)+","+tt.key), explicitLittle, Rules{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.Unsupported, tt.unsupported) {
				t.Errorf("unsupported are %v, want %v", f.Unsupported, tt.unsupported)
			}
			if got := f.Level > Study && len(f.Clauses[Study]) > 0; got != tt.parents {
				t.Errorf("the study is asked first: %v", got)
			}
		})
	}
}

func TestIdentifiersThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		root Root
		body string
		path string
	}{
		"no level":                        {StudyRoot, `"00100020":{"vr":"LO"}`, "QueryRetrieveLevel"},
		"the patient level in Study Root": {StudyRoot, atLevel("PATIENT"), "QueryRetrieveLevel"},
		"a date that is none":             {StudyRoot, atLevel("STUDY") + `,"00080020":{"vr":"DA","Value":["2024x"]}`, "StudyDate"},
		"dates the wrong way round":       {StudyRoot, atLevel("STUDY") + `,"00080020":{"vr":"DA","Value":["20240302-20240301"]}`, "StudyDate"},
		"times the wrong way round":       {StudyRoot, atLevel("STUDY") + `,"00080020":{"vr":"DA","Value":["20240301-20240302"]},"00080030":{"vr":"TM","Value":["22-02"]}`, "StudyTime"},
		"a UID that is none":              {StudyRoot, atLevel("STUDY") + `,"0020000D":{"vr":"UI","Value":["1.2*"]}`, "StudyInstanceUID"},
	} {
		body := string(Merge(nil, nil, []byte("{"+c.body+"}"), []byte("{}")))
		_, err := CompileFind(c.root, identifier(t, explicitLittle, "", body[1:len(body)-1]), explicitLittle, Rules{})
		if e, ok := err.(*hub.Error); !ok || e.Kind != hub.Invalid || e.Path != c.path {
			t.Errorf("%s: %v", name, err)
		}
	}
	moments := `"00080020":{"vr":"DA","Value":["20240301-%s"]},"00080030":{"vr":"TM","Value":["22-02"]}`
	for to, ok := range map[string]bool{"20240302": true, "20240301": false} {
		body := string(Merge(nil, nil, []byte("{"+atLevel("STUDY")+","+fmt.Sprintf(moments, to)+"}"), []byte("{}")))
		if _, err := CompileFind(StudyRoot, identifier(t, explicitLittle, "", body[1:len(body)-1]), explicitLittle, Rules{Combined: true}); (err == nil) != ok {
			t.Errorf("from ten at night to two in the morning of %s: %v", to, err)
		}
	}
	if _, err := CompileFind(StudyRoot, []byte("\x08\x00\x52\x00CS\xff\x7f"), explicitLittle, Rules{}); !hub.Is(err, hub.Invalid) {
		t.Errorf("an identifier that is cut off: %v", err)
	}
}

// TestAnswersHaveTheItemsThatMatch: of a sequence, with nothing but what was asked of them.
func TestAnswersHaveTheItemsThatMatch(t *testing.T) {
	keys, err := ReadKeys(identifier(t, explicitLittle, "", `"00400100":{"vr":"SQ","Value":[{"00080060":{"vr":"CS","Value":["CT"]},"00400002":{"vr":"DA","Value":["20250301-"]},"00400010":{"vr":"SH"}}]}`), explicitLittle, Rules{})
	if err != nil {
		t.Fatal(err)
	}
	const item = `{"00080060":{"vr":"CS","Value":["%"]},"00400001":{"vr":"AE","Value":["AET"]},"00400002":{"vr":"DA","Value":["20250302"]}}`
	body := `{"00400100":{"vr":"SQ","Value":[` + strings.ReplaceAll(item, "%", "MR") + `,` + strings.ReplaceAll(item, "%", "CT") + `]}}`
	if ok, err := keys.Matches([]byte(body)); !ok || err != nil {
		t.Errorf("the worklist item does not match: %v", err)
	}
	const want = `{"00400100":{"vr":"SQ","Value":[{"00080060":{"vr":"CS","Value":["CT"]},"00400002":{"vr":"DA","Value":["20250302"]},"00400010":{"vr":"SH"}}]}}`
	if got := string(keys.Select(nil, []byte(body))); got != want {
		t.Errorf("got %s", got)
	}
	if ok, _ := keys.Matches([]byte(strings.ReplaceAll(body, `["CT"]`, `["US"]`))); ok {
		t.Error("an item matches by the modality of another")
	}
}

func TestDatesAndTimesWithOffsets(t *testing.T) {
	for _, tt := range []struct {
		key, value string
		want       bool
	}{
		{"2025", "20250301101500", true},
		{"202503", "20250401", false},
		{"20250301-20250302", "20250302235959.999999", true},
		{"20250301-", "20250228235959", false},
		{"-20250301", "20250301", true},
		{"20250301100000+0800", "20250301020000+0000", true},
		{"20250301100000-0500", "20250301150000+0000", true},
		{"20250301100000-0500-20250301110000-0500", "20250301153000", true},
		{"20250301100000-0500-20250301110000-0500", "20250301163000", false},
	} {
		keys := Keys{List: []Key{{Tag: 0x0008002A, VR: vrOf(0x0008002A, false), Values: []string{tt.key}}}}
		got, err := keys.Matches([]byte(`{"0008002A":{"vr":"DT","Value":["` + tt.value + `"]}}`))
		if err != nil || got != tt.want {
			t.Errorf("%s finds %s: %v, %v", tt.key, tt.value, got, err)
		}
	}
}

// TestBelowAsksTheSameOfInstances: what a retrieval of studies means by its identifier.
func TestBelowAsksTheSameOfInstances(t *testing.T) {
	f, err := CompileFind(StudyRoot, identifier(t, implicitLittle, "", atLevel("STUDY")+`,"0020000D":{"vr":"UI","Value":["1.2.3","1.2.4"]}`), implicitLittle, Rules{})
	if err != nil {
		t.Fatal(err)
	}
	b := f.Below(Instance)
	if !meets(t, b, instanceBody) || len(b.Clauses[Study]) > 0 || b.Level != Instance || f.Level != Study || len(f.Clauses[Study]) != 1 {
		t.Errorf("%+v of %+v", b, f)
	}
	if meets(t, b, strings.Replace(instanceBody, `["1.2.3"]`, `["1.2.5"]`, 1)) {
		t.Error("an instance of another study is found")
	}
}

// FuzzCompileFind: no identifier harms, and what compiles can be run and answered.
func FuzzCompileFind(f *testing.F) {
	f.Add(identifier(f, implicitLittle, "GB18030", atLevel("STUDY")+`,"00100010":{"vr":"PN","Value":[{"Alphabetic":"王*"}]}`), true)
	f.Add(identifier(f, explicitLittle, "", atLevel("SERIES")+`,"00400275":{"vr":"SQ","Value":[{"00400009":{"vr":"SH","Value":["S1"]}}]}`), false)
	f.Fuzz(func(t *testing.T, data []byte, implicit bool) {
		syntax := explicitLittle
		if implicit {
			syntax = implicitLittle
		}
		find, err := CompileFind(PatientRoot, data, syntax, Rules{Fuzzy: true, Combined: true, Multiple: true})
		if err != nil {
			return
		}
		for _, body := range []string{studyBody, seriesBody, instanceBody} {
			q := find.Query()
			entry := hub.Entry{}
			if _, err := q.Meets(&hub.Record{Body: []byte(body)}, &entry); err != nil {
				t.Fatal(err)
			}
			checkJSON(t, find.Keys.Select(nil, []byte(body)))
			if _, err := find.Answer(nil, []byte(body), syntax, ""); err != nil && !hub.Is(err, hub.TooLarge) && !hub.Is(err, hub.Invalid) {
				t.Fatal(err)
			}
		}
	})
}
