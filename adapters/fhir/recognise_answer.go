package fhir

import (
	"encoding/json"
	"strings"
	"time"

	"concord/hub/access"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
)

type parameter map[string]any

// decided renders what was decided on one order: outcome, catalogue, time, item or panel, override, saving, reason… , and for
// each candidate result (Reference), outcome, title, value, taken, producer, expires, mark, saving, caution, link… , reason… .
// A panel has a member with all this for each of its items.
func decided(a *advice.Answer, at time.Time, l advice.Links) []parameter {
	d := &a.Decision
	list := []parameter{{"name": "outcome", "valueCode": d.Outcome}, {"name": "catalogue", "valueString": d.Catalogue}, {"name": "time", "valueDateTime": at.Format(time.RFC3339)}}
	if a.More {
		list = append(list, parameter{"name": "more", "valueBoolean": true})
	}
	return append(list, decisionParts(a, d, l)...)
}

func decisionParts(a *advice.Answer, d *recognition.Decision, l advice.Links) (list []parameter) {
	if d.Item != nil {
		list = append(list, parameter{"name": "item", "valueCode": d.Item.ID})
	}
	if d.Panel != nil {
		list = append(list, parameter{"name": "panel", "valueCode": d.Panel.ID})
	}
	if d.Override != "" {
		list = append(list, parameter{"name": "override", "valueCode": d.Override})
	}
	list = append(append(list, saving(d.Saving)...), reasonParameters(d.Reasons)...)
	for i := range d.Judgements {
		list = append(list, parameter{"name": "candidate", "part": candidateParts(a, &d.Judgements[i], l)})
	}
	for i := range d.Members {
		m := &d.Members[i]
		part := append([]parameter{{"name": "outcome", "valueCode": m.Outcome}}, decisionParts(a, m, l)...)
		list = append(list, parameter{"name": "member", "part": part})
	}
	return list
}

func candidateParts(a *advice.Answer, j *recognition.Judgement, l advice.Links) []parameter {
	r := a.Result(j.ID)
	parts := []parameter{
		{"name": "result", "valueReference": parameter{"reference": r.Name.String()}},
		{"name": "outcome", "valueCode": j.Outcome},
	}
	add := func(name, kind string, value any) { parts = append(parts, parameter{"name": name, kind: value}) }
	for _, text := range []struct{ name, value string }{{"title", r.Title}, {"value", r.Value}, {"mark", j.Mark}} {
		if text.value != "" {
			add(text.name, "valueString", text.value)
		}
	}
	if r.Taken.Known() {
		add("taken", "valueDateTime", r.Taken.Latest.Format(time.RFC3339))
	}
	producer := parameter{"identifier": parameter{"system": access.MemberSystem, "value": r.Producer}}
	if r.ProducerName != "" {
		producer["display"] = r.ProducerName
	}
	add("producer", "valueReference", producer)
	if !j.Expires.IsZero() {
		add("expires", "valueDateTime", j.Expires.Format(time.RFC3339))
	}
	if j.Caution {
		add("caution", "valueBoolean", true)
	}
	parts = append(parts, saving(j.Saving)...)
	for _, link := range l.Of(r, a.Reports) {
		add("link", "valueUrl", link.URL)
	}
	return append(parts, reasonParameters(j.Reasons)...)
}

// saving is what need not be spent (R4 Money).
func saving(m recognition.Money) []parameter {
	if !m.Known() {
		return nil
	}
	amount, currency, _ := strings.Cut(m.String(), " ")
	return []parameter{{"name": "saving", "valueMoney": parameter{"value": json.Number(amount), "currency": currency}}}
}

func reasonParameters(reasons []recognition.Reason) []parameter {
	list := make([]parameter, len(reasons))
	for i, r := range reasons {
		list[i] = parameter{"name": "reason", "part": reasonParts(r)}
	}
	return list
}

func reasonParts(r recognition.Reason) []parameter {
	return []parameter{
		{"name": "code", "valueCode": r.Code}, {"name": "effect", "valueCode": r.Effect},
		{"name": "zh", "valueString": r.Chinese()}, {"name": "en", "valueString": r.English()},
	}
}

// explained lays one order's decision out by rules: a line for each rule and candidate, with what the rule looked at.
func explained(a *advice.Answer) []parameter {
	list := []parameter{{"name": "outcome", "valueCode": a.Decision.Outcome}, {"name": "catalogue", "valueString": a.Decision.Catalogue}}
	for _, line := range recognition.Explain(a.Decision) {
		parts := []parameter{
			{"name": "number", "valuePositiveInt": line.Rule}, {"name": "effect", "valueCode": line.Effect},
			{"name": "zh", "valueString": line.Chinese}, {"name": "en", "valueString": line.English},
		}
		if line.Item != nil {
			parts = append(parts, parameter{"name": "item", "valueCode": line.Item.ID})
		}
		if line.Candidate != "" {
			parts = append(parts, parameter{"name": "result", "valueReference": parameter{"reference": a.Result(line.Candidate).Name.String()}})
		}
		for _, f := range line.Findings {
			finding := reasonParts(f)
			for _, in := range f.Inputs() {
				finding = append(finding, parameter{"name": "input", "part": []parameter{
					{"name": "zh", "valueString": in.Chinese}, {"name": "en", "valueString": in.English}, {"name": "value", "valueString": in.Value},
				}})
			}
			parts = append(parts, parameter{"name": "finding", "part": finding})
		}
		list = append(list, parameter{"name": "rule", "part": parts})
	}
	return list
}
