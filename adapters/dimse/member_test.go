package dimse

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/upperlayer"
)

// roll is who the members are.
type roll map[string]access.Member

func (r roll) Authenticate(id, secret string, _ time.Time) (access.Member, error) {
	if m, ok := r[id]; ok && secret == "secret of "+id && !m.Disabled {
		return m, nil
	}
	return access.Member{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the client is unknown"}
}

func (r roll) Active(id string, _ time.Time) (access.Member, error) {
	if m, ok := r[id]; ok && !m.Disabled {
		return m, nil
	}
	return access.Member{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "not a member"}
}

func (r roll) ByAET(aet string) (access.Member, bool) {
	for _, m := range r {
		for _, t := range m.AETs {
			if t == aet {
				return m, true
			}
		}
	}
	return access.Member{}, false
}

func (r roll) ByCertificate(f string) (access.Member, bool) {
	for _, m := range r {
		for _, c := range m.Certificates {
			if c == f {
				return m, true
			}
		}
	}
	return access.Member{}, false
}

type tokens struct{}

func (tokens) Verify(token string) (access.Caller, error) {
	if token == "token of county" {
		return access.NewCaller("county", "system/*.rs", "1"), nil
	}
	return access.Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the token is not valid"}
}

type trail struct{ events []audit.Event }

func (t *trail) Note(_ context.Context, e audit.Event) error {
	t.events = append(t.events, e)
	return nil
}

func certificate(t *testing.T, until time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheCallerIsKnownByTheBestEvidenceAndByNothingLess(t *testing.T) {
	good, old := certificate(t, time.Now().Add(time.Hour)), certificate(t, time.Now().Add(-time.Hour))
	members := roll{
		"county":  {ID: "county", DICOM: access.DICOM{AETs: []string{"COUNTY"}, Certificates: []string{access.Fingerprint(good), access.Fingerprint(old)}}},
		"village": {ID: "village", DICOM: access.DICOM{AETs: []string{"CT1"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}}},
		"gone":    {ID: "gone", Disabled: true, DICOM: access.DICOM{AETs: []string{"GONE"}}},
	}
	notes := &trail{}
	s := New(Config{}, Deps{Tokens: tokens{}, Members: members, Trail: notes})
	at := func(address, calling string, certs ...*x509.Certificate) upperlayer.Peer {
		p := upperlayer.Peer{Address: netip.MustParseAddr(address), Calling: calling}
		if certs != nil {
			p.TLS = &tls.ConnectionState{PeerCertificates: certs}
		}
		return p
	}
	as := func(k upperlayer.IdentityKind, primary, code string) *upperlayer.Identity {
		return &upperlayer.Identity{Kind: k, Primary: []byte(primary), Code: []byte(code)}
	}
	for name, c := range map[string]struct {
		peer upperlayer.Peer
		id   *upperlayer.Identity
		want string // a member, or empty
		why  *upperlayer.Rejection
	}{
		"a token":    {at("192.0.2.1", "ANY"), as(upperlayer.JWT, "token of county", ""), "county", nil},
		"a password": {at("192.0.2.1", "ANY"), as(upperlayer.Passcode, "village", "secret of village"), "village", nil},
		"a wrong token, though its title is known":              {at("10.2.0.7", "CT1"), as(upperlayer.JWT, "x", ""), "", upperlayer.RejectNoReason},
		"a wrong password, though its title is known":           {at("10.2.0.7", "CT1"), as(upperlayer.Passcode, "village", "x"), "", upperlayer.RejectNoReason},
		"a name without a password is no credential":            {at("10.2.0.7", "CT1"), as(upperlayer.Username, "county", ""), "village", nil},
		"a registered certificate goes before the title":        {at("10.2.0.7", "CT1", good), nil, "county", nil},
		"an expired certificate":                                {at("192.0.2.1", "COUNTY", old), nil, "", upperlayer.RejectCalling},
		"a certificate nobody registered":                       {at("192.0.2.1", "COUNTY", certificate(t, time.Now().Add(time.Hour))), nil, "", upperlayer.RejectCalling},
		"a certificate nobody registered, its title known":      {at("10.2.0.7", "CT1", certificate(t, time.Now().Add(time.Hour))), nil, "", upperlayer.RejectCalling},
		"a title from its network":                              {at("10.2.0.7", "CT1"), nil, "village", nil},
		"a title from elsewhere":                                {at("10.3.0.7", "CT1"), nil, "", upperlayer.RejectCalling},
		"a title with networks is not believed on this machine": {at("127.0.0.1", "CT1"), nil, "", upperlayer.RejectCalling},
		"a title without networks, from this machine":           {at("127.0.0.1", "COUNTY"), nil, "county", nil},
		"a title without networks, from elsewhere":              {at("192.0.2.1", "COUNTY"), nil, "", upperlayer.RejectCalling},
		"a title that nobody has":                               {at("127.0.0.1", "STRANGER"), nil, "", upperlayer.RejectCalling},
		"a disabled member":                                     {at("127.0.0.1", "GONE"), nil, "", upperlayer.RejectCalling},
	} {
		before := len(notes.events)
		ctx, _, err := s.admit(t.Context(), c.peer, &upperlayer.Proposal{Calling: c.peer.Calling, UserInformation: upperlayer.UserInformation{Identity: c.id}})
		if c.want != "" {
			if who, _ := access.CallerFrom(ctx); err != nil || who.Member != c.want {
				t.Errorf("%s: %q, %v", name, who.Member, err)
			}
			continue
		}
		var r *upperlayer.Rejection
		if !errors.As(err, &r) || *r != *c.why {
			t.Errorf("%s: %v, want %v", name, err, c.why)
		}
		if len(notes.events) != before+1 || notes.events[before].Action != audit.LoginFailure {
			t.Errorf("%s: the refusal is not in the trail", name)
		}
	}
}

func TestStorageTakesWhatIsProposedAsItIs(t *testing.T) {
	s := New(Config{Private: []string{"1.3.12.2.1107.5.9.1"}}, Deps{})
	const ct, jpeg, big = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.2"
	for name, c := range map[string]struct {
		class    string
		proposed []string
		want     string
		result   upperlayer.ContextResult
	}{
		"compressed first":                      {ct, []string{jpeg, explicitLittle, implicitLittle}, jpeg, upperlayer.Accepted},
		"compressed alone":                      {ct, []string{jpeg}, jpeg, upperlayer.Accepted},
		"implicit with explicit":                {ct, []string{implicitLittle, big, explicitLittle}, explicitLittle, upperlayer.Accepted},
		"implicit alone":                        {ct, []string{implicitLittle}, implicitLittle, upperlayer.Accepted},
		"a syntax that nobody has heard of":     {ct, []string{"1.2.3.4.5"}, "1.2.3.4.5", upperlayer.Accepted},
		"a syntax that is no UID":               {ct, []string{"../../etc"}, "", upperlayer.TransferUnsupported},
		"none":                                  {ct, nil, "", upperlayer.TransferUnsupported},
		"a storage class of the future":         {"1.2.840.10008.5.1.4.1.1.999.1", []string{jpeg}, jpeg, upperlayer.Accepted},
		"a private class that is configured":    {"1.3.12.2.1107.5.9.1", []string{jpeg}, jpeg, upperlayer.Accepted},
		"a private class that is not":           {"1.3.12.2.1107.5.9.2", []string{jpeg}, "", upperlayer.AbstractUnsupported},
		"verification is not spoken compressed": {verificationClass, []string{jpeg}, "", upperlayer.TransferUnsupported},
	} {
		got := s.agreeOn(upperlayer.ProposedContext{ID: 1, Abstract: c.class, Transfer: c.proposed})
		if got.Transfer != c.want || got.Result != c.result {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
