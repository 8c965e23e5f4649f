package messages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
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
	Blobs    Blobs
	Policy   Policy
	Mappers  map[string]Mapper // by format
	Refiners []Refiner
	// Observe, where not nil, is told of every message that was kept.
	Observe func(*Message)
	Now     func() time.Time
}

// Blobs keep what is too large for a record.
type Blobs interface {
	hub.Stager
	hub.Opener
}

// Policy decides who may change what.
type Policy interface {
	MayChange(who access.Caller, owner string) error
}

// Take keeps a message and makes what it means, in one commit, and returns when that is durable and can be read.
//
// A message that the member's same sender sent under the same control id before is not taken again: the outcome is the
// former one, with the answer to repeat. But if it could not be mapped then and can be now, that is its next attempt. If its
// bytes are others, it is taken under another id, and its Differs tells which it differs from.
//
// An error means that nothing is known to have been kept, such as Unavailable; it may be sent again.
func (in *Intake) Take(ctx context.Context, who access.Caller, inc Incoming) (Outcome, error) {
	m, err := in.message(ctx, who, &inc)
	if err != nil {
		return Outcome{}, err
	}
	p, err := in.attempt(ctx, &m, &inc)
	if err != nil {
		return Outcome{}, err
	}
	var out Outcome
	other := identify("message", m.Member, m.Format, m.Sender, m.Control, m.SHA256) // its id if the first one's is taken
	w := commit.Write{Member: who.Member, Names: append(p.names(), m.name())}
	w.Plan = func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		before, err := former(ctx, v, &m, other)
		if err != nil {
			return nil, err
		}
		now := *p
		switch {
		case before == nil:
		case before.SHA256 != m.SHA256:
			now.message.ID, now.message.Differs = other, before.ID
		case before.failed() && !p.message.failed():
			attempt := p.message.Attempt
			now.message = before.next()
			now.message.Attempt = attempt
		default:
			out = Outcome{Message: *before, Again: true}
			if out.Message.Answer == nil && inc.Answer != nil { // the answer was to an earlier attempt
				out.Message.Answer = inc.Answer(Verdict{before.Status, before.Faults})
			}
			return nil, nil
		}
		settled, changes, err := in.settle(ctx, v, who, &now)
		if err != nil {
			return nil, err
		}
		out = Outcome{Message: settled}
		return append(drafts(changes), settled.draft()), nil
	}
	if _, err := in.Writer.Submit(ctx, w); err != nil {
		return Outcome{}, err
	}
	if in.Observe != nil && !out.Again {
		in.Observe(&out.Message)
	}
	return out, nil
}

// message is what is known of an Incoming before it is mapped. What is too large for a record is put into a blob.
func (in *Intake) message(ctx context.Context, who access.Caller, inc *Incoming) (Message, error) {
	m := Message{Member: who.Member, Format: inc.Format, Type: inc.Type, Sender: inc.Sender, Control: inc.Control,
		Sent: millis(inc.Sent), Received: millis(in.Now()), Charset: inc.Charset, Media: inc.Media, Blob: inc.Blob}
	if who.Member == "" {
		return m, &hub.Error{Kind: hub.Forbidden, Msg: "only members send messages"}
	}
	if inc.Blob != nil {
		m.Size, m.SHA256 = inc.Blob.Size, inc.Blob.SHA256
	} else {
		m.Size, m.SHA256 = int64(len(inc.Raw)), digest(inc.Raw)
	}
	if m.Control == "" {
		m.Control = m.SHA256
	}
	m.ID = ID(m.Member, m.Format, m.Sender, m.Control)
	for _, text := range []*string{&m.Type, &m.Sender, &m.Control, &m.Charset, &m.Media} {
		*text = tidy(*text)
	}
	switch {
	case m.Blob != nil:
	case len(inc.Raw) <= InlineBytes:
		m.Raw = inc.Raw
		m.quote()
	default:
		var err error
		m.Blob, err = in.keep(ctx, inc.Media, func(w io.Writer) error { _, err := w.Write(inc.Raw); return err })
		return m, err
	}
	return m, nil
}

// tidy is what a sender wrote, as far as it is text and not too long to be searched for.
func tidy(s string) string {
	if len(s) > 256 {
		s = s[:256]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// former is the message that came before m under its control id: of the same bytes if there is such a one, else the first;
// nil if there is none.
func former(ctx context.Context, v *commit.View, m *Message, other string) (*Message, error) {
	var first *Message
	for _, id := range []string{m.ID, other} {
		n := hub.Name{Type: Type, ID: id}
		head, err := v.Head(ctx, n)
		if err != nil || head.Version == 0 {
			return first, err
		}
		rec, err := v.Record(ctx, n)
		before, err := stored(&rec, err)
		if err != nil {
			return nil, err
		}
		if first = &before; before.SHA256 == m.SHA256 {
			break
		}
	}
	return first, nil
}
