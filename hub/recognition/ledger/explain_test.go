package ledger_test

import (
	"testing"
	"time"

	"concord/hub"
)

// TestADecisionIsExplainedAsItWasToWhoMayKnow explains a decision after its result was labelled: nothing of it is left then.
func TestADecisionIsExplainedAsItWasToWhoMayKnow(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.put("county", "Patient", "p", `{"resourceType":"Patient"}`)
	w.potassium("k", "Patient/p", "final", "4.1", morning.Add(-time.Hour))
	card := w.offer("county", offer{unqualified: true})
	w.settle()
	told := func() int {
		t.Helper()
		a, at, err := w.Explain(t.Context(), as("county"), card)
		if err != nil || a.Decision.Catalogue != "test-1" || at.Sub(morning) > time.Minute || len(a.Results) != len(a.Decision.Judgements) {
			t.Fatalf("%+v at %s: %v", a, at, err)
		}
		for _, j := range a.Decision.Judgements {
			if r := a.Result(j.ID); r.Name.String() != "Observation/k" || r.Version != 1 || len(j.Reasons) != 1 || j.Reasons[0].English() == "" {
				t.Errorf("%+v of %+v", j, r)
			}
		}
		return len(a.Results)
	}
	if n := told(); n != 1 {
		t.Fatalf("%d results explained, want 1", n)
	}
	w.accept("county", card)
	w.settle()
	if n := told(); n != 1 {
		t.Errorf("%d results explained after the choice, want 1", n)
	}
	w.put("village", "Observation", "k", `{"resourceType":"Observation","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"status":"final",
		"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"subject":{"reference":"Patient/p"},"valueQuantity":{"value":4.1,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`)
	if n := told(); n != 0 {
		t.Errorf("%d results explained that are withheld now", n)
	}
	if _, _, err := w.Explain(t.Context(), as("county"), "nothing"); !hub.Is(err, hub.NotFound) {
		t.Errorf("a decision that was never made: %v", err)
	}
}
