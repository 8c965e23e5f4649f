package recognition

import (
	"slices"
	"time"
)

// Results are the candidates of one patient, read once for several orders. They are safe for concurrent use.
type Results struct {
	catalogue *Catalogue
	list      []Candidate
	shown     []reading
}

// Read takes candidates in. They must not be changed afterwards.
func (c *Catalogue) Read(candidates []Candidate) *Results {
	r := &Results{catalogue: c, list: candidates, shown: make([]reading, len(candidates))}
	scales := map[scaleKey]scale{}
	for i := range candidates {
		r.shown[i] = c.read(candidates[i].Exam, false)
		r.shown[i].value = c.valueOf(r.shown[i].item, candidates[i].Value, scales)
	}
	return r
}

// Decide is Decide over these candidates.
func (r *Results) Decide(q Request, now time.Time) Decision {
	switch q.Class {
	case "ACUTE", "NONAC":
		q.Class = "IMP"
	}
	c := r.catalogue
	if p := c.panelOf(q.Exam); p != nil {
		return r.decidePanel(p, q, now)
	}
	all := make([]int, len(r.list))
	for i := range all {
		all[i] = i
	}
	return r.decide(&ask{request: q, catalogue: c, now: now, wanted: c.read(q.Exam, true)}, all)
}

// decide judges the candidates of the given places.
func (r *Results) decide(a *ask, places []int) Decision {
	a.results = r
	d := Decision{Item: a.wanted.item, Catalogue: a.catalogue.Version, Time: a.now, Outcome: NotRecognisable}
	d.Reasons, d.Exemption = a.exceptions()
	if d.Exemption != nil {
		d.Override = d.Exemption.Reason
	}
	price := a.price()
	best := len(outcomes)
	if len(places) > 0 {
		d.Judgements = make([]Judgement, 0, len(places))
		a.found = make([]Reason, 0, len(places)*mostReasons)
	}
	for _, i := range places {
		j := a.judge(i, d.Exemption != nil)
		if j.Outcome == Recognisable {
			j.Saving = price
		}
		d.Judgements = append(d.Judgements, j)
		best = min(best, slices.Index(outcomes, j.Outcome))
	}
	switch {
	case d.Exemption != nil:
		d.Outcome = Exempt
	case best < len(outcomes):
		d.Outcome = outcomes[best]
	default:
		d.Reasons = append(d.Reasons, reason(Fail, NoCandidate))
	}
	if d.Outcome == Recognisable {
		d.Saving = price
	}
	return d
}

// mostReasons is about how many reasons one judgement has.
const mostReasons = 13

// decidePanel decides for each item of a panel among the candidates that are results of it.
func (r *Results) decidePanel(p *Panel, q Request, now time.Time) Decision {
	c := r.catalogue
	d := Decision{Panel: p, Catalogue: c.Version, Time: now, Outcome: NotRecognisable}
	passed, open := 0, 0
	for _, id := range p.Members {
		item := c.Item(id)
		a := &ask{request: q, catalogue: c, now: now, wanted: reading{item: item, specimen: c.specimen(q.Exam.Specimen)}}
		var places []int
		for i := range r.shown {
			if r.shown[i].item == item {
				places = append(places, i)
			}
		}
		one := r.decide(a, places)
		switch d.Exemption, d.Override = one.Exemption, one.Override; one.Outcome {
		case Recognisable:
			passed++
		case ReferenceOnly:
			open++
		}
		d.Members = append(d.Members, one)
	}
	d.Reasons, _ = (&ask{request: q, catalogue: c}).exceptions()
	switch {
	case d.Exemption != nil:
		d.Outcome = Exempt
	case passed == len(p.Members):
		d.Outcome, d.Saving = Recognisable, c.Price(p.ID, q.Regions)
		d.Reasons = append(d.Reasons, reason(Pass, PanelComplete, number(float64(passed))))
	case passed+open > 0:
		d.Outcome = ReferenceOnly
		fallthrough
	default:
		d.Reasons = append(d.Reasons, reason(Fail, PanelIncomplete, number(float64(passed)), number(float64(len(p.Members)))))
	}
	return d
}

// judge collects what the rules say of the candidate at place i.
func (a *ask) judge(i int, exempt bool) Judgement {
	c, shown := &a.results.list[i], &a.results.shown[i]
	j := Judgement{ID: c.ID, Outcome: Recognisable, Taken: c.Taken, Expires: a.expires(c)}
	if a.standing(c) == Yes { // a mark that nobody vouches for is none
		j.Mark = c.Mark
	}
	start := len(a.found)
	a.identity(c)
	a.status(c)
	a.sameItem(c, shown)
	a.inCatalogue(c)
	a.qualified(c)
	a.tiers(c)
	a.window(c)
	a.retrievable(c)
	a.quality(c)
	a.caution(i)
	j.Reasons = a.found[start:len(a.found):len(a.found)]
	for _, r := range j.Reasons {
		switch {
		case r.Effect == Fail:
			j.Outcome = NotRecognisable
		case (r.Effect == Open || r.Code == WindowZero) && j.Outcome == Recognisable:
			j.Outcome = ReferenceOnly
		}
		j.Caution = j.Caution || r.Code == RapidChange || r.Code == CriticalValue || r.Code == ValueMoved
	}
	if exempt && j.Outcome != NotRecognisable {
		j.Outcome = Exempt
	}
	return j
}

func reason(e Effect, c Code, details ...detail) Reason {
	r := Reason{Code: c, Effect: e}
	copy(r.details[:], details)
	return r
}
