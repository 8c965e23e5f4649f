package dimse

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"

	"golang.org/x/time/rate"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/upperlayer"
)

// admit decides about a proposal: who calls first, and only then what is asked for.
func (s *Server) admit(ctx context.Context, p upperlayer.Peer, q *upperlayer.Proposal) (context.Context, *upperlayer.Agreement, error) {
	ctx = audit.WithAddress(ctx, p.Address.String())
	if s.Strict && q.Called != s.AETitle {
		return ctx, nil, upperlayer.RejectCalled
	}
	who, err := s.caller(p, q.Identity)
	switch {
	case hub.Is(err, hub.Unavailable):
		return ctx, nil, errors.Join(upperlayer.RejectCongestion, err)
	case err != nil:
		s.failures.note(ctx, audit.Event{Action: audit.LoginFailure, Outcome: audit.Denied})
		return ctx, nil, errors.Join(refusalOf(q.Identity), err)
	}
	agreed := s.agree(q)
	if q.Identity != nil && q.Identity.WantsReply && isCredential(q.Identity) {
		agreed.IdentityReply = []byte{} // PS3.7 D.3.3.7: a positive answer; its content is for Kerberos and SAML
	}
	return access.WithCaller(ctx, who), agreed, nil
}

// refusalOf is the rejection of a caller that is nobody: by its title, or by the credential it sent.
func refusalOf(id *upperlayer.Identity) *upperlayer.Rejection {
	if isCredential(id) {
		return upperlayer.RejectNoReason
	}
	return upperlayer.RejectCalling
}

// isCredential tells whether a user identity proves anything. A name without a passcode does not, and is passed over, as
// are Kerberos and SAML, which the hub does not do.
func isCredential(id *upperlayer.Identity) bool {
	return id != nil && (id.Kind == upperlayer.Passcode || id.Kind == upperlayer.JWT)
}

// caller finds the member that calls. A credential that is sent decides alone: when it is wrong, nothing else is tried.
func (s *Server) caller(p upperlayer.Peer, id *upperlayer.Identity) (access.Caller, error) {
	now := s.Now()
	if isCredential(id) {
		if id.Kind == upperlayer.JWT {
			return s.Tokens.Verify(string(id.Primary))
		}
		m, err := s.Members.Authenticate(string(id.Primary), string(id.Code), now)
		return access.NewCaller(m.ID, access.AllResources, ""), err
	}
	var m access.Member
	var ok bool
	if p.TLS != nil && len(p.TLS.PeerCertificates) > 0 {
		m, ok = s.byCertificate(p.TLS.PeerCertificates[0]) // the handshake has proved that the caller has its key
	} else {
		m, ok = s.byTitle(p)
	}
	if !ok {
		return access.Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the caller is no member: its certificate is not registered, or its AE title not for its address"}
	}
	_, err := s.Members.Active(m.ID, now)
	return access.NewCaller(m.ID, access.AllResources, ""), err
}

func (s *Server) byCertificate(leaf *x509.Certificate) (access.Member, bool) {
	if now := s.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return access.Member{}, false
	}
	return s.Members.ByCertificate(access.Fingerprint(leaf))
}

func (s *Server) byTitle(p upperlayer.Peer) (access.Member, bool) {
	m, ok := s.Members.ByAET(p.Calling)
	if !ok {
		return m, false
	}
	if len(m.Networks) > 0 {
		return m, m.Within(p.Address)
	}
	return m, slices.ContainsFunc(s.Trusted, func(n netip.Prefix) bool { return n.Contains(p.Address) })
}

// failures audits refused callers, but no more than some a second: who has no credential must not be able to fill the
// trail. What is left out is counted in the next event.
type failures struct {
	trail   Trail
	limiter *rate.Limiter
	left    atomic.Int64
}

func newFailures(t Trail) *failures {
	return &failures{trail: t, limiter: rate.NewLimiter(20, 100)}
}

func (f *failures) note(ctx context.Context, e audit.Event) {
	if !f.limiter.Allow() {
		f.left.Add(1)
		return
	}
	e.Count = 1 + int(f.left.Swap(0))
	if err := f.trail.Note(context.WithoutCancel(ctx), e); err != nil {
		f.left.Add(int64(e.Count)) // nothing is disclosed by a refusal, so it stands; the count is kept
	}
}
