// Package dimse is the hub's DICOM face (PS3.7 and PS3.8): modalities and workstations call it over an association, and
// it calls them. The table of what it answers is in services.go, and the Conformance Statement is printed from it.
//
// Who calls is known before the first message is read, from the best evidence there is: a token or password sent as user
// identity, a client certificate that the member has registered, or a registered AE title from a network it is registered
// for. An AE title alone is no identity.
package dimse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/imaging"
	"concord/hub/lookup"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

// Tokens checks bearer tokens (access.Issuer).
type Tokens interface {
	Verify(token string) (access.Caller, error)
}

// Members knows the institutions (access.Registry).
type Members interface {
	Authenticate(id, secret string, now time.Time) (access.Member, error)
	Active(id string, now time.Time) (access.Member, error)
	ByAET(aet string) (access.Member, bool)
	ByCertificate(fingerprint string) (access.Member, bool)
}

// Trail takes notes (audit.Trail).
type Trail interface {
	Note(ctx context.Context, e audit.Event) error
}

// Config says how to serve. Zero values mean the defaults.
type Config struct {
	// AETitle is what the hub calls itself: CONCORD. It answers whatever title it is called by unless Strict is set.
	AETitle string
	Strict  bool
	// Trusted are networks from which a registered AE title is believed for members that have none of their own. The
	// default is loopback; no network but an empty, non-nil list.
	Trusted []netip.Prefix
	// Private are SOP classes stored besides the standard ones (1.2.840.10008.5.1.4.1.1.*).
	Private []string
	// TLS, if set, is spoken with who calls.
	TLS *tls.Config
	// Certificate is shown to application entities that are called over TLS and ask for one; nil: none. Authorities vouch for
	// theirs, besides the certificates that members registered; nil: the authorities of the system.
	Certificate *tls.Certificate
	Authorities *x509.CertPool

	Version string
	Limits  upperlayer.Limits
	Options upperlayer.Options
}

// Deps are what the adapter works with.
type Deps struct {
	Tokens      Tokens
	Members     Members
	Trail       Trail
	Archive     *imaging.Archive
	Reader      *lookup.Reader
	Partitions  []hub.Partition // the DICOM ones
	PartitionOf func(study string) hub.Partition
	// Allowances are the members' own, shared with the other ways in; nil: none.
	Allowances *access.Allowances
	// Observe is told how associations go, for metrics; nil for nobody.
	Observe upperlayer.Observer
	Now     func() time.Time // default time.Now
	Holdings
}

// Server answers associations, and opens some itself.
type Server struct {
	Config
	Deps
	table    []Service
	failures *failures
	waits    time.Duration
}

// New makes a Server of its parts.
func New(c Config, d Deps) *Server {
	if c.AETitle == "" {
		c.AETitle = "CONCORD"
	}
	if c.Trusted == nil {
		c.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	c.Options.ImplementationUID, c.Options.ImplementationVersion = dicom.ImplementationUID, "CONCORD"
	s := &Server{Config: c, Deps: d, failures: newFailures(d.Trail), waits: waits}
	s.table = s.services()
	return s
}

// Serve answers on l until ctx ends and what is under way is done, or the drain time over.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	o := s.Config.Options
	o.TLS = serverTLS(s.TLS)
	server := upperlayer.Server{Options: o, Limits: s.Limits, Admit: s.admit, Handle: s.handle, Observe: s.Observe}
	return server.Serve(ctx, l)
}

// serverTLS asks callers for a certificate. None is demanded, since there are other ways to say who one is, and none is
// checked against authorities: members register the very certificates they call with.
func serverTLS(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12) // BCP 195; Go has no others than its recommended suites by default
	if c.ClientAuth == tls.NoClientCert {
		c.ClientAuth = tls.RequestClientCert
	}
	return c
}

// handle answers one request of an association, inbound or outbound.
func (s *Server) handle(ctx context.Context, r *upperlayer.Request) {
	service := s.service(r.Context.Abstract)
	if service == nil {
		r.Respond(upperlayer.Command{Status: upperlayer.NoSuchSOPClass}, nil)
		return
	}
	command, ok := service.Commands[r.Command.Field]
	if !ok {
		r.Respond(verdict(upperlayer.UnrecognizedOperation, 0x00000100, strings.TrimSuffix(r.Command.Field.String(), "-RQ")+" is no operation of this SOP class"), nil)
		return
	}
	if class := r.Command.SOPClass; class != "" && class != r.Context.Abstract && r.Command.Field != upperlayer.CStoreRQ { // store says so itself
		r.Respond(otherClass(r.Command.Field), nil)
		return
	}
	if err := s.may(ctx, command.Needs); err != nil {
		r.Respond(upperlayer.Command{Status: upperlayer.NotAuthorized, ErrorComment: comment(err)}, nil)
		return
	}
	if command.Needs != 0 {
		leave, err := s.enter(ctx)
		if err != nil {
			r.Respond(busy(r.Command.Field, err), nil)
			return
		}
		defer leave()
	}
	command.Do(ctx, r)
}

// otherClass is the answer to a command whose SOP class is not that of its presentation context: of a composite service
// (PS3.7 9.1) "SOP Class not supported", of a normalized one (PS3.7 10.1) "no such SOP Class".
func otherClass(f upperlayer.Field) upperlayer.Command {
	status, element := upperlayer.SOPClassNotSupported, dicom.Tag(0x00000002)
	if f >= upperlayer.NEventReportRQ {
		status, element = upperlayer.NoSuchSOPClass, 0x00000003
	}
	return verdict(status, element, "is not that of the presentation context")
}

// may checks the caller's scope, and that its member may still act: associations last long.
func (s *Server) may(ctx context.Context, needs access.Action) error {
	if needs == 0 {
		return nil
	}
	who, ok := access.CallerFrom(ctx)
	if !ok {
		return &hub.Error{Kind: hub.Forbidden, Msg: "only members may do this"}
	}
	if _, err := s.Members.Active(who.Member, s.Now()); err != nil {
		return err
	}
	return who.May(needs, access.ImagingStudy)
}
