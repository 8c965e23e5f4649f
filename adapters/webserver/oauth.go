package webserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/webbody"
)

const maxTokenRequest = 64 << 10

func (s *Server) mountTokens() {
	s.engine.POST("/oauth/token", s.pace, s.token)
	s.engine.GET("/.well-known/smart-configuration", s.smart)
	s.engine.GET(fhirRoot+"/.well-known/smart-configuration", s.smart)
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
}

// oauthError is RFC 6749 §5.2.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`

	status int
	basic  bool // the client used Basic, so the answer challenges it
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func badRequest(code, description string) *oauthError {
	return &oauthError{Code: code, Description: description, status: http.StatusBadRequest}
}

// credentials are a client's id and secret and where they were: RFC 6749 §2.3.1.
type credentials struct {
	id, secret string
	basic      bool
}

// token is the client-credentials grant (RFC 6749 §4.4).
func (s *Server) token(c *gin.Context) {
	c.Header("Pragma", "no-cache") // RFC 6749 §5.1
	answer, err := s.grant(c)
	if err == nil {
		c.JSON(http.StatusOK, answer)
		return
	}
	var oe *oauthError
	if !errors.As(err, &oe) {
		oe = oauthFault(c, err)
	}
	if oe.status == http.StatusUnauthorized && oe.basic {
		c.Header("WWW-Authenticate", `Basic realm="concord"`)
	}
	closeUnread(c)
	c.AbortWithStatusJSON(oe.status, oe)
}

// oauthFault words the hub's own errors. RFC 6749 has no code for most of them at this endpoint.
func oauthFault(c *gin.Context, err error) *oauthError {
	retryAfter(c, err)
	kind := hub.KindOf(err)
	code := "server_error"
	switch kind {
	case hub.Unavailable, hub.TooMany:
		code = "temporarily_unavailable"
	case hub.TooLarge, hub.Invalid, hub.Unsupported:
		code = "invalid_request"
	}
	return &oauthError{Code: code, Description: message(err), status: statuses[kind]}
}

func (s *Server) grant(c *gin.Context) (tokenAnswer, error) {
	address := s.address(c)
	if s.guesses.blocked(address) {
		return tokenAnswer{}, &hub.Error{Kind: hub.TooMany, Msg: "too many wrong secrets came from this address", Retry: s.config.Limits.FailureEvery}
	}
	form, err := tokenForm(c.Request)
	if err != nil {
		return tokenAnswer{}, err
	}
	cred, err := clientOf(c.Request, form)
	if err != nil {
		return tokenAnswer{}, err
	}
	ctx := c.Request.Context()
	m, err := s.deps.Members.Authenticate(cred.id, cred.secret, time.Now())
	if hub.Is(err, hub.Unauthenticated) {
		s.guesses.failed(address)
		s.failures.note(ctx, audit.Event{Action: audit.LoginFailure, Outcome: audit.Denied, Type: "token", Address: address})
		return tokenAnswer{}, &oauthError{Code: "invalid_client", Description: message(err), status: http.StatusUnauthorized, basic: cred.basic}
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	switch grant := form.Get("grant_type"); grant {
	case "client_credentials":
	case "":
		return tokenAnswer{}, badRequest("invalid_request", "grant_type is missing")
	default:
		return tokenAnswer{}, badRequest("unsupported_grant_type", "the hub grants client_credentials only")
	}
	scope, err := grantable(form.Get("scope"))
	if err != nil {
		return tokenAnswer{}, err
	}
	token, err := s.deps.Tokens.Issue(m.ID, scope, s.config.TokenLifetime)
	if err != nil {
		return tokenAnswer{}, err
	}
	if err := s.deps.Trail.Note(ctx, audit.Event{Action: audit.Login, Member: m.ID, Type: "token", Address: address}); err != nil {
		return tokenAnswer{}, err
	}
	return tokenAnswer{token, "bearer", int(s.config.TokenLifetime.Seconds()), scope}, nil
}

// grantable is the scope a client gets: what it asks for, all that a member may when it asks for none. The scopes of
// monitors, of the integration's engineer and of who edits the catalogue are not for members.
func grantable(asked string) (string, error) {
	scope := strings.Join(strings.Fields(asked), " ")
	if scope == "" {
		return access.AllResources, nil
	}
	err := access.CheckScope(scope)
	for part := range strings.FieldsSeq(scope) {
		if err == nil && (part == access.Metrics || part == access.Integration || part == access.Catalogue) {
			err = &hub.Error{Kind: hub.Invalid, Msg: "the " + part + " scope is given out by the operator only"}
		}
	}
	if err != nil {
		return "", badRequest("invalid_scope", message(err))
	}
	return scope, nil
}

// tokenForm reads the body, and the body only: a secret in a URL would end up in logs.
func tokenForm(r *http.Request) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, badRequest("invalid_request", "the request must be application/x-www-form-urlencoded")
	}
	body, err := webbody.Reader(r, maxTokenRequest)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, badRequest("invalid_request", "the form cannot be read")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, badRequest("invalid_request", "a parameter is given twice")
		}
	}
	return form, nil
}

// clientOf finds the client's credentials: Basic or in the form, not both (RFC 6749 §2.3).
func clientOf(r *http.Request, form url.Values) (credentials, error) {
	if r.Header.Get("Authorization") == "" {
		if form.Get("client_id") == "" || form.Get("client_secret") == "" {
			return credentials{}, &oauthError{Code: "invalid_client", Description: "client_id and client_secret are needed, in the form or as Basic", status: http.StatusUnauthorized}
		}
		return credentials{form.Get("client_id"), form.Get("client_secret"), false}, nil
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		return credentials{}, &oauthError{Code: "invalid_client", Description: "the Authorization header is not Basic", status: http.StatusUnauthorized, basic: true}
	}
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	if err1 != nil || err2 != nil {
		return credentials{}, badRequest("invalid_request", "the Basic credentials are not form-encoded")
	}
	if form.Has("client_secret") || form.Has("client_id") && form.Get("client_id") != id {
		return credentials{}, badRequest("invalid_request", "the client authenticates in two ways")
	}
	return credentials{id, secret, true}, nil
}

// smartConfiguration is SMART App Launch 2, conformance.html, as far as a server without user login has it.
type smartConfiguration struct {
	Issuer               string   `json:"issuer"`
	TokenEndpoint        string   `json:"token_endpoint"`
	AuthMethods          []string `json:"token_endpoint_auth_methods_supported"`
	Grants               []string `json:"grant_types_supported"`
	Scopes               []string `json:"scopes_supported"`
	CodeChallengeMethods []string `json:"code_challenge_methods_supported"` // required, although there is no code to challenge
	Capabilities         []string `json:"capabilities"`
}

func (s *Server) smart(c *gin.Context) {
	base := s.base(c.Request)
	c.JSON(http.StatusOK, smartConfiguration{
		Issuer:               base,
		TokenEndpoint:        base + "/oauth/token",
		AuthMethods:          []string{"client_secret_basic", "client_secret_post"},
		Grants:               []string{"client_credentials"},
		Scopes:               []string{"system/*.cruds", "system/*.rs", "system/*.read", "system/*.write", "system/*.*"},
		CodeChallengeMethods: []string{"S256"},
		Capabilities:         []string{"client-confidential-symmetric", "permission-v1", "permission-v2"},
	})
}

func (s *Server) base(r *http.Request) string {
	if s.config.PublicURL != "" {
		return strings.TrimSuffix(s.config.PublicURL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
