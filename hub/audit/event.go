// Package audit keeps the trail of who was told what. A disclosure that cannot be audited does not happen: Note
// returns an error, and the read is refused.
//
// An Event is one thing done or refused. Events lie in the log partition "audit", in Batches: one Record holds all
// events that were waiting when it was written, since a record line and a commit of its own for each of thousands of
// reads a second would cost more than the events themselves. The partition has no index; it is read in order, and
// its hash chain is checked on the way.
package audit

import (
	"context"
	"time"

	"concord/hub"
)

// Action is what was done.
type Action string

const (
	Create       Action = "create"
	Read         Action = "read"
	Update       Action = "update"
	Delete       Action = "delete"
	Search       Action = "search"
	Export       Action = "export" // bulk: a study moved, a set of records taken out
	Login        Action = "login"
	LoginFailure Action = "login-failure"
)

// Outcome says how it ended. The zero value is success.
type Outcome string

const (
	Success Outcome = ""
	Denied  Outcome = "denied" // for want of a credential, a scope or a right
	Failed  Outcome = "failed"
	// Withheld: a label or a patient's directive kept something out of an answer; Names are what.
	Withheld Outcome = "withheld"
)

// Event is one line of the trail. It holds ids, never content: no names, no numbers, no values of search parameters.
type Event struct {
	At      time.Time `json:"at"` // set by Note when zero or in the future; milliseconds, UTC
	Action  Action    `json:"action"`
	Outcome Outcome   `json:"outcome,omitempty"`
	// Member and Token (its id) are the caller's; empty when no credential was good.
	Member string `json:"member,omitempty"`
	Token  string `json:"token,omitempty"`
	// Address the request came from, without a port; set by Note from WithAddress when empty.
	Address string `json:"address,omitempty"`
	// Type is the resource type asked about.
	Type string `json:"type,omitempty"`
	// Query names the search parameters that were used, comma-separated and without their values.
	Query string `json:"query,omitempty"`
	// Names are the things disclosed or changed. Note keeps the slice: it must not change afterwards.
	Names []hub.Name `json:"names,omitempty"`
	// Count is how many things it was, or how many events of one kind this one stands for.
	Count int `json:"count,omitempty"`
}

// BatchType is the type of the names under which batches of events are kept.
const BatchType = "audit.batch"

// batchBody is the body of a batch's record.
type batchBody struct {
	Events []Event `json:"events"`
}

type addressKey struct{}

// WithAddress puts the address a request came from into its context, for the events it will cause.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

func addressFrom(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}
