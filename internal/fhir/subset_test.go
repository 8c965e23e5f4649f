package fhir

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const wholeReport = `{"resourceType":"DocumentReference","id":"d","meta":{"tag":[{"code":"mine"}],"versionId":"2"},` +
	`"implicitRules":"http://h/rules","language":"zh","text":{"status":"generated","div":"<div>张伟</div>"},` +
	`"extension":[{"url":"http://h/x","valueDecimal":1.50}],"status":"current","_status":{"id":"s"},"description":"CT",` +
	`"content":[{"id":"c","attachment":{"data":"QUJD","size":3,"url":"Binary/1"}},{"attachment":{"data":"QUJD"}}],"docStatus":"final"}`

func TestASubsetKeepsWhatWasAskedForToTheByte(t *testing.T) {
	tag := `"meta":{"versionId":"2","tag":[{"code":"mine"},` + Subsetted + `]}`
	head := `{"resourceType":"DocumentReference","id":"d",` + tag + `,"implicitRules":"http://h/rules",`
	for say, c := range map[string]struct {
		subset Subset
		want   string
	}{
		"everything": {Subset{Summary: "false"}, wholeReport},
		"the summary, without attachments' data unless nothing else is left": {Subset{Summary: "true"},
			head + `"status":"current","_status":{"id":"s"},"description":"CT","content":[{"attachment":{"size":3,"url":"Binary/1"}},{"attachment":{"data":"QUJD"}}],"docStatus":"final"}`},
		"the text and what is mandatory": {Subset{Summary: "text"},
			head + `"text":{"status":"generated","div":"<div>张伟</div>"},"status":"current","_status":{"id":"s"},"content":[{"id":"c","attachment":{"data":"QUJD","size":3,"url":"Binary/1"}},{"attachment":{"data":"QUJD"}}]}`},
		"all but the text": {Subset{Summary: "data"},
			head + `"language":"zh",` + wholeReport[strings.Index(wholeReport, `"extension"`):]},
		"elements, one of another type": {Subset{Elements: []string{"extension", "DocumentReference.docStatus", "Patient.description"}},
			head + `"extension":[{"url":"http://h/x","valueDecimal":1.50}],"status":"current","_status":{"id":"s"},` +
				`"content":[{"id":"c","attachment":{"data":"QUJD","size":3,"url":"Binary/1"}},{"attachment":{"data":"QUJD"}}],"docStatus":"final"}`},
	} {
		doc, err := Parse([]byte(wholeReport), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(c.subset.Of(doc)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", say, got, c.want)
		}
	}
}

func TestAChoiceIsAskedForByItsName(t *testing.T) {
	doc, err := Parse([]byte(`{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":5.60},"note":[{"text":"n"}]}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":5.60},"meta":{"tag":[` + Subsetted + `]}}`
	for _, s := range []Subset{{Elements: []string{"value"}}, {Summary: "true"}} {
		if got := string(s.Of(doc)); got != want {
			t.Errorf("%+v: got %s", s, got)
		}
	}
}

func TestWhatIsNoSubsetIsRefused(t *testing.T) {
	for say, s := range map[string]Subset{"another summary": {Summary: "short"}, "no element": {Elements: []string{"naem"}}, "of another type": {Elements: []string{"Observation.value"}}} {
		if err := s.Check("Patient"); err == nil {
			t.Errorf("%s: accepted", say)
		}
	}
	if err := (Subset{Elements: []string{"name", "deceased", "Patient.link"}}).Check("Patient"); err != nil {
		t.Error(err)
	}
}

// Every example survives every subset as JSON with its mandatory elements, and each member that is left is as it was.
func TestSubsetsOfTheExamplesAreParts(t *testing.T) {
	for name, data := range examples(t) {
		doc, err := Parse(data, Limits{})
		if err != nil || !IsResourceType(doc.Type()) {
			continue
		}
		for _, s := range []Subset{{Summary: "true"}, {Summary: "text"}, {Summary: "data"}, {Elements: []string{"status"}}} {
			var whole, part map[string]any
			if err := json.Unmarshal(data, &whole); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(s.Of(doc), &part); err != nil {
				t.Fatalf("%s, %+v: %v", name, s, err)
			}
			for _, due := range summaryTables()[doc.Type()].due {
				if whole[due] != nil && part[due] == nil {
					t.Errorf("%s, %+v: %s is gone", name, s, due)
				}
			}
			for member, v := range part {
				if member != "meta" && s.Summary != "true" && !reflect.DeepEqual(v, whole[member]) {
					t.Errorf("%s, %+v: %s is not as it was", name, s, member)
				}
			}
		}
	}
}

func BenchmarkSubset(b *testing.B) {
	for b.Loop() {
		doc, err := Parse([]byte(wholeReport), Limits{})
		if err != nil {
			b.Fatal(err)
		}
		Subset{Summary: "true"}.Of(doc)
	}
}
