package advice

import (
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/imaging"
	"concord/hub/recognition"
	"concord/internal/fhir"
)

// producerOf is the member whose data a record holds: who wrote it, or whose the hub derived it from. What a member itself
// writes about the source of its record is not believed.
func producerOf(rec *hub.Record, r fhir.Value) string {
	if m, ok := strings.CutPrefix(r.Get("meta").Get("source").Text(), access.MemberSystem+":"); ok && rec.Member == access.Hub {
		return m
	}
	return rec.Member
}

func (g *gathering) add(r Result, c recognition.Candidate, images bool) recognition.Span {
	r.ID, c.Taken = c.ID, r.Taken
	c.Retrievable = recognition.Yes // the record was just read; whether images can be had is asked later
	if name, ok := strings.CutPrefix(c.Exam.Specimen, specimenAt); ok {
		if g.specimens == nil {
			g.specimens = map[int]hub.Name{}
		}
		c.Exam.Specimen, g.specimens[len(g.candidates)] = "", hub.Name{Type: "Specimen", ID: name}
	}
	g.results, g.candidates, g.images = append(g.results, r), append(g.candidates, c), append(g.images, images)
	return r.Taken
}

// mostSeries is how many series of a study are asked what they are called.
const mostSeries = 50

// sides are the codes of laterality that images are derived with (SNOMED CT).
var sides = map[string]recognition.Side{"7771000": recognition.Left, "24028007": recognition.Right, "51440002": recognition.Left | recognition.Right}

// study takes an ImagingStudy as a candidate.
func (g *gathering) study(rec *hub.Record, r fhir.Value) recognition.Span {
	c := recognition.Candidate{ID: rec.Name.String(), Status: r.Get("status").Text()}
	for m := range r.Get("modality").Items() {
		c.Exam.Modalities = append(c.Exam.Modalities, m.Get("code").Text())
	}
	for series := range r.Get("series").Items() {
		for e := range series.Get("extension").Items() {
			if e.Get("url").Text() == imaging.ProtocolURL && len(c.Exam.Series) < mostSeries {
				c.Exam.Series = append(c.Exam.Series, e.Get("valueString").Text())
			}
		}
		if d := series.Get("description").Text(); d != "" && len(c.Exam.Series) < mostSeries {
			c.Exam.Series = append(c.Exam.Series, d)
		}
		c.Exam.Side |= sides[series.Get("laterality").Get("code").Text()]
		site := series.Get("bodySite")
		if term, ok := g.bodyTerm(site.Get("code").Text()); ok {
			c.Exam.Regions = append(c.Exam.Regions, term)
			continue
		}
		for _, text := range []string{site.Get("code").Text(), site.Get("display").Text()} {
			if text != "" {
				c.Exam.Regions = append(c.Exam.Regions, text)
			}
		}
	}
	title := r.Get("description").Text()
	if title != "" {
		c.Exam.Text = append(c.Exam.Text, title)
	}
	for p := range r.Get("procedureCode").Items() {
		Concept(&c.Exam, p)
	}
	return g.add(Result{
		Name: rec.Name, Version: rec.Version, Patient: patientOf(r), Producer: producerOf(rec, r),
		Status: c.Status, Taken: span(r.Get("started").Text()), Title: title, Study: rec.Name.ID,
	}, c, true)
}

// observation takes an Observation as a candidate, and each of its components that has a code as one more.
func (g *gathering) observation(rec *hub.Record, r fhir.Value) recognition.Span {
	c := recognition.Candidate{ID: rec.Name.String(), Status: r.Get("status").Text(), Critical: critical(r), Value: quantity(r.Get("valueQuantity"))}
	Concept(&c.Exam, r.Get("code"))
	c.Exam.Specimen = specimen(r)
	result := Result{
		Name: rec.Name, Version: rec.Version, Patient: patientOf(r), Producer: producerOf(rec, r),
		Status: c.Status, Taken: taken(r), Title: title(r.Get("code")), Value: value(r),
	}
	n := 0
	for component := range r.Get("component").Items() {
		n++
		if score, ok := g.score(component); ok {
			c.Quality = &score
			continue
		}
		part := recognition.Candidate{ID: c.ID + "#component" + strconv.Itoa(n), Status: c.Status, Critical: critical(component), Value: quantity(component.Get("valueQuantity"))}
		Concept(&part.Exam, component.Get("code"))
		part.Exam.Specimen = c.Exam.Specimen
		if len(part.Exam.Codes) > 0 {
			result := result
			result.Title, result.Value = title(component.Get("code")), value(component)
			g.add(result, part, false)
		}
	}
	return g.add(result, c, false)
}

// patientOf is the Patient that a result refers to: "Patient/1", whatever stands before or behind that.
func patientOf(r fhir.Value) string {
	ref := r.Get("subject").Get("reference").Text()
	at := strings.LastIndex(ref, "Patient/")
	if at < 0 {
		return ""
	}
	id, _, _ := strings.Cut(ref[at+len("Patient/"):], "/")
	return "Patient/" + id
}

func (a *Adviser) bodyTerm(code string) (string, bool) {
	if a.BodyTerm == nil || code == "" {
		return "", false
	}
	return a.BodyTerm(code)
}

// score reads a component that says how good a signal is.
func (a *Adviser) score(component fhir.Value) (float64, bool) {
	for c := range component.Get("code").Get("coding").Items() {
		if a.Score.Code != "" && c.Get("system").Text() == a.Score.System && c.Get("code").Text() == a.Score.Code {
			score, err := strconv.ParseFloat(component.Get("valueQuantity").Get("value").Text(), 64)
			return score, err == nil
		}
	}
	return 0, false
}

