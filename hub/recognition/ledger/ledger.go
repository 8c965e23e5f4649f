package ledger

import (
	"context"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition/advice"
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

// Ledger keeps the records of opportunities.
type Ledger struct{}

// Offer takes offers to be kept, and returns before they are: its answer waits for nothing but a place in the queue. When there is
// none it is Unavailable, and none of these offers is kept. An orderly stop keeps all that were taken; a crash loses those of about
// the last commit's time.
func (l *Ledger) Offer(ctx context.Context, who access.Caller, offers []Offer) error {
	return &hub.Error{Kind: hub.Unsupported, Msg: "the ledger is not kept yet"}
}

// Feedback keeps what a doctor made of a card, and returns when it is durable. The same again changes nothing; another choice is a
// new version, and so the last one counts. A card that the ledger does not know yet is kept for when it does. A card of another
// member is NotFound; a text of more than 200 characters, or an outcome that there is not, is Invalid.
func (l *Ledger) Feedback(ctx context.Context, who access.Caller, f Feedback) error {
	return &hub.Error{Kind: hub.Unsupported, Msg: "the ledger is not kept yet"}
}

// Statistics counts. Who has neither scope integration nor catalogue is told of what its own member ordered or gave, and of the
// consortium as a whole in numbers that tell of nobody else.
func (l *Ledger) Statistics(ctx context.Context, who access.Caller, f Filter) (Report, error) {
	return Report{}, &hub.Error{Kind: hub.Unsupported, Msg: "the ledger is not kept yet"}
}
