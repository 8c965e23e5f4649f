package export

import (
	"bufio"
	"encoding/xml"
	"io"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/ecg"
)

// Code systems of aECG.
const (
	actCode = "2.16.840.1.113883.5.4"
	mdcCode = "2.16.840.1.113883.6.24"
	genders = "2.16.840.1.113883.5.1"
)

// maxSpans bounds the stretches without gaps that a group may fall into.
const maxSpans = 4096

// AECG writes an HL7 annotated ECG (HL7 V3, PORT_MT020001) whose id is root, a UID or UUID. Its samples are the
// recording's, unchanged. The format has no word for a missing sample: a group with gaps becomes as many sequence sets as
// there are stretches without, each with its own begin. Groups that computed beats are derived series of the first.
func AECG(w io.Writer, rec *ecg.Recording, root string) error {
	if root == "" {
		return &hub.Error{Kind: hub.Invalid, Path: "id", Msg: "an aECG needs one"}
	}
	spans := make([][]span, len(rec.Groups))
	for i, g := range rec.Groups {
		if !(g.Rate > 0) {
			return &hub.Error{Kind: hub.Unprocessable, Path: "rate", Msg: "the recording does not say how fast it was sampled"}
		}
		if spans[i] = stretches(g); len(spans[i]) > maxSpans {
			return &hub.Error{Kind: hub.Unsupported, Path: "sequenceSet", Msg: "the signals have too many gaps for an aECG"}
		}
	}
	if len(spans) == 0 || len(spans[0]) == 0 {
		return &hub.Error{Kind: hub.Unprocessable, Msg: "the recording has no signals that could be written"}
	}
	x := &writer{b: bufio.NewWriterSize(w, 64<<10)}
	x.document(rec, root, spans)
	return x.b.Flush() // which keeps the first error
}

func (x *writer) document(rec *ecg.Recording, root string, spans [][]span) {
	x.b.WriteString(xml.Header)
	x.open("AnnotatedECG", "xmlns", "urn:hl7-org:v3", "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance", "type", "Observation")
	x.one("id", "root", root)
	x.one("code", "code", "93000", "codeSystem", "2.16.840.1.113883.6.12", "codeSystemName", "CPT-4")
	x.period(rec, rec.Groups[0])
	if rec.Reason != "" {
		x.one("reasonCode", "nullFlavor", "OTH", "displayName", rec.Reason)
	}
	x.subject(rec)
	if rec.Institution != "" {
		x.open("location")
		x.open("testingSite")
		x.one("id", "nullFlavor", "UNK")
		x.open("location")
		x.text("name", rec.Institution)
		x.close("location", "testingSite", "location")
	}
	for _, o := range []struct {
		loinc string
		q     *ecg.Quantity
	}{{"21612-7", rec.Patient.Age}, {"8302-2", rec.Patient.Height}, {"29463-7", rec.Patient.Weight}} {
		if o.q == nil || !finite(o.q.Value) {
			continue
		}
		x.open("controlVariable")
		x.open("relatedObservation")
		x.one("code", "code", o.loinc, "codeSystem", "2.16.840.1.113883.6.1", "codeSystemName", "LOINC")
		x.quantity("value", o.q.Value, o.q.Unit)
		x.close("relatedObservation", "controlVariable")
	}
	for _, c := range rec.Comments {
		x.open("pertainsTo")
		x.open("subjectFindingComment")
		x.text("text", c)
		x.close("subjectFindingComment", "pertainsTo")
	}
	x.series(rec, spans)
	x.close("AnnotatedECG")
}

