package upperlayer

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
)

// Dialer opens associations. It must not be copied once used.
type Dialer struct {
	Options
	// Handle answers what the peer requests of this side (N-EVENT-REPORT, the C-STORE of a C-GET); nil: nothing.
	Handle Handler

	once   sync.Once
	engine *engine
}

// Dial connects to address and proposes an association. The sizes and the implementation in p are filled in. ctx bounds
// the opening only. The error is a *Rejection when the peer said no.
func (d *Dialer) Dial(ctx context.Context, address string, p Proposal) (*Association, error) {
	d.once.Do(func() { d.engine = newEngine(d.Options) })
	e := d.engine
	opening, cancel := context.WithTimeout(ctx, e.ARTIM)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(opening, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	l := e.link(newPrompt(conn), true)
	peer := Peer{Address: addressOf(conn), Called: p.Called, Calling: p.Calling}
	stop := context.AfterFunc(opening, func() { conn.Close() })
	a, err := d.propose(context.WithoutCancel(ctx), opening, l, peer, p)
	if !stop() && err == nil {
		a, err = nil, context.Cause(opening)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open an association with %s: %w", address, err)
	}
	go a.run()
	return a, nil
}

func (d *Dialer) propose(ctx, opening context.Context, l *link, peer Peer, p Proposal) (*Association, error) {
	if d.TLS != nil {
		conn := tls.Client(l.conn, d.TLS)
		if err := conn.HandshakeContext(opening); err != nil {
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		state := conn.ConnectionState()
		l.conn, peer.TLS = conn, &state
	}
	p.MaxPDU, p.ImplementationUID, p.ImplementationVersion = l.MaxPDU, l.ImplementationUID, l.ImplementationVersion
	l.on(evAssociate, nil)
	if _, err := l.on(evConnected, p.pdu()); err != nil {
		return nil, err
	}
	answer, err := l.answer()
	if err != nil {
		return nil, err
	}
	peer.ImplementationUID, peer.ImplementationVersion = answer.user.ImplementationUID, answer.user.ImplementationVersion
	agreed := &Agreement{answer.answered, answer.user}
	if n := agreed.MaxPDU; n > 0 && n < 16 {
		l.on(evSayAbort, shortPDU(abortPDU, 0, byUser, noReason))
		return nil, malformed("leaves no room for data")
	}
	a := newAssociation(ctx, l, peer, contextsOf(&p, agreed, true), agreed.UserInformation, d.Handle, nil)
	window := Window{1, 1}
	if agreed.Window != nil && p.Window != nil {
		window = *agreed.Window
	}
	a.windows(window.Performed, window.Invoked)
	return a, nil
}

// answer reads what the peer says to a proposal.
func (l *link) answer() (*associate, error) {
	k, size, err := l.reader.head()
	if err != nil {
		l.lost(err)
		return nil, err
	}
	if size > k.limit() || k.event() == evInvalid {
		l.on(evInvalid, abortPDUFor(invalidPDU))
		return nil, malformed("of type %02X with %d bytes is none that is taken", byte(k), size)
	}
	b, err := l.reader.content(size)
	if err != nil {
		l.lost(err)
		return nil, err
	}
	switch k {
	case associateAC:
		a, err := decodeAssociate(b)
		if err != nil {
			l.on(evInvalid, abortPDUFor(invalidPDU))
			return nil, err
		}
		_, err = l.on(evAccept, nil)
		return a, err
	case associateRJ:
		l.on(evReject, nil)
		if len(b) != 4 {
			return nil, malformed("rejects, but has no reason")
		}
		return nil, &Rejection{b[1] == 1, b[2], b[3]}
	}
	l.on(k.event(), abortPDUFor(unexpectedPDU))
	if k == abortPDU {
		return nil, ErrAborted
	}
	return nil, errUnexpected
}
