package ledger

import (
	"context"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/internal/fhir"
)

// Withdrawal tells whoever relied on a result that it does not hold any more: a CommunicationRequest, with a Flag on the patient
// until it is acknowledged, and a Communication of who did.
type Withdrawal struct {
	ID          string
	Open        bool
	Opportunity string // its id
	Patient     string
	Member      string // that relied
	Producer    string
	Result      string
	Order       string // reference, or empty
	Item, Title string
	Cause       Cause
	Text        string
	Raised      time.Time
}

// withdrawalCode finds withdrawals among CommunicationRequests, Communications and Flags.
const withdrawalCode = "recognition-withdrawn"

// withdrawalOf is the withdrawal of a result from an opportunity.
func withdrawalOf(o *Opportunity, s *Shown, why Cause, at time.Time) Withdrawal {
	w := Withdrawal{ID: identify("withdrawal", o.ID, s.Result), Open: true, Opportunity: o.ID, Patient: o.Patient, Member: o.Member, Producer: s.Producer,
		Result: s.Result, Item: o.Item, Title: o.Title, Cause: why, Raised: at}
	for _, r := range o.Orders {
		if r.Reference != "" {
			w.Order = r.Reference
		}
	}
	name := w.Title
	if name == "" {
		name = w.Item
	}
	w.Text = "已互认的结果不再有效 / A recognised result does not hold any more: " + name + " (" + string(why) + ")"
	return w
}

func (w *Withdrawal) name() hub.Name { return hub.Name{Type: "CommunicationRequest", ID: w.ID} }
func (w *Withdrawal) flag() hub.Name { return hub.Name{Type: "Flag", ID: w.ID} }

func withdrawalConcept() object {
	return object{"coding": []any{titled(System, withdrawalCode, "Recognised result withdrawn (互认结果撤回)")}}
}

// drafts are its resources as they are at a time.
func (w *Withdrawal) drafts(at time.Time) []commit.Draft {
	meta := object{"source": access.MemberSystem + ":" + w.Member}
	about := []any{object{"reference": w.Result}, object{"reference": "GuidanceResponse/" + w.Opportunity}}
	if w.Order != "" {
		about = append(about, object{"reference": w.Order})
	}
	status, flag, period := "active", "active", object{"start": instant(w.Raised)}
	if !w.Open {
		status, flag, period["end"] = "completed", "inactive", instant(at)
	}
	var x extensions
	x.code("cause", string(w.Cause))
	x.add("item", "valueCoding", titled(System+":item", w.Item, w.Title))
	list := []commit.Draft{draft(w.name(), object{"resourceType": "CommunicationRequest", "meta": meta, "status": status, "priority": "urgent",
		"category": []any{withdrawalConcept()}, "subject": object{"reference": w.Patient}, "about": about,
		"payload": []any{object{"contentString": w.Text}}, "authoredOn": instant(w.Raised),
		"recipient": []any{organization(w.Member)}, "sender": organization(w.Producer), "extension": x.list})}
	return append(list, draft(w.flag(), object{"resourceType": "Flag", "meta": meta, "status": flag,
		"category": []any{object{"coding": []any{coded("http://terminology.hl7.org/CodeSystem/flag-category", "clinical")}}},
		"code":     object{"coding": withdrawalConcept()["coding"], "text": w.Text}, "subject": object{"reference": w.Patient}, "period": period,
		"extension": []any{object{"url": "http://hl7.org/fhir/StructureDefinition/flag-detail", "valueReference": object{"reference": w.Result}}}}))
}

