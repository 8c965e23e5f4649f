package hl7v2

import (
	"context"
	"crypto/tls"
	"net/netip"
	"sync/atomic"

	"golang.org/x/time/rate"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/hl7"
)

// peer is who is at the other end of a connection, as far as that is known without a message.
type peer struct {
	address netip.Addr
	// member is set where a certificate proved it; then the messages' headers do not matter.
	member string
}

// greet says who a connection is of, before anything is read; an Unauthenticated error if nobody sends from there.
func (s *Server) greet(address netip.Addr, state *tls.ConnectionState) (peer, error) {
	p := peer{address: address}
	if state != nil && len(state.PeerCertificates) > 0 { // the handshake has proved that it has the key
		leaf, now := state.PeerCertificates[0], s.Now()
		m, ok := s.Members.ByCertificate(access.Fingerprint(leaf))
		if !ok || now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
			return p, &hub.Error{Kind: hub.Unauthenticated, Msg: "the certificate is no member's, or its time is over"}
		}
		p.member = m.ID
		return p, nil
	}
	if !s.Members.SendsFrom(address, s.Trusted) {
		return p, &hub.Error{Kind: hub.Unauthenticated, Msg: "no member sends messages from this address", Hint: "concord member hl7"}
	}
	return p, nil
}

// sender finds the member that a message is of. The member may have been disabled since the connection was made.
func (s *Server) sender(p peer, h hl7.Header) (access.Caller, error) {
	id := p.member
	if id == "" {
		found := s.Members.BySender(h.Application, h.Facility, p.address, s.Trusted)
		switch len(found) {
		case 0:
			return access.Caller{}, &hub.Error{Kind: hub.Unauthenticated, Path: "MSH-3", Msg: "no member sends as this application and facility from this address", Hint: "concord member hl7"}
		case 1:
			id = found[0].ID
		default:
			return access.Caller{}, &hub.Error{Kind: hub.Unauthenticated, Path: "MSH-3", Msg: "several members send as this application and facility from this address"}
		}
	}
	_, err := s.Members.Active(id, s.Now())
	return access.NewCaller(id, access.AllResources, ""), err
}

// failures audits refused senders, but no more than some a second: who is nobody must not be able to fill the trail. What is
// left out is counted in the next event.
type failures struct {
	trail   Trail
	limiter *rate.Limiter
	left    atomic.Int64
}

func newFailures(t Trail) *failures {
	return &failures{trail: t, limiter: rate.NewLimiter(20, 100)}
}

func (f *failures) note(ctx context.Context) {
	if !f.limiter.Allow() {
		f.left.Add(1)
		return
	}
	e := audit.Event{Action: audit.LoginFailure, Outcome: audit.Denied, Count: 1 + int(f.left.Swap(0))}
	if err := f.trail.Note(context.WithoutCancel(ctx), e); err != nil {
		f.left.Add(int64(e.Count)) // nothing is disclosed by a refusal, so it stands; the count is kept
	}
}
