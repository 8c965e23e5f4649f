package ecg

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// aecg is one annotated ECG while it is read.
type aecg struct {
	rec    *Recording
	lim    Limits
	groups []aecgGroup // of each of rec.Groups
	leads  int
}

// aecgGroup is where the time of a group begins.
type aecgGroup struct {
	series *element
	head   Time          // of TIME_ABSOLUTE
	start  time.Duration // of TIME_RELATIVE
}

const aecgNamespace = "urn:hl7-org:v3"

// ReadAECG reads an HL7 annotated ECG (PORT_MT020001). Document type declarations are refused, entities are not known, and
// nothing is fetched. A document without waveforms is an Invalid error.
func ReadAECG(r io.Reader, limits Limits) (*Recording, error) {
	d := &aecg{rec: &Recording{Format: AECG}, lim: limits.withDefaults()}
	w := &xmlWalk{lim: d.lim, done: d.done}
	root, err := w.run(r)
	if err != nil {
		return nil, err
	}
	if root.name != "AnnotatedECG" {
		return nil, invalid(root.name, "the document is no AnnotatedECG")
	}
	if root.get("xmlns") != aecgNamespace && !declares(root, aecgNamespace) {
		d.rec.remark("the document is not in the namespace " + aecgNamespace)
	}
	if len(d.rec.Groups) == 0 {
		return nil, invalid("AnnotatedECG", "the document has no waveforms")
	}
	d.facts(root)
	d.times(root)
	return d.rec, nil
}

func declares(e *element, namespace string) bool {
	for _, a := range e.attr {
		if a.Name.Space == "xmlns" && a.Value == namespace {
			return true
		}
	}
	return false
}

// done takes what is complete out of the tree: sets of sequences become groups, outermost annotations marks.
func (d *aecg) done(open []*element) (drop bool, err error) {
	switch e := open[len(open)-1]; e.name {
	case "sequenceSet":
		return true, d.sequenceSet(e, series(open))
	case "annotation":
		set := enclosing(open, "annotationSet")
		if set == nil || enclosing(open[:len(open)-1], "annotation") != nil {
			return false, nil
		}
		d.annotation(e, series(open), roi{}, author(set), false)
		return true, nil
	case "annotationSet":
		d.reader(e)
	}
	return false, nil
}

// enclosing is the innermost open element of a name.
func enclosing(open []*element, name string) *element {
	for i := len(open) - 1; i >= 0; i-- {
		if open[i].name == name {
			return open[i]
		}
	}
	return nil
}

func series(open []*element) *element {
	for i := len(open) - 1; i >= 0; i-- {
		if open[i].name == "series" || open[i].name == "derivedSeries" {
			return open[i]
		}
	}
	return nil
}

// sequenceSet makes a group of sequences that were taken together.
func (d *aecg) sequenceSet(set, of *element) error {
	g := Group{Kind: aecgKind(of.kid("code").get("code")), Label: of.kid("code").get("displayName"), Filters: aecgFilters(of)}
	at := aecgGroup{series: of}
	var err error
	set.each("component", func(c *element) {
		s := c.kid("sequence")
		value := s.kid("value")
		switch code := s.kid("code").get("code"); {
		case s == nil || err != nil:
		case code == "TIME_ABSOLUTE":
			at.head = d.timeOf(value.kid("head"))
			g.Rate = rateOf(value.kid("increment"))
		case code == "TIME_RELATIVE":
			at.start, _ = durationOf(value.kid("head"))
			g.Rate = rateOf(value.kid("increment"))
		default:
			err = d.lead(&g, s, value)
		}
	})
	switch {
	case err != nil:
		return err
	case len(g.Leads) == 0:
		return nil
	case g.Rate == 0:
		return invalid("increment", "a set of sequences has no time between samples")
	case len(d.rec.Groups) >= d.lim.Leads:
		return tooLarge("sequenceSet", "the document has more than %d sets of sequences", d.lim.Leads)
	}
	for _, l := range g.Leads {
		if l.Samples.Len() != g.Leads[0].Samples.Len() {
			d.rec.remark("leads of one set have different numbers of samples")
		}
	}
	d.rec.Groups = append(d.rec.Groups, g)
	d.groups = append(d.groups, at)
	return nil
}

func aecgKind(code string) Kind {
	switch code {
	case "RHYTHM", "":
		return Rhythm
	case "REPRESENTATIVE_BEAT":
		return Median
	}
	return Other
}

