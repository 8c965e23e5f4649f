package persons_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/internal/fhir"
	"concord/internal/people"
)

// TestSpeedOfLinking prints what linking costs on an invented population: CONCORD_PERSONS=200000 go test -run TestSpeedOfLinking -v -timeout 1h
// ./hub/identity/persons. Without it a small one shows that all is linked that should be.
func TestSpeedOfLinking(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("CONCORD_PERSONS"))
	if err != nil {
		n = 300
	}
	w := open(t, 1)
	h := w.hubs[0]
	var late []people.Record
	person, where := map[string]int{}, map[int][]string{}
	var writes []commit.Write
	began, count := time.Now(), 0
	flush := func() {
		for _, o := range h.writer.SubmitAll(t.Context(), writes) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
		writes = writes[:0]
	}
	write := func(r people.Record) commit.Write {
		name := hub.Name{Type: "Patient", ID: r.ID}
		doc, err := fhir.Parse(r.Body, fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		person[r.ID] = r.Person
		where[r.Person] = append(where[r.Person], r.ID)
		return commit.Write{Member: "m", Names: []hub.Name{name}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
			return []commit.Draft{{Name: name, Member: "m", Body: func(v uint64, at time.Time) []byte { return doc.Splice(r.ID, v, at) }}}, nil
		}}
	}
	for r := range people.Records(people.Options{Seed: 5, People: n}) {
		if count++; count%97 == 0 && len(late) < 300 {
			late = append(late, r)
			continue
		}
		if writes = append(writes, write(r)); len(writes) == 500 {
			flush()
		}
	}
	flush()
	loaded := time.Since(began)
	began = time.Now()
	w.settle()
	settled := time.Since(began)
	var one []time.Duration
	for _, r := range late {
		writes = append(writes, write(r))
		flush()
		began := time.Now()
		w.settle()
		one = append(one, time.Since(began))
	}
	slices.Sort(one)
	var asked []time.Duration
	right, wrong, of := 0, 0, 0
	for id, p := range person {
		if len(asked) > 20000 {
			break
		}
		began := time.Now()
		linked, err := h.directory.Linked(t.Context(), "Patient/"+id)
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, time.Since(began))
		of += len(where[p]) - 1
		for _, other := range linked {
			switch other = other[len("Patient/"):]; {
			case other == id:
			case person[other] == p:
				right++
			default:
				wrong++
			}
		}
	}
	slices.Sort(asked)
	fmt.Printf("%d people, %d Patients: loaded %.0f/s, linked %.0f/s; a newcomer %v at p50, %v at p99; Linked %v at p50, %v at p99; %d of %d pairs of a person found together, %d false\n",
		n, count, float64(count)/loaded.Seconds(), float64(count)/settled.Seconds(), one[len(one)/2], one[len(one)*99/100],
		asked[len(asked)/2], asked[len(asked)*99/100], right, of, wrong)
	if wrong > 0 && n <= 1000 || float64(right) < 0.9*float64(of) {
		t.Errorf("%d of %d pairs found together, %d false", right, of, wrong)
	}
}