// ReadWithdrawal reads a CommunicationRequest that is a withdrawal; ok is false for another.
func ReadWithdrawal(rec *hub.Record) (w Withdrawal, ok bool) {
	if rec.Name.Type != "CommunicationRequest" || rec.Deleted || rec.Member != Origin {
		return w, false
	}
	doc, err := fhir.DocOf(rec)
	if err != nil {
		return w, false
	}
	v := doc.Root()
	w = Withdrawal{ID: rec.Name.ID, Open: v.Get("status").Text() == "active", Patient: v.Get("subject").Get("reference").Text(), Raised: timeOf(v.Get("authoredOn")),
		Producer: memberOf(v.Get("sender"))}
	for r := range v.Get("recipient").Items() {
		w.Member = memberOf(r)
	}
	i := 0
	for a := range v.Get("about").Items() {
		switch ref := a.Get("reference").Text(); i {
		case 0:
			w.Result = ref
		case 1:
			w.Opportunity = nameOf(ref).ID
		default:
			w.Order = ref
		}
		i++
	}
	for p := range v.Get("payload").Items() {
		w.Text = p.Get("contentString").Text()
	}
	for name, e := range extended(v) {
		switch name {
		case "cause":
			w.Cause = Cause(e.Text())
		case "item":
			w.Item, w.Title = e.Get("code").Text(), e.Get("display").Text()
		}
	}
	return w, w.ID == identify("withdrawal", w.Opportunity, w.Result)
}

// withdraw looks at the tail whether what an opportunity relies on holds, and tells who relied where it does not.
func (l *Ledger) withdraw(ctx context.Context, o *Opportunity) error {
	var done []Loss
	var after Opportunity
	names := o.names()
	for i := range o.Shown {
		if s := &o.Shown[i]; s.Best {
			w := withdrawalOf(o, s, "", time.Time{})
			names = append(names, nameOf(s.Result), w.name(), w.flag())
		}
	}
	_, err := l.Writer.Submit(ctx, commit.Write{Member: Origin, Names: names, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		done = nil
		now, there, err := opportunityAt(ctx, v, o.name())
		if err != nil || !there || !now.relied() {
			return nil, err
		}
		var drafts []commit.Draft
		for i := range now.Shown {
			s := &now.Shown[i]
			if !s.Best || now.isLost(s.Result) {
				continue
			}
			head, err := v.Head(ctx, nameOf(s.Result))
			if err != nil {
				return nil, err
			}
			if head.Version == 0 {
				continue
			}
			rec, err := v.Record(ctx, nameOf(s.Result))
			if err != nil {
				return nil, err
			}
			why, is := lost(s, &rec)
			if !is && !rec.Deleted {
				mine, err := l.belongs(ctx, &now, s, &rec)
				if err != nil {
					return nil, err
				}
				why, is = OtherPatient, !mine
			}
			if !is {
				continue
			}
			loss := Loss{s.Result, why, v.Time()}
			w := withdrawalOf(&now, s, why, v.Time())
			done = append(done, loss)
			drafts = append(drafts, w.drafts(v.Time())...)
		}
		if len(done) == 0 {
			return nil, nil
		}
		now.Withdrawn = append(now.Withdrawn, done...)
		after = now
		return append(drafts, now.drafts()...), nil
	}})
	if err == nil {
		for range done {
			l.observe(Lost, &after)
		}
	}
	return err
}

func (o *Opportunity) isLost(result string) bool {
	for _, w := range o.Withdrawn {
		if w.Result == result {
			return true
		}
	}
	return false
}

// Doing is who acknowledges, and what they say about it.
type Doing struct {
	Who  string // the person, as the caller names them
	Note string
}

