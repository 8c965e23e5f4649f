package ledger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/internal/fhir"
)

// derive writes what follows from versions of things, which came in this order.
func (l *Ledger) derive(ctx context.Context, recs []hub.Record) error {
	offers, err := l.offers(ctx, recs)
	if err != nil {
		return err
	}
	for i := range recs {
		if o := offers[&recs[i]]; o != nil {
			err = l.deriveOffer(ctx, o)
		} else {
			err = l.deriveOne(ctx, &recs[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// offer is an opportunity with the ServiceRequests that the hub has under the names of its orders.
type offer struct {
	Opportunity
	orders map[string]hub.Loc // by Order.ID
}

// offers are the opportunities among records. The orders of all are looked up at once: most are drafts that the hub never sees.
func (l *Ledger) offers(ctx context.Context, recs []hub.Record) (map[*hub.Record]*offer, error) {
	offers := map[*hub.Record]*offer{}
	var names []hub.Name
	for i := range recs {
		if recs[i].Name.Type != "GuidanceResponse" {
			continue
		}
		o, ok := ReadOpportunity(&recs[i])
		if !ok {
			continue
		}
		offers[&recs[i]] = &offer{Opportunity: o, orders: map[string]hub.Loc{}}
		for k := range o.Orders {
			if name, ok := o.Orders[k].named(); ok {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return offers, nil
	}
	slices.SortFunc(names, func(a, b hub.Name) int { return cmp.Compare(a.ID, b.ID) })
	names = slices.Compact(names)
	heads, err := l.Follower.Heads(ctx, names)
	if err != nil {
		return nil, err
	}
	there := map[hub.Name]hub.Loc{}
	for i, h := range heads {
		if h.Version > 0 && !h.Deleted {
			there[names[i]] = h.Loc
		}
	}
	for _, o := range offers {
		for k := range o.Orders {
			if name, ok := o.Orders[k].named(); ok && there[name].Seq > 0 {
				o.orders[o.Orders[k].ID] = there[name]
			}
		}
	}
	return offers, nil
}

// named is the ServiceRequest that an order, which nobody has joined to one yet, may be by its id.
func (r *Order) named() (hub.Name, bool) {
	name := nameOf(r.ID)
	if name.ID == "" {
		name.ID = r.ID
	}
	return hub.Name{Type: "ServiceRequest", ID: name.ID}, r.Reference == "" && fhir.ValidID(name.ID)
}

// deriveOne is derive for one that is no opportunity.
func (l *Ledger) deriveOne(ctx context.Context, rec *hub.Record) error {
	switch rec.Name.Type {
	case "GuidanceResponse":
		return nil
	case "ServiceRequest":
		return l.deriveOrder(ctx, rec)
	case "Patient", "Person":
		return l.derivePerson(ctx, rec)
	}
	for _, o := range l.book.of(byResult, rec.Name.String()) {
		if o.relied() && !o.isLost(rec.Name.String()) {
			if err := l.withdraw(ctx, o); err != nil {
				return err
			}
		}
	}
	if rec.Deleted {
		return nil
	}
	return l.deriveResult(ctx, rec)
}

// deriveOffer looks for what was there before the opportunity was written: its order, and corrections of what it relies on.
func (l *Ledger) deriveOffer(ctx context.Context, o *offer) error {
	if o.relied() && len(o.Withdrawn) == 0 {
		if err := l.withdraw(ctx, &o.Opportunity); err != nil {
			return err
		}
	}
	for k := range o.Orders {
		if o.Orders[k].Reference != "" {
			continue
		}
		orders, err := l.ordersOf(ctx, o, &o.Orders[k])
		if err != nil {
			return err
		}
		for i := range orders {
			if err := l.deriveOrder(ctx, &orders[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// ordersOf finds ServiceRequests that the hub has under the names of an order.
func (l *Ledger) ordersOf(ctx context.Context, o *offer, r *Order) (recs []hub.Record, err error) {
	var locs []hub.Loc
	if loc, there := o.orders[r.ID]; there {
		locs = append(locs, loc)
	}
	for _, id := range r.Identifiers {
		if id.System == "" {
			continue
		}
		search, err := fhir.CompileSearch("ServiceRequest", []fhir.Pair{{Name: "identifier", Value: fhir.Escape(id.System) + "|" + fhir.Escape(id.Value)}}, fhir.SearchOptions{Count: 10})
		if err != nil {
			return nil, err
		}
		page, err := l.Follower.Search(ctx, search.Query)
		if err != nil {
			return nil, err
		}
		for _, hit := range page.Hits {
			locs = append(locs, hit.Head.Loc)
		}
	}
	return l.Follower.Log().Records(ctx, locs)
}

// deriveOrder attaches an order to the opportunities that name it, and sees whether it is a repeat.
func (l *Ledger) deriveOrder(ctx context.Context, rec *hub.Record) error {
	if rec.Deleted {
		return nil
	}
	doc, err := fhir.DocOf(rec)
	if err != nil {
		return nil
	}
	r := doc.Root()
	keys := []string{orderSystem + rec.Member + "|" + rec.Name.ID}
	for id := range r.Get("identifier").Items() {
		keys = append(keys, id.Get("system").Text()+"|"+id.Get("value").Text())
	}
	patient := patientIn(r)
	waiting := l.book.of(byOrder, keys...)
	if len(waiting) > 0 && patient != "" {
		person, err := l.person(ctx, patient)
		if err != nil {
			return err
		}
		for _, o := range waiting {
			if o.Member != ownerOf(rec, r) || !slices.Contains(person, o.Patient) {
				continue
			}
			if err := l.attach(ctx, o, rec, keys); err != nil {
				return err
			}
		}
	}
	if !placed(r) || l.Catalogue == nil {
		return nil
	}
	at := rec.Time
	if t := timeOf(r.Get("authoredOn")); !t.IsZero() {
		at = t
	}
	exam := advice.Exam(r)
	return l.repeated(ctx, rec, patient, at, func(c *recognition.Catalogue, o *Opportunity) bool {
		d := recognition.Decide(recognition.Request{Exam: exam}, nil, c, at)
		switch {
		case d.Panel != nil:
			return d.Panel.ID == o.Item
		case d.Item != nil:
			return d.Item.ID == o.Item
		}
		return named(exam.Codes, o.Item)
	})
}

// placed tells whether an order was really given.
func placed(r fhir.Value) bool {
	switch r.Get("status").Text() {
	case "active", "completed", "on-hold":
	default:
		return false
	}
	switch r.Get("intent").Text() {
	case "order", "original-order", "reflex-order", "filler-order", "instance-order":
		return true
	}
	return false
}

func named(codes []recognition.Coding, item string) bool {
	return slices.ContainsFunc(codes, func(c recognition.Coding) bool { return c.System+"|"+c.Code == item })
}

// ownerOf is the member whose data a record holds.
func ownerOf(rec *hub.Record, r fhir.Value) string {
	const prefix = access.MemberSystem + ":"
	if m := r.Get("meta").Get("source").Text(); rec.Member == Origin && len(m) > len(prefix) && m[:len(prefix)] == prefix {
		return m[len(prefix):]
	}
	return rec.Member
}

// person are the Patients of the person that one is of, itself among them.
func (l *Ledger) person(ctx context.Context, patient string) ([]string, error) {
	if l.Linked == nil {
		return []string{patient}, nil
	}
	return l.Linked(ctx, patient)
}

// attach writes the reference of an order into an opportunity.
func (l *Ledger) attach(ctx context.Context, o *Opportunity, rec *hub.Record, keys []string) error {
	_, err := l.Writer.Submit(ctx, commit.Write{Member: Origin, Names: o.names(), Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		now, there, err := opportunityAt(ctx, v, o.name())
		if err != nil || !there {
			return nil, err
		}
		changed := false
		for i := range now.Orders {
			r := &now.Orders[i]
			if r.Reference == "" && slices.ContainsFunc(r.keys(now.Member), func(k string) bool { return slices.Contains(keys, k) }) {
				r.Reference, changed = rec.Name.String(), true
			}
		}
		if !changed {
			return nil, nil
		}
		return now.drafts(), nil
	}})
	return err
}

// deriveResult sees whether a result is a repeat.
func (l *Ledger) deriveResult(ctx context.Context, rec *hub.Record) error {
	if rec.Name.Type == "DiagnosticReport" || l.Catalogue == nil {
		return nil
	}
	doc, err := fhir.DocOf(rec)
	if err != nil {
		return nil
	}
	r := doc.Root()
	exam, taken := l.shownIn(rec.Name.Type, r)
	if taken.IsZero() {
		return nil
	}
	return l.repeated(ctx, rec, patientIn(r), taken, func(c *recognition.Catalogue, o *Opportunity) bool {
		item := c.ItemShown(exam)
		if item == nil {
			return named(exam.Codes, o.Item)
		}
		p := c.Panel(o.Item)
		return item.ID == o.Item || p != nil && slices.Contains(p.Members, item.ID)
	})
}

// repeated marks the opportunities of a patient's person that an order or a result of a time repeats.
func (l *Ledger) repeated(ctx context.Context, rec *hub.Record, patient string, at time.Time, same func(*recognition.Catalogue, *Opportunity) bool) error {
	if patient == "" || !l.book.since(at) {
		return nil
	}
	person, err := l.person(ctx, patient)
	if err != nil {
		return err
	}
	c := l.Catalogue()
	for _, o := range l.book.of(byPatient, person...) {
		if o.repeatable(at) && !o.shows(rec.Name.String()) && same(c, o) {
			if err := l.repeat(ctx, o, Repeat{rec.Name.String(), at}); err != nil {
				return err
			}
		}
	}
	return nil
}

// repeatable tells whether an order or a result of a time would be a repeat of what could be recognised.
func (o *Opportunity) repeatable(at time.Time) bool {
	return o.Outcome == recognition.Recognisable && o.Repeat.What == "" && !at.Before(o.First) && !at.After(o.Until())
}

func (o *Opportunity) shows(result string) bool {
	return slices.ContainsFunc(o.Shown, func(s Shown) bool { return s.Result == result })
}

func (l *Ledger) repeat(ctx context.Context, o *Opportunity, by Repeat) error {
	var after *Opportunity
	_, err := l.Writer.Submit(ctx, commit.Write{Member: Origin, Names: o.names(), Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		after = nil
		now, there, err := opportunityAt(ctx, v, o.name())
		if err != nil || !there || !now.repeatable(by.At) || now.shows(by.What) {
			return nil, err
		}
		now.Repeat = by
		after = &now
		return now.drafts(), nil
	}})
	if err == nil && after != nil {
		l.observe(Repeated, after)
	}
	return err
}

// derivePerson looks again at what is relied on across Patients that may not be linked any more.
func (l *Ledger) derivePerson(ctx context.Context, rec *hub.Record) error {
	patients, err := l.patientsIn(ctx, rec)
	if err != nil {
		return err
	}
	for _, o := range l.book.of(byPatient, patients...) {
		across := slices.ContainsFunc(o.Shown, func(s Shown) bool { return s.Best && s.Patient != o.Patient && !o.isLost(s.Result) })
		if o.relied() && across {
			if err := l.withdraw(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// patientsIn are the Patients that a Person or a Patient links, or linked a version before.
func (l *Ledger) patientsIn(ctx context.Context, rec *hub.Record) (all []string, err error) {
	versions := []hub.Record{*rec}
	if rec.Prev.Seq > 0 {
		before, err := l.Follower.Log().Record(ctx, rec.Prev)
		if err != nil {
			return nil, err
		}
		versions = append(versions, before)
	}
	for i := range versions {
		doc, err := fhir.Parse(versions[i].Body, fhir.Limits{})
		if err != nil || versions[i].Deleted {
			continue
		}
		for link := range doc.Root().Get("link").Items() {
			for _, to := range []string{"target", "other"} {
				if ref := link.Get(to).Get("reference").Text(); ref != "" {
					all = append(all, ref)
				}
			}
		}
	}
	if rec.Name.Type == "Patient" && len(all) > 0 {
		all = append(all, rec.Name.String())
	}
	return all, nil
}

// shownIn reads what a result is of, and when it was taken.
func (l *Ledger) shownIn(typ string, r fhir.Value) (e recognition.Exam, taken time.Time) {
	advice.Concept(&e, r.Get("code"))
	when := r.Get("started").Text()
	if typ == "ImagingStudy" {
		for m := range r.Get("modality").Items() {
			e.Modalities = append(e.Modalities, m.Get("code").Text())
		}
		for series := range r.Get("series").Items() {
			site := series.Get("bodySite")
			if term, ok := l.bodyTerm(site.Get("code").Text()); ok {
				e.Regions = append(e.Regions, term)
			} else if text := site.Get("display").Text(); text != "" {
				e.Regions = append(e.Regions, text)
			}
		}
		for p := range r.Get("procedureCode").Items() {
			advice.Concept(&e, p)
		}
		if d := r.Get("description").Text(); d != "" {
			e.Text = append(e.Text, d)
		}
	} else {
		e.Specimen = r.Get("specimen").Get("display").Text()
		for _, name := range []string{"effectiveDateTime", "effectiveInstant"} {
			if t := r.Get(name).Text(); t != "" {
				when = t
			}
		}
		if p := r.Get("effectivePeriod").Get("end").Text(); p != "" {
			when = p
		}
	}
	if _, last, ok := fhir.Interval(when, l.Limits.orDefault().Zone); ok {
		taken = last
	}
	return e, taken
}

func (l *Ledger) bodyTerm(code string) (string, bool) {
	if l.BodyTerm == nil || code == "" {
		return "", false
	}
	return l.BodyTerm(code)
}
