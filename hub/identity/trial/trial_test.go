package trial_test

import (
	"maps"
	"strings"
	"testing"

	"concord/hub/identity/trial"
	"concord/internal/people"
	"concord/mappings"
)

func TestTenThousandPeopleAreMatchedWithinTheBounds(t *testing.T) {
	m, err := mappings.Identity()
	if err != nil {
		t.Fatal(err)
	}
	p, err := trial.Read(m, people.Options{Seed: 1001, People: 10_000}) // not a seed that the model was trained on
	if err != nil {
		t.Fatal(err)
	}
	r := p.Run()
	t.Logf("%d records, precision %.6f, recall of pairs %.4f and of groups %.4f, %d doubtful, %.1f candidates, %v a comparison", r.Records, r.Precision(), r.Recall(), r.GroupRecall(), r.Asks, r.CandidatesMean, r.Compare)
	for _, c := range []struct {
		what string
		ok   bool
	}{
		{"precision of links is at least 0.9999", r.Precision() >= .9999},
		{"precision of groups is at least 0.9999", r.GroupPrecision() >= .9999},
		{"recall of groups is at least 0.97", r.GroupRecall() >= .97},
		{"recall of pairs is at least 0.95", r.Recall() >= .95},
		{"no link contradicts two valid citizen numbers", r.AgainstNumbers == 0},
		{"no twins are linked", r.TwinLinks == 0},
		{"99 of 100 true pairs have a key in common", r.KeyRecall() >= .99},
		{"a newcomer meets few candidates", r.CandidatesMean < 10 && r.Candidates99 < 64},
		{"the doubtful list is at most a twentieth of the links", r.Asks*20 <= r.Links},
		{"nobody is quarantined with themselves", r.ContradictionsTrue == 0},
	} {
		if !c.ok {
			t.Errorf("it does not hold that %s: %+v", c.what, r.Rules)
		}
	}
	for _, x := range r.FalseExamples {
		e := m.Compare(&p.Traits[x[0]], &p.Traits[x[1]])
		t.Errorf("two people are linked by %s: %+v", e.Rule, e.Points)
	}
}

func TestWeightsLearntFromOnePopulationMatchAnother(t *testing.T) {
	m, err := mappings.ParseIdentityTables(mappings.IdentityTables())
	if err != nil {
		t.Fatal(err)
	}
	p, err := trial.Read(m, people.Options{Seed: 2001, People: 2500})
	if err != nil {
		t.Fatal(err)
	}
	weights, shares := p.Learn(60_000)
	again, _ := p.Learn(60_000)
	for field := range weights {
		if !maps.Equal(weights[field], again[field]) {
			t.Fatalf("two trainings on one population differ in %s", field)
		}
	}
	file := mappings.EncodeIdentity("trial", "D", "Learnt in a test.", weights, shares)
	learnt, err := mappings.ParseIdentity(mappings.IdentityTables(), mappings.IdentityFile{Name: "learnt", Data: file})
	if err != nil {
		t.Fatal(err)
	}
	other, err := trial.Read(learnt, people.Options{Seed: 2002, People: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if r := other.Run(); r.FalseLinks > 0 || r.GroupRecall() < .95 || r.AgainstNumbers > 0 {
		t.Errorf("precision %.5f, recall %.4f", r.Precision(), r.GroupRecall())
	}
}

func TestPatientsAreReadFromLines(t *testing.T) {
	m, err := mappings.Identity()
	if err != nil {
		t.Fatal(err)
	}
	p, err := trial.ReadLines(m, strings.NewReader(`{"resourceType":"Patient","gender":"male"}`+"\n"+`{"resourceType":"Basic"}`+"\n"))
	if err != nil || len(p.Traits) != 1 || p.Traits[0].Sex != "male" {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := trial.ReadLines(m, strings.NewReader("{\n")); err == nil {
		t.Error("a line that is no JSON is read")
	}
}