// Acknowledge ends a withdrawal: the member that relied has taken note. It is Forbidden to others, and a Conflict where it was
// done before: of two who do it at once, one does.
func (l *Ledger) Acknowledge(ctx context.Context, who access.Caller, id string, d Doing) (Withdrawal, error) {
	if err := who.May(access.Update, "CommunicationRequest"); err != nil {
		return Withdrawal{}, err
	}
	w, err := l.Withdrawal(ctx, who, id)
	if err != nil {
		return w, err
	}
	said := hub.Name{Type: "Communication", ID: identify("acknowledged", id)}
	_, err = l.Writer.Submit(ctx, commit.Write{Member: Origin, Names: []hub.Name{w.name(), w.flag(), said}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		rec, err := v.Record(ctx, w.name())
		if err != nil {
			return nil, err
		}
		now, ok := ReadWithdrawal(&rec)
		switch {
		case !ok:
			return nil, &hub.Error{Kind: hub.NotFound, Path: "id", Msg: "there is no such withdrawal"}
		case now.Member != who.Member:
			return nil, &hub.Error{Kind: hub.Forbidden, Path: "id", Msg: "only the member that relied on the result acknowledges"}
		case !now.Open:
			return nil, &hub.Error{Kind: hub.Conflict, Path: "id", Msg: "the withdrawal has been acknowledged"}
		}
		now.Open = false
		w = now
		told := object{"resourceType": "Communication", "meta": object{"source": access.MemberSystem + ":" + who.Member}, "status": "completed",
			"basedOn": []any{object{"reference": w.name().String()}}, "category": []any{withdrawalConcept()}, "subject": object{"reference": w.Patient},
			"about": []any{object{"reference": w.Result}}, "sent": instant(v.Time()), "sender": organization(who.Member)}
		if d.Who != "" {
			told["sender"].(object)["display"] = d.Who
		}
		if d.Note != "" {
			told["payload"] = []any{object{"contentString": d.Note}}
		}
		answer := draft(said, told)
		answer.Member = who.Member
		return append(w.drafts(v.Time()), answer), nil
	}})
	if err == nil {
		l.observe(Acknowledged, &Opportunity{ID: w.Opportunity, Member: w.Member, Item: w.Item})
	}
	return w, err
}

// Withdrawal tells one.
func (l *Ledger) Withdrawal(ctx context.Context, who access.Caller, id string) (Withdrawal, error) {
	if err := who.May(access.Read, "CommunicationRequest"); err != nil {
		return Withdrawal{}, err
	}
	rec, err := l.Reader.Read(ctx, who, l.Records, hub.Name{Type: "CommunicationRequest", ID: id})
	if err != nil {
		return Withdrawal{}, err
	}
	w, ok := ReadWithdrawal(&rec)
	if !ok {
		return w, &hub.Error{Kind: hub.NotFound, Path: "id", Msg: "there is no such withdrawal"}
	}
	return w, nil
}

// mostWithdrawals is how many are looked at for a list.
const mostWithdrawals = 2000

// Withdrawals tells those of a member, the first raised first; empty: the caller's. all: those that are acknowledged, too.
func (l *Ledger) Withdrawals(ctx context.Context, who access.Caller, member string, all bool) ([]Withdrawal, error) {
	if err := who.May(access.Search, "CommunicationRequest"); err != nil {
		return nil, err
	}
	if member == "" {
		member = who.Member
	}
	params := []fhir.Pair{{Name: "category", Value: System + "|" + withdrawalCode}, {Name: "_sort", Value: "authored"},
		{Name: "recipient:identifier", Value: access.MemberSystem + "|" + fhir.Escape(member)}}
	if !all {
		params = append(params, fhir.Pair{Name: "status", Value: "active"})
	}
	search, err := fhir.CompileSearch("CommunicationRequest", params, fhir.SearchOptions{})
	if err != nil {
		return nil, err
	}
	search.Query.Limit = 500
	list := []Withdrawal{}
	for read := 0; read < mostWithdrawals; {
		page, err := l.Reader.Search(ctx, who, []hub.Partition{l.Records}, search.Query, "withdrawals")
		if err != nil {
			return nil, err
		}
		for i := range page.Records {
			if w, ok := ReadWithdrawal(&page.Records[i]); ok && w.Member == member {
				list = append(list, w)
			}
		}
		if read += len(page.Records); page.Next == nil {
			break
		}
		search.Query.After = page.Next
	}
	return list, nil
}
