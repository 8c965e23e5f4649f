package fhir

import (
	"slices"
	"testing"

	"concord/hub"
)

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

func TestCanonicalURLsAreFollowed(t *testing.T) {
	compiled := func(typ, name, value string) *Search {
		s, err := CompileSearch(typ, []Pair{{name, value}}, SearchOptions{})
		if err != nil {
			t.Fatalf("%s?%s=%s: %v", typ, name, value, err)
		}
		return s
	}
	follows := func(s *Search, typ, param string) bool {
		return slices.ContainsFunc(s.Includes, func(i hub.Include) bool { return i.Type == typ && i.Param == param })
	}
	if !follows(compiled("MeasureReport", "_include", "MeasureReport:*"), "MeasureReport", "measure") ||
		!follows(compiled("MeasureReport", "_include", "MeasureReport:measure"), "MeasureReport", "measure") ||
		!follows(compiled("Measure", "_revinclude", "MeasureReport:measure"), "MeasureReport", "measure") {
		t.Error("includes leave the measure out")
	}
	if s := compiled("QuestionnaireResponse", "questionnaire.name", "x"); len(s.Query.All[0].Either) == 0 || s.Query.All[0].Either[0][0].Refers == nil || s.Query.All[0].Either[0][0].Refers.Type != "Questionnaire" {
		t.Errorf("the chain is %+v", s.Query.All)
	}
	if s := compiled("Questionnaire", "_has:QuestionnaireResponse:questionnaire:status", "completed"); s.Query.All[0].Referred == nil {
		t.Errorf("the reverse chain is %+v", s.Query.All)
	}
}

func TestWhatCanonicalsNameIsFoundByItsOwnParameters(t *testing.T) {
	for _, r := range definitions().resources {
		for _, code := range []string{"url", "version"} {
			if p := r.byCode[code]; p != nil && p.Served() && !p.stored() {
				t.Errorf("%s has no terms of %s", r.name, code)
			}
		}
	}
	if !meets(t, "system=http://a/b", `{"resourceType":"CodeSystem","url":"http://a/b","status":"draft","content":"complete"}`, SearchOptions{}) {
		t.Error("the code system is not found by system, which has the values of url")
	}
}
