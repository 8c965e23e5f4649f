package hl7

import (
	"strings"
	"time"
)

// Code is an acknowledgement code (table 0008).
type Code string

// The codes: in original mode and of the application accept, error, reject; in enhanced mode of the commit too.
const (
	AA Code = "AA" // taken and understood
	AE Code = "AE" // its content is wrong, or it could not be mapped
	AR Code = "AR" // refused: unreadable, not allowed, of a kind that is not taken; or not now
	CA Code = "CA" // kept
	CE Code = "CE" // could not be kept
	CR Code = "CR" // refused
)

// Good tells whether a code accepts.
func (c Code) Good() bool { return c == AA || c == CA }

// Fault is one thing that an answer says was wrong.
type Fault struct {
	Place Place // the zero Place: nowhere in particular
	// Number and Name are of table 0357, "101" and "Required field missing".
	Number, Name string
	Severity     string // table 0516: E, W, I
	Text         string // for a person
}

// Ack is what is said about a message.
type Ack struct {
	Code   Code
	Faults []Fault
	// Text is said in MSA-3, for a person; the first fault's text if empty.
	Text string
	// Application, Facility, Control, At and Zone name the answer itself (MSH-3, 4, 10, 7). The first two default to whom the
	// message was sent to.
	Application, Facility, Control string
	At                             time.Time
}

// Reply makes the answer to a message in the sender's version, delimiters and character set. What cannot be parsed is
// answered with ReplyTo.
func (m *Message) Reply(a Ack) []byte {
	set := m.Charset
	declared := set.Declared
	if known, ok := charsetOf(declared); !ok || known.Used != set.Used {
		declared = "" // the sender's declaration was not true: names in the answer are in the character set it was read in
	}
	return ReplyTo(m.Header(), m.Delimiters, declared, set, a)
}

// ReplyTo makes the answer to what a header says. declared is repeated in MSH-18.
func ReplyTo(h Header, d Delimiters, declared string, set Charset, a Ack) []byte {
	m := NewDraft(d)
	application, facility := a.Application, a.Facility
	if application == "" {
		application = h.ReceivingApplication
	}
	if facility == "" {
		facility = h.ReceivingFacility
	}
	version := h.Version
	if version == "" {
		version = "2.3"
	}
	h.Version = version
	msh := m.Add("MSH").Set(3, application).Set(4, facility).Set(5, h.Application).Set(6, h.Facility).Set(7, ackTime(h, a.At)).
		Set(10, a.Control).Set(11, h.Processing).Set(12, version)
	switch {
	case h.Before("2.2") || h.Event == "":
		msh.Set(9, "ACK")
	case h.Before("2.3.1"):
		msh.Set(9, "ACK", h.Event)
	default:
		msh.Set(9, "ACK", h.Event, "ACK")
	}
	if h.Enhanced() { // nobody need acknowledge an acknowledgement
		msh.Set(15, "NE").Set(16, "NE")
	}
	if !h.Before("2.3") {
		msh.Set(18, declared)
	}
	text := a.Text
	if text == "" && len(a.Faults) > 0 {
		text = a.Faults[0].Text
	}
	m.Add("MSA").Set(1, string(a.Code)).Set(2, h.Control).Set(3, clip(text, 80))
	addErrors(m, h, a.Faults)
	return set.Encode(m.String())
}

// ackTime is MSH-7, to the second; the zone came with 2.3.
func ackTime(h Header, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	if h.Before("2.3") {
		return at.Format("20060102150405")
	}
	return FormatTime(at)
}

// addErrors adds ERR: since 2.5 one for each fault, with its place in ERR-2; before that one, in which ERR-1 is repeated.
func addErrors(m *Draft, h Header, faults []Fault) {
	const most = 20
	faults = faults[:min(len(faults), most)]
	if len(faults) == 0 {
		return
	}
	if h.Before("2.5") {
		s := m.Add("ERR")
		for _, f := range faults {
			at := [4]string{}
			copy(at[:3], parts(f.Place))
			s.RepeatParts(1, []string{at[0]}, []string{at[1]}, []string{at[2]}, []string{f.Number, f.Name, "HL70357"})
		}
		return
	}
	for _, f := range faults {
		m.Add("ERR").Set(2, parts(f.Place)...).Set(3, f.Number, f.Name, "HL70357").Set(4, f.Severity).Set(8, clip(f.Text, 250))
	}
}

func parts(p Place) []string {
	if p.Segment == "" {
		return nil
	}
	return p.Parts()
}

// clip cuts a text at a whole word, or else a whole character.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if i := strings.LastIndexByte(s[:most-1], ' '); i > most/2 {
		return s[:i]
	}
	return strings.ToValidUTF8(s[:most], "")
}