// subject is who, in the words of a trial, in which an aECG always is.
func (x *writer) subject(rec *ecg.Recording) {
	p := rec.Patient
	x.open("componentOf")
	x.open("timepointEvent")
	x.open("componentOf")
	x.open("subjectAssignment")
	x.open("subject")
	x.open("trialSubject")
	switch {
	case p.ID == "":
		x.one("id", "nullFlavor", "UNK")
	case isOID(p.Authority):
		x.one("id", "root", p.Authority, "extension", p.ID)
	default:
		x.one("id", "extension", p.ID, "assigningAuthorityName", p.Authority)
	}
	x.open("subjectDemographicPerson")
	x.text("name", p.Name)
	x.one("administrativeGenderCode", "code", map[ecg.Sex]string{ecg.Male: "M", ecg.Female: "F", ecg.OtherSex: "UN"}[p.Sex], "codeSystem", genders,
		"nullFlavor", map[ecg.Sex]string{ecg.SexUnknown: "UNK"}[p.Sex])
	if p.BirthDate != "" {
		x.one("birthTime", "value", strings.ReplaceAll(p.BirthDate, "-", ""))
	}
	x.close("subjectDemographicPerson", "trialSubject", "subject")
	x.open("componentOf")
	x.open("clinicalTrial")
	x.one("id", "nullFlavor", "NA")
	x.close("clinicalTrial", "componentOf", "subjectAssignment", "componentOf", "timepointEvent", "componentOf")
}

// series is the first group with its measurements, and all others derived from it.
func (x *writer) series(rec *ecg.Recording, spans [][]span) {
	x.open("component")
	for i, g := range rec.Groups {
		element := "series"
		if len(spans[i]) == 0 {
			continue
		}
		if i > 0 {
			element = "derivedSeries"
			x.open("derivation")
		}
		x.open(element)
		kind := map[ecg.Kind]string{ecg.Rhythm: "RHYTHM", ecg.Median: "REPRESENTATIVE_BEAT"}[g.Kind]
		x.one("code", "code", kind, "codeSystem", actCode, "codeSystemName", "ActCode", "nullFlavor", map[string]string{"": "OTH"}[kind])
		x.period(rec, g)
		if i == 0 {
			x.device(rec.Device)
			if rec.Operator != "" {
				x.open("secondaryPerformer")
				x.open("seriesPerformer")
				x.one("id", "nullFlavor", "UNK")
				x.open("assignedPerson")
				x.text("name", rec.Operator)
				x.close("assignedPerson", "seriesPerformer", "secondaryPerformer")
			}
		}
		x.filters(g.Filters)
		for _, s := range spans[i] {
			x.sequences(rec, g, s)
		}
		x.annotations(rec, i)
		if i > 0 {
			x.close("derivedSeries", "derivation")
		}
	}
	x.close("series", "component")
}

func (x *writer) device(d ecg.Device) {
	if d == (ecg.Device{}) {
		return
	}
	x.open("author")
	x.open("seriesAuthor")
	x.open("manufacturedSeriesDevice")
	if d.Serial != "" {
		x.one("id", "extension", d.Serial)
	}
	x.text("manufacturerModelName", d.Model)
	x.text("softwareName", d.Software)
	x.close("manufacturedSeriesDevice")
	if d.Manufacturer != "" {
		x.open("manufacturerOrganization")
		x.text("name", d.Manufacturer)
		x.close("manufacturerOrganization")
	}
	x.close("seriesAuthor", "author")
}

func (x *writer) filters(f ecg.Filters) {
	for _, c := range []struct {
		name, of string
		hz       float64
	}{{"HIGH_PASS", "CUTOFF", f.HighPass}, {"LOW_PASS", "CUTOFF", f.LowPass}, {"NOTCH", "NOTCH", f.Notch}} {
		if !(c.hz > 0) || !finite(c.hz) {
			continue
		}
		x.open("controlVariable")
		x.open("controlVariable")
		x.one("code", "code", "MDC_ECG_CTL_VBL_ATTR_FILTER_"+c.name, "codeSystem", mdcCode, "codeSystemName", "MDC")
		x.open("component")
		x.open("controlVariable")
		x.one("code", "code", "MDC_ECG_CTL_VBL_ATTR_FILTER_"+c.of+"_FREQ", "codeSystem", mdcCode, "codeSystemName", "MDC")
		x.quantity("value", c.hz, "Hz")
		x.close("controlVariable", "component", "controlVariable", "controlVariable")
	}
}

