package upperlayer

import (
	"crypto/tls"
	"time"
)

// Options bound what a peer may cost. Zero values mean the defaults named.
type Options struct {
	// MaxPDU is the greatest P-DATA-TF that is announced: 256 KiB. A peer that sends one of more than a MiB is aborted.
	MaxPDU uint32
	// ARTIM is how long an association request may take from the connection on, TLS included, and how long this side waits
	// for the transport to be closed, or for consent to a release: 30 s (PS3.8 9.1.5).
	ARTIM time.Duration
	// Idle is the longest wait for a next message while none is under way: 5 min. It is renewed by each PDU.
	Idle time.Duration
	// Pause is the longest wait for a next byte inside a message: 30 s.
	Pause time.Duration
	// Rate is the least average inside messages, in bytes a second over Window of waiting: 512 over 60 s.
	Rate   int64
	Window time.Duration
	// Answer is the longest that a peer may take over a response to what was sent to it whole, and between two: 2 min.
	Answer time.Duration
	// Write is the longest that a peer may take over one PDU: 60 s.
	Write time.Duration
	// Operations is how many operations a peer may have under way in one association, if it asks for as many: 16.
	Operations uint16
	// TLS, if set, is spoken below; a Server needs certificates in it.
	TLS *tls.Config
	// ImplementationUID and ImplementationVersion name this side (PS3.7 D.3.3.2).
	ImplementationUID, ImplementationVersion string
}

const maxPDU = 1 << 20

// Limits of a Server, on top of Options.
type Limits struct {
	// Associations is how many there may be: 512. PerAE and PerAddress are how many of these one calling AE title and one
	// address may have: 128 each. More are rejected with "local limit exceeded".
	Associations, PerAE, PerAddress int
	// Waiting is how many connections may be there whose association is not yet or no longer: 8,192, of which one address
	// may have half. More are closed at once.
	Waiting int
	// Drain is how long operations under way may take at the end: 30 s.
	Drain time.Duration
}

func (o *Options) fill() {
	or(&o.MaxPDU, 256<<10)
	or(&o.ARTIM, 30*time.Second)
	or(&o.Idle, 5*time.Minute)
	or(&o.Pause, 30*time.Second)
	or(&o.Rate, 512)
	or(&o.Window, time.Minute)
	or(&o.Answer, 2*time.Minute)
	or(&o.Write, time.Minute)
	or(&o.Operations, 16)
	or(&o.ImplementationUID, "2.25.295438412312893012839012839012839")
	or(&o.ImplementationVersion, "CONCORD")
}

func (l *Limits) fill() {
	or(&l.Associations, 512)
	or(&l.PerAE, 128)
	or(&l.PerAddress, 128)
	or(&l.Waiting, 8192)
	or(&l.Drain, 30*time.Second)
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
