package fhir

import (
	"strings"
	"testing"

	"concord/hub"
)

func TestCheckNamesTheElementAtFault(t *testing.T) {
	for _, c := range []struct{ body, path, says string }{
		{`{"resourceType":"Patient","_birthDate":{"extension":[{"url":"x","valueString":"y"}]},"name":[{"given":[null,"A"],"_given":[{"id":"1"},null]}]}`, "", ""},
		{`{"resourceType":"Patiemt"}`, "resourceType", "did you mean Patient?"},
		{`{"resourceType":"Patient","nmae":[]}`, "Patient.nmae", "did you mean name?"},
		{`{"resourceType":"Patient","name":{"family":"x"}}`, "Patient.name", "array is due"},
		{`{"resourceType":"Observation","subject":[{"reference":"Patient/1"}]}`, "Observation.subject", "may not repeat"},
		{`{"resourceType":"Observation","valueString":"x","valueInteger":1}`, "Observation.valueInteger", "value[x]"},
		{`{"resourceType":"Patient","active":"true"}`, "Patient.active", "true or false"},
		{`{"resourceType":"Observation","valueQuantity":{"value":"5"}}`, "Observation.valueQuantity.value", "number"},
		{`{"resourceType":"Patient","name":[{"given":["A",""]}]}`, "Patient.name[0].given[1]", "not empty"},
		{`{"resourceType":"Patient","contained":[{"resourceType":"Nope"}]}`, "Patient.contained[0].resourceType", "Nope"},
		{`{"resourceType":"Patient","name":[null]}`, "Patient.name[0]", "object is due"},
		{`{"resourceType":"Patient","_name":[{}]}`, "Patient._name", "no such element"},
	} {
		err := parse(t, c.body).Check()
		if c.path == "" {
			if err != nil {
				t.Errorf("%s: %v", c.body, err)
			}
			continue
		}
		e, ok := err.(*hub.Error)
		if !ok || e.Kind != hub.Invalid || e.Path != c.path || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.body, err)
		}
	}
}
