package dicom

import (
	"bytes"
	"strings"
	"testing"

	"concord/hub"
)

const (
	studyBody = `{"00080020":{"vr":"DA","Value":["20240229"]},"00080030":{"vr":"TM","Value":["1015"]},` +
		`"00080050":{"vr":"SH","Value":["A-17"]},"00080061":{"vr":"CS","Value":["CT","SR"]},"00081030":{"vr":"LO","Value":["Chest CT 胸部"]},` +
		`"00100010":{"vr":"PN","Value":[{"Alphabetic":"Wang^XiaoDong","Ideographic":"王^小东"}]},"00100020":{"vr":"LO","Value":["P*1"]},` +
		`"0020000D":{"vr":"UI","Value":["1.2.3"]},"00200010":{"vr":"SH"}}`
	seriesBody = `{"00080060":{"vr":"CS","Value":["CT"]},"0020000D":{"vr":"UI","Value":["1.2.3"]},"0020000E":{"vr":"UI","Value":["1.2.3.4"]},` +
		`"00200011":{"vr":"IS","Value":[7]},"00400275":{"vr":"SQ","Value":[{"00400009":{"vr":"SH","Value":["STEP1"]}},{"00401001":{"vr":"SH","Value":["RP1"]}}]}}`
	instanceBody = `{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2"]},"00080018":{"vr":"UI","Value":["1.2.3.4.5"]},` +
		`"0020000D":{"vr":"UI","Value":["1.2.3"]},"0020000E":{"vr":"UI","Value":["1.2.3.4"]},"00200013":{"vr":"IS","Value":[12]}}`
)

// TestQueriesFindWhatWasProjected runs compiled queries against projected entries.
func TestQueriesFindWhatWasProjected(t *testing.T) {
	bodies := [...]string{Study: studyBody, Series: seriesBody, Instance: instanceBody}
	projections := [...]func([]byte) (hub.Entry, error){Study: ProjectStudy, Series: ProjectSeries, Instance: ProjectInstance}
	tests := []struct {
		name  string
		level Level
		query string // key=value, joined by &
		found bool
	}{
		{"a patient ID", Study, "PatientID=P*1", true}, // "*" is a wildcard that happens to match itself
		{"another patient ID", Study, "00100020=P2", false},
		{"a wildcard", Study, "PatientID=P*", true},
		{"a wildcard in another case", Study, "PatientID=p*", false},
		{"a spelled name", Study, "PatientName=wangxiao&fuzzymatching=true", true},
		{"initials", Study, "PatientName=wxd&fuzzymatching=true", true},
		{"a spelling without being asked for", Study, "PatientName=wxd", false},
		{"one character", Study, "AccessionNumber=A-1?", true},
		{"one character too many", Study, "AccessionNumber=A-1??", false},
		{"an accession number in another case", Study, "AccessionNumber=a-17", false},
		{"an empty value matches everything", Study, "PatientName=&StudyID=", true},
		{"a lone star matches everything, absent values too", Study, "StudyID=*", true},
		{"a name with both components", Study, "PatientName=WANG^XIAODONG", true},
		{"a name with a space", Study, "PatientName=wang xiaodong", true},
		{"a name's beginning only", Study, "PatientName=Wang", false},
		{"a name's beginning and a star", Study, "PatientName=Wang*", true},
		{"a name between stars", Study, "PatientName=*dong*", true},
		{"ideographs without delimiter", Study, "PatientName=王小东", true},
		{"full-width letters", Study, "PatientName=Ｗａｎｇ*", true},
		{"both component groups", Study, "PatientName=Wang*=王*", true},
		{"one group of another name", Study, "PatientName=Wang*=李*", false},
		{"fuzzy words in any order", Study, "PatientName=xiao wang&fuzzymatching=true", true},
		{"a fuzzy word that begins nothing", Study, "PatientName=dong&fuzzymatching=true", false},
		{"a fuzzy ideograph", Study, "PatientName=小&fuzzymatching=true", true},
		{"the day", Study, "StudyDate=20240229", true},
		{"a range around it", Study, "StudyDate=20240201-20240301", true},
		{"a range that ends with it", Study, "StudyDate=-20240229", true},
		{"a range that begins after it", Study, "StudyDate=20240301-", false},
		{"a time inside its minute", Study, "StudyTime=101530", true},
		{"a time range", Study, "StudyTime=10-11", true},
		{"a time range before", Study, "StudyTime=-1014", false},
		{"one of several modalities", Study, `ModalitiesInStudy=SR\MR`, true},
		{"modalities by comma", Study, "ModalitiesInStudy=MR,PT", false},
		{"modality asked of studies", Study, "Modality=SR", true},
		{"a list of UIDs by backslash", Study, `StudyInstanceUID=9.9\1.2.3`, true},
		{"a list of UIDs by comma", Study, "0020000D=9.9,1.2.3", true},
		{"a UID is no prefix", Study, "StudyInstanceUID=1.2", false},
		{"words of a description", Study, "StudyDescription=*胸部*", true},

		{"series of a study", Series, "StudyInstanceUID=1.2.3", true},
		{"series number with leading zeros", Series, "SeriesNumber=007", true},
		{"an attribute inside a sequence", Series, "RequestAttributesSequence.RequestedProcedureID=RP1", true},
		{"an attribute inside a sequence by tag", Series, "00400275.00400009=STEP2", false},
		{"instances of a series", Instance, "SeriesInstanceUID=1.2.3.4&StudyInstanceUID=1.2.3", true},
		{"instance number", Instance, "InstanceNumber=12", true},
		{"another SOP class", Instance, "SOPClassUID=1.2.840.10008.5.1.4.1.1.4", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			entry, err := projections[tt.level]([]byte(bodies[tt.level]))
			if err != nil {
				t.Fatal(err)
			}
			s, err := CompileQIDO(tt.level, parameters(tt.query))
			if err != nil {
				t.Fatal(err)
			}
			q := s.Query()
			got, err := q.Meets(&hub.Record{Body: []byte(bodies[tt.level])}, &entry)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.found || q.Type != tt.level.Type() {
				t.Errorf("%s finds it: %v\nclauses %+v\nterms %+v", tt.query, got, q.All, entry.Terms)
			}
		})
	}
}

