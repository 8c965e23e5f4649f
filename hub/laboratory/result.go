package laboratory

import (
	"math/big"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/fhir"
)

// Result is what an Observation says, as far as the rules ask.
type Result struct {
	Status     string
	Codings    []Coding
	Name       string // code.text
	Patient    hub.Name
	Specimen   string // specimen.display, else the reference
	Value      *big.Rat
	Comparator string
	Unit       string    // as written
	UCUM       string    // the unit's code, where it is UCUM's
	Flags      []string  // interpretations that are the laboratory's own
	Effective  time.Time // when the specimen was taken, by FHIR; zero where it is not said
	Issued     time.Time
	Ranged     bool // it has a reference range
}

// ReadResult reads an Observation (R4 observation.html). What is missing or of another form is left empty.
func ReadResult(o fhir.Value) Result {
	r := Result{Status: o.Get("status").Text(), Name: o.Get("code").Get("text").Text(), Ranged: o.Get("referenceRange").Kind() != fhir.Absent}
	for c := range o.Get("code").Get("coding").Items() {
		if code := c.Get("code").Text(); code != "" {
			r.Codings = append(r.Codings, Coding{c.Get("system").Text(), code, c.Get("display").Text()})
		}
	}
	if typ, id, ok := strings.Cut(o.Get("subject").Get("reference").Text(), "/"); ok && typ == "Patient" {
		r.Patient = hub.Name{Type: typ, ID: id}
	}
	if r.Specimen = o.Get("specimen").Get("display").Text(); r.Specimen == "" {
		r.Specimen = o.Get("specimen").Get("reference").Text()
	}
	q := o.Get("valueQuantity")
	r.Value, _ = decimal(q.Get("value").Text())
	r.Comparator, r.Unit = q.Get("comparator").Text(), q.Get("unit").Text()
	if q.Get("system").Text() == ucumSystem {
		r.UCUM = q.Get("code").Text()
	}
	if r.Unit == "" {
		r.Unit = q.Get("code").Text()
	}
	for concept := range o.Get("interpretation").Items() {
		if ofRules(concept) {
			continue
		}
		for c := range concept.Get("coding").Items() {
			r.Flags = append(r.Flags, c.Get("code").Text())
		}
		r.Flags = append(r.Flags, concept.Get("text").Text())
	}
	r.Effective = instant(o.Get("effectiveDateTime").Text())
	if r.Effective.IsZero() {
		r.Effective = instant(o.Get("effectivePeriod").Get("start").Text())
	}
	r.Issued = instant(o.Get("issued").Text())
	return r
}

// ofRules: the hub's rules gave an interpretation, and not the laboratory.
func ofRules(concept fhir.Value) bool {
	for e := range concept.Get("extension").Items() {
		if e.Get("url").Text() == ruleURL {
			return true
		}
	}
	return false
}

// instant reads the beginning of a FHIR date; zero for none.
func instant(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	first, _, ok := fhir.Interval(text, fhir.ChinaTime())
	if !ok {
		return time.Time{}
	}
	return first
}

// standing: the result holds; it was not withdrawn and is not still to come.
func (r *Result) standing() bool {
	switch r.Status {
	case "preliminary", "final", "amended", "corrected":
		return true
	}
	return false
}

// in is the result's value in a unit of UCUM. With a comparator it is the bound.
func (r *Result) in(rules *Rules, a *Analyte, c *Code, to string) (*big.Rat, bool) {
	if r.Value == nil {
		return nil, false
	}
	from := r.UCUM
	if from == "" {
		like := to
		if c != nil && c.Unit != "" {
			like = c.Unit
		}
		var ok bool
		if from, ok = rules.UCUM(r.Unit, like); !ok {
			return nil, false
		}
	}
	return a.Convert(r.Value, from, to)
}

// measured is the analyte that the result's LOINC code stands for.
func (r *Result) measured(rules *Rules) (*Analyte, *Code) {
	for _, c := range r.Codings {
		if c.System == LOINC {
			if a, code, ok := rules.Analyte(c.Code); ok {
				return a, code
			}
		}
	}
	return nil, nil
}

// taken is when the specimen was taken, or else when the result was given out.
func (r *Result) taken() time.Time {
	if r.Effective.IsZero() {
		return r.Issued
	}
	return r.Effective
}
