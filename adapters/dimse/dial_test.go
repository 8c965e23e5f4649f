package dimse

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"concord/hub/access"
	"concord/internal/upperlayer"
)

// issued is a certificate with its key, of issuer or, where that is nil, of itself.
func issued(t *testing.T, issuer *tls.Certificate, host string, until time.Time) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IsCA: issuer == nil, BasicConstraintsValid: true}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.Leaf, issuer.PrivateKey.(*ecdsa.PrivateKey)
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func TestOverTLSOnlyTheMembersOwnEntityIsCalled(t *testing.T) {
	later := time.Now().Add(time.Hour)
	authority := issued(t, nil, "authority", later)
	vouched, elsewhere := issued(t, authority, "localhost", later), issued(t, authority, "other.example", later)
	own, stranger, old := issued(t, nil, "ct1", later), issued(t, nil, "localhost", later), issued(t, nil, "ct1", time.Now().Add(-time.Hour))
	hubs := issued(t, nil, "hub", later)
	trusted := x509.NewCertPool()
	trusted.AddCert(authority.Leaf)

	shown := make(chan string, 16)
	for name, c := range map[string]struct {
		certificate *tls.Certificate
		secure      bool
		wrong       string // what the error says; empty: it is called
	}{
		"a registered certificate, whatever host it names":  {own, true, ""},
		"a certificate of a known authority for the host":   {vouched, true, ""},
		"a certificate of that authority for another host":  {elsewhere, true, "not registered for the member"},
		"a certificate that nobody vouches for":             {stranger, true, "not registered for the member"},
		"a registered certificate that has run out":         {old, true, "not registered for the member"},
		"an entity that is registered as one without TLS":   {own, false, "association"},
		"a peer that listens without TLS, though it should": {nil, true, "TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			peer := upperlayer.Server{Admit: func(ctx context.Context, p upperlayer.Peer, q *upperlayer.Proposal) (context.Context, *upperlayer.Agreement, error) {
				if p.TLS != nil && len(p.TLS.PeerCertificates) == 1 {
					shown <- access.Fingerprint(p.TLS.PeerCertificates[0])
				}
				return ctx, &upperlayer.Agreement{Contexts: []upperlayer.AnsweredContext{{ID: 1, Transfer: explicitLittle}}}, nil
			}}
			if c.certificate != nil {
				peer.TLS = &tls.Config{Certificates: []tls.Certificate{*c.certificate}, ClientAuth: tls.RequireAnyClientCert}
			}
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- peer.Serve(ctx, listener) }()
			t.Cleanup(func() { stop(); <-served })

			_, port, _ := net.SplitHostPort(listener.Addr().String())
			at := net.JoinHostPort("localhost", port)
			if c.secure {
				at = "tls://" + at
			}
			members := roll{"village": {ID: "village", DICOM: access.DICOM{AETs: []string{"PACS"}, Destinations: map[string]string{"PACS": at},
				Certificates: []string{access.Fingerprint(own.Leaf), access.Fingerprint(old.Leaf)}}}}
			s := New(Config{Certificate: hubs, Authorities: trusted, Options: upperlayer.Options{ARTIM: 2 * time.Second}}, Deps{Members: members})
			to, err := s.destination("PACS")
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.dial(ctx, to, upperlayer.Proposal{Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: verificationClass, Transfer: []string{explicitLittle}}}})
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := <-shown; got != access.Fingerprint(hubs.Leaf) {
				t.Error("the peer was not shown the hub's own certificate")
			}
			if err := a.Release(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}
