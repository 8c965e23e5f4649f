package dimse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/upperlayer"
)

// destination is an application entity that is called, and the member it belongs to.
type destination struct {
	title, address string
	secure         bool     // over TLS
	certificates   []string // fingerprints of those that the member has registered
	who            access.Caller
}

// destination finds an application entity by its title. One that is not known, has no address, or belongs to a member that
// may not act is NotFound.
func (s *Server) destination(title string) (destination, error) {
	m, _ := s.Members.ByAET(title)
	address, secure := m.Destination(title)
	if address == "" {
		return destination{}, &hub.Error{Kind: hub.NotFound, Path: "MoveDestination", Msg: "is no application entity with a known address",
			Hint: "concord member dicom ID --aet TITLE@HOST:PORT"}
	}
	if _, err := s.Members.Active(m.ID, s.Now()); err != nil {
		return destination{}, &hub.Error{Kind: hub.NotFound, Path: "MoveDestination", Msg: "belongs to no active member", Err: err}
	}
	return destination{title, address, secure, m.Certificates, access.NewCaller(m.ID, "system/"+access.ImagingStudy+".rs", "")}, nil
}

// dial opens an association to a member's application entity.
func (s *Server) dial(ctx context.Context, to destination, p upperlayer.Proposal) (*upperlayer.Association, error) {
	p.Called, p.Calling = to.title, s.AETitle
	d := upperlayer.Dialer{Options: s.Options}
	if d.TLS = nil; to.secure {
		d.TLS = s.callTLS(to)
	}
	return d.Dial(ctx, to.address, p)
}

// callTLS is how TLS is spoken to a destination: TLS 1.2 or later with the suites Go recommends (BCP 195; PS3.15 B.9), the
// hub's own certificate for who asks, and a server that is held to be the member's by the very certificate the member
// registered, or by one that an authority vouches for at that host.
func (s *Server) callTLS(to destination) *tls.Config {
	host, _, _ := net.SplitHostPort(to.address)
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	c.InsecureSkipVerify = true // VerifyConnection decides
	c.VerifyConnection = func(state tls.ConnectionState) error {
		leaf, now := state.PeerCertificates[0], s.Now()
		if slices.Contains(to.certificates, access.Fingerprint(leaf)) && !now.Before(leaf.NotBefore) && !now.After(leaf.NotAfter) {
			return nil
		}
		between := x509.NewCertPool()
		for _, issuer := range state.PeerCertificates[1:] {
			between.AddCert(issuer)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: s.Authorities, Intermediates: between, CurrentTime: now}); err != nil {
			return &hub.Error{Kind: hub.Unauthenticated, Path: to.title, Msg: "the certificate shown is not registered for the member, and no known authority vouches for it",
				Hint: "concord member dicom ID --certificate FILE, or serve --dimse-tls-ca FILE", Err: err}
		}
		return nil
	}
	if s.Certificate != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.Certificate, nil }
	}
	return c
}
