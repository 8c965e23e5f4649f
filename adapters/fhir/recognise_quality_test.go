package fhir_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	face "concord/adapters/fhir"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/mappings"
)

// nobody is a consortium without members.
type nobody struct{}

func (nobody) Member(string) (access.Member, bool) { return access.Member{}, false }

// The score that the hub gave a signal decides whether it may stand for another recording.
func TestThePoorSignalOfAnElectrocardiogramIsNotRecognised(t *testing.T) {
	catalogue, err := mappings.Recognition()
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, func(d *face.Deps) {
		d.Adviser = &advice.Adviser{Reader: d.Reader, Records: d.Partition, Catalogue: func() *recognition.Catalogue { return catalogue }, Members: nobody{},
			Score: recognition.Coding{System: "urn:concord:ecg", Code: "quality-score"}, Now: time.Now}
	})
	for id, score := range map[string]int{"good": 95, "poor": 20} {
		h.put("Patient/"+id, `{"resourceType":"Patient","id":"`+id+`"}`).want(201)
		h.put("Observation/"+id, fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"11524-6"}]},
			"subject":{"reference":"Patient/%[1]s"},"effectiveDateTime":"%s","component":[{"code":{"coding":[{"system":"urn:concord:ecg","code":"quality-score"}]},"valueQuantity":{"value":%d}}]}`,
			id, time.Now().Add(-time.Hour).Format(time.RFC3339), score)).want(201)
	}
	for id, code := range map[string]string{"good": "quality-enough", "poor": "quality-low"} {
		a := h.get("ServiceRequest/$find-recognisable?code=http://loinc.org|11524-6&patient=Patient/" + id).want(200)
		if body := string(a.body); !strings.Contains(body, code) {
			t.Errorf("%s: %s", id, body)
		}
	}
}
