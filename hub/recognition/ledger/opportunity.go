package ledger

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/hub/recognition"
)

// Opportunity is what one or more Offers came down to, and all that has become known about it since.
type Opportunity struct {
	ID string
	// Member orders, Patient is the one asked about.
	Member, Patient              string
	Encounter, Visit, Department string
	// Item is the id of the catalogue's item or panel; where it has none, the order's code as system|code, or its text.
	Item, Title        string
	Kind               recognition.Kind
	Modality, BodyPart string
	// Hook and Instance are those of the last offer that said something new.
	Hook, Instance string
	Outcome        recognition.Outcome
	// Override is the reason that the decision suggests for a repeat; empty for none.
	Override  string
	Catalogue string
	Saving    recognition.Money
	// Shown are the results that were best for the order, and those whose producer was not qualified; Judged how many were
	// judged in all.
	Shown  []Shown
	Judged int
	// Restricted: a result shown has a label that keeps it from all but its owner.
	Restricted bool
	Orders     []Order
	Cards      []string
	// First and Last are when it was offered, as far as something new was said.
	First, Last time.Time
	Choice      Choice
	Repeat      Repeat
	Withdrawn   []Loss
	// Account is what the rules found when it was last offered with something new, as recognition.ReadAccount reads it.
	Account string

	key    key      // of an offer, to find that of the day before
	givers []string // in memory: what Givers says
}

// key is what makes two opportunities different, but for the day.
type key struct{ member, patient, encounter, item, side string }

