package fhir

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/ecg"
	"concord/hub/imaging"
	"concord/hub/recognition"
	"concord/internal/fhir"
	"concord/mappings"
)

// ask is what $find-recognisable is asked.
type ask struct {
	patient string // "Patient/1"
	request recognition.Request
	now     time.Time
}

// mostCandidates bounds how many earlier results of one patient are judged.
const mostCandidates = 500

// findRecognisable answers POST and GET /fhir/ServiceRequest/$find-recognisable: whether an earlier result of the patient
// may stand for the one that is about to be ordered.
//
// In (Parameters, or a bare ServiceRequest): order (ServiceRequest) or code (Coding), patient (Reference; the order's
// subject unless given), encounter-class (code), exception (code, repeated), time (dateTime; now unless given).
// GET takes patient, code (system|code), text, encounter-class, exception.
//
// Out (Parameters): outcome, catalogue, item, reason…, and for each candidate: result (Reference), outcome, expires,
// caution, reason… (code, effect, zh, en), link… .
func (s *Server) findRecognisable(ctx context.Context, q *question) (*answer, error) {
	if err := q.who.May(access.Search, "ServiceRequest"); err != nil {
		return nil, err
	}
	a, err := askOfQuery(q)
	if q.given != nil {
		a, err = askOf(q.given)
	}
	if err != nil {
		return nil, err
	}
	if me, ok := s.Members.Member(q.who.Member); ok {
		a.request.Tier = string(me.Tier)
	}
	candidates, links, err := s.candidates(ctx, q, &a)
	if err != nil {
		return nil, err
	}
	d := recognition.Decide(a.request, candidates, s.Catalogue, a.now)
	body, err := json.Marshal(decisionParameters(&d, links))
	if err != nil {
		return nil, err
	}
	return wholly(body), nil
}

func askOfQuery(q *question) (ask, error) {
	a := ask{now: time.Now()}
	for _, p := range q.params {
		switch p.Name {
		case "patient":
			a.patient = patientReference(p.Value)
		case "code":
			system, code, _ := strings.Cut(p.Value, "|")
			a.request.Exam.Codes = append(a.request.Exam.Codes, recognition.Coding{System: system, Code: code})
		case "text":
			a.request.Exam.Text = append(a.request.Exam.Text, p.Value)
		case "encounter-class":
			a.request.Class = p.Value
		case "exception":
			a.request.Exceptions = append(a.request.Exceptions, p.Value)
		}
	}
	return a, a.check()
}

func patientReference(s string) string {
	if s != "" && !strings.Contains(s, "/") {
		return "Patient/" + s
	}
	return s
}

func (a *ask) check() error {
	if !strings.HasPrefix(a.patient, "Patient/") || !idGrammar.MatchString(a.patient[len("Patient/"):]) {
		return &hub.Error{Kind: hub.Invalid, Path: "patient", Msg: "the operation needs the patient as a reference Patient/[id]"}
	}
	if e := &a.request.Exam; len(e.Codes) == 0 && len(e.Text) == 0 {
		return &hub.Error{Kind: hub.Invalid, Path: "order.code", Msg: "the operation needs an order with a code or a text"}
	}
	return nil
}

func askOf(doc *fhir.Doc) (ask, error) {
	a := ask{now: time.Now()}
	root := doc.Root()
	if doc.Type() == "ServiceRequest" {
		a.order(root)
		return a, a.check()
	}
	if doc.Type() != "Parameters" {
		return a, &hub.Error{Kind: hub.Invalid, Path: "resourceType", Msg: "the operation takes Parameters or a ServiceRequest"}
	}
	for p := range root.Get("parameter").Items() {
		switch name := p.Get("name").Text(); name {
		case "order":
			a.order(p.Get("resource"))
		case "patient":
			a.patient = p.Get("valueReference").Get("reference").Text()
		case "code":
			a.request.Exam.Codes = append(a.request.Exam.Codes, coding(p.Get("valueCoding")))
		case "encounter-class":
			a.request.Class = p.Get("valueCode").Text()
		case "exception":
			a.request.Exceptions = append(a.request.Exceptions, p.Get("valueCode").Text())
		case "time":
			t, err := time.Parse(time.RFC3339, p.Get("valueDateTime").Text())
			if err != nil {
				return a, &hub.Error{Kind: hub.Invalid, Path: "Parameters.parameter.valueDateTime", Msg: "time is a dateTime with seconds and zone"}
			}
			a.now = t
		default:
			return a, &hub.Error{Kind: hub.Invalid, Path: "Parameters.parameter.name", Msg: "the operation has no parameter " + quote(name)}
		}
	}
	return a, a.check()
}

