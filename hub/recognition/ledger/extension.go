package ledger

import (
	"encoding/json"
	"iter"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/internal/fhir"
)

// extensions gathers extensions (R4 extensibility.html); what is empty is left out.
type extensions struct{ list []any }

func (x *extensions) add(name, kind string, value any) {
	x.list = append(x.list, object{"url": System + ":" + name, kind: value})
}

func (x *extensions) group(name string, parts extensions) {
	if len(parts.list) == 0 {
		return
	}
	x.add(name, "extension", parts.list)
}

func (x *extensions) text(name, v string) {
	if v != "" {
		x.add(name, "valueString", v)
	}
}

func (x *extensions) code(name, v string) {
	if v != "" {
		x.add(name, "valueCode", v)
	}
}

func (x *extensions) flag(name string, v bool) {
	if v {
		x.add(name, "valueBoolean", true)
	}
}

func (x *extensions) number(name string, v int) { x.add(name, "valueInteger", v) }

func (x *extensions) instant(name string, t time.Time) {
	if !t.IsZero() {
		x.add(name, "valueInstant", instant(t))
	}
}

func (x *extensions) reference(name, ref string) {
	if ref != "" {
		x.add(name, "valueReference", object{"reference": ref})
	}
}

func (x *extensions) member(name, id string) {
	if id != "" {
		x.add(name, "valueReference", organization(id))
	}
}

// organization refers to a member.
func organization(id string) object {
	return object{"type": "Organization", "identifier": object{"system": access.MemberSystem, "value": id}}
}

func (x *extensions) money(name string, m recognition.Money) {
	if m.Known() {
		value, currency, _ := strings.Cut(m.String(), " ")
		x.add(name, "valueMoney", object{"value": json.Number(value), "currency": currency})
	}
}

// extended yields the extensions of the ledger by the last part of their URL, with what they hold.
func extended(v fhir.Value) iter.Seq2[string, fhir.Value] {
	return func(yield func(string, fhir.Value) bool) {
		for e := range v.Get("extension").Items() {
			name, ok := strings.CutPrefix(e.Get("url").Text(), System+":")
			if !ok {
				continue
			}
			held := e
			for member, value := range e.Members() {
				if strings.HasPrefix(member, "value") {
					held = value
				}
			}
			if !yield(name, held) {
				return
			}
		}
	}
}

// ReadOpportunity reads a GuidanceResponse of the ledger; ok is false for another.
func ReadOpportunity(rec *hub.Record) (o Opportunity, ok bool) {
	if rec.Name.Type != "GuidanceResponse" || rec.Deleted || rec.Member != Origin {
		return o, false
	}
	doc, err := fhir.DocOf(rec)
	if err != nil || doc.Root().Get("moduleUri").Text() != System {
		return o, false
	}
	v := doc.Root()
	o = Opportunity{ID: rec.Name.ID, Patient: v.Get("subject").Get("reference").Text(), First: timeOf(v.Get("occurrenceDateTime")),
		Encounter: v.Get("encounter").Get("identifier").Get("value").Text(), Restricted: v.Get("meta").Get("security").Kind() != fhir.Absent}
	for id := range v.Get("identifier").Items() {
		if id.Get("system").Text() == CardSystem {
			o.Cards = append(o.Cards, id.Get("value").Text())
		}
	}
	for name, e := range extended(v) {
		switch name {
		case "using":
			o.Member = memberOf(e)
		case "item":
			o.Item, o.Title = e.Get("code").Text(), e.Get("display").Text()
		case "kind":
			o.Kind = recognition.Kind(e.Text())
		case "outcome":
			o.Outcome = recognition.Outcome(e.Text())
		case "override":
			o.Override = e.Text()
		case "catalogue":
			o.Catalogue = e.Text()
		case "saving":
			o.Saving = moneyOf(e)
		case "department":
			o.Department = e.Text()
		case "visit":
			o.Visit = e.Text()
		case "modality":
			o.Modality = e.Text()
		case "body-part":
			o.BodyPart = e.Text()
		case "hook":
			o.Hook = e.Text()
		case "hook-instance":
			o.Instance = e.Text()
		case "last-offered":
			o.Last = timeOf(e)
		case "judged":
			o.Judged = intOf(e)
		case "account":
			o.Account = e.Text()
		case "shown":
			o.Shown = append(o.Shown, readShown(e))
		case "order":
			o.Orders = append(o.Orders, readOrder(e))
		case "choice":
			o.Choice = readChoice(e)
		case "repeated":
			for part, value := range extended(e) {
				if part == "by" {
					o.Repeat.What = value.Get("reference").Text()
				} else {
					o.Repeat.At = timeOf(value)
				}
			}
		case "withdrawn":
			o.Withdrawn = append(o.Withdrawn, readLoss(e))
		}
	}
	return o, o.Member != "" && o.Outcome != ""
}

func readShown(e fhir.Value) (s Shown) {
	for part, v := range extended(e) {
		switch part {
		case "result":
			s.Result = v.Get("reference").Text()
		case "version":
			s.Version, _ = strconv.ParseUint(v.Text(), 10, 64)
		case "patient":
			s.Patient = v.Get("reference").Text()
		case "giving":
			s.Producer = memberOf(v)
		case "outcome":
			s.Outcome = recognition.Outcome(v.Text())
		case "taken":
			s.Taken = timeOf(v)
		case "expires":
			s.Expires = timeOf(v)
		case "mark":
			s.Mark = v.Text()
		case "best":
			s.Best = true
		case "unqualified":
			s.Unqualified = true
		case "reason":
			s.Reasons = append(s.Reasons, recognition.Code(v.Text()))
		case "said":
			s.Said = v.Text()
		case "parts":
			s.Parts = intOf(v)
		}
	}
	return s
}

func readOrder(e fhir.Value) (r Order) {
	for part, v := range extended(e) {
		switch part {
		case "id":
			r.ID = v.Text()
		case "identifier":
			r.Identifiers = append(r.Identifiers, Identifier{v.Get("system").Text(), v.Get("value").Text()})
		case "order":
			r.Reference = v.Get("reference").Text()
		}
	}
	return r
}

func readChoice(e fhir.Value) (c Choice) {
	for part, v := range extended(e) {
		switch part {
		case "verdict":
			c.Verdict = Verdict(v.Text())
		case "reason":
			c.Reason = v.Text()
		case "text":
			c.Text = v.Text()
		case "who":
			c.Who = v.Text()
		case "at":
			c.At = timeOf(v)
		}
	}
	return c
}

func readLoss(e fhir.Value) (l Loss) {
	for part, v := range extended(e) {
		switch part {
		case "result":
			l.Result = v.Get("reference").Text()
		case "cause":
			l.Cause = Cause(v.Text())
		case "at":
			l.At = timeOf(v)
		}
	}
	return l
}

func memberOf(v fhir.Value) string { return v.Get("identifier").Get("value").Text() }

func timeOf(v fhir.Value) time.Time {
	t, _ := time.Parse(time.RFC3339, v.Text())
	return t
}

func intOf(v fhir.Value) int {
	n, _ := strconv.Atoi(v.Text())
	return n
}

// moneyOf reads a Money that was written with two decimals.
func moneyOf(v fhir.Value) recognition.Money {
	amount, err := strconv.ParseInt(strings.Replace(v.Get("value").Text(), ".", "", 1), 10, 64)
	if err != nil {
		return recognition.Money{}
	}
	return recognition.Money{Amount: amount, Currency: v.Get("currency").Text()}
}
