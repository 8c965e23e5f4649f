package recognition

import (
	"slices"
	"time"
)

// Fact is something the caller knows, or does not.
type Fact uint8

// The facts.
const (
	Unknown Fact = iota
	Yes
	No
)

// Request is the order about to be placed.
type Request struct {
	Exam Exam
	// Class of the encounter by HL7 v3 ActCode; ACUTE and NONAC count as IMP. Empty: not stated.
	Class string
	// Tier of the institution that orders, as the catalogue names tiers.
	Tier string
	// Regions that it lies in: divisions of GB/T 2260, or areas of the catalogue.
	Regions []string
	// Exceptions are flags of the catalogue: emergency, surgery, transfusion, forensic …
	Exceptions []string
}

// Candidate is an earlier result with what is known about it. A panel's result is one Candidate for each analyte. What the
// caller may not see, by policy, consent or label, is never made a Candidate.
type Candidate struct {
	ID     string
	Exam   Exam
	Status string // of the Observation, DiagnosticReport or ImagingStudy in FHIR's words
	// Identity says that the result is certainly this patient's.
	Identity Fact
	// Taken is when it was acquired or collected, not when it was issued.
	Taken Span
	// Value is what was measured; the zero where there is none or it is no quantity.
	Value Value
	// Tier of the institution that produced it.
	Tier string
	// SameConsortium says that producer and orderer belong to one consortium.
	SameConsortium Fact
	// Qualified says that the producer held a valid external quality assessment for the item when the result was taken.
	Qualified Fact
	// Scope is where that assessment counts, as Catalogue.Covers reads it; empty: whoever says Qualified has compared it.
	Scope string
	// Mark is the mark of recognition (互认标识) that the result carries: 全国HR. Empty: none.
	Mark string
	// Retrievable says that data or images can be fetched now.
	Retrievable Fact
	// Quality is that of the signal or the picture, 0 to 100; nil where nobody judged it.
	Quality *float64
	// Critical marks a critical value (危急值).
	Critical bool
}

// Value is a quantity: a decimal as it was written, and the UCUM code of its unit.
type Value struct{ Number, Unit string }

// Span is a time known more or less exactly: both ends belong to it. A zero Span is not known.
type Span struct{ Earliest, Latest time.Time }

// At is an exact time.
func At(t time.Time) Span { return Span{t, t} }

// OnDay is some time of the civil day of t in t's zone, be it of 23, 24 or 25 hours.
func OnDay(t time.Time) Span {
	y, m, d := t.Date()
	return Span{time.Date(y, m, d, 0, 0, 0, 0, t.Location()), time.Date(y, m, d+1, 0, 0, 0, -1, t.Location())}
}

// Known says whether there is a time at all.
func (s Span) Known() bool { return !s.Earliest.IsZero() && !s.Latest.Before(s.Earliest) }

// Outcome is what a doctor is told.
type Outcome string

// The outcomes.
const (
	Recognisable    Outcome = "recognisable"
	ReferenceOnly   Outcome = "reference-only"
	NotRecognisable Outcome = "not-recognisable"
	Exempt          Outcome = "exempt" // the order may be repeated although something could be recognised
)

// Decision is the answer to one order.
type Decision struct {
	Outcome Outcome
	// Item is nil where the order names none of the catalogue, and where it names a Panel.
	Item *Item
	// Panel is nil unless the order names one; then Members has a Decision for each of its items, in its order, and there
	// are no Judgements.
	Panel   *Panel
	Members []Decision
	// Catalogue is the version decided by, Time the moment decided for.
	Catalogue string
	Time      time.Time
	// Reasons concern the order as a whole.
	Reasons []Reason
	// Override is the coded reason for a repeat that the order's flags suggest; empty without one. Exemption is the row it
	// comes from, with its words.
	Override  string
	Exemption *Exemption
	// Judgements are in the order of the candidates.
	Judgements []Judgement
	// Saving is what the order would cost, where it need not be placed; zero where the outcome is another or there is no price.
	Saving Money
}

// Judgement is what the rules say of one candidate.
type Judgement struct {
	ID      string
	Outcome Outcome
	Reasons []Reason
	// Caution asks the doctor to look twice: the value changes fast, has moved far, or is critical.
	Caution bool
	Taken   Span
	// Expires is the last moment at which the result holds; zero where it cannot be known or the window is 0.
	Expires time.Time
	// Mark is the mark of recognition it carries (互认标识).
	Mark string
	// Saving is the price of the order where the candidate may stand for it; see Decision.Saving.
	Saving Money
}

// Best is the judgement to show first: of those with the best outcome the one taken last, then the one of the lowest ID.
// It is nil where there is none.
func (d *Decision) Best() *Judgement {
	var best *Judgement
	for i := range d.Judgements {
		if j := &d.Judgements[i]; best == nil || j.before(best) {
			best = j
		}
	}
	return best
}

func (j *Judgement) before(o *Judgement) bool {
	if a, b := slices.Index(outcomes, j.Outcome), slices.Index(outcomes, o.Outcome); a != b {
		return a < b
	}
	if !j.Taken.Latest.Equal(o.Taken.Latest) {
		return j.Taken.Latest.After(o.Taken.Latest)
	}
	return j.ID < o.ID
}

// outcomes from the best to the worst.
var outcomes = []Outcome{Recognisable, Exempt, ReferenceOnly, NotRecognisable}

// Decide applies all rules to all candidates; now is the moment of the order. It calls nothing and changes nothing.
//
// A candidate with a failed rule is not recognisable; one with an unknown fact, or whose window is 0, is for reference
// only; the others are recognisable. Where a flag of the order or the class of the encounter allows a repeat, the order
// is exempt, and so is each candidate that no rule failed. Otherwise the order fares as its best candidate.
//
// An order of a panel is decided for each of its items, among the candidates that are results of it. The panel is
// recognisable when all its items are, and for reference only when some are or may be.
func Decide(r Request, candidates []Candidate, c *Catalogue, now time.Time) Decision {
	return c.Read(candidates).Decide(r, now)
}
