package laboratory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/fhir"
)

// Deltas compares new results with the patient's former ones of the same analyte, whichever member's, and tells differences
// beyond the rules' limits by a DetectedIssue. No result is refused or changed for it.
type Deltas struct {
	Follower *projection.Follower // of the records
	Writer   *commit.Committer
	Rules    func() *Rules
	Timers   Timers // Fresh alone is looked at
}

// mostFormer is how many of a patient's former results, the latest, are looked through.
const mostFormer = 100

// suspect is a result that a limit is for.
type suspect struct {
	rec    *hub.Record
	result Result
	limit  *Limit
	codes  []string // the analyte's
}

// Derive is a Watch's.
func (s *Deltas) Derive(ctx context.Context, recs []hub.Record) error {
	rules := s.Rules()
	if rules == nil || len(rules.delta) == 0 {
		return nil
	}
	byPatient := map[hub.Name][]suspect{}
	for i := range recs {
		if one, ok := s.suspect(rules, &recs[i]); ok {
			byPatient[one.result.Patient] = append(byPatient[one.result.Patient], one)
		}
	}
	var writes []commit.Write
	for patient, list := range byPatient {
		former, err := s.former(ctx, patient, list)
		if err != nil {
			return err
		}
		for i := range list {
			writes = append(writes, s.judge(rules, &list[i], former)...)
		}
	}
	if len(writes) == 0 {
		return nil
	}
	for _, out := range s.Writer.SubmitAll(ctx, writes) {
		if out.Err != nil {
			return out.Err
		}
	}
	return nil
}

func (s *Deltas) suspect(rules *Rules, rec *hub.Record) (one suspect, ok bool) {
	if rec.Deleted {
		return one, false
	}
	doc, err := fhir.DocOf(rec)
	if err != nil {
		return one, false
	}
	one = suspect{rec: rec, result: ReadResult(doc.Root())}
	a, _ := one.result.measured(rules)
	if a == nil || one.result.Patient.ID == "" || one.result.Value == nil || one.result.taken().IsZero() || !s.Timers.OrDefault().fresh(&one.result, rec.Time) {
		return one, false
	}
	one.limit = rules.delta[a.ID]
	for i := range a.Codes {
		one.codes = append(one.codes, LOINC+"|"+a.Codes[i].LOINC)
	}
	return one, one.limit != nil
}

// earlier is a result that was there before.
type earlier struct {
	name   hub.Name
	result Result
}

// former are a patient's results of the analytes in question, as far back as the limits look, the latest first.
func (s *Deltas) former(ctx context.Context, patient hub.Name, list []suspect) ([]earlier, error) {
	var codes []string
	first, last := list[0].result.taken(), list[0].result.taken()
	for i := range list {
		one := &list[i]
		codes = append(codes, one.codes...)
		if from := one.result.taken().Add(-one.limit.Within); from.Before(first) {
			first = from
		}
		if one.result.taken().After(last) {
			last = one.result.taken()
		}
	}
	slices.Sort(codes)
	search, err := fhir.CompileSearch("Observation", []fhir.Pair{{Name: "subject", Value: patient.String()}, {Name: "code", Value: strings.Join(slices.Compact(codes), ",")},
		{Name: "date", Value: "ge" + first.UTC().Format(fhir.InstantFormat)}, {Name: "date", Value: "le" + last.UTC().Format(fhir.InstantFormat)}, {Name: "_sort", Value: "-date"}},
		fhir.SearchOptions{Count: mostFormer})
	if err != nil {
		return nil, err
	}
	search.Query.Limit, search.Query.Routes = mostFormer, []string{patient.String()}
	page, err := s.Follower.Search(ctx, search.Query)
	if err != nil {
		return nil, err
	}
	locs := make([]hub.Loc, len(page.Hits))
	for i := range page.Hits {
		locs[i] = page.Hits[i].Head.Loc
	}
	recs, err := s.Follower.Log().Records(ctx, locs)
	if err != nil {
		return nil, err
	}
	var all []earlier
	for i := range recs {
		if doc, err := fhir.Parse(recs[i].Body, fhir.Limits{}); err == nil {
			all = append(all, earlier{recs[i].Name, ReadResult(doc.Root())})
		}
	}
	return all, nil
}

// judge compares a result with the latest one before it that measures the same.
func (s *Deltas) judge(rules *Rules, one *suspect, former []earlier) []commit.Write {
	name := hub.Name{Type: "DetectedIssue", ID: identify("delta", one.rec.Name.String())}
	a, code := one.result.measured(rules)
	var found *Difference
	var from hub.Name
	for i := range former {
		then := &former[i]
		b, codeThen := then.result.measured(rules)
		if then.name == one.rec.Name || b != a || codeThen.Specimen != code.Specimen || !then.result.standing() || !then.result.taken().Before(one.result.taken()) {
			continue
		}
		if d, ok := rules.Delta(&one.result, &then.result); ok {
			found, from = &d, then.name
		}
		break
	}
	if found == nil && one.rec.Version == 1 {
		return nil
	}
	rec := one.rec
	return []commit.Write{{Member: Origin, Names: []hub.Name{rec.Name, name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		now, err := v.Head(ctx, rec.Name)
		if err != nil || now.Version != rec.Version {
			return nil, err
		}
		head, err := v.Head(ctx, name)
		if err != nil {
			return nil, err
		}
		there := head.Version > 0 && !head.Deleted
		if found == nil {
			if there {
				return []commit.Draft{{Name: name, Delete: true}}, nil
			}
			return nil, nil
		}
		issue := issueOf(rules, one, found, from, name)
		if there {
			before, err := v.Record(ctx, name)
			if err != nil || strings.Contains(string(before.Body), quoted(issue["detail"])) {
				return nil, err
			}
		}
		return []commit.Draft{draft(name, issue)}, nil
	}}}
}

// quoted is a text as it stands in a resource that the hub makes.
func quoted(text any) string {
	body, _ := encode(object{"": text})
	return strings.TrimSuffix(strings.TrimPrefix(string(body), `{"":`), "}")
}

// issueOf is the DetectedIssue (R4 detectedissue.html).
func issueOf(rules *Rules, one *suspect, d *Difference, from, name hub.Name) object {
	sign := "+"
	if d.Absolute.Sign() < 0 {
		sign = ""
	}
	detail := fmt.Sprintf("delta check of %s: %s%s %s", d.Limit.Analyte, sign, short(d.Absolute), d.Unit)
	if d.Percent != nil {
		detail += fmt.Sprintf(" (%s%s %%)", sign, d.Percent.FloatString(1))
	}
	detail += fmt.Sprintf(" against a result of at most %s before, by rules %s", d.Limit.Within, rules.Version)
	return object{
		"resourceType": "DetectedIssue", "id": name.ID, "status": "final", "severity": "moderate",
		"code":               object{"coding": []any{object{"system": System, "code": "delta-check", "display": "Delta check"}}},
		"patient":            object{"reference": one.result.Patient.String()},
		"identifiedDateTime": one.rec.Time.UTC().Format(fhir.InstantFormat),
		"implicated":         []any{object{"reference": one.rec.Name.String()}, object{"reference": from.String()}},
		"detail":             detail,
	}
}
