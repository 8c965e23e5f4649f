package facts

import (
	"strings"
	"testing"
)

// bundle wraps resources as a bundle of them.
func bundle(resources ...string) []byte {
	return []byte(`{"resourceType":"Bundle","entry":[{"resource":` + strings.Join(resources, `},{"resource":`) + `}]}`)
}

func missing(t *testing.T, want, have []byte) []Fact {
	t.Helper()
	w, err := Of(want)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Of(have)
	if err != nil {
		t.Fatal(err)
	}
	return Missing(w, h)
}

func TestBundlesThatSayTheSame(t *testing.T) {
	for name, pair := range map[string][2]string{
		"in another order and with other ids": {
			`{"resourceType":"Patient","id":"a","name":[{"family":"Li","given":["Wei"]}],"gender":"male"}`,
			`{"gender":"male","id":"b","name":[{"given":["Wei"],"family":"Li"}],"resourceType":"Patient"}`,
		},
		"with the system spelled another way": {
			`{"resourceType":"Observation","code":{"coding":[{"code":"718-7","system":"http://loinc.org"}]}}`,
			`{"resourceType":"Observation","code":{"coding":[{"code":"718-7","system":"urn:x:LN"}]}}`,
		},
		"with the zone that each assumes": {
			`{"resourceType":"Observation","code":{"text":"x"},"effectiveDateTime":"2020-01-02T03:04:05+05:30"}`,
			`{"resourceType":"Observation","code":{"text":"x"},"effectiveDateTime":"2020-01-02T03:04:05+08:00"}`,
		},
		"with the assigner as system": {
			`{"resourceType":"Patient","identifier":[{"value":"7","system":"http://a.example/HCD","assigner":{"reference":"Organization/o"}}]},"x":0},
			 {"resource":{"resourceType":"Organization","id":"o","identifier":[{"value":"Ward"}]}`,
			`{"resourceType":"Patient","identifier":[{"value":"7","system":"http://b.example/ward"}]},"x":0},
			 {"resource":{"resourceType":"Organization","identifier":[{"value":"Ward"}]}`,
		},
		"with who is near inside the patient": {
			`{"resourceType":"RelatedPerson","name":[{"family":"Li"}]}`,
			`{"resourceType":"Patient","contact":[{"name":{"family":"Li"}}]}`,
		},
		"with the number written another way": {
			`{"resourceType":"Observation","code":{"text":"x"},"valueQuantity":{"value":5.0,"unit":"g"}}`,
			`{"resourceType":"Observation","code":{"text":"x"},"valueQuantity":{"value":5,"unit":"gram","code":"g"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if m := missing(t, bundle(pair[0]), bundle(pair[1])); len(m) > 0 {
				t.Errorf("missing %v", m)
			}
		})
	}
}

func TestBundlesThatDiffer(t *testing.T) {
	for name, c := range map[string]struct{ want, have, topic string }{
		"in a name":             {`{"resourceType":"Patient","name":[{"family":"Li"}]}`, `{"resourceType":"Patient","name":[{"family":"Lu"}]}`, "Patient.name.family"},
		"in a part of the name": {`{"resourceType":"Patient","name":[{"family":"Li"}]}`, `{"resourceType":"Patient","name":[{"given":["Li"]}]}`, "Patient.name.family"},
		"in the test that has a value": {
			`{"resourceType":"Observation","code":{"text":"a"},"valueString":"1"}`,
			`{"resourceType":"Observation","code":{"text":"b"},"valueString":"1"}`, "Observation(a).value"},
		"in a unit": {
			`{"resourceType":"Observation","code":{"text":"a"},"valueQuantity":{"value":1,"unit":"g"}}`,
			`{"resourceType":"Observation","code":{"text":"a"},"valueQuantity":{"value":1,"unit":"mg"}}`, "Observation(a).value.unit"},
		"in who assigned an identifier": {
			`{"resourceType":"Patient","identifier":[{"value":"7","system":"urn:oid:1.2"}]}`,
			`{"resourceType":"Patient","identifier":[{"value":"7","system":"urn:oid:1.3"}]}`, "Patient.identifier"},
		"in the system of a code": {
			`{"resourceType":"Condition","code":{"coding":[{"code":"7","system":"http://snomed.info/sct"}]}}`,
			`{"resourceType":"Condition","code":{"coding":[{"code":"7","system":"http://loinc.org"}]}}`, "Condition.code"},
		"in a time": {
			`{"resourceType":"Encounter","period":{"start":"2020-01-02T03:04:05Z"}}`,
			`{"resourceType":"Encounter","period":{"start":"2020-01-02T03:04:06Z"}}`, "Encounter.period.start"},
		"in a status": {`{"resourceType":"Encounter","status":"finished"}`, `{"resourceType":"Encounter","status":"planned"}`, "Encounter.status"},
	} {
		t.Run(name, func(t *testing.T) {
			found := false
			for _, f := range missing(t, bundle(c.want), bundle(c.have)) {
				found = found || f.Topic == c.topic
			}
			if !found {
				t.Errorf("nothing missing under %s", c.topic)
			}
		})
	}
}
