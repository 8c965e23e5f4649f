package hl7v2

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/messages"
	"concord/internal/hl7"
)

// origin is where messages come from.
type origin struct {
	via string
	// who says whose a message is, given its header; it is asked before anything else is read.
	who func(hl7.Header) (access.Caller, error)
}

// reply is what one message is answered, and for metrics how.
type reply struct {
	answer []byte // empty: nothing is to be said
	code   hl7.Code
	err    error // why nothing is known to be kept; nil if the message was taken, or could not be
}

// receiveAll takes what was sent at once, one message after the other, and gives what is to be sent back: one piece for each
// answer, or one for a batch. worst is the reply that says the most of the hub's own state: the last one with an error.
func (s *Server) receiveAll(ctx context.Context, from origin, raw []byte) (answers [][]byte, worst reply) {
	batch, err := hl7.Split(raw, s.Limits.Batch)
	if err != nil {
		r := s.refuse(ctx, from, raw, err)
		return pieces(r.answer), r
	}
	for _, one := range batch.Messages {
		started := s.Now()
		r := s.receive(ctx, from, one)
		if s.Observe != nil {
			s.Observe.Answered(from.via, r.code, len(one), s.Now().Sub(started))
		}
		answers = append(answers, pieces(r.answer)...)
		if r.err != nil || worst.code == "" {
			worst = r
		}
	}
	if batch.IsBatch() {
		return [][]byte{batch.Reply(answers, s.controls.next())}, worst
	}
	return answers, worst
}

// pieces are the messages of an answer: in enhanced mode it may be two.
func pieces(answer []byte) [][]byte {
	if len(answer) == 0 {
		return nil
	}
	b, err := hl7.Split(answer, 2)
	if err != nil {
		return [][]byte{answer}
	}
	return b.Messages
}

// refuse answers what cannot be taken as a whole, if it is a member's.
func (s *Server) refuse(ctx context.Context, from origin, raw []byte, why error) reply {
	head, err := hl7.Peek(raw)
	h := hl7.Header{}
	if err == nil {
		h = head.Header()
	}
	if _, err := from.who(h); err != nil {
		if hub.Is(err, hub.Unauthenticated) {
			s.failures.note(ctx)
		}
		why = err
	}
	return s.teller(head).cannot(why)
}

// receive takes one message.
func (s *Server) receive(ctx context.Context, from origin, raw []byte) reply {
	head, err := hl7.Peek(raw)
	h := hl7.Header{}
	if err == nil {
		h = head.Header()
	}
	if h.Type == "ACK" { // an answer to an answer: nobody waits for more
		return reply{}
	}
	caller, notAllowed := from.who(h)
	t := s.teller(head)
	if notAllowed != nil {
		if hub.Is(notAllowed, hub.Unauthenticated) {
			s.failures.note(ctx)
		}
		return t.cannot(notAllowed)
	}
	if s.Allowances != nil && from.via == ViaMLLP { // HTTP has counted its request
		leave, err := s.Allowances.Enter(caller.Member)
		if err != nil {
			return t.cannot(err)
		}
		defer leave()
	}
	in := Read(raw, hl7.Limits{Bytes: s.Limits.Message})
	t.message, _ = in.Parsed.(*hl7.Message)
	in.Answer = func(v messages.Verdict) []byte { return t.answer(v, in.Refused) }
	out, err := s.Intake.Take(ctx, caller, in)
	if err != nil {
		if k := hub.KindOf(err); k == hub.Internal || k == hub.Corrupt {
			slog.Error("a message could not be taken", "member", caller.Member, "type", plain(h.Name()), "err", err)
		}
		return t.cannot(err)
	}
	return reply{answer: out.Message.Answer, code: t.code(out.Message.Status)}
}

// Read makes of a message what is needed to keep it. What cannot be read comes with its header, if that can be, and says why
// in Refused.
func Read(raw []byte, l hl7.Limits) messages.Incoming {
	in := messages.Incoming{Format: Format, Media: MediaType, Raw: raw}
	m, err := hl7.Parse(raw, l)
	if err != nil {
		in.Refused = err
		if m, err = hl7.Peek(raw); err != nil {
			return in
		}
	} else {
		in.Parsed, in.Refused = m, Readable(m.Header())
	}
	h := m.Header()
	in.Type, in.Sender, in.Control, in.Charset = h.Name(), h.Application+"|"+h.Facility, h.Control, m.Charset.Used
	if sent, ok := hl7.ParseTime(h.Sent, time.Local); ok {
		in.Sent = sent.Start
	}
	return in
}

// Readable refuses versions that the hub does not read.
func Readable(h hl7.Header) error {
	switch {
	case h.Version != "" && !strings.HasPrefix(h.Version, "2"):
		return &hub.Error{Kind: hub.Unsupported, Path: "MSH-12", Msg: "messages of version 2 are taken, and this one is of another"}
	case h.Type == "":
		return &hub.Error{Kind: hub.Invalid, Path: "MSH-9", Msg: "the message does not say what it is"}
	}
	return nil
}

// plain makes what a sender chose harmless in a log line.
func plain(s string) string {
	if len(s) > 16 {
		s = s[:16]
	}
	return strings.Map(func(r rune) rune {
		if r == '^' || r == '_' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '?'
	}, s)
}

// controls make the control ids of answers: unique, whatever process they are made by.
type controls struct {
	process string
	n       atomic.Uint64
}

func newControls() *controls { return &controls{process: rand.Text()[:8]} }

func (c *controls) next() string { return c.process + strconv.FormatUint(c.n.Add(1), 36) }