func parameters(query string) map[string][]string {
	params := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		params[key] = append(params[key], value)
	}
	return params
}

func TestClausesGoToTheLevelThatHasTheAttribute(t *testing.T) {
	s, err := CompileQIDO(Instance, parameters("PatientID=P1&Modality=CT&InstanceNumber=1&StudyInstanceUID=1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	for level, want := range map[Level]int{Study: 1, Series: 1, Instance: 2} {
		if got := len(s.Clauses[level]); got != want {
			t.Errorf("%d clauses of %v, want %d", got, level, want)
		}
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	tests := []struct {
		name  string
		level Level
		query string
		path  string
		want  string
	}{
		{"a misspelt keyword names the nearest", Study, "PatientNmae=x", "PatientNmae", "did you mean PatientName?"},
		{"an attribute that no study has", Study, "ImageType=ORIGINAL", "ImageType", "attributes that can"},
		{"a private attribute, which no study has", Study, "00091002=1", "00091002", "cannot be searched"},
		{"a sequence that no study has", Study, "ReferencedSeriesSequence.SeriesInstanceUID=1", "ReferencedSeriesSequence.SeriesInstanceUID", "cannot be searched"},
		{"a value of a sequence", Study, "ProcedureCodeSequence=1", "ProcedureCodeSequence", "does not name an attribute with a value"},
		{"a number that the hub counts", Study, "NumberOfStudyRelatedInstances=1", "NumberOfStudyRelatedInstances", "is counted"},
		{"an address", Study, "RetrieveURL=http://x", "RetrieveURL", "told with each match"},
		{"how soon it can be had", Study, "InstanceAvailability=OFFLINE", "InstanceAvailability", "told with each match"},
		{"an attribute of a level below", Study, "InstanceNumber=1", "InstanceNumber", "belongs to the instance level"},
		{"an included attribute that does not exist", Study, "includefield=PatientIdd", "PatientIdd", "did you mean PatientID?"},
		{"a negative limit", Study, "limit=-1", "limit", "not negative"},
		{"a date that is none", Study, "StudyDate=20240230", "StudyDate", "YYYYMMDD"},
		{"a hyphen alone", Study, "StudyDate=-", "StudyDate", "YYYYMMDD"},
		{"a date with a wildcard", Study, "StudyDate=2024*", "StudyDate", "YYYYMMDD"},
		{"a UID with a wildcard", Study, "StudyInstanceUID=1.2*", "StudyInstanceUID", "is not a UID"},
		{"a number with letters", Series, "SeriesNumber=x", "SeriesNumber", "a number"},
		{"fuzzy perhaps", Study, "fuzzymatching=maybe", "fuzzymatching", "true or false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := CompileQIDO(tt.level, parameters(tt.query))
			if !hub.Is(err, hub.Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if e := err.(*hub.Error); e.Path != tt.path {
				t.Errorf("path is %q, want %q", e.Path, tt.path)
			}
		})
	}
}

func TestIncludeFieldsLimitAndOffset(t *testing.T) {
	s, err := CompileQIDO(Study, map[string][]string{
		"includefield": {"00081030,PatientAge", "RequestAttributesSequence.CodeValue"}, "limit": {"101"}, "offset": {"20"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Limit != 101 || s.Offset != 20 || len(s.Include) != 3 || s.IncludeAll {
		t.Errorf("%+v", s)
	}
	for tag, want := range map[Tag]bool{0x00101010: true, 0x00400275: true, tagStudy: true, 0x00102000: false} {
		if s.Wants(tag) != want {
			t.Errorf("%v included: %v", tag, !want)
		}
	}
	if s, _ = CompileQIDO(Study, map[string][]string{"includefield": {"all"}}); !s.IncludeAll || s.Limit != -1 {
		t.Errorf("%+v", s)
	}
}

func TestSubsetKeepsWholeAttributes(t *testing.T) {
	got := Subset(nil, []byte(seriesBody), func(t Tag) bool { return t == 0x00080060 || t == 0x00400275 })
	want := `{"00080060":{"vr":"CS","Value":["CT"]},"00400275":{"vr":"SQ","Value":[{"00400009":{"vr":"SH","Value":["STEP1"]}},{"00401001":{"vr":"SH","Value":["RP1"]}}]}}`
	if string(got) != want {
		t.Errorf("%s", got)
	}
}

// TestEveryInstanceOfTheCorpusIsFoundByItsUIDs projects all three levels of every file that is accepted.
func TestEveryInstanceOfTheCorpusIsFoundByItsUIDs(t *testing.T) {
	for _, name := range corpusNames(t) {
		h, err := ScanFile(bytes.NewReader(corpusFile(t, name)), Limits{})
		if err != nil {
			continue
		}
		uids := []string{h.StudyInstanceUID, h.SeriesInstanceUID, h.SOPInstanceUID}
		keys := []string{"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}
		bodies := [][]byte{AppendStudyJSON(nil, h), AppendSeriesJSON(nil, h), AppendJSON(nil, h, JSONOptions{})}
		for i, project := range []func([]byte) (hub.Entry, error){ProjectStudy, ProjectSeries, ProjectInstance} {
			level := Study + Level(i)
			checkJSON(t, bodies[i])
			entry, err := project(bodies[i])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			params := map[string][]string{}
			for j := range i + 1 {
				params[keys[j]] = []string{uids[j]}
			}
			s, err := CompileQIDO(level, params)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if q := s.Query(); !q.Matches(&entry) || entry.Route != h.StudyInstanceUID {
				t.Errorf("%s is not found at level %v; route %q", name, level, entry.Route)
			}
		}
	}
}

// TestAStoredBodyWithoutStudyIsCorrupt: such a record cannot have been written by the hub.
func TestAStoredBodyWithoutStudyIsCorrupt(t *testing.T) {
	for _, body := range []string{"", "null", "{}", `{"00100020":{"vr":"LO","Value":["x"]}}`} {
		if _, err := ProjectStudy([]byte(body)); !hub.Is(err, hub.Corrupt) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestNamesAreFoundWrittenAsOneWord(t *testing.T) {
	for _, c := range []struct {
		name, key string
		found     bool
	}{
		{`{"Alphabetic":"Li^Ming Hua"}`, "liminghua", true},
		{`{"Alphabetic":"Li^Ming Hua"}`, "LiMing", true},
		{`{"Alphabetic":"Li^Ming Hua"}`, "minghuali", false},
		{`{"Alphabetic":"Li^Ming Hua"}`, "liminghuax", false},
		{`{"Alphabetic":"Wong^Siu Tung","Ideographic":"黄^小东"}`, "wongsiutung", true},
		{`{"Alphabetic":"Wong^Siu Tung","Ideographic":"黄^小东"}`, "huangxiaodong", true},
		{`{"Alphabetic":"Wong^Siu Tung","Ideographic":"黄^小东"}`, "wongxiaodong", false},
		{`{"Alphabetic":"Madonna"}`, "mad", true},
	} {
		body := `{"00100010":{"vr":"PN","Value":[` + c.name + `]},"0020000D":{"vr":"UI","Value":["1.2.3"]}}`
		entry, err := ProjectStudy([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		find, err := CompileQIDO(Study, parameters("fuzzymatching=true&PatientName="+c.key))
		if err != nil {
			t.Fatal(err)
		}
		q := find.Query()
		if got, err := q.Meets(&hub.Record{Body: []byte(body)}, &entry); err != nil || got != c.found {
			t.Errorf("%s finds %s: %v, %v", c.key, c.name, got, err)
		}
		if got, err := find.Keys.Matches([]byte(body)); err != nil || got != c.found {
			t.Errorf("%s matches %s: %v, %v", c.key, c.name, got, err)
		}
	}
	entry, err := ProjectStudy([]byte(studyBody)) // Wang^XiaoDong=王^小东
	if err != nil {
		t.Fatal(err)
	}
	spelledTerms := 0
	for _, term := range entry.Terms {
		if term.Param == spelledNames+spelled {
			spelledTerms++
		}
	}
	if spelledTerms != 1 {
		t.Errorf("%d terms say how a name is spelled that is spelled in one way", spelledTerms)
	}
}
