package webserver_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"concord/adapters/webserver"
	"concord/hub"
	"concord/hub/audit"
)

const formType = "application/x-www-form-urlencoded"

func (h *house) post(form string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form))
	r.Header.Set("Content-Type", formType)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, r)
	return w
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string
	Error       string
}

func read(t *testing.T, w *httptest.ResponseRecorder) (g granted) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &g); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return g
}

func TestAClientGetsATokenThatWorks(t *testing.T) {
	h := build(t, webserver.Config{})
	h.FHIR().GET("/thing", echo)
	ways := map[string]func() *httptest.ResponseRecorder{
		"secret in the form": func() *httptest.ResponseRecorder {
			return h.post(form("grant_type", "client_credentials", "client_id", "county", "client_secret", h.secret, "scope", "system/*.rs"), nil)
		},
		"Basic": func() *httptest.ResponseRecorder {
			return h.post(form("grant_type", "client_credentials", "scope", "system/*.rs"), func(r *http.Request) { r.SetBasicAuth("county", h.secret) })
		},
	}
	for name, ask := range ways {
		w := ask()
		g := read(t, w)
		if w.Code != 200 || g.TokenType != "bearer" || g.ExpiresIn != 300 || g.Scope != "system/*.rs" {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Pragma") != "no-cache" {
			t.Errorf("%s: the answer may be cached", name)
		}
		if w := h.ask("GET", "/fhir/thing", g.AccessToken); w.Code != 200 {
			t.Errorf("%s: the token is not accepted: %d", name, w.Code)
		}
	}
	w := h.post(form("grant_type", "client_credentials", "client_id", "county", "client_secret", h.secret), nil)
	if g := read(t, w); g.Scope != "system/*.cruds" {
		t.Errorf("no scope asked for: %q", g.Scope)
	}
	if n := len(h.trail.of(audit.Login)); n != 3 {
		t.Errorf("%d logins in the trail", n)
	}
}

func TestTokenRequestsThatAreWrongGetTheCodeOfRFC6749(t *testing.T) {
	h := build(t, webserver.Config{Limits: webserver.Limits{Failures: 100}})
	ok := []string{"grant_type", "client_credentials", "client_id", "county", "client_secret", h.secret}
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(id, secret) }
	}
	cases := map[string]struct {
		form   string
		change func(*http.Request)
		status int
		code   string
	}{
		"a wrong secret":             {form("grant_type", "client_credentials", "client_id", "county", "client_secret", "no"), nil, 401, "invalid_client"},
		"an unknown client":          {form("grant_type", "client_credentials", "client_id", "nobody", "client_secret", h.secret), nil, 401, "invalid_client"},
		"a wrong secret, Basic":      {form("grant_type", "client_credentials"), basic("county", "no"), 401, "invalid_client"},
		"no client":                  {form("grant_type", "client_credentials"), nil, 401, "invalid_client"},
		"a bearer token":             {form("grant_type", "client_credentials"), func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401, "invalid_client"},
		"the secret in the URL":      {form("grant_type", "client_credentials"), func(r *http.Request) { r.URL.RawQuery = form(ok...) }, 401, "invalid_client"},
		"two ways at once":           {form(ok...), basic("county", h.secret), 400, "invalid_request"},
		"another client in the form": {form("grant_type", "client_credentials", "client_id", "village"), basic("county", h.secret), 400, "invalid_request"},
		"no grant type":              {form("client_id", "county", "client_secret", h.secret), nil, 400, "invalid_request"},
		"another grant":              {form("grant_type", "password", "client_id", "county", "client_secret", h.secret), nil, 400, "unsupported_grant_type"},
		"a parameter twice":          {form(append(ok, "scope", "system/*.rs", "scope", "system/*.*")...), nil, 400, "invalid_request"},
		"JSON":                       {`{}`, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 400, "invalid_request"},
		"a form that cannot be read": {"a=%zz", nil, 400, "invalid_request"},
		"a scope the hub has not":    {form(append(ok, "scope", "patient/*.read")...), nil, 400, "invalid_scope"},
		"the monitors' scope":        {form(append(ok, "scope", "system/*.rs metrics")...), nil, 400, "invalid_scope"},
		"a body of more than 64 KiB": {form(append(ok, "pad", strings.Repeat("x", 70<<10))...), nil, 413, "invalid_request"},
	}
	for name, c := range cases {
		w := h.post(c.form, c.change)
		if g := read(t, w); w.Code != c.status || g.Error != c.code || g.AccessToken != "" {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, c.status, c.code)
		}
		if strings.Contains(w.Body.String(), h.secret) {
			t.Errorf("%s: the answer repeats the secret", name)
		}
	}
	if w := h.post(form("grant_type", "client_credentials"), basic("county", "no")); !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic") {
		t.Error("a client that used Basic is not challenged with it")
	}
}

func TestGuessingSecretsIsSlowedDownPerAddress(t *testing.T) {
	h := build(t, webserver.Config{Limits: webserver.Limits{Failures: 3, FailureEvery: 200 * time.Millisecond}})
	try := func(secret, address string) int {
		return h.post(form("grant_type", "client_credentials", "client_id", "county", "client_secret", secret), func(r *http.Request) { r.RemoteAddr = address }).Code
	}
	for range 3 {
		if code := try("no", "10.0.0.1:1"); code != 401 {
			t.Fatal(code)
		}
	}
	if code := try(h.secret, "10.0.0.1:2"); code != 429 {
		t.Errorf("the right secret after three wrong ones: %d", code)
	}
	if code := try(h.secret, "10.0.0.2:1"); code != 200 {
		t.Errorf("another address: %d", code)
	}
	time.Sleep(250 * time.Millisecond)
	if code := try(h.secret, "10.0.0.1:3"); code != 200 {
		t.Errorf("after the wait: %d", code)
	}
	for i := range 3 { // addresses of one IPv6 network count as one
		try("no", "[2001:db8::"+string(rune('a'+i))+"]:1")
	}
	if code := try(h.secret, "[2001:db8::ffff]:1"); code != 429 {
		t.Errorf("a neighbour in the same IPv6 network: %d", code)
	}
}

func TestNoTokenIsGivenThatCannotBeAudited(t *testing.T) {
	h := build(t, webserver.Config{})
	h.trail.err = &hub.Error{Kind: hub.Unavailable, Msg: "the audit trail cannot be written", Retry: time.Second}
	w := h.post(form("grant_type", "client_credentials", "client_id", "county", "client_secret", h.secret), nil)
	if g := read(t, w); w.Code != 503 || g.AccessToken != "" || w.Header().Get("Retry-After") == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestTheSMARTConfigurationLeadsToTheTokenEndpoint(t *testing.T) {
	for _, c := range []struct{ public, want string }{{"", "http://example.com/oauth/token"}, {"https://hub.example.org/", "https://hub.example.org/oauth/token"}} {
		h := build(t, webserver.Config{PublicURL: c.public})
		for _, path := range []string{"/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"} {
			w := h.ask("GET", path, "")
			var got struct {
				Endpoint string   `json:"token_endpoint"`
				Grants   []string `json:"grant_types_supported"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Endpoint != c.want || len(got.Grants) != 1 {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	}
}
