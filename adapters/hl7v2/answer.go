package hl7v2

import (
	"errors"
	"time"

	"concord/hub"
	"concord/hub/messages"
	"concord/internal/hl7"
)

// teller puts into words what became of one message. What it says depends on nothing but its fields, which are there before
// the message is taken, so that it may be asked more than once.
type teller struct {
	head     *hl7.Message // nil where not even the header can be read
	message  *hl7.Message // nil until it is read
	ack      hl7.Ack      // who answers, and when
	controls [2]string    // of the answer, and of a second one in enhanced mode
}

func (s *Server) teller(head *hl7.Message) *teller {
	return &teller{head: head, ack: hl7.Ack{Application: s.Application, Facility: s.Facility, At: s.Now().Truncate(time.Second)},
		controls: [2]string{s.controls.next(), s.controls.next()}}
}

// codes are the acknowledgement codes of a status: of the application, and of the commit (2.9.2, 2.9.3). A dead letter is
// kept, so the commit of it is accepted.
func codes(status messages.Status) (application, commit hl7.Code) {
	switch status {
	case messages.Mapped, messages.Late:
		return hl7.AA, hl7.CA
	case messages.Dead:
		return hl7.AE, hl7.CA
	}
	return hl7.AR, hl7.CR
}

func (t *teller) header() hl7.Header {
	if t.head == nil {
		return hl7.Header{}
	}
	return t.head.Header()
}

// code is what a status is counted as.
func (t *teller) code(status messages.Status) hl7.Code {
	application, _ := codes(status)
	return application
}

// answer says what became of a message that was kept.
func (t *teller) answer(v messages.Verdict, refused error) []byte {
	application, commit := codes(v.Status)
	faults := make([]hl7.Fault, 0, len(v.Faults)+1)
	for _, f := range v.Faults {
		faults = append(faults, faultOf(f))
	}
	if len(faults) == 0 && refused != nil {
		faults = append(faults, faultsOf(refused)...)
	}
	return t.say(application, commit, faults)
}

// cannot says that a message was not kept, and why. What is not the sender's fault is AR or CE: for a reason that has
// nothing to do with its content, and it may be sent again.
func (t *teller) cannot(err error) reply {
	commit := hl7.CR
	if k := hub.KindOf(err); k == hub.Unavailable || k == hub.TooMany || k == hub.Internal || k == hub.Corrupt {
		commit = hl7.CE
	}
	return reply{answer: t.say(hl7.AR, commit, faultsOf(err)), code: hl7.AR, err: err}
}

// say makes the answers that the sender asked for: one in original mode; in enhanced mode the commit's, the application's,
// both or none, by MSH-15 and MSH-16 (table 0155).
func (t *teller) say(application, commit hl7.Code, faults []hl7.Fault) []byte {
	h := t.header()
	if !h.Enhanced() {
		return t.one(application, faults, 0)
	}
	var out []byte
	if wanted(h.Accept, commit.Good()) {
		out = t.one(commit, faults, 0)
	}
	if commit.Good() && wanted(h.Reply, application.Good()) || len(out) == 0 && !commit.Good() && wanted(h.Reply, false) {
		out = append(out, t.one(application, faults, 1)...)
	}
	return out
}

// wanted tells whether a condition of table 0155 is met; what is not said is not wanted.
func wanted(condition string, good bool) bool {
	switch condition {
	case "AL":
		return true
	case "ER":
		return !good
	case "SU":
		return good
	}
	return false
}

func (t *teller) one(code hl7.Code, faults []hl7.Fault, nth int) []byte {
	a := t.ack
	a.Code, a.Faults, a.Control = code, faults, t.controls[nth]
	if t.message != nil {
		return t.message.Reply(a)
	}
	if t.head != nil {
		return t.head.Reply(a)
	}
	return hl7.ReplyTo(hl7.Header{}, hl7.StandardDelimiters(), "", hl7.Charset{}, a)
}

// faultOf tells of a fault in the words of ERR.
func faultOf(f messages.Fault) hl7.Fault {
	out := hl7.Fault{Severity: "W", Text: f.Msg}
	if f.Fatal {
		out.Severity = "E"
	}
	out.Place, _ = hl7.ParsePlace(f.Place) // what is no place is none
	out.Number, out.Name = condition(f)
	return out
}

// faultsOf tells of an error. What the hub itself did wrong is not for the sender to read.
func faultsOf(err error) []hl7.Fault {
	var all hub.Faults
	if !errors.As(err, &all) {
		var e *hub.Error
		if !errors.As(err, &e) {
			e = &hub.Error{Kind: hub.Internal}
		}
		all = hub.Faults{e}
	}
	var out []hl7.Fault
	for _, e := range all {
		msg := e.Msg
		if e.Kind == hub.Internal || e.Kind == hub.Corrupt {
			msg = "the hub met a fault of its own; it is in its log"
		} else if e.Hint != "" {
			msg += " (" + e.Hint + ")"
		}
		if e.Kind == hub.Unavailable || e.Kind == hub.TooMany {
			msg += "; send it again later"
		}
		out = append(out, faultOf(messages.Fault{Kind: e.Kind.String(), Place: e.Path, Msg: msg, Fatal: true}))
	}
	return out
}

// condition is the message error condition code of table 0357 for a fault.
func condition(f messages.Fault) (number, name string) {
	if f.Kind == hub.Unsupported.String() && f.Place == "MSH-12" {
		return "203", "Unsupported version id"
	}
	switch f.Kind {
	case hub.Invalid.String():
		return "102", "Data type error"
	case hub.Unprocessable.String():
		return "103", "Table value not found"
	case hub.TooLarge.String():
		return "104", "Value too long"
	case hub.Unsupported.String():
		return "200", "Unsupported message type"
	case hub.NotFound.String():
		return "204", "Unknown key identifier"
	case hub.Conflict.String():
		return "205", "Duplicate key identifier"
	}
	return "207", "Application internal error"
}
