package learn_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"concord/hub/identity"
	"concord/hub/identity/learn"
)

// truth is how often the first level of each field is found, of one person, relatives and strangers; otherwise it is the last.
var truth = map[string][3]float64{
	"family": {.98, .60, .05}, "given": {.95, .01, .01}, "birth": {.97, .02, .001}, "sex": {.99, .40, .50},
	"phone": {.80, .30, .001}, "address": {.70, .60, .001}, "number": {.98, .01, .001},
}

// draw makes a pair of a class.
func draw(r *rand.Rand, class int, always ...string) (l identity.Levels) {
	for i, field := range identity.FieldNames() {
		names := identity.LevelNames(field)
		l[i] = names[len(names)-1]
		if r.Float64() < truth[field][class] {
			l[i] = names[0]
		}
		for _, f := range always {
			if f == field {
				l[i] = names[0]
			}
		}
		if len(always) == 0 || field == "sex" || r.Float64() > .1 {
			continue
		}
		l[i] = "" // not stated
	}
	return l
}

func TestMixturesAreTakenApartWithoutBeingToldWhoIsWho(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	s := learn.Samples{Random: learn.Patterns{}, SamePhone: learn.Patterns{}, SameAddress: learn.Patterns{}, SameNameAndBirth: learn.Patterns{}}
	for range 40_000 {
		class := r.IntN(2)
		s.Random[draw(r, 2)]++
		s.SamePhone[draw(r, class, "phone")]++
		s.SameAddress[draw(r, class, "address")]++
		s.SameNameAndBirth[draw(r, 0, "family", "given", "birth")]++
	}
	weights := learn.Learn(s)
	for field, want := range truth {
		got := weights[field][identity.LevelNames(field)[0]]
		for i, p := range []float64{got.Same, got.Relative, got.Stranger} {
			if math.Abs(p-want[i]) > .03 {
				t.Errorf("%s: %+v, want %v", field, got, want)
				break
			}
		}
	}
}

func TestRandomPairsOfOnePersonAreNotCountedAsStrangers(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	stranger, same := draw(r, 2), identity.Levels{"same", "same", "same", "same", "same", "same", "citizen"}
	got := learn.Strangers(learn.Patterns{stranger: 5, same: 3})
	if len(got) != 1 || got[stranger] != 5 {
		t.Errorf("%v", got)
	}
}