// annotations are the statements, with the first group, and the measurements of each.
func (x *writer) annotations(rec *ecg.Recording, group int) {
	var found []ecg.Measurement
	for _, m := range rec.Measurements {
		if m.Code != "" && m.Lead == 0 && finite(m.Value) && max(m.Group, 0) == group {
			found = append(found, m)
		}
	}
	statements := rec.Statements
	if group > 0 {
		statements = nil
	}
	if len(found)+len(statements) == 0 {
		return
	}
	x.open("subjectOf")
	x.open("annotationSet")
	if rec.Reading != "" {
		x.open("author")
		x.open("assignedEntity")
		x.one("id", "nullFlavor", "UNK")
		x.open("assignedAuthorType")
		x.open("assignedPerson")
		x.text("name", rec.Reading)
		x.close("assignedPerson", "assignedAuthorType", "assignedEntity", "author")
	}
	for _, m := range found {
		x.open("component")
		x.open("annotation")
		x.one("code", "code", m.Code, "codeSystem", mdcCode, "codeSystemName", "MDC")
		x.quantity("value", m.Value, m.Unit)
		x.close("annotation", "component")
	}
	if len(statements) > 0 {
		x.open("component")
		x.open("annotation")
		x.one("code", "code", "MDC_ECG_INTERPRETATION", "codeSystem", mdcCode, "codeSystemName", "MDC")
		for _, s := range statements {
			if s.Text == "" {
				continue
			}
			x.open("component")
			x.open("annotation")
			x.one("code", "code", "MDC_ECG_INTERPRETATION_STATEMENT", "codeSystem", mdcCode, "codeSystemName", "MDC")
			x.text("value", s.Text, "xsi:type", "ST")
			x.close("annotation", "component")
		}
		x.close("annotation", "component")
	}
	x.close("annotationSet", "subjectOf")
}

// sequences is one stretch of a group: its times, then a list of whole numbers a lead.
func (x *writer) sequences(rec *ecg.Recording, g ecg.Group, s span) {
	x.open("component")
	x.open("sequenceSet")
	x.open("component")
	x.open("sequence")
	step := number(1 / g.Rate)
	if rec.Acquired.IsZero() || rec.Acquired.Day || g.Kind == ecg.Median {
		x.one("code", "code", "TIME_RELATIVE", "codeSystem", actCode, "codeSystemName", "ActCode")
		x.open("value", "xsi:type", "GLIST_PQ")
		x.one("head", "value", number(float64(s.from)/g.Rate), "unit", "s")
	} else {
		x.one("code", "code", "TIME_ABSOLUTE", "codeSystem", actCode, "codeSystemName", "ActCode")
		x.open("value", "xsi:type", "GLIST_TS")
		x.one("head", "value", stamp(rec.Acquired, g.Offset+at(s.from, g.Rate)))
	}
	x.one("increment", "value", step, "unit", "s")
	x.close("value", "sequence", "component")
	for _, k := range s.leads {
		l := g.Leads[k]
		x.open("component")
		x.open("sequence")
		if mdc := l.Code.MDC(); mdc != "" {
			x.one("code", "code", strings.ToUpper(mdc), "codeSystem", mdcCode, "codeSystemName", "MDC")
		} else {
			x.one("code", "nullFlavor", "OTH", "displayName", l.Label)
		}
		x.open("value", "xsi:type", "SLIST_PQ")
		x.quantity("origin", l.Baseline, l.Unit)
		x.quantity("scale", l.Scale, l.Unit)
		x.indent()
		x.b.WriteString("<digits>")
		var num []byte
		for i := s.from; i < s.to; i++ {
			num = strconv.AppendInt(num[:0], int64(l.Samples.At(i-l.Start)), 10)
			if i > s.from {
				x.b.WriteByte(' ')
			}
			x.b.Write(num)
		}
		x.b.WriteString("</digits>\n")
		x.close("value", "sequence", "component")
	}
	x.close("sequenceSet", "component")
}

// period is when a group was taken.
func (x *writer) period(rec *ecg.Recording, g ecg.Group) {
	if rec.Acquired.IsZero() {
		x.one("effectiveTime", "nullFlavor", "UNK")
		return
	}
	x.open("effectiveTime")
	if rec.Acquired.Day {
		x.one("low", "value", rec.Acquired.Time.Format("20060102"), "inclusive", "true")
	} else {
		x.one("low", "value", stamp(rec.Acquired, g.Offset), "inclusive", "true")
		x.one("high", "value", stamp(rec.Acquired, g.Offset+g.Duration()), "inclusive", "false")
	}
	x.close("effectiveTime")
}
