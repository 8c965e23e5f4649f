package recognition

import (
	"slices"
	"time"
)

// Fact is something the caller knows, or does not.
type Fact uint8

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
	// Exceptions are flags of the catalogue: emergency, surgery, transfusion, forensic …
	Exceptions []string
}

// Candidate is an earlier result with what is known about it.
type Candidate struct {
	ID     string
	Exam   Exam
	Status string // of the Observation, DiagnosticReport or ImagingStudy in FHIR's words
	// Identity says that the result is certainly this patient's.
	Identity Fact
	// Taken is when it was acquired or collected, not when it was issued.
	Taken Span
	// Tier of the institution that produced it.
	Tier string
	// SameConsortium says that producer and orderer belong to one consortium.
	SameConsortium Fact
	// Qualified says that the producer held a valid external quality assessment for the item when the result was taken.
	Qualified Fact
	// Retrievable says that data or images can be fetched now.
	Retrievable Fact
	// Quality is that of the signal or the picture, 0 to 100; nil where nobody judged it.
	Quality *float64
	// Critical marks a critical value (危急值).
	Critical bool
}

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

const (
	Recognisable    Outcome = "recognisable"
	ReferenceOnly   Outcome = "reference-only"
	NotRecognisable Outcome = "not-recognisable"
	Exempt          Outcome = "exempt" // the order may be repeated although something could be recognised
)

// Decision is the answer to one order.
type Decision struct {
	Outcome Outcome
	// Item is nil where the order names none of the catalogue.
	Item *Item
	// Catalogue is the version decided by, Time the moment decided for.
	Catalogue string
	Time      time.Time
	// Reasons concern the order as a whole.
	Reasons []Reason
	// Override is the coded reason for a repeat that the order's flags suggest; empty without one.
	Override string
	// Judgements are in the order of the candidates.
	Judgements []Judgement
}

// Judgement is what the rules say of one candidate.
type Judgement struct {
	ID      string
	Outcome Outcome
	Reasons []Reason
	// Caution asks the doctor to look twice: the value changes fast or is critical.
	Caution bool
	// Expires is the last moment at which the result holds; zero where it cannot be known or the window is 0.
	Expires time.Time
}

// Decide applies all rules to all candidates; now is the moment of the order. It calls nothing and changes nothing.
//
// A candidate with a failed rule is not recognisable; one with an unknown fact, or whose window is 0, is for reference
// only; the others are recognisable. Where a flag of the order or the class of the encounter allows a repeat, the order
// is exempt, and so is each candidate that no rule failed. Otherwise the order fares as its best candidate.
func Decide(r Request, candidates []Candidate, c *Catalogue, now time.Time) Decision {
	switch r.Class {
	case "ACUTE", "NONAC":
		r.Class = "IMP"
	}
	a := ask{request: r, catalogue: c, now: now, wanted: c.read(r.Exam, true)}
	d := Decision{Item: a.wanted.item, Catalogue: c.Version, Time: now, Outcome: NotRecognisable}
	d.Reasons, d.Override = a.exceptions()
	exempt := d.Override != ""
	best := len(outcomes)
	for i := range candidates {
		j := a.judge(&candidates[i], exempt)
		d.Judgements = append(d.Judgements, j)
		best = min(best, slices.Index(outcomes, j.Outcome))
	}
	switch {
	case exempt:
		d.Outcome = Exempt
	case best < len(outcomes):
		d.Outcome = outcomes[best]
	default:
		d.Reasons = append(d.Reasons, reason(Fail, NoCandidate))
	}
	return d
}

// outcomes from the best to the worst.
var outcomes = []Outcome{Recognisable, Exempt, ReferenceOnly, NotRecognisable}

// judge collects what the rules say of one candidate.
func (a *ask) judge(c *Candidate, exempt bool) Judgement {
	shown := a.catalogue.read(c.Exam, false)
	j := Judgement{ID: c.ID, Outcome: Recognisable, Expires: a.expires(c)}
	for _, rule := range []func(*Candidate, reading) []Reason{
		a.identity, a.status, a.sameItem, a.inCatalogue, a.qualified, a.tiers, a.window, a.retrievable, a.quality, a.caution,
	} {
		j.Reasons = append(j.Reasons, rule(c, shown)...)
	}
	for _, r := range j.Reasons {
		switch {
		case r.Effect == Fail:
			j.Outcome = NotRecognisable
		case (r.Effect == Open || r.Code == WindowZero) && j.Outcome == Recognisable:
			j.Outcome = ReferenceOnly
		}
		j.Caution = j.Caution || r.Code == RapidChange || r.Code == CriticalValue
	}
	if exempt && j.Outcome != NotRecognisable {
		j.Outcome = Exempt
	}
	return j
}
