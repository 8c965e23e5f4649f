package messages

import (
	"context"
	"time"

	"concord/hub"
	"concord/internal/fhir"
)

// Mapper says what messages of a format mean. It must be pure but for what it reads of its rules: a message is mapped again
// when rules have changed.
type Mapper interface {
	// Map makes resources of a message of a member. An error makes a dead letter of it: hub.Faults or *hub.Error with the
	// place in Path. The Incoming of a message that is mapped again has no Parsed.
	Map(ctx context.Context, member string, in *Incoming) (*Mapping, error)
}

// Mapping is what a Mapper made of one message.
type Mapping struct {
	// Rules is the name and version of what it was mapped by: "oru-r01@7".
	Rules string
	// Resources are those to be. Two of one name are merged, the later one winning.
	Resources []Resource
	Unmapped  []Code
	Unread    []string
	// Faults are what was wrong without keeping the rest from being mapped.
	Faults []Fault
}

// Resource is one that a message makes.
type Resource struct {
	// Name must be the same whenever the same member speaks of the same thing, and of no other member.
	Name hub.Name
	// Body is the resource's JSON; an id in it is replaced by that of Name, meta is completed.
	Body []byte
	// Doc is Body as it was read, if somebody has read it; whoever writes another Body leaves none.
	Doc *fhir.Doc
	// Part names the report, order or document that it belongs to, the same whenever a message speaks of that; any text.
	// What an earlier message had in the part and this one has not is deleted. Empty for what is shared between messages:
	// that is merged into what is there, member by member, identifiers added to those that are known.
	Part string
	// At is when what it says became so, for deciding which of two messages has the last word (OBR-22); zero: Incoming.Sent.
	At time.Time
	// Cleared are top-level elements of a shared resource that the message says to be empty (HL7 v2: "").
	Cleared []string
	// Yields are top-level elements of a shared resource that the message only guesses: what is there already stays.
	Yields []string
}

// Refiner changes what a mapping made before it is committed: codes added, flags raised. It must not look at the clock, and
// may be called more than once for a message.
type Refiner interface {
	Refine(ctx context.Context, member string, in *Incoming, m *Mapping) error
}
