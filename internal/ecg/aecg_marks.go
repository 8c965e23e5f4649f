package ecg

import (
	"strings"
	"time"
)

// roi is what an annotation is about: a group, a range in it, leads. The zero value is the whole series.
type roi struct {
	placed   bool
	group    int
	from, to int
	leads    []LeadCode
}

// annotation reads one and those within it. Numbers outside of beats, and those of representative beats, are of the whole
// recording; numbers of a single beat of the rhythm are marks with a value.
func (d *aecg) annotation(e, of *element, outer roi, status string, inBeat bool) {
	if len(d.rec.Annotations) >= d.lim.Marks || len(d.rec.Measurements) >= d.lim.Marks || len(d.rec.Statements) >= d.lim.Marks {
		d.rec.remark("there are more annotations than the limit; the rest is not read")
		return
	}
	here, own := outer, roi{}
	if support := e.kid("support", "supportingROI"); support != nil {
		own = d.region(support, of)
		here = own
	}
	code, value := coding(e.kid("code")), e.kid("value")
	number, isNumber := parseNumber(value.get("value"))
	said := coding(value)
	text := clean(value.textOf())
	if text == "" {
		text = clean(e.kid("text").textOf())
	}
	if code.Code == "MDC_ECG_BEAT" {
		if inBeat = true; !here.placed {
			here = d.around(e, of)
		}
	}
	at := d.groupOf(of)
	median := at >= 0 && d.rec.Groups[at].Kind == Median
	switch {
	case isNumber && (!inBeat || median) && !own.placed:
		m := Measurement{Code: measureCode(code), Sent: code, Name: wordsOf(code), Quantity: Quantity{number, ucum(value.get("unit"))}, Group: -1}
		if len(here.leads) == 1 {
			m.Lead = here.leads[0]
		}
		d.rec.Measurements = append(d.rec.Measurements, m)
	case isNumber:
		d.mark(here, at, Annotation{Code: measureCode(code), Sent: code, Text: wordsOf(code), Value: &Quantity{number, ucum(value.get("unit"))}})
	case states(code.Code) && (text != "" || said.Code != ""):
		if text == "" {
			text = wordsOf(said)
		}
		d.rec.Statements = append(d.rec.Statements, Statement{Text: text, Sent: said, Status: status})
	case said.Code != "" || text != "":
		if text == "" {
			text = wordsOf(said)
		}
		if said.Code == "" {
			said = code
		}
		d.mark(here, at, Annotation{Code: mdcName(said), Sent: said, Text: text})
	case here.placed:
		d.mark(here, at, Annotation{Code: mdcName(code), Sent: code, Text: wordsOf(code)})
	}
	e.each("component", func(c *element) {
		if inner := c.kid("annotation"); inner != nil {
			d.annotation(inner, of, here, status, inBeat)
		}
	})
}

// around is where the waves of a beat lie that has no place of its own: from the first one's beginning to the last one's end.
func (d *aecg) around(beat, of *element) (r roi) {
	beat.each("component", func(c *element) {
		support := c.kid("annotation", "support", "supportingROI")
		if support == nil {
			return
		}
		switch wave := d.region(support, of); {
		case !wave.placed || r.placed && wave.group != r.group:
		case !r.placed:
			r = wave
			r.leads = nil
		default:
			r.from, r.to = min(r.from, wave.from), max(r.to, wave.to)
		}
	})
	return r
}

// states tells codes of interpretations from those of places.
func states(code string) bool {
	return strings.HasPrefix(code, "MDC_ECG_INTERPRETATION") || code == "MDC_ECG_RHY" || strings.HasPrefix(code, "MDC_ECG_STMT")
}

func coding(e *element) Coding {
	return Coding{System: e.get("codeSystemName"), Code: e.get("code"), Display: clean(e.get("displayName"))}
}

// wordsOf are a code's words, ours for the measurements of all formats, or the code itself.
func wordsOf(c Coding) string {
	if c.Display != "" {
		return c.Display
	}
	for _, m := range measures {
		if strings.EqualFold(m.code, c.Code) {
			return m.words
		}
	}
	return c.Code
}

func (d *aecg) mark(here roi, at int, a Annotation) {
	a.Group, a.From, a.To = at, -1, -1
	if here.placed {
		a.Group, a.From, a.To = here.group, here.from, here.to
	}
	a.Leads = here.leads
	d.rec.Annotations = append(d.rec.Annotations, a)
}

// groupOf is the first group of a series, or −1.
func (d *aecg) groupOf(of *element) int {
	for i, g := range d.groups {
		if g.series == of {
			return i
		}
	}
	return -1
}

// region reads the boundaries of a region of interest: a time, and leads.
func (d *aecg) region(support, of *element) (r roi) {
	support.each("component", func(c *element) {
		b := c.kid("boundary")
		code := coding(b.kid("code"))
		if lead := leadByCode(code); lead != 0 {
			r.leads = append(r.leads, lead)
			return
		}
		value := b.kid("value")
		low, high := value.kid("low"), value.kid("high")
		if low == nil && high == nil {
			low = value
			if center := value.kid("center"); center != nil {
				low = center
			}
		}
		switch code.Code {
		case "TIME_ABSOLUTE":
			d.absolute(&r, of, d.timeOf(low), d.timeOf(high))
		case "TIME_RELATIVE":
			from, hasFrom := durationOf(low)
			to, hasTo := durationOf(high)
			if i := d.groupOf(of); i >= 0 && (hasFrom || hasTo) {
				d.place(&r, i, from-d.groups[i].start, to-d.groups[i].start, hasFrom, hasTo)
			}
		}
	})
	return r
}

// absolute finds the group of the series that a time lies in.
func (d *aecg) absolute(r *roi, of *element, low, high Time) {
	hasLow, hasHigh := !low.IsZero(), !high.IsZero()
	if !hasLow && !hasHigh {
		return
	}
	for i, g := range d.groups {
		if g.series != of || g.head.IsZero() {
			continue
		}
		from, to := low.Time.Sub(g.head.Time), high.Time.Sub(g.head.Time)
		first := from
		if !hasLow {
			first = to
		}
		if first >= 0 && first <= d.rec.Groups[i].Duration() {
			d.place(r, i, from, to, hasLow, hasHigh)
			return
		}
	}
}

// place sets a range; where one end is not given the mark is a point at the other.
func (d *aecg) place(r *roi, group int, from, to time.Duration, hasFrom, hasTo bool) {
	g := d.rec.Groups[group]
	at := func(t time.Duration) int {
		return max(0, min(g.Len()-1, int(t.Seconds()*g.Rate+0.5)))
	}
	switch {
	case !hasFrom:
		from = to
	case !hasTo:
		to = from
	}
	r.placed, r.group, r.from = true, group, at(from)
	r.to = max(r.from, at(to))
}
