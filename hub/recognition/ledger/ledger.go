package ledger

import (
	"cmp"
	"context"
	"regexp"

	"time"
	"unicode/utf8"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/lookup"
	"concord/hub/projection"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/internal/fhir"
)

// Origin is the member name on the ledger's records.
const Origin = access.Hub

// System is the system of the ledger's codes and tags, and the root of the URLs of its extensions.
const System = "urn:concord:recognition"

// Offer is one order of one patient, with the Decision that was shown.
type Offer struct {
	// Patient is the one asked about: "Patient/1".
	Patient string
	// Answer is what was shown: the order as the asker names it, the Decision, and the Results behind its Judgements.
	Answer advice.Answer
	// Identifiers are the order's own, by which it is found when it comes to exist.
	Identifiers []Identifier
	// Card is the UUID that the card was shown with; empty: CardID's.
	Card string
	// Hook and Instance are the CDS Hooks hook and hookInstance; empty where the decision was asked for otherwise.
	Hook, Instance string
	// Encounter is a reference or an id, as the asker names it; Visit its number (就诊号); Department where it is (科室). All may be empty.
	Encounter, Visit, Department string
	// Modality and BodyPart are the order's, as far as it says them.
	Modality, BodyPart string
	// At is when it was shown; zero: now.
	At time.Time
}

// Identifier is a business identifier.
type Identifier struct{ System, Value string }

// Outcome is what a client of CDS Hooks says of a card.
type Outcome string

// The outcomes (CDS Hooks 2.0, Feedback).
const (
	Accepted   Outcome = "accepted"
	Overridden Outcome = "overridden"
)

// Feedback is what a doctor made of a card.
type Feedback struct {
	Card    string
	Outcome Outcome
	// Reason is a coded reason for not recognising: one of the catalogue's, or a local one. Empty where it was accepted.
	Reason string
	// Text has 200 characters at most.
	Text string
	// Who is the person, where that is known.
	Who string
	// At is when the doctor chose; zero, or in the future: now.
	At time.Time
}

// Ledger keeps the records of opportunities and counts them. Its fields are set before it is used; it is safe for concurrent use.
type Ledger struct {
	Follower *projection.Follower // of the records
	Index    hub.Index
	Writer   *commit.Committer
	Reader   *lookup.Reader
	Records  hub.Partition
	// Linked tells all Patients of a patient's person; nil: each Patient is a person.
	Linked func(ctx context.Context, patient string) ([]string, error)
	// Catalogue is what is in force now: by it repeats are known, and opportunities counted. nil: no repeats are.
	Catalogue func() *recognition.Catalogue
	// BodyTerm turns a code of a body site into a word of the catalogue.
	BodyTerm func(code string) (term string, ok bool)
	Now      func() time.Time
	Limits   Limits
	// Observe, where not nil, is told of what this hub brought about, once it is durable.
	Observe func(e Event, o *Opportunity)

	queue queue
	book  book
}

// Event is something that became of an opportunity.
type Event string

// The events.
const (
	Offered      Event = "offered" // a new opportunity
	Chosen       Event = "chosen"
	Repeated     Event = "repeated"
	Lost         Event = "withdrawn"
	Acknowledged Event = "acknowledged"
	Dropped      Event = "dropped" // an offer that could not be kept
)

// counting is what the catalogue in force says of counting; without a catalogue nothing.
func (l *Ledger) counting() recognition.Counting {
	if l.Catalogue == nil {
		return recognition.Counting{}
	}
	return l.Catalogue().Counting
}

// Limits are bounds of the program. Zero values mean the defaults named.
type Limits struct {
	// Queue is how many offers may wait to be written; default 16,384, some 40 MB.
	Queue int
	// Zone is that of days and months; default that of China.
	Zone *time.Location
	// Poll is how often other hubs' commits are looked for; default 2 s.
	Poll time.Duration
}

func (l Limits) orDefault() Limits {
	l.Queue, l.Poll = cmp.Or(l.Queue, 16384), cmp.Or(l.Poll, 2*time.Second)
	if l.Zone == nil {
		l.Zone = fhir.ChinaTime()
	}
	return l
}

// Bounds of what a client may write down.
const (
	maxText   = 200 // characters of a feedback's text
	maxReason = 64
	maxName   = 200
)

var cardGrammar = regexp.MustCompile(`^[0-9A-Za-z.:_-]{1,64}$`)

// CardID is the UUID that a card for an offer has unless the Offer names another: the same however often the same is offered.
func (l *Ledger) CardID(member string, f Offer) string {
	l.fill(&f)
	f.Card = ""
	o := opportunityOf(member, &f, l.Limits.orDefault().Zone)
	return o.ID
}

