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
	"net/netip"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/imaging"
	"concord/hub/lookup"
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
	TLS     *tls.Config
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
	// Observe is told how associations go, for metrics; nil for nobody.
	Observe upperlayer.Observer
	Now     func() time.Time // default time.Now
	Holdings
}

// Server answers associations.
type Server struct {
	Config
	Deps
	table []Service
}

// New makes a Server of its parts.
func New(c Config, d Deps) *Server {
	s := &Server{Config: c, Deps: d}
	s.table = s.services()
	return s
}

func (s *Server) verification() []Service { return nil }
func (s *Server) storage() []Service      { return nil }
