package recognition_test

import (
	"strings"
	"testing"
	"time"

	"concord/hub/recognition"
	"concord/mappings"
)

// TestAnAccountExplainsAsTheDecisionDid decides a panel, writes it down, and explains both.
func TestAnAccountExplainsAsTheDecisionDid(t *testing.T) {
	c, err := mappings.Recognition()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	one := func(id, code, value, unit string, age time.Duration) recognition.Candidate {
		return recognition.Candidate{ID: id, Exam: recognition.Exam{Codes: []recognition.Coding{{System: "http://loinc.org", Code: code}}}, Status: "final", Identity: recognition.Yes,
			Taken: recognition.At(now.Add(-age)), Value: recognition.Value{Number: value, Unit: unit}, Tier: "community", SameConsortium: recognition.Yes, Retrievable: recognition.Yes}
	}
	d := recognition.Decide(recognition.Request{Exam: recognition.Exam{Text: []string{"肾功能"}}, Class: "AMB", Tier: "lead", Exceptions: []string{"surgery"}},
		[]recognition.Candidate{one("Observation/a", "2160-0", "1.37", "mg/dL", 30*time.Hour), one("Observation/b#component1", "22664-7", "5.1", "mmol/L", 40*24*time.Hour)}, c, now)
	text := d.Account(60, func(id string) uint64 { return uint64(len(id)) })
	if strings.Contains(text, "1.37") || strings.Contains(text, "5.1") {
		t.Errorf("the account tells what a result says: %s", text)
	}
	back, versions, err := recognition.ReadAccount(text)
	if err != nil || versions["Observation/a"] != 13 || !back.Time.Equal(now) || back.Catalogue != c.Version || back.Outcome != d.Outcome {
		t.Fatalf("%v %v %+v", err, versions, back)
	}
	were, are := recognition.Explain(d), recognition.Explain(back)
	if len(were) != len(are) {
		t.Fatalf("%d lines, there were %d", len(are), len(were))
	}
	for i, was := range were {
		is := are[i]
		if is.Rule != was.Rule || is.Effect != was.Effect || is.Candidate != was.Candidate || (is.Item == nil) != (was.Item == nil) || len(is.Findings) != len(was.Findings) {
			t.Errorf("%+v, was %+v", is, was)
			continue
		}
		for k, f := range was.Findings {
			if got := is.Findings[k]; f.Code != recognition.UnitConvertible && (got.Chinese() != f.Chinese() || got.English() != f.English() || len(got.Inputs()) != len(f.Inputs())) {
				t.Errorf("%s / %s, was %s / %s", got.Chinese(), got.English(), f.Chinese(), f.English())
			}
		}
	}
	if few, _, _ := recognition.ReadAccount(d.Account(1, func(string) uint64 { return 1 })); len(recognition.Explain(few)) >= len(are) {
		t.Error("an account is not bounded")
	}
}