// lead reads one sequence: SLIST_PQ is origin, scale and digits.
func (d *aecg) lead(g *Group, s, value *element) error {
	digits := value.kid("digits")
	if digits == nil || digits.samples.Len() == 0 {
		d.rec.remark("a lead has no digits and is left out")
		return nil
	}
	if d.leads++; d.leads > d.lim.Leads {
		return tooLarge("sequence", "the document has more than %d leads", d.lim.Leads)
	}
	code := s.kid("code")
	sent := Coding{System: code.get("codeSystemName"), Code: code.get("code"), Display: code.get("displayName")}
	l := Lead{Code: leadByCode(sent), Samples: digits.samples, Scale: 1}
	if l.Code == 0 {
		l.Code = leadByName(sent.Display)
	}
	switch l.Label = l.Code.String(); {
	case l.Label == "" && sent.Display != "":
		l.Label = clean(sent.Display)
	case l.Label == "":
		name, _ := cutPrefixFold(sent.Code, "MDC_ECG_LEAD_")
		l.Label = clean(name)
	}
	scale, ok := parseNumber(value.kid("scale").get("value"))
	if l.Unit = ucum(value.kid("scale").get("unit")); ok && scale != 0 {
		l.Scale = scale
	} else {
		d.rec.remark("a lead has no scale: its samples are numbers without a unit")
		l.Unit = ""
	}
	if origin, ok := parseNumber(value.kid("origin").get("value")); ok && origin != 0 {
		l.Baseline = origin
		from, to := microvolts[ucum(value.kid("origin").get("unit"))], microvolts[l.Unit]
		if from != 0 && to != 0 && from != to {
			l.Baseline = origin * from / to
		}
	}
	g.Leads = append(g.Leads, l)
	return nil
}

// durationOf reads a PQ of time.
func durationOf(e *element) (time.Duration, bool) {
	v, ok := parseNumber(e.get("value"))
	unit := map[string]float64{"s": 1, "": 1, "ms": 1e-3, "us": 1e-6, "min": 60, "h": 3600, "d": 86400}[e.get("unit")]
	if !ok || unit == 0 || math.Abs(v*unit) > 1e9 {
		return 0, false
	}
	return seconds(v * unit), true
}

// rateOf is the number of samples a second; one that is a whole number but for a millionth is that number.
func rateOf(increment *element) float64 {
	v, ok := parseNumber(increment.get("value"))
	unit := map[string]float64{"s": 1, "": 1, "ms": 1e3, "us": 1e6}[increment.get("unit")]
	if !ok || v <= 0 || unit == 0 {
		return 0
	}
	rate := unit / v
	if rate > 1e6 || rate < 1e-3 {
		return 0
	}
	if whole := math.Round(rate); whole > 0 && math.Abs(rate-whole) < rate*1e-6 {
		return whole
	}
	return rate
}

// timeOf reads a TS; a malformed one is a remark.
func (d *aecg) timeOf(e *element) Time {
	v := e.get("value")
	if v == "" {
		return Time{}
	}
	t, ok := parseTime(v)
	if !ok {
		d.rec.remark("a time is malformed and not read")
	}
	return t
}

// times places the groups: the first rhythm's first sample is when the recording was acquired.
func (d *aecg) times(root *element) {
	whole := root.kid("effectiveTime")
	first := 0
	for i, g := range d.rec.Groups {
		if g.Kind == Rhythm {
			first = i
			break
		}
	}
	for _, t := range []Time{d.groups[first].head, d.timeOf(d.groups[first].series.kid("effectiveTime", "low")), d.timeOf(whole.kid("low")),
		d.timeOf(whole.kid("center")), d.timeOf(whole)} {
		if !t.IsZero() {
			d.rec.Acquired = t
			break
		}
	}
	for _, t := range []Time{d.timeOf(d.groups[first].series.kid("effectiveTime", "high")), d.timeOf(whole.kid("high"))} {
		if !t.IsZero() {
			d.rec.Ended = t
			break
		}
	}
	for i := range d.rec.Groups {
		g, at := &d.rec.Groups[i], d.groups[i]
		switch {
		case g.Kind == Median:
		case !at.head.IsZero() && !d.rec.Acquired.IsZero():
			g.Offset = at.head.Time.Sub(d.rec.Acquired.Time)
		default:
			g.Offset = at.start
		}
	}
}

// aecgFilters reads the control variables of a series.
func aecgFilters(of *element) (f Filters) {
	var words []string
	of.each("controlVariable", func(outer *element) {
		v := outer.kid("controlVariable")
		var to *float64
		switch v.kid("code").get("code") {
		case "MDC_ECG_CTL_VBL_ATTR_FILTER_LOW_PASS":
			to = &f.LowPass
		case "MDC_ECG_CTL_VBL_ATTR_FILTER_HIGH_PASS":
			to = &f.HighPass
		case "MDC_ECG_CTL_VBL_ATTR_FILTER_NOTCH":
			to = &f.Notch
		default:
			return
		}
		v.each("component", func(c *element) {
			part := c.kid("controlVariable")
			value := part.kid("value")
			if n, ok := parseNumber(value.get("value")); ok && (value.get("unit") == "Hz" || value.get("unit") == "") {
				*to = n
			}
			if text := clean(value.textOf()); text != "" && part.kid("code").get("code") == "MDC_ECG_CTL_VBL_ATTR_FILTER_DESCRIPTION" {
				name := strings.TrimSpace(v.kid("code").get("displayName"))
				words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s", name, text)))
			}
		})
	})
	f.Other = strings.Join(words, ", ")
	return f
}

// textOf is the text of an element, empty for nil.
func (e *element) textOf() string {
	if e == nil {
		return ""
	}
	return e.text
}