func (a *ask) order(order fhir.Value) {
	if a.patient == "" {
		a.patient = order.Get("subject").Get("reference").Text()
	}
	e := &a.request.Exam
	concept(e, order.Get("code"))
	for site := range order.Get("bodySite").Items() {
		for c := range site.Get("coding").Items() {
			e.Regions = append(e.Regions, c.Get("code").Text())
		}
		if t := site.Get("text").Text(); t != "" {
			e.Regions = append(e.Regions, t)
		}
	}
}

func coding(v fhir.Value) recognition.Coding {
	return recognition.Coding{System: v.Get("system").Text(), Code: v.Get("code").Text()}
}

// concept reads a CodeableConcept into an exam.
func concept(e *recognition.Exam, v fhir.Value) {
	for c := range v.Get("coding").Items() {
		e.Codes = append(e.Codes, coding(c))
	}
	if t := v.Get("text").Text(); t != "" {
		e.Text = append(e.Text, t)
	}
}

// candidates gathers what there is of the patient: imaging studies, and observations with the order's codes or, where it
// has none, all.
func (s *Server) candidates(ctx context.Context, q *question, a *ask) ([]recognition.Candidate, map[string][]string, error) {
	var list []recognition.Candidate
	links := map[string][]string{}
	for _, typ := range resultTypes(s.Catalogue.ItemOf(a.request.Exam)) {
		params := []fhir.Pair{{Name: "patient", Value: a.patient}}
		if typ == "Observation" && len(a.request.Exam.Codes) > 0 {
			params = append(params, fhir.Pair{Name: "code", Value: codesOf(a.request.Exam.Codes)})
		}
		found, err := fhir.CompileSearch(typ, params, s.options(ctx, q))
		if err != nil {
			return nil, nil, err
		}
		found.Query.Limit = mostCandidates
		found.Query.Sort = []hub.Sort{{Param: hub.LastUpdated, Desc: true}}
		res, err := s.Reader.Search(ctx, q.who, []hub.Partition{s.Partition}, found.Query, "$find-recognisable")
		if err != nil {
			return nil, nil, err
		}
		for i := range res.Records {
			rec := &res.Records[i]
			doc, err := fhir.Parse(rec.Body, fhir.Limits{})
			if err != nil {
				return nil, nil, fmt.Errorf("read %s: %w", rec.Name.Type, err)
			}
			one := candidate(doc.Root(), rec)
			if producer, ok := s.Members.Member(producerOf(rec, doc)); ok {
				one.Tier = string(producer.Tier)
				one.SameConsortium = recognition.Yes
			}
			urls := []string{q.base + "/" + rec.Name.String()}
			one.Retrievable = recognition.Yes // the record was just read
			if typ == "ImagingStudy" {
				urls = append(urls, strings.TrimSuffix(q.base, "/fhir")+"/dicom-web/studies/"+rec.Name.ID)
				one.Retrievable = s.studyThere(ctx, rec.Name.ID)
			}
			links[one.ID] = urls
			list = append(list, one)
		}
	}
	return list, links, nil
}

// resultTypes are the resources in which a result for an item can be. Reports are left out of images and laboratory:
// what is recognised are data and pictures, not a physician's conclusions (国卫医发〔2022〕6号, art. 2).
func resultTypes(item *recognition.Item) []string {
	if item != nil {
		switch item.Kind {
		case recognition.Imaging:
			return []string{"ImagingStudy"}
		case recognition.Laboratory:
			return []string{"Observation"}
		}
	}
	return []string{"ImagingStudy", "Observation"}
}

func codesOf(codes []recognition.Coding) string {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = fhir.Escape(c.Code)
		if c.System != "" {
			texts[i] = fhir.Escape(c.System) + "|" + texts[i]
		}
	}
	return strings.Join(texts, ",")
}

// studyThere asks whether the images of a study can be fetched now.
func (s *Server) studyThere(ctx context.Context, uid string) recognition.Fact {
	if s.Retrievable == nil {
		return recognition.Unknown
	}
	there, err := s.Retrievable(ctx, uid)
	switch {
	case err != nil:
		return recognition.Unknown
	case there:
		return recognition.Yes
	}
	return recognition.No
}

