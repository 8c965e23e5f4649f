package webserver

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/webbody"
)

// authenticate turns the bearer token (RFC 6750 §2.1; the header is the only place it is looked for) into the Caller
// in the request's context. It reads nothing of the body. A request without a good token ends here: 401, and the
// connection closes if there was a body.
func (s *Server) authenticate(c *gin.Context) {
	address := s.address(c)
	ctx := audit.WithAddress(c.Request.Context(), address)
	if s.open[c.Request.Method+" "+c.FullPath()] {
		c.Request = c.Request.WithContext(ctx)
		return
	}
	who, err := s.caller(c.Request)
	if err == nil {
		c.Request = c.Request.WithContext(access.WithCaller(ctx, who))
		return
	}
	if hub.Is(err, hub.Unauthenticated) {
		c.Header("WWW-Authenticate", challenge(c.Request, err))
		s.failures.note(ctx, audit.Event{Action: audit.LoginFailure, Outcome: audit.Denied, Address: address})
	}
	s.fail(c, err)
}

func (s *Server) caller(r *http.Request) (access.Caller, error) {
	given := r.Header["Authorization"]
	switch len(given) {
	case 0:
		return access.Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the request carries no credential", Hint: "send Authorization: Bearer with a token of POST /oauth/token"}
	case 1:
	default:
		return access.Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the request carries more than one credential"}
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return access.Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the credential is no bearer token"}
	}
	token = strings.TrimSpace(token)
	if s.deps.EHR != nil && strings.HasPrefix(r.URL.Path, cdsRoot) && access.IsAssertion(token) {
		return s.ehr(r, token)
	}
	return s.deps.Tokens.Verify(token)
}

// ehr says whom a JWT speaks for that an EHR signed itself. It is for the address that was called, as the hub is known by: what
// a request says of its host is not believed, or a JWT for another service could be used here.
func (s *Server) ehr(r *http.Request, token string) (access.Caller, error) {
	if s.config.PublicURL == "" {
		return access.Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "tokens of an EHR's own are for a hub that has a public URL", Hint: "set public-url"}
	}
	return s.deps.EHR.Verify(r.Context(), token, s.base(r)+strings.TrimSuffix(r.URL.Path, "/"))
}

// challenge is the WWW-Authenticate header of RFC 6750 §3: without an error code when no credential was sent.
func challenge(r *http.Request, err error) string {
	const realm = `Bearer realm="concord"`
	if len(r.Header["Authorization"]) == 0 {
		return realm
	}
	return realm + `, error="invalid_token", error_description="` + strings.NewReplacer(`"`, `'`, `\`, `/`).Replace(message(err)) + `"`
}

// address is the caller's, without a port.
func (s *Server) address(c *gin.Context) string {
	if len(s.config.TrustedProxies) > 0 {
		return c.ClientIP()
	}
	host, _, err := net.SplitHostPort(c.Request.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// limit holds a member to its rate and its number of requests at a time.
func (s *Server) limit(c *gin.Context) {
	who, ok := access.CallerFrom(c.Request.Context())
	if !ok {
		return // an open route
	}
	leave, err := s.members.Enter(who.Member)
	if err != nil {
		s.fail(c, err)
		return
	}
	defer leave()
	c.Next()
	if c.Writer.Status() == http.StatusForbidden { // for want of a scope or a right; whatever it was, nothing was disclosed
		s.failures.note(c.Request.Context(), audit.Event{Action: action(c.Request.Method), Outcome: audit.Denied, Member: who.Member, Token: who.TokenID, Type: c.Param("type")})
	}
}

// action is what a method asks for, as far as the trail of refusals needs to know.
func action(method string) audit.Action {
	switch method {
	case http.MethodPost:
		return audit.Create
	case http.MethodPut, http.MethodPatch:
		return audit.Update
	case http.MethodDelete:
		return audit.Delete
	}
	return audit.Read
}

// pace cuts bodies that arrive too slowly.
func (s *Server) pace(c *gin.Context) {
	done := webbody.Paced(c.Writer, c.Request, s.config.Pace)
	defer done()
	c.Next()
}

// failureNotes audits failed logins, but no more than some a second: who has no credential must not be able to fill
// the trail. What is left out is counted in the next event.
type failureNotes struct {
	trail   Trail
	limiter *rate.Limiter
	left    *atomic.Int64
}

func newFailureNotes(t Trail) failureNotes {
	return failureNotes{t, rate.NewLimiter(20, 100), new(atomic.Int64)}
}

func (f failureNotes) note(ctx context.Context, e audit.Event) {
	if !f.limiter.Allow() {
		f.left.Add(1)
		return
	}
	e.Count = 1 + int(f.left.Swap(0))
	if err := f.trail.Note(context.WithoutCancel(ctx), e); err != nil {
		f.left.Add(int64(e.Count)) // nothing is disclosed by a refusal, so it stands; the count is kept
	}
}
