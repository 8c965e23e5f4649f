package fhir

import "testing"

func TestParametersReadWhatTheirElementsSay(t *testing.T) {
	const (
		allergy = `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/a"},"category":["food","biologic"]}`
		form    = `{"resourceType":"Questionnaire","status":"draft","subjectType":["Patient"]}`
		inside  = `{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p"}],"status":"final","code":{"text":"x"},"subject":{"reference":"#p"}}`
		room    = `{"resourceType":"Observation","contained":[{"resourceType":"Location","id":"p"}],"status":"final","code":{"text":"x"},"subject":{"reference":"#p"}}`
		nowhere = `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"#p"}}`
	)
	for _, c := range []struct {
		says, search, body string
		want               bool
	}{
		{"a repeated code has the system of its binding", "category=http://hl7.org/fhir/allergy-intolerance-category|food", allergy, true},
		{"and no other", "category=http://hl7.org/fhir/allergy-intolerance-type|food", allergy, false},
		{"all repeated codes have the system", "category=http://hl7.org/fhir/allergy-intolerance-category|", allergy, true},
		{"a repeated type is one of the list of types", "subject-type=http://hl7.org/fhir/resource-types|Patient", form, true},
		{"a contained patient is a patient", "patient:missing=true", inside, false},
		{"a contained patient is a subject", "subject:missing=true", inside, false},
		{"a contained location is no patient", "patient:missing=true", room, true},
		{"what is not contained is no patient", "patient:missing=true", nowhere, true},
	} {
		if got := meets(t, c.search, c.body, SearchOptions{}); got != c.want {
			t.Errorf("%s: %s is %v", c.says, c.search, got)
		}
	}
}
