package fhir

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"concord/hub"
)

// FuzzCheck holds Check to being total and deterministic, and every path to lead to something in the text.
func FuzzCheck(f *testing.F) {
	for _, body := range []string{
		`{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"b"}]}],"_birthDate":{"extension":[{"url":"x"}]}}`,
		`{"resourceType":"Bundle","type":"x","entry":[{"resource":{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}}}]}`,
		`{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">&#x41;<!-- --><a href='x'>\u00e9\\</a></div>"}}`,
		`{"resourceType":"Observation","effectiveDateTime":"2024-02-29T00:00:00.1+08:00","valueQuantity":{"value":1e9},"status":"fin\u0061l"}`,
		`{"resourceType":"Binary","data":"QU\/D\n"}`, `{"resourceType":"Parameters","":1,"_":2}`, `[{"resourceType":"Patient"}]`, `"x"`,
	} {
		f.Add([]byte(body))
	}
	paths, _ := filepath.Glob("../../.cache/fhir/package/[A-C]*-example.json")
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data, Limits{})
		if err != nil {
			return
		}
		first, second := d.Check(), d.Check()
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("%v, then %v", first, second)
		}
		if first == nil {
			return
		}
		faults, is := first.(hub.Faults)
		if !is || len(faults) == 0 || len(faults) > maxFaults+1 {
			t.Fatalf("%d faults in a %T", len(faults), first)
		}
		for _, fault := range faults {
			if fault.Kind != hub.Invalid || fault.Msg == "" {
				t.Fatalf("%+v", fault)
			}
		}
	})
}
