// Package webserver is the HTTP base of the hub. It listens, knows who calls, limits, measures and drains; what the
// routes mean is the business of the adapters that register on its groups (FHIR, DICOMweb, CDS).
//
// On its way a request passes: request id, metrics and access line; recovery; security headers; then, in a group,
// the credential (before a byte of the body is read), the member's limits, and the pace of its body.
//
// /metrics answers a loopback peer that is not a proxy (no forwarding header), and anyone with a token of scope
// "metrics"; health and the token endpoint are open.
package webserver

import (
	"context"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/webbody"
)

// Config says how to serve. Zero values mean the defaults.
type Config struct {
	Listen string // default ":8080"
	// CertFile and KeyFile turn TLS (1.2 or later) on.
	CertFile, KeyFile string
	// PublicURL is the hub's address as clients see it, without a trailing slash; empty: taken from the request.
	PublicURL string
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is believed; none by default.
	TrustedProxies []string
	// Origins are the web origins ("https://viewer.example") whose pages may call the hub from a browser; none by default.
	Origins []string
	Version string
	// DICOM says how modalities reach the hub, for the page: its title, port and TLS; empty where they do not.
	DICOM []string

	// Open lists routes of the groups that need no credential, as "METHOD pattern"; default: the capability
	// statement and the CDS Hooks discovery, which clients read before they have one.
	Open []string

	Limits Limits
	Pace   webbody.Pace
	// TokenLifetime is what POST /oauth/token gives; default 300 s, the most that SMART Backend Services recommends.
	TokenLifetime time.Duration
	// Notice is how long the hub says that it is not ready before it stops accepting; default 500 ms.
	Notice time.Duration
	// Drain is how long requests on their way may take at the end; default 30 s.
	Drain time.Duration
}

// Limits are each member's, per process.
type Limits struct {
	Rate       float64 // requests a second, default 20,000
	Burst      int     // default 20,000
	Concurrent int     // requests at a time, default 512
	// Failures is how many wrong secrets an address may try at /oauth/token in a row, and FailureEvery how long it takes to
	// be allowed one more; defaults 10 and 6 s.
	Failures     int
	FailureEvery time.Duration
}

// Tokens makes and checks bearer tokens (access.Issuer).
type Tokens interface {
	Verify(token string) (access.Caller, error)
	Issue(member, scope string, ttl time.Duration) (string, error)
}

// Assertions checks tokens that EHRs sign themselves (access.Assertions).
type Assertions interface {
	Verify(ctx context.Context, token, audience string) (access.Caller, error)
}

// Members checks client secrets (access.Registry).
type Members interface {
	Authenticate(id, secret string, now time.Time) (access.Member, error)
}

// Trail takes notes (audit.Trail).
type Trail interface {
	Note(ctx context.Context, e audit.Event) error
}

// ErrorWriter writes an error in a group's own format: status, headers of the format, body. Retry-After,
// WWW-Authenticate and Connection are set by then.
type ErrorWriter func(c *gin.Context, err error)

// Deps are what the server works with.
type Deps struct {
	Tokens  Tokens
	Members Members
	Trail   Trail
	// EHR checks the tokens at /cds-services that are no bearer tokens of the hub's; nil: there are none.
	EHR Assertions
	// Ready lists why the hub cannot serve now; none when it can.
	Ready func(ctx context.Context) []string
	// FHIR, DICOMweb and CDS write the errors of their groups; nil writes plain JSON.
	FHIR, DICOMweb, CDS ErrorWriter
	Logger              *slog.Logger // default slog.Default()
}

func (c *Config) fill() {
	or(&c.Listen, ":8080")
	or(&c.TokenLifetime, 300*time.Second)
	or(&c.Notice, 500*time.Millisecond)
	or(&c.Drain, 30*time.Second)
	or(&c.Limits.Rate, 20_000)
	or(&c.Limits.Burst, 20_000)
	or(&c.Limits.Concurrent, 512)
	or(&c.Limits.Failures, 10)
	or(&c.Limits.FailureEvery, 6*time.Second)
	if c.Open == nil {
		c.Open = []string{"GET /fhir/metadata", "GET /cds-services", "GET /cds-services/", "GET /cds-services/1.1/cds-services", "GET /cds-services/1.1/cds-services/"}
	}
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
