package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/internal/fhir"
)

// MeasureID is the id of the Measure of the recognition rate.
const MeasureID = "recognition-rate"

// measureURL is its canonical URL, measureVersion changes with what is counted.
const (
	measureURL     = System + ":measure:" + MeasureID
	measureVersion = "1"
)

// populations are what the recognition rate is made of (R4 codesystem-measure-population.html): what is exempt belongs to
// the denominator and is excluded from it, so the score is accepted ÷ offered.
func populations() []population {
	return []population{
		{"initial-population", []Measure{Opportunities, Exemptions}, "Orders for which an earlier result could be recognised, or for which that was exempt", "_tag=" + tagOutcome + "|recognisable," + tagOutcome + "|exempt"},
		{"denominator", []Measure{Opportunities, Exemptions}, "The same", "_tag=" + tagOutcome + "|recognisable," + tagOutcome + "|exempt"},
		{"denominator-exclusion", []Measure{Exemptions}, "Exempt orders", "_tag=" + tagOutcome + "|exempt"},
		{"numerator", []Measure{Acceptances}, "Recognised by the doctor", "_tag=" + tagOutcome + "|recognisable&_tag=" + tagChoice + "|recognised"},
	}
}

type population struct {
	code         string
	of           []Measure
	title, query string
}

// others are measures that are counted beside the rate, each a group of its own.
func others() []other {
	return []other{
		{Refusals, "Not recognised by the doctor (不互认)"}, {Silences, "Without an answer (未答复)"}, {References, "For reference only (仅供参考)"},
		{Repeats, "Repeated within the window all the same (仍重复)"}, {Withdrawals, "Recognised, and the result was withdrawn (结果撤回)"},
		{UnqualifiedAre, "Results whose producer was not qualified for the item (无资质结果)"},
	}
}

type other struct {
	of    Measure
	title string
}

func populationConcept(code string) object {
	return object{"coding": []any{coded("http://terminology.hl7.org/CodeSystem/measure-population", code)}}
}

func groupConcept(code, title string) object {
	return object{"coding": []any{titled(System+":measure", code, title)}}
}

// measure is the Measure (R4 measure.html).
func measure() object {
	criteria := func(query string) object {
		return object{"language": "application/x-fhir-query", "expression": "GuidanceResponse?" + query}
	}
	var list []any
	for _, p := range populations() {
		list = append(list, object{"code": populationConcept(p.code), "description": p.title, "criteria": criteria(p.query)})
	}
	var by []any
	for _, d := range Dimensions() {
		by = append(by, object{"code": object{"coding": []any{coded(System+":dimension", string(d))}}})
	}
	groups := []any{object{"code": groupConcept(MeasureID, "Recognition rate (互认率)"), "population": list, "stratifier": by}}
	for _, o := range others() {
		groups = append(groups, object{"code": groupConcept(string(o.of), o.title), "population": []any{
			object{"code": populationConcept("initial-population"), "description": o.title, "criteria": criteria("_tag=" + tagOutcome + "|recognisable")}}})
	}
	return object{"resourceType": "Measure", "url": measureURL, "version": measureVersion, "name": "RecognitionRate", "title": "检查检验结果互认率 Recognition rate",
		"status": "active", "description": "Recognition rate: opportunities that the doctor accepted ÷ opportunities offered, exempt ones apart. What is counted are opportunities, not patients.",
		"scoring":                object{"coding": []any{coded("http://terminology.hl7.org/CodeSystem/measure-scoring", "proportion")}},
		"type":                   []any{object{"coding": []any{coded("http://terminology.hl7.org/CodeSystem/measure-type", "process")}}},
		"improvementNotation":    improvement(),
		"subjectCodeableConcept": object{"coding": []any{coded("http://hl7.org/fhir/resource-types", "Patient")}},
		"group":                  groups}
}

func improvement() object {
	return object{"coding": []any{coded("http://terminology.hl7.org/CodeSystem/measure-improvement-notation", "increase")}}
}

// publish writes the Measure where it is not there as it is now.
func (l *Ledger) publish(ctx context.Context) error {
	d := draft(hub.Name{Type: "Measure", ID: MeasureID}, measure())
	_, err := l.Writer.Submit(ctx, commit.Write{Member: Origin, Names: []hub.Name{d.Name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, d.Name)
		if err != nil {
			return nil, err
		}
		if head.Version > 0 && !head.Deleted {
			rec, err := v.Record(ctx, d.Name)
			if err != nil || bytes.Equal(rec.Body, d.Body(rec.Version, rec.Time)) {
				return nil, err
			}
		}
		return []commit.Draft{d}, nil
	}})
	return err
}

// Evaluation is what a MeasureReport is asked for.
type Evaluation struct {
	// From belongs to the period, To does not.
	From, To time.Time
	// Subjects asks for the lists behind the numbers (subject-list).
	Subjects bool
}

// mostSubjects is how many entries the lists of one report may have.
const mostSubjects = 5000

