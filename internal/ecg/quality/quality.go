// Package quality judges whether an electrocardiogram can be read: which electrodes may be swapped, which leads are flat,
// clipped or noisy, whether it was sampled fast and long enough. Its findings are hints for a person and a score for
// recognition; it never says what the heart does.
//
// The words:
//
//   - A check is a pure function from signals to Findings; the table of checks is all there are.
//   - A Finding is one thing that is wrong, with the value that was measured and the threshold that it passed.
//   - The Score is 100 less what the findings cost.
package quality

import (
	"fmt"
	"math"

	"concord/internal/ecg"
)

// Severity is how much a finding weighs on a reader.
type Severity string

const (
	Note    Severity = "note"    // worth knowing
	Warning Severity = "warning" // to be read with care
	Fatal   Severity = "fatal"   // not fit to be read
)

// Finding is one thing that is wrong.
type Finding struct {
	Code     Code
	Severity Severity
	// Lead is the label of the lead; empty when it is about all.
	Lead string
	// Value was measured, Threshold is what it passed, both in Unit (UCUM; "1" for numbers of things and shares).
	Value     float64
	Threshold float64
	Unit      string
	English   string
	Chinese   string
}

// Report is what Check found, in the order of the checks. Score is 100 for a recording without findings and 0 for one
// that cannot be used.
type Report struct {
	Score    int
	Findings []Finding
}

// Check judges the first rhythm group of a recording, of which it looks at no more than the first five minutes. Fields of t
// that are zero have their defaults. It does not change rec.
func Check(rec *ecg.Recording, t Thresholds) Report {
	t = t.withDefaults()
	s, ok := signalsOf(rec)
	if !ok {
		return score([]Finding{found(NoSignal, "", 0, 1)})
	}
	var all []Finding
	for _, check := range checks {
		all = append(all, check(s, t)...)
	}
	return score(all)
}

// checks are all that is looked at, in the order in which findings are told.
var checks = []func(*signals, Thresholds) []Finding{
	slowSampling, shortRecording, missingLeads, flatLeads, gaps, clipping, wander, mains, muscle, einthoven, goldberger, swapped,
}

// found makes a finding of its row in the table of kinds.
func found(code Code, lead string, value, threshold float64) Finding {
	k := kinds[code]
	value, threshold = round(value), round(threshold)
	words := func(format string) string {
		args := []any{}
		if k.perLead {
			args = append(args, lead)
		}
		return fmt.Sprintf(format, append(args, value, threshold)...)
	}
	return Finding{code, k.severity, lead, value, threshold, k.unit, words(k.english), words(k.chinese)}
}

// score takes from 100 what each finding costs, for findings of one code no more than the table says.
func score(all []Finding) Report {
	cost := map[Code]int{}
	for _, f := range all {
		cost[f.Code] = min(cost[f.Code]+kinds[f.Code].cost, kinds[f.Code].most)
	}
	left := 100
	for _, c := range cost {
		left -= c
	}
	return Report{Score: max(left, 0), Findings: all}
}

func round(v float64) float64 {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return 0
	case math.Abs(v) >= 100:
		return math.Round(v)
	}
	return math.Round(v*100) / 100
}
