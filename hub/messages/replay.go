package messages

import (
	"context"
	"io"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
)

// Replay maps a kept message again, by the rules as they are now. The attempt before is kept with the message, marked as
// superseded by its place among Earlier; what the message makes is replaced as by a correction, unless a newer message has
// told of it. Where nothing would change, nothing is written: the message is as it was. by is who asked, for the message's own history.
//
// A member has its own messages mapped again, access.Integration all; they stay the sender's. The error is NotFound where
// there is no such message, Conflict where somebody else is just mapping it again.
func (in *Intake) Replay(ctx context.Context, who access.Caller, id, by string) (Message, error) {
	before, p, err := in.again(ctx, who, id, access.Update)
	if err != nil {
		return Message{}, err
	}
	p.message.By = by
	owner := access.NewCaller(before.Member, access.AllResources, who.TokenID)
	var out Outcome
	w := commit.Write{Member: before.Member, Names: append(p.names(), before.name())}
	w.Plan = func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, before.name())
		if err == nil && head.Version != before.Version {
			err = &hub.Error{Kind: hub.Conflict, Msg: "the message is being mapped again by somebody else"}
		}
		if err != nil {
			return nil, err
		}
		m, changes, err := in.settle(ctx, v, owner, p)
		if err != nil {
			return nil, err
		}
		out = Outcome{Message: m}
		if !differs(&before, &m, changes) {
			out = Outcome{Message: before, Again: true}
			return nil, nil
		}
		return append(drafts(changes), m.draft()), nil
	}
	if _, err := in.Writer.Submit(ctx, w); err != nil {
		return Message{}, err
	}
	if in.Observe != nil && !out.Again {
		in.Observe(&out.Message)
	}
	return out.Message, nil
}

// differs reports whether an attempt comes to anything else than the one before. A message that was mapped and is only too
// late by now, since a newer one has told of the same, stays as it was.
func differs(before, now *Message, changes []change) bool {
	for i := range changes {
		if changes[i].name.Type != "Provenance" {
			return true
		}
	}
	if now.Status == Late && !before.failed() {
		return false
	}
	return before.Status != now.Status || before.Mapping != now.Mapping
}

// again reads a kept message and prepares its next attempt.
func (in *Intake) again(ctx context.Context, who access.Caller, id string, a access.Action) (Message, *prepared, error) {
	m, err := in.kept(ctx, id)
	if err == nil {
		f := Filter{Member: m.Member}
		if f.allow(who, a) != nil {
			err = &hub.Error{Kind: hub.NotFound, Msg: "there is no such message"}
			if who.Member == m.Member {
				err = who.May(a, RightType)
			}
		}
	}
	if err != nil {
		return Message{}, nil, err
	}
	inc := Incoming{Format: m.Format, Type: m.Type, Sender: m.Sender, Control: m.Control, Sent: m.Sent, Charset: m.Charset, Media: m.Media,
		Raw: m.Raw, Blob: m.Blob}
	if m.Blob != nil {
		if inc.Raw, err = in.blob(ctx, m.Blob); err != nil {
			return Message{}, nil, err
		}
	}
	next := m.next()
	p, err := in.attempt(ctx, &next, &inc)
	if err == nil && m.Status == Refused && p.message.Status == Dead && p.message.Mapping == "" {
		p.message.Status = Refused // it came to no rules: it is as unreadable as it was
	}
	return m, p, err
}

// next is the message with its attempt among the earlier ones.
func (m *Message) next() Message {
	n := *m
	n.Earlier = append(append([]Attempt{}, m.Earlier...), m.Attempt)
	n.Earlier = n.Earlier[max(0, len(n.Earlier)-KeptAttempts):]
	n.Attempt = Attempt{}
	return n
}

// kept reads the present version of a message for the hub's own use.
func (in *Intake) kept(ctx context.Context, id string) (Message, error) {
	heads, err := in.Follower.Heads(ctx, []hub.Name{{Type: Type, ID: id}})
	if err != nil {
		return Message{}, err
	}
	if heads[0].Version == 0 {
		return Message{}, &hub.Error{Kind: hub.NotFound, Msg: "there is no such message"}
	}
	rec, err := in.Follower.Log().Record(ctx, heads[0].Loc)
	return stored(&rec, err)
}

func (in *Intake) blob(ctx context.Context, b *hub.Blob) ([]byte, error) {
	r, err := b.Open(ctx, in.Blobs, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