// producerOf is the member that produced a result: who wrote the record, or whose data it was derived from.
func producerOf(rec *hub.Record, doc *fhir.Doc) string {
	if m, ok := strings.CutPrefix(doc.Root().Get("meta").Get("source").Text(), imaging.SourcePrefix); ok {
		return m
	}
	return rec.Member
}

// candidate reads what the rules need from an ImagingStudy, Observation or DiagnosticReport.
func candidate(r fhir.Value, rec *hub.Record) recognition.Candidate {
	one := recognition.Candidate{ID: rec.Name.String(), Status: r.Get("status").Text(), Identity: recognition.Yes}
	concept(&one.Exam, r.Get("code"))
	if rec.Name.Type == "ImagingStudy" {
		one.Taken = span(r.Get("started").Text())
		for m := range r.Get("modality").Items() {
			one.Exam.Modalities = append(one.Exam.Modalities, m.Get("code").Text())
		}
		for series := range r.Get("series").Items() {
			site := series.Get("bodySite")
			if term, ok := mappings.BodyTerm(site.Get("code").Text()); ok {
				one.Exam.Regions = append(one.Exam.Regions, term)
				continue
			}
			for _, text := range []string{site.Get("code").Text(), site.Get("display").Text()} {
				if text != "" {
					one.Exam.Regions = append(one.Exam.Regions, text)
				}
			}
		}
		if d := r.Get("description").Text(); d != "" {
			one.Exam.Text = append(one.Exam.Text, d)
		}
		for p := range r.Get("procedureCode").Items() {
			concept(&one.Exam, p)
		}
		return one
	}
	one.Taken = span(r.Get("effectiveDateTime").Text())
	if period := r.Get("effectivePeriod"); period.Kind() == fhir.Object {
		one.Taken = span(period.Get("end").Text())
	}
	if t := r.Get("effectiveInstant").Text(); t != "" {
		one.Taken = span(t)
	}
	for component := range r.Get("component").Items() {
		for c := range component.Get("code").Get("coding").Items() {
			if c.Get("system").Text() != ecg.System || c.Get("code").Text() != ecg.QualityScore {
				continue
			}
			if score, err := strconv.ParseFloat(component.Get("valueQuantity").Get("value").Text(), 64); err == nil {
				one.Quality = &score
			}
		}
	}
	for i := range r.Get("interpretation").Items() {
		for c := range i.Get("coding").Items() {
			switch c.Get("code").Text() {
			case "HH", "LL", "AA": // v3 ObservationInterpretation: critical
				one.Critical = true
			}
		}
	}
	return one
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

type parameter map[string]any

// decisionParameters renders a decision as a FHIR Parameters resource.
func decisionParameters(d *recognition.Decision, links map[string][]string) parameter {
	list := []parameter{
		{"name": "outcome", "valueCode": d.Outcome},
		{"name": "catalogue", "valueString": d.Catalogue},
		{"name": "time", "valueDateTime": d.Time.Format(time.RFC3339)},
	}
	if d.Item != nil {
		list = append(list, parameter{"name": "item", "valueCode": d.Item.ID})
	}
	if d.Override != "" {
		list = append(list, parameter{"name": "override", "valueCode": d.Override})
	}
	list = append(list, reasonParameters(d.Reasons)...)
	for i := range d.Judgements {
		j := &d.Judgements[i]
		parts := []parameter{
			{"name": "result", "valueReference": parameter{"reference": j.ID}},
			{"name": "outcome", "valueCode": j.Outcome},
		}
		if !j.Expires.IsZero() {
			parts = append(parts, parameter{"name": "expires", "valueDateTime": j.Expires.Format(time.RFC3339)})
		}
		if j.Caution {
			parts = append(parts, parameter{"name": "caution", "valueBoolean": true})
		}
		for _, u := range links[j.ID] {
			parts = append(parts, parameter{"name": "link", "valueUrl": u})
		}
		parts = append(parts, reasonParameters(j.Reasons)...)
		list = append(list, parameter{"name": "candidate", "part": parts})
	}
	return parameter{"resourceType": "Parameters", "parameter": list}
}

func reasonParameters(reasons []recognition.Reason) []parameter {
	list := make([]parameter, len(reasons))
	for i, r := range reasons {
		list[i] = parameter{"name": "reason", "part": []parameter{
			{"name": "code", "valueCode": r.Code}, {"name": "effect", "valueCode": r.Effect},
			{"name": "zh", "valueString": r.Chinese}, {"name": "en", "valueString": r.English},
		}}
	}
	return list
}