// Evaluate makes the MeasureReport of a measure (R4 measure-operation-evaluate-measure.html) for a caller, with a stratifier for
// each dimension. A measure that there is not is NotFound.
func (l *Ledger) Evaluate(ctx context.Context, who access.Caller, id string, e Evaluation) ([]byte, error) {
	if id != MeasureID {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "there is no such measure to evaluate", Hint: MeasureID}
	}
	if err := who.May(access.Search, "GuidanceResponse"); err != nil {
		return nil, err
	}
	f := Filter{From: e.From, To: e.To}
	total, err := l.Statistics(ctx, who, f)
	if err != nil {
		return nil, err
	}
	r := object{"resourceType": "MeasureReport", "status": "complete", "type": "summary", "measure": measureURL + "|" + measureVersion,
		"date": instant(l.Now()), "reporter": organization(who.Member), "improvementNotation": improvement(),
		"period":    object{"start": instant(e.From), "end": instant(e.To.Add(-time.Millisecond))},
		"extension": []any{object{"url": System + ":through", "valueString": strconv.FormatUint(total.Through, 10)}}}
	var lists *subjects
	if e.Subjects {
		lists, r["type"] = &subjects{ledger: l, who: who, filter: f}, "subject-list"
	}
	rate := object{"code": groupConcept(MeasureID, "Recognition rate (互认率)")}
	if rate["population"], err = lists.populations(ctx, &total.Total); err != nil {
		return nil, err
	}
	score(rate, &total.Total)
	var strata []any
	for _, d := range Dimensions() {
		by := f
		by.By = []Dimension{d}
		rows, err := l.Statistics(ctx, who, by)
		if err != nil {
			return nil, err
		}
		s := object{"code": []any{object{"coding": []any{coded(System+":dimension", string(d))}}}}
		var list []any
		for i := range rows.Rows {
			row := &rows.Rows[i]
			name := row.Values[0]
			if name == "" {
				name = "-"
			}
			one := object{"value": object{"text": name}}
			if one["population"], err = (*subjects)(nil).populations(ctx, &row.Counts); err != nil {
				return nil, err
			}
			score(one, &row.Counts)
			list = append(list, one)
		}
		if list != nil {
			s["stratum"] = list
		}
		strata = append(strata, s)
	}
	rate["stratifier"] = strata
	groups := []any{rate}
	for _, o := range others() {
		p, err := lists.population(ctx, "initial-population", []Measure{o.of}, total.Total.Of[o.of])
		if err != nil {
			return nil, err
		}
		groups = append(groups, object{"code": groupConcept(string(o.of), o.title), "population": []any{p}})
	}
	for _, m := range total.Total.Money() {
		value, currency, _ := strings.Cut(m.String(), " ")
		groups = append(groups, object{"code": groupConcept("saved", "Saved (节省费用)"),
			"measureScore": object{"value": json.Number(value), "unit": currency, "system": "urn:iso:std:iso:4217", "code": currency}})
	}
	r["group"] = groups
	if lists != nil && lists.contained != nil {
		r["contained"] = lists.contained
	}
	return encode(r)
}

func score(o object, c *Counts) {
	if rate, ok := c.Rate(); ok {
		o["measureScore"] = object{"value": json.Number(strconv.FormatFloat(rate, 'f', 6, 64))}
	}
}

// subjects gathers the lists of a report; nil gathers none.
type subjects struct {
	ledger    *Ledger
	who       access.Caller
	filter    Filter
	contained []any
	entries   int
}

func (s *subjects) populations(ctx context.Context, c *Counts) ([]any, error) {
	var list []any
	for _, p := range populations() {
		n := 0
		for _, m := range p.of {
			n += c.Of[m]
		}
		one, err := s.population(ctx, p.code, p.of, n)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func (s *subjects) population(ctx context.Context, code string, of []Measure, n int) (object, error) {
	p := object{"code": populationConcept(code), "count": n}
	if s == nil {
		return p, nil
	}
	var entries []any
	for _, m := range of {
		for after := ""; ; {
			page, err := s.ledger.List(ctx, s.who, s.filter, m, after, 500)
			if err != nil {
				return nil, err
			}
			for i := range page.Opportunities {
				entries = append(entries, object{"item": object{"reference": page.Opportunities[i].name().String()}})
			}
			for _, r := range page.Results {
				entries = append(entries, object{"item": object{"reference": r.Result}})
			}
			if s.entries += page.len(); s.entries > mostSubjects {
				return nil, &hub.Error{Kind: hub.TooCostly, Path: "reportType", Msg: "the lists of a report have 5,000 entries at most", Hint: "ask for a shorter period, or for a summary and /recognition/opportunities"}
			}
			if after = page.Next; after == "" {
				break
			}
		}
	}
	if len(entries) == 0 {
		return p, nil
	}
	id := "list-" + strconv.Itoa(len(s.contained)+1)
	s.contained = append(s.contained, object{"resourceType": "List", "id": id, "status": "current", "mode": "snapshot", "entry": entries})
	p["subjectResults"] = object{"reference": "#" + id}
	return p, nil
}

// Period reads the dates of a measurement period, both of which belong to it.
func (l *Ledger) Period(start, end string) (from, to time.Time, err error) {
	zone := l.Limits.orDefault().Zone
	first, _, ok := fhir.Interval(start, zone)
	if !ok {
		return from, to, &hub.Error{Kind: hub.Invalid, Path: "periodStart", Msg: "is a date such as 2026-01-01"}
	}
	_, last, ok := fhir.Interval(end, zone)
	if !ok {
		return from, to, &hub.Error{Kind: hub.Invalid, Path: "periodEnd", Msg: "is a date such as 2026-03-31"}
	}
	if last.Before(first) {
		return from, to, &hub.Error{Kind: hub.Invalid, Path: "periodEnd", Msg: "the period ends before it begins"}
	}
	return first, last.Add(time.Millisecond), nil
}