// on is the id of the opportunity of a day: a UUID (RFC 9562, version 8) that tells nothing of what it is made of, so that it
// can be a card's.
func (k key) on(day string) string {
	h := digest([]string{"opportunity", k.member, k.patient, k.encounter, k.item, k.side, day})
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// Shown is a result that was judged.
type Shown struct {
	// Result is a reference: "Observation/1".
	Result  string
	Version uint64
	// Patient is whose it was.
	Patient, Producer string
	Outcome           recognition.Outcome
	Taken, Expires    time.Time
	Mark              string
	// Best: it is what the card offered in place of the order, or of a part of it.
	Best bool
	// Unqualified: its producer was not, or not known to be, qualified for the item when it was taken.
	Unqualified bool
	// Reasons are the codes of what did not pass.
	Reasons []recognition.Code
	// Said stands for what the result said; Parts are the instances of a study.
	Said  string
	Parts int
}

// Order is the order that an opportunity is about, as its asker names it.
type Order struct {
	ID          string
	Identifiers []Identifier
	// Reference is the ServiceRequest of the hub, once there is one.
	Reference string
}

// Verdict is what a doctor chose.
type Verdict string

// The verdicts; none is empty.
const (
	Recognised    Verdict = "recognised"
	NotRecognised Verdict = "not-recognised"
	ExemptRepeat  Verdict = "exempt"
)

// Choice is what a doctor made of an opportunity.
type Choice struct {
	Verdict           Verdict
	Reason, Text, Who string
	At                time.Time
}

// Repeat is the order or the result by which it is known that the test was repeated.
type Repeat struct {
	What string
	At   time.Time
}

// Loss says that a result that was relied on does not hold any more, and why.
type Loss struct {
	Result string
	Cause  Cause
	At     time.Time
}

// relied tells whether somebody relies on what was shown.
func (o *Opportunity) relied() bool { return o.Choice.Verdict == Recognised }

// best are the results that the card offered.
func (o *Opportunity) best() []Shown {
	return slices.DeleteFunc(slices.Clone(o.Shown), func(s Shown) bool { return !s.Best })
}

// Givers are the members whose results could stand for the order, sorted.
func (o *Opportunity) Givers() []string {
	if o.givers != nil {
		return o.givers
	}
	var all []string
	for _, s := range o.Shown {
		if s.Best && s.Producer != "" {
			all = append(all, s.Producer)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Until is the last moment at which an order of the item would be a repeat; zero where there is none.
func (o *Opportunity) Until() time.Time {
	var end time.Time
	for _, s := range o.Shown {
		if s.Best && s.Expires.After(end) {
			end = s.Expires
		}
	}
	return end
}

// Reason is why the doctor repeats the test, or why that is allowed.
func (o *Opportunity) Reason() string {
	if o.Choice.Reason == "" && o.Outcome == recognition.Exempt {
		return o.Override
	}
	return o.Choice.Reason
}

// opportunityOf reads an offer as an opportunity that nothing is known of yet.
func opportunityOf(member string, f *Offer, zone *time.Location) Opportunity {
	d := &f.Answer.Decision
	o := Opportunity{Member: member, Patient: f.Patient, Encounter: strings.TrimPrefix(f.Encounter, "Encounter/"), Visit: f.Visit, Department: f.Department,
		Modality: f.Modality, BodyPart: f.BodyPart, Hook: f.Hook, Instance: f.Instance, Outcome: d.Outcome, Override: d.Override, Catalogue: d.Catalogue,
		Saving: d.Saving, First: f.At, Last: f.At}
	side := ""
	switch exam := &f.Answer.Order.Exam; {
	case d.Panel != nil:
		o.Item, o.Title, o.Kind = d.Panel.ID, d.Panel.Chinese, recognition.Laboratory
	case d.Item != nil:
		o.Item, o.Title, o.Kind = d.Item.ID, d.Item.Chinese, d.Item.Kind
		if d.Item.Paired {
			side = strconv.Itoa(int(exam.Side))
		}
	case len(exam.Codes) > 0:
		o.Item = exam.Codes[0].System + "|" + exam.Codes[0].Code
	default:
		o.Item = strings.ToLower(strings.TrimSpace(strings.Join(exam.Text, " ")))
	}
	o.Item = cut(o.Item, 200)
	o.key = key{o.Member, o.Patient, o.Encounter, o.Item, side}
	o.ID = o.key.on(f.At.In(zone).Format(time.DateOnly))
	if f.Answer.Order.ID != "" || len(f.Identifiers) > 0 {
		o.Orders = []Order{{ID: f.Answer.Order.ID, Identifiers: f.Identifiers}}
	}
	o.Cards = []string{o.ID}
	if f.Card != "" {
		o.Cards[0] = f.Card
	}
	o.Account = d.Account(mostShown, func(id string) uint64 { return f.Answer.Result(id).Version })
	o.show(f, d)
	for i := range d.Members {
		o.show(f, &d.Members[i])
	}
	if len(o.Shown) > mostShown {
		o.Shown = o.Shown[:mostShown]
	}
	return o
}

// mostShown is how many results an opportunity remembers, mostNames how many cards and orders.
const (
	mostShown = 60
	mostNames = 20
)

func (o *Opportunity) show(f *Offer, d *recognition.Decision) {
	best := d.Best()
	for i := range d.Judgements {
		j := &d.Judgements[i]
		o.Judged++
		s := Shown{Outcome: j.Outcome, Taken: j.Taken.Latest, Expires: j.Expires, Mark: j.Mark,
			Best: j == best && (j.Outcome == recognition.Recognisable || j.Outcome == recognition.Exempt)}
		s.Result, _, _ = strings.Cut(j.ID, "#")
		for _, r := range j.Reasons {
			if r.Effect == recognition.Pass {
				continue
			}
			s.Reasons = append(s.Reasons, r.Code)
			s.Unqualified = s.Unqualified || r.Code == recognition.NotQualified || r.Code == recognition.QualificationMissing
		}
		if !s.Best && !s.Unqualified {
			continue
		}
		if r := f.Answer.Result(j.ID); r.Name.ID != "" {
			s.Result, s.Version, s.Patient, s.Producer = r.Name.String(), r.Version, r.Patient, r.Producer
		}
		at := slices.IndexFunc(o.Shown, func(there Shown) bool { return there.Result == s.Result })
		switch {
		case at < 0 && s.Best:
			o.Shown = append([]Shown{s}, o.Shown...)
		case at < 0:
			o.Shown = append(o.Shown, s)
		case s.Best: // of a component: the result is one
			o.Shown[at] = s
		}
	}
}

// again is what an opportunity is when it is offered once more. A choice ends that: what was shown before it is what it was
// about, and only the order's and the card's names are added.
func (o Opportunity) again(next Opportunity) Opportunity {
	now := o
	if o.Choice.Verdict == "" {
		now = next
		now.ID, now.First, now.Repeat, now.Withdrawn = o.ID, o.First, o.Repeat, o.Withdrawn
		if now.First.After(next.First) {
			now.First = next.First
		}
		now.Hook, now.Instance = o.Hook, o.Instance
		if next.Hook == "order-sign" {
			now.Hook, now.Instance = next.Hook, next.Instance
		}
	}
	now.Orders, now.Cards = slices.Clone(o.Orders), slices.Clone(o.Cards)
	for _, order := range next.Orders {
		if !slices.ContainsFunc(now.Orders, func(there Order) bool { return there.same(&order) }) {
			now.Orders = append(now.Orders, order)
		}
	}
	for _, card := range next.Cards {
		if !slices.Contains(now.Cards, card) {
			now.Cards = append(now.Cards, card)
		}
	}
	now.Orders, now.Cards = latest(now.Orders), latest(now.Cards)
	now.Last = o.Last
	if o.differs(&now) {
		now.Last = next.Last
	}
	return now
}

func latest[T any](list []T) []T { return list[max(0, len(list)-mostNames):] }

// differs tells whether another state of the opportunity says something new. When it was offered, by which call, and what the
// rules found on the way (a result's age) is nothing new.
func (o *Opportunity) differs(next *Opportunity) bool {
	a, b := *o, *next
	for _, o := range []*Opportunity{&a, &b} {
		o.Last, o.Instance, o.Account = time.Time{}, "", ""
	}
	return !reflect.DeepEqual(a.normal(), b.normal())
}

// normal makes two states comparable: empty lists are nil, times have no zone and no more than milliseconds.
func (o Opportunity) normal() Opportunity {
	at := func(t *time.Time) {
		if *t = t.UTC().Truncate(time.Millisecond); t.IsZero() {
			*t = time.Time{}
		}
	}
	o.key, o.givers = key{}, nil
	at(&o.First)
	at(&o.Last)
	at(&o.Choice.At)
	at(&o.Repeat.At)
	o.Shown, o.Orders, o.Cards, o.Withdrawn = some(o.Shown), some(o.Orders), some(o.Cards), some(o.Withdrawn)
	for i := range o.Shown {
		at(&o.Shown[i].Taken)
		at(&o.Shown[i].Expires)
		o.Shown[i].Reasons = some(o.Shown[i].Reasons)
	}
	for i := range o.Orders {
		o.Orders[i].Identifiers = some(o.Orders[i].Identifiers)
	}
	for i := range o.Withdrawn {
		at(&o.Withdrawn[i].At)
	}
	return o
}

func some[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

// same tells whether two names of orders are the same one's.
func (r *Order) same(other *Order) bool {
	return r.ID == other.ID && slices.Equal(r.Identifiers, other.Identifiers)
}

// choose is what an opportunity is after a doctor's choice; changed is false where it was made before.
func (o Opportunity) choose(f Feedback) (next Opportunity, changed bool) {
	c := Choice{Reason: f.Reason, Text: f.Text, Who: f.Who, At: f.At}
	switch {
	case f.Outcome == Accepted:
		c.Verdict = Recognised
	case o.Outcome == recognition.Exempt:
		c.Verdict = ExemptRepeat
	default:
		c.Verdict = NotRecognised
	}
	before := o.Choice
	if before.Verdict == c.Verdict && before.Reason == c.Reason && before.Text == c.Text || c.At.Before(before.At) {
		return o, false
	}
	o.Choice = c
	return o, true
}

// identify makes a FHIR id of parts that tells nothing of them.
func identify(parts ...string) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(digest(parts)[:20]))
}

func digest(parts []string) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return h.Sum(nil)
}

// cut shortens a text to a number of bytes, between two characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
