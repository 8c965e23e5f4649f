package recognition

import (
	"encoding/json"
	"strconv"
	"time"
)

// Account writes down what the rules found when a decision was made, so that it can be explained when catalogue and results have
// changed. It keeps codes and what they were made of, not words, and nothing that a result says: a value is for who may read the
// result. At most most judgements are kept, the first ones; version is that of a judgement's result, by its ID.
func (d *Decision) Account(most int, version func(id string) uint64) string {
	text, err := json.Marshal(d.account(&most, version))
	if err != nil {
		return "" // a decision has nothing that JSON does not
	}
	return string(text)
}

// ReadAccount reads what Account wrote: a decision whose items have nothing but ids, and the version of each judgement's result.
func ReadAccount(text string) (d Decision, versions map[string]uint64, err error) {
	var a accounted
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return d, nil, err
	}
	versions = map[string]uint64{}
	return a.decision(versions), versions, nil
}

type accounted struct {
	Item      string      `json:"item,omitempty"`
	Panel     string      `json:"panel,omitempty"`
	Outcome   Outcome     `json:"outcome"`
	Catalogue string      `json:"catalogue,omitempty"`
	Time      time.Time   `json:"time,omitzero"`
	Found     []noted     `json:"found,omitempty"`
	Judged    []judged    `json:"judged,omitempty"`
	Members   []accounted `json:"members,omitempty"`
}

type judged struct {
	ID      string  `json:"id"`
	Version uint64  `json:"version,omitempty"`
	Outcome Outcome `json:"outcome"`
	Found   []noted `json:"found"`
}

// noted is a Reason; In are its details, each behind a letter for its form.
type noted struct {
	Code   Code     `json:"code"`
	Effect Effect   `json:"effect"`
	In     []string `json:"in,omitempty"`
}

func (d *Decision) account(most *int, version func(string) uint64) accounted {
	a := accounted{Outcome: d.Outcome, Catalogue: d.Catalogue, Time: d.Time, Found: note(d.Reasons)}
	if d.Item != nil {
		a.Item = d.Item.ID
	}
	if d.Panel != nil {
		a.Panel = d.Panel.ID
	}
	for i := range d.Judgements {
		if *most--; *most < 0 {
			break
		}
		j := &d.Judgements[i]
		a.Judged = append(a.Judged, judged{j.ID, version(j.ID), j.Outcome, note(j.Reasons)})
	}
	for i := range d.Members {
		a.Members = append(a.Members, d.Members[i].account(most, version))
	}
	return a
}

func (a *accounted) decision(versions map[string]uint64) Decision {
	d := Decision{Outcome: a.Outcome, Catalogue: a.Catalogue, Time: a.Time, Reasons: reasons(a.Found)}
	if a.Item != "" {
		d.Item = &Item{ID: a.Item}
	}
	if a.Panel != "" {
		d.Panel = &Panel{ID: a.Panel}
	}
	for _, j := range a.Judged {
		versions[j.ID] = j.Version
		d.Judgements = append(d.Judgements, Judgement{ID: j.ID, Outcome: j.Outcome, Reasons: reasons(j.Found)})
	}
	for i := range a.Members {
		d.Members = append(d.Members, a.Members[i].decision(versions))
	}
	return d
}

// withheld stands for what a result says.
const withheld = "t…"

func note(reasons []Reason) []noted {
	all := make([]noted, len(reasons))
	for i, r := range reasons {
		all[i] = noted{Code: r.Code, Effect: r.Effect}
		for _, d := range r.details {
			switch {
			case d.form == absent:
			case r.Code == UnitConvertible || r.Code == ValueMoved:
				all[i].In = append(all[i].In, withheld)
			case d.form == aText:
				all[i].In = append(all[i].In, "t"+d.text)
			case d.form == aNumber:
				all[i].In = append(all[i].In, "n"+strconv.FormatFloat(d.number, 'g', -1, 64))
			case d.form == aSpan:
				all[i].In = append(all[i].In, "s"+strconv.FormatFloat(d.number, 'f', -1, 64))
			}
		}
	}
	return all
}

func reasons(list []noted) []Reason {
	all := make([]Reason, len(list))
	for i, n := range list {
		all[i] = Reason{Code: n.Code, Effect: n.Effect}
		for k, in := range n.In {
			if k >= len(all[i].details) || in == "" {
				break
			}
			d := &all[i].details[k]
			switch number, _ := strconv.ParseFloat(in[1:], 64); in[0] {
			case 'n':
				*d = detail{number: number, form: aNumber}
			case 's':
				*d = detail{number: number, form: aSpan}
			default:
				*d = text(in[1:])
			}
		}
	}
	return all
}