func (l *Ledger) fill(f *Offer) {
	if now := l.Now(); f.At.IsZero() || f.At.After(now) {
		f.At = now
	}
	f.At = f.At.UTC().Truncate(time.Millisecond)
	for _, text := range []*string{&f.Encounter, &f.Visit, &f.Department, &f.Modality, &f.BodyPart, &f.Hook, &f.Instance, &f.Answer.Order.ID} {
		*text = cut(*text, maxName)
	}
}

// Offer takes offers to be kept, and returns before they are: its answer waits for nothing but a place in the queue. When there is
// none before ctx ends it is Unavailable, and none of these offers is kept. Of what could not be recognised only that is kept which came up from an
// unqualified producer. An orderly stop keeps all that were taken; a crash loses those of about
// the last commit's time.
func (l *Ledger) Offer(ctx context.Context, who access.Caller, offers []Offer) error {
	limits := l.Limits.orDefault()
	next := make([]Opportunity, 0, len(offers))
	for i := range offers {
		f := offers[i]
		l.fill(&f)
		if f.Card != "" && !cardGrammar.MatchString(f.Card) {
			return &hub.Error{Kind: hub.Invalid, Path: "card", Msg: "is no id of a card"}
		}
		if f.Patient == "" || who.Member == "" {
			return &hub.Error{Kind: hub.Invalid, Path: "patient", Msg: "an offer is made by a member about a patient"}
		}
		if o := opportunityOf(who.Member, &f, limits.Zone); o.Outcome != recognition.NotRecognisable || len(o.Shown) > 0 {
			next = append(next, o)
		}
	}
	return l.queue.put(ctx, next, limits.Queue)
}

// Feedback keeps what a doctor made of a card, and returns when it is durable. The same again changes nothing; another choice is a
// new version, and so the last one counts. A card that the ledger does not know yet is kept for when it does. A card of another
// member is NotFound; a text of more than 200 characters, or an outcome that there is not, is Invalid.
func (l *Ledger) Feedback(ctx context.Context, who access.Caller, f Feedback) error {
	now := l.Now()
	switch {
	case f.Outcome != Accepted && f.Outcome != Overridden:
		return &hub.Error{Kind: hub.Invalid, Path: "outcome", Msg: "is accepted or overridden"}
	case !cardGrammar.MatchString(f.Card):
		return &hub.Error{Kind: hub.Invalid, Path: "card", Msg: "is no id of a card"}
	case utf8.RuneCountInString(f.Text) > maxText || !utf8.ValidString(f.Text):
		return &hub.Error{Kind: hub.Invalid, Path: "overrideReason.userComment", Msg: "has more than 200 characters", Hint: "shorten it"}
	case len(f.Reason) > maxReason || len(f.Who) > maxName:
		return &hub.Error{Kind: hub.Invalid, Path: "overrideReason.reason", Msg: "a code has 64 bytes at most, a name 200"}
	}
	if f.Outcome == Accepted {
		f.Reason = ""
	}
	if f.At.IsZero() || f.At.After(now) {
		f.At = now
	}
	f.At = f.At.UTC().Truncate(time.Millisecond)
	for try := 0; ; try++ {
		name, err := l.byCard(ctx, f.Card)
		if err != nil {
			return err
		}
		// A card that was written between the look and the feedback's own commit did not see the feedback waiting, so that one more
		// look is needed; one that is written later does.
		if waits, err := l.choose(ctx, who.Member, name, f); err != nil || !waits || try > 0 {
			return err
		}
	}
}

// byCard finds the opportunity that was shown as a card: by its id, or by the card's where that is another. Where there is
// none, it is the one that the card would have.
func (l *Ledger) byCard(ctx context.Context, card string) (hub.Name, error) {
	name := hub.Name{Type: "GuidanceResponse", ID: card}
	if heads, err := l.Follower.Heads(ctx, []hub.Name{name}); err != nil || heads[0].Version > 0 {
		return name, err
	}
	search, err := fhir.CompileSearch("GuidanceResponse", []fhir.Pair{{Name: "identifier", Value: CardSystem + "|" + fhir.Escape(card)},
		{Name: "_sort", Value: "-_lastUpdated"}}, fhir.SearchOptions{Count: 1}) // of several days the last one
	if err != nil {
		return name, err
	}
	page, err := l.Follower.Search(ctx, search.Query)
	if err != nil || len(page.Hits) == 0 {
		return name, err
	}
	rec, err := l.Follower.Log().Record(ctx, page.Hits[0].Head.Loc)
	if o, ok := ReadOpportunity(&rec); err == nil && ok {
		name = o.name()
	}
	return name, err
}
