package laboratory

import (
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Finding is why a value is critical.
type Finding struct {
	// Flag is HH or LL (HL7 v3 ObservationInterpretation), AA where the direction is not known.
	Flag string
	// Said: the laboratory itself flagged it. Else it is by Threshold.
	Said      bool
	Threshold *Threshold
}

// Text says the finding in words for those who read the resource; it holds the rule and not the patient's value.
func (f Finding) Text(r *Rules) string {
	if f.Said {
		return "critical value by the laboratory's flag"
	}
	bound, sign := f.Threshold.High, "≥"
	if f.Flag == "LL" {
		bound, sign = f.Threshold.Low, "≤"
	}
	return fmt.Sprintf("critical value: %s %s %s %s by rules %s", f.Threshold.Analyte, sign, short(bound), f.Threshold.Unit, r.Version)
}

// Critical tells whether a result is a critical value (危急值): its laboratory says so, or it reaches a threshold. age is the
// patient's in days when the specimen was taken, −1 where it is not known. A value with a comparator is critical when all
// that it may be is.
func (r *Rules) Critical(res *Result, age int) (Finding, bool) {
	if !res.standing() {
		return Finding{}, false
	}
	f, byRule := r.reaches(res, age)
	for _, flag := range res.Flags {
		if !r.flags[FoldName(flag)] {
			continue
		}
		said := Finding{Flag: "AA", Said: true}
		switch FoldName(flag) {
		case "hh", "ll":
			said.Flag = map[string]string{"hh": "HH", "ll": "LL"}[FoldName(flag)]
		default:
			if byRule {
				said.Flag = f.Flag
			}
		}
		return said, true
	}
	return f, byRule
}

// needsAge tells whether the patient's age has a say in whether a result is critical: a threshold for some age is there, and one of
// them, for whatever age, is reached. Most results reach none, and nobody need look the patient up.
func (r *Rules) needsAge(res *Result) bool {
	a, code := res.measured(r)
	if a == nil {
		return false
	}
	aged, reached := false, false
	for _, t := range r.critical[a.ID] {
		aged = aged || t.Ages != (Ages{})
		reached = reached || r.reached(t, res, a, code) != ""
	}
	return aged && reached
}

func (r *Rules) reaches(res *Result, age int) (Finding, bool) {
	a, code := res.measured(r)
	if a == nil {
		return Finding{}, false
	}
	for _, t := range r.critical[a.ID] {
		if !t.Ages.has(age) || len(t.Specimens) > 0 && !slices.Contains(t.Specimens, code.Specimen) {
			continue
		}
		if flag := r.reached(t, res, a, code); flag != "" {
			return Finding{Flag: flag, Threshold: t}, true
		}
		return Finding{}, false // the first that fits counts
	}
	return Finding{}, false
}

// reached is the flag of a result that reaches a threshold: LL, HH, or empty.
func (r *Rules) reached(t *Threshold, res *Result, a *Analyte, code *Code) string {
	v, ok := res.in(r, a, code, t.Unit)
	switch {
	case !ok:
	case t.Low != nil && v.Cmp(t.Low) <= 0 && (res.Comparator == "" || res.Comparator[0] == '<'):
		return "LL"
	case t.High != nil && v.Cmp(t.High) >= 0 && (res.Comparator == "" || res.Comparator[0] == '>'):
		return "HH"
	}
	return ""
}

// ageIn is the age in whole days at a time; −1 where either is not known.
func ageIn(born, at time.Time) int {
	if born.IsZero() || at.IsZero() || at.Before(born) {
		return -1
	}
	return int(at.Sub(born).Hours() / 24)
}

// Difference is what a delta check found.
type Difference struct {
	Limit    *Limit
	Absolute *big.Rat // now − then, in Limit.Unit, or in the unit of the value now where the limit has none
	Percent  *big.Rat // of the former value; nil where that is zero
	Unit     string
}

// Delta compares a result with the patient's former one of the same analyte. ok is false where they do not differ beyond the
// limit, cannot be compared, or lie further apart than the limit looks back. A difference of just the limit is within it,
// and so is a former result of just Within before.
func (r *Rules) Delta(now, then *Result) (d Difference, ok bool) {
	a, code := now.measured(r)
	former, formerCode := then.measured(r)
	if a == nil || former != a || code.Specimen != formerCode.Specimen || !now.standing() || !then.standing() || now.Comparator != "" || then.Comparator != "" {
		return d, false
	}
	limit := r.delta[a.ID]
	if limit == nil {
		return d, false
	}
	apart := now.taken().Sub(then.taken())
	if now.taken().IsZero() || then.taken().IsZero() || apart <= 0 || apart > limit.Within {
		return d, false
	}
	d = Difference{Limit: limit, Unit: limit.Unit}
	if d.Unit == "" {
		d.Unit = code.Unit
	}
	v, ok := now.in(r, a, code, d.Unit)
	if !ok {
		return d, false
	}
	w, ok := then.in(r, former, formerCode, d.Unit)
	if !ok {
		return d, false
	}
	d.Absolute = new(big.Rat).Sub(v, w)
	exceeds := limit.Absolute == nil || new(big.Rat).Abs(d.Absolute).Cmp(limit.Absolute) > 0
	if w.Sign() != 0 {
		d.Percent = new(big.Rat).Quo(d.Absolute, w)
		d.Percent.Mul(d.Percent, big.NewRat(100, 1))
	}
	if limit.Percent != nil && exceeds {
		exceeds = d.Percent == nil && d.Absolute.Sign() != 0 || d.Percent != nil && new(big.Rat).Abs(d.Percent).Cmp(limit.Percent) > 0
	}
	return d, exceeds
}
