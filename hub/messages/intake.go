package messages

import (
	"context"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/fhir"
)

// Incoming is a message on its way in.
type Incoming struct {
	Format  string // chooses the Mapper
	Type    string
	Sender  string
	Control string // empty: the digest of Raw
	Sent    time.Time
	Charset string
	Media   string
	// Raw are the bytes as sent. Blob, where the caller has put them into one already, is named instead of making another.
	Raw  []byte
	Blob *hub.Blob
	// Parsed is for the Mapper, so that a message is not read twice.
	Parsed any
	// Refused, when not nil, says why the message cannot be read: it is kept and not mapped.
	Refused error
	// Answer renders what the sender is told, to be kept and told again when the message is repeated; nil: nothing is. It
	// must be pure.
	Answer func(Verdict) []byte
}

// Verdict is what is known of a message when it is answered.
type Verdict struct {
	Status Status
	Faults []Fault
}

// Outcome is what became of a message.
type Outcome struct {
	Message Message
	// Again: the message was there already, and nothing was done; Message is as it was kept, with the answer to repeat.
	Again bool
}

// Intake takes messages in. Its fields are set before it is used.
type Intake struct {
	Writer   *commit.Committer    // of the partition of records
	Follower *projection.Follower // of it
	Project  *fhir.Projection
	Blobs    hub.Stager
	Policy   Policy
	Mappers  map[string]Mapper // by format
	Refiners []Refiner
	// Observe, where not nil, is told of every message that was kept.
	Observe func(*Message)
	Now     func() time.Time
}

// Policy decides who may change what.
type Policy interface {
	MayChange(who access.Caller, owner string) error
}

// Take keeps a message and makes what it means, in one commit, and returns when that is durable and can be read.
//
// A message that the member's same sender sent under the same control id before is not taken again: the outcome is the
// former one. If its bytes are others, it is taken under another id, which its Differs tells.
//
// An error means that nothing is known to have been kept, such as Unavailable; it may be sent again.
func (in *Intake) Take(ctx context.Context, who access.Caller, m Incoming) (Outcome, error) {
	return Outcome{}, &hub.Error{Kind: hub.Unsupported, Msg: "messages are not taken yet"}
}
