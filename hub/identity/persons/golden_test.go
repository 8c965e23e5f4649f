package persons

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/internal/fhir"
)

// TestWhatIsLeftOfAPersonIsThePersonOfThoseLeft holds that a Person without some of its Patients is what it would be if they did not exist.
func TestWhatIsLeftOfAPersonIsThePersonOfThoseLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{patients: map[string]*patient{}}
		n := rapid.IntRange(2, 6).Draw(t, "patients")
		var all, left []string
		may := map[string]bool{}
		for i := range n {
			id := fmt.Sprint("p", i)
			o := map[string]any{"resourceType": "Patient", "id": id}
			for name, of := range map[string][]any{
				"name":       {map[string]any{"text": "欧阳铭哲"}, map[string]any{"text": "欧阳铭喆", "use": "old"}, map[string]any{"family": "王"}},
				"identifier": {map[string]any{"system": "urn:a", "value": "1"}, map[string]any{"system": "urn:b", "value": "2"}, map[string]any{"system": "urn:b", "value": "2", "extension": []any{map[string]any{"url": fhir.SourceURL, "valueReference": map[string]any{"reference": "Patient/p0"}}}}},
				"telecom":    {map[string]any{"value": "13856012345"}, map[string]any{"value": "1 & <2>"}},
			} {
				if some := rapid.SliceOfN(rapid.SampledFrom(of), 0, 3).Draw(t, name); len(some) > 0 {
					o[name] = some
				}
			}
			if sex := rapid.SampledFrom([]string{"", "male", "female", "other"}).Draw(t, "sex"); sex != "" {
				o["gender"] = sex
			}
			if born := rapid.SampledFrom([]string{"", "1985-03-12", "1985"}).Draw(t, "born"); born != "" {
				o["birthDate"] = born
			}
			body, _ := json.Marshal(o)
			w.patients[id] = &patient{node: node{id: id}, version: uint64(i + 1), body: body}
			all = append(all, id)
			if may[patientRef(id)] = rapid.Bool().Draw(t, "seen"); may[patientRef(id)] {
				left = append(left, id)
			}
		}
		got, err := fhir.GoldenOf(w.resource(&person{id: "x", members: all}), func(p string) bool { return may[p] })
		if err != nil {
			t.Fatal(err)
		}
		if len(left) < 2 {
			if got != nil {
				t.Fatalf("of %v there is %s", left, got)
			}
			return
		}
		want := w.resource(&person{id: "x", members: left})
		if !reflect.DeepEqual(sorted(got), sorted(want)) {
			t.Fatalf("%s\nwant %s", got, want)
		}
	})
}

// sorted is a Person whose lists have no order: what one Patient says before others do may stand elsewhere without it.
func sorted(body []byte) map[string]any {
	var o map[string]any
	_ = json.Unmarshal(body, &o)
	for name, v := range o {
		if list, is := v.([]any); is {
			texts := map[string]bool{}
			for _, item := range list {
				text, _ := json.Marshal(item)
				texts[strings.TrimSpace(string(text))] = true
			}
			o[name] = texts
		}
	}
	return o
}