// critical finds the codes of v3 ObservationInterpretation for critical values.
func critical(r fhir.Value) bool {
	for i := range r.Get("interpretation").Items() {
		for c := range i.Get("coding").Items() {
			switch c.Get("code").Text() {
			case "HH", "LL", "AA":
				return true
			}
		}
	}
	return false
}

// Coding reads a Coding.
func Coding(v fhir.Value) recognition.Coding {
	return recognition.Coding{System: v.Get("system").Text(), Code: v.Get("code").Text()}
}

// Concept reads a CodeableConcept into an exam.
func Concept(e *recognition.Exam, v fhir.Value) {
	for c := range v.Get("coding").Items() {
		if code := Coding(c); code.Code != "" {
			e.Codes = append(e.Codes, code)
		}
	}
	if t := v.Get("text").Text(); t != "" {
		e.Text = append(e.Text, t)
	}
}

// Exam reads the order that a ServiceRequest, or another request with code and bodySite, is.
func Exam(order fhir.Value) recognition.Exam {
	var e recognition.Exam
	Concept(&e, order.Get("code"))
	for detail := range order.Get("orderDetail").Items() {
		if t := detail.Get("text").Text(); t != "" {
			e.Text = append(e.Text, t)
		}
	}
	for site := range order.Get("bodySite").Items() {
		for c := range site.Get("coding").Items() {
			e.Regions = append(e.Regions, c.Get("code").Text())
		}
		if t := site.Get("text").Text(); t != "" {
			e.Regions = append(e.Regions, t)
		}
	}
	for specimen := range order.Get("specimen").Items() {
		if t := specimen.Get("display").Text(); t != "" && e.Specimen == "" {
			e.Specimen = t
		}
	}
	return e
}

// ExceptionExtension is the URL of an extension of an order whose valueCode is a flag of the catalogue's exceptions.
const ExceptionExtension = "urn:concord:recognition:exception"

// Draft reads a draft order.
func Draft(id string, order fhir.Value) Order {
	o := Order{ID: id, Exam: Exam(order)}
	for e := range order.Get("extension").Items() {
		if flag := e.Get("valueCode").Text(); flag != "" && e.Get("url").Text() == ExceptionExtension {
			o.Exceptions = append(o.Exceptions, flag)
		}
	}
	return o
}

// title is what a sender calls a thing.
func title(code fhir.Value) string {
	if t := code.Get("text").Text(); t != "" {
		return t
	}
	for c := range code.Get("coding").Items() {
		if d := c.Get("display").Text(); d != "" {
			return d
		}
	}
	return ""
}

// value is what was found, as sent.
func value(r fhir.Value) string {
	if q := r.Get("valueQuantity"); q.Kind() == fhir.Object {
		unit := q.Get("unit").Text()
		if unit == "" {
			unit = q.Get("code").Text()
		}
		return strings.TrimSpace(q.Get("comparator").Text() + q.Get("value").Text() + " " + unit)
	}
	if c := r.Get("valueCodeableConcept"); c.Kind() == fhir.Object {
		return title(c)
	}
	return r.Get("valueString").Text()
}

// quantity is a value that can be compared. Of "<0.01" and the like nothing is known but a bound.
func quantity(q fhir.Value) recognition.Value {
	if q.Get("comparator").Text() != "" {
		return recognition.Value{}
	}
	unit := q.Get("code").Text()
	if unit == "" || q.Get("system").Text() != "http://unitsofmeasure.org" {
		unit = q.Get("unit").Text()
	}
	return recognition.Value{Number: q.Get("value").Text(), Unit: unit}
}

// specimen is the kind of specimen that a result itself tells, by what the reference says or by a contained Specimen; else
// where to read it.
func specimen(r fhir.Value) string {
	ref := r.Get("specimen")
	if id, ok := strings.CutPrefix(ref.Get("reference").Text(), "#"); ok {
		for c := range r.Get("contained").Items() {
			if c.Get("id").Text() != id {
				continue
			}
			return specimenKind(c)
		}
	}
	if text := ref.Get("display").Text(); text != "" {
		return text
	}
	if id, ok := strings.CutPrefix(ref.Get("reference").Text(), "Specimen/"); ok && idGrammar(id) {
		return specimenAt + id
	}
	return ""
}

// specimenAt begins what stands for the kind of a specimen that has to be read first.
const specimenAt = "\x00Specimen/"

// specimenKind is the code of a Specimen's type, else its text.
func specimenKind(r fhir.Value) string {
	for code := range r.Get("type").Get("coding").Items() {
		if text := code.Get("code").Text(); text != "" {
			return text
		}
	}
	return r.Get("type").Get("text").Text()
}

// taken is when a result was taken: of a period, all of it.
func taken(r fhir.Value) recognition.Span {
	if period := r.Get("effectivePeriod"); period.Kind() == fhir.Object {
		from, to := span(period.Get("start").Text()), span(period.Get("end").Text())
		if !from.Known() || !to.Known() {
			return to
		}
		return recognition.Span{Earliest: from.Earliest, Latest: to.Latest}
	}
	if t := r.Get("effectiveInstant").Text(); t != "" {
		return span(t)
	}
	return span(r.Get("effectiveDateTime").Text())
}

// span reads a FHIR dateTime as the time it leaves open: a day for a date, the month or year for less.
func span(s string) recognition.Span {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return recognition.At(t)
	}
	zone := fhir.ChinaTime()
	if t, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		return recognition.OnDay(t)
	}
	if t, err := time.ParseInLocation("2006-01", s, zone); err == nil {
		return recognition.Span{Earliest: t, Latest: t.AddDate(0, 1, 0).Add(-1)}
	}
	if t, err := time.ParseInLocation("2006", s, zone); err == nil {
		return recognition.Span{Earliest: t, Latest: t.AddDate(1, 0, 0).Add(-1)}
	}
	return recognition.Span{}
}
