package ledger_test

import (
	"encoding/json"
	"testing"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/hub/recognition/ledger"
	"concord/internal/fhir"
)

// evaluated is the report of March, read by another library; it must be right FHIR.
func (w *world) evaluated(e ledger.Evaluation) (r models.MeasureReport, entries map[string]int) {
	w.t.Helper()
	body, err := w.Evaluate(w.t.Context(), engineer, ledger.MeasureID, e)
	if err != nil {
		w.t.Fatal(err)
	}
	doc, err := fhir.Parse(body, fhir.Limits{})
	if err == nil {
		err = doc.Check()
	}
	if err != nil {
		w.t.Errorf("no FHIR: %v\n%s", err, body)
	}
	if r, err = models.UnmarshalMeasureReport(body); err != nil {
		w.t.Fatal(err)
	}
	var lists struct{ Contained []models.List }
	if err := json.Unmarshal(body, &lists); err != nil {
		w.t.Fatal(err)
	}
	entries = map[string]int{}
	for _, list := range lists.Contained {
		entries["#"+*list.Id] = len(list.Entry)
	}
	return r, entries
}

func TestTheMeasureReportSaysWhatTheStatisticsSay(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.pass(time.Hour)
	w.many(120)
	from, to, err := w.Period("2026-02", "2026-03-01")
	if err != nil || !to.Equal(time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC)) || !from.Equal(time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC)) {
		t.Fatalf("%v %v %v", from, to, err)
	}
	want := w.report(engineer, ledger.Filter{From: from, To: to}).Total
	for _, lists := range []bool{false, true} {
		r, entries := w.evaluated(ledger.Evaluation{From: from, To: to, Subjects: lists})
		for _, p := range r.Group[0].Population {
			n := map[string]int{"initial-population": want.Of[ledger.Opportunities] + want.Of[ledger.Exemptions], "denominator": want.Of[ledger.Opportunities] + want.Of[ledger.Exemptions],
				"denominator-exclusion": want.Of[ledger.Exemptions], "numerator": want.Of[ledger.Acceptances]}[*p.Code.Coding[0].Code]
			if *p.Count != n {
				t.Errorf("%s is %d, want %d", *p.Code.Coding[0].Code, *p.Count, n)
			}
			if lists && entries[*p.SubjectResults.Reference] != n {
				t.Errorf("the list of %s has %d entries, want %d", *p.Code.Coding[0].Code, entries[*p.SubjectResults.Reference], n)
			}
		}
		if len(r.Group[0].Stratifier) != len(ledger.Dimensions()) {
			t.Errorf("%d stratifiers", len(r.Group[0].Stratifier))
		}
		for _, p := range r.Group[0].Stratifier[0].Stratum { // the members that order share all opportunities out
			want.Of["sum"] += *p.Population[3].Count
		}
		if want.Of["sum"] != want.Of[ledger.Acceptances] {
			t.Errorf("strata have %d, want %d", want.Of["sum"], want.Of[ledger.Acceptances])
		}
		want.Of["sum"] = 0
	}
	if _, err := w.Evaluate(t.Context(), engineer, "other", ledger.Evaluation{From: from, To: to}); !hub.Is(err, hub.NotFound) {
		t.Errorf("another measure: %v", err)
	}
}

func TestTheMeasureIsServedOnceAndIsRight(t *testing.T) {
	w := newWorld(t, newHouse(t))
	w.settle()
	newWorld(t, w.house).settle()
	if found := w.find("Measure", "url=urn:concord:recognition:measure:recognition-rate"); len(found) != 1 {
		t.Errorf("%d measures", len(found))
	}
	heads, err := w.Follower.Heads(t.Context(), []hub.Name{{Type: "Measure", ID: ledger.MeasureID}})
	if err != nil || heads[0].Version != 1 {
		t.Errorf("two hubs made version %d: %v", heads[0].Version, err)
	}
}
