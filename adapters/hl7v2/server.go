// Package hl7v2 takes HL7 version 2 messages: over TCP in MLLP frames, and over HTTP.
//
// Who sends is known before anything but the header is read: over HTTP by the bearer token; over MLLP by the client
// certificate that a member has registered, else by the address together with what MSH-3 and MSH-4 say. An address that no
// member sends from is not listened to. What the messages mean, and keeping them, is the business of hub/messages; the
// sender is answered when that is durable, and a message that is sent again is answered as it was before.
package hl7v2

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"

	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/messages"
	"concord/internal/hl7"
)

// Format is what messages of HL7 v2 are called where messages are kept.
const Format = "hl7v2"

// MediaType is that of a message in its delimited form.
const MediaType = "x-application/hl7-v2+er7"

// Intake keeps messages (messages.Intake).
type Intake interface {
	Take(ctx context.Context, who access.Caller, m messages.Incoming) (messages.Outcome, error)
}

// Members knows the institutions (access.Registry).
type Members interface {
	Active(id string, now time.Time) (access.Member, error)
	ByCertificate(fingerprint string) (access.Member, bool)
	BySender(application, facility string, from netip.Addr, trusted []netip.Prefix) []access.Member
	SendsFrom(from netip.Addr, trusted []netip.Prefix) bool
}

// Trail takes notes (audit.Trail).
type Trail interface {
	Note(ctx context.Context, e audit.Event) error
}

// Observer is told what happens, for metrics. Its methods must return fast.
type Observer interface {
	Opened()            // a connection of MLLP was accepted
	Closed(why string)  // it ended: one of the Ends
	Refused(why string) // a connection was not accepted: one of the Refusals
	Answered(via string, code hl7.Code, bytes int, took time.Duration)
}

// Via is how a message came, for Observer.Answered.
const (
	ViaMLLP = "mllp"
	ViaHTTP = "http"
)

// Limits bound what senders may use. 0 means the default.
type Limits struct {
	Message     int // bytes of one message: 10 MB
	Batch       int // messages sent at once: 10,000
	Connections int // of MLLP: 1024
	PerAddress  int // connections of one address: 256
	// Memory is how many bytes of messages may be on their way in together, over MLLP: 256 MB. Beyond it connections are cut.
	Memory int
	// Pause is how long one message may take from its first byte to its last, and an answer to be taken: 1 min.
	Pause time.Duration
	// Idle is how long a connection may be silent between messages: 1 h.
	Idle time.Duration
	// Handshake is how long TLS may take: 10 s.
	Handshake time.Duration
	// Drain is how long what is under way may take at the end: 30 s.
	Drain time.Duration
}

func (l *Limits) fill() {
	or(&l.Message, 10<<20)
	or(&l.Batch, 10_000)
	or(&l.Connections, 1024)
	or(&l.PerAddress, 256)
	or(&l.Memory, 256<<20)
	or(&l.Pause, time.Minute)
	or(&l.Idle, time.Hour)
	or(&l.Handshake, 10*time.Second)
	or(&l.Drain, 30*time.Second)
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Config says how to serve.
type Config struct {
	// Trusted are networks whose senders are believed to be members that have no networks of their own.
	Trusted []netip.Prefix
	// Application and Facility are what answers say of their sender; empty: what the message was addressed to.
	Application, Facility string
	TLS                   *tls.Config
	Limits                Limits
}

// Deps are what the adapter works with.
type Deps struct {
	Intake  Intake
	Members Members
	Trail   Trail
	// Allowances are the members' own, shared with the other ways in; nil: none.
	Allowances *access.Allowances
	Observe    Observer         // nil for nobody
	Now        func() time.Time // default time.Now
}

// Server takes messages.
type Server struct {
	Config
	Deps
	failures *failures
	controls *controls
}

// New makes a Server of its parts.
func New(c Config, d Deps) *Server {
	c.Limits.fill()
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Server{Config: c, Deps: d, failures: newFailures(d.Trail), controls: newControls()}
}
