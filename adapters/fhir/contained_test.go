package fhir_test

import (
	"slices"
	"testing"
)

// A chained condition is evaluated inside of contained resources (R4 search.html#contained), and nothing else is.
func TestChainsLookIntoContainedResources(t *testing.T) {
	h := start(t)
	h.put("Medication/own", `{"resourceType":"Medication","id":"own","status":"active","code":{"coding":[{"system":"s","code":"a"}]}}`).want(201)
	request := func(id, contained, medication string) {
		h.put("MedicationRequest/"+id, `{"resourceType":"MedicationRequest","id":"`+id+`",`+contained+`"status":"active","intent":"order",
			"subject":{"reference":"Patient/p"},"medicationReference":{"reference":"`+medication+`"}}`)
	}
	request("apart", "", "Medication/own")
	find := func(query string, want ...string) {
		t.Helper()
		if got := h.get(query).want(200).ids(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	find("MedicationRequest?medication.code=s|a&_sort=_id", "apart")
	request("inside", `"contained":[{"resourceType":"Medication","id":"m","status":"inactive","code":{"coding":[{"system":"s","code":"a","display":"Amoxicillin"}]},"manufacturer":{"reference":"#o"},
		"batch":{"expirationDate":"2027-01-31"}},{"resourceType":"Organization","id":"o","name":"青山药厂","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">green hills</div>"}},{"resourceType":"Medication","id":"unused","code":{"coding":[{"system":"s","code":"b"}]}}],`, "#m")
	request("other", `"contained":[{"resourceType":"Medication","id":"m","code":{"coding":[{"system":"s","code":"c"}]},"manufacturer":{"reference":"Organization/real"}}],`, "#m")
	h.put("Organization/real", `{"resourceType":"Organization","id":"real","name":"和平药厂"}`).want(201)

	find("MedicationRequest?medication.code=s|a&_sort=_id", "apart", "inside")
	find("MedicationRequest?medication.code=b&_sort=_id")
	find("MedicationRequest?medication:Medication.status=inactive", "inside")
	find("MedicationRequest?medication.expiration-date=lt2027-02", "inside")
	find("MedicationRequest?medication.manufacturer.name=qingshan", "inside")
	find("MedicationRequest?medication.manufacturer.name=和平", "other")
	find("MedicationRequest?medication.code=c&medication.manufacturer=Organization/real", "other")
	find("MedicationRequest?medication.code:not=a&_sort=_id", "other")
	find("MedicationRequest?medication.status:missing=true&_sort=_id", "other")
	find("MedicationRequest?medication.code:text=amoxi", "inside")
	find("MedicationRequest?medication:Medication.manufacturer._text=green", "inside")
	find("MedicationRequest?medication:Medication.manufacturer._text=green&medication.code:text=amoxi", "inside")
	find("MedicationRequest?medication:Medication.manufacturer._text=red")
	find("MedicationRequest?medication._id=m")
	find("Medication?code=a", "own")
	find("Organization?name=qingshan")

	request("inside", "", "Medication/own")
	find("MedicationRequest?medication:Medication.status=inactive")
	find("MedicationRequest?medication.code=s|a&_sort=_id", "apart", "inside")
}
