package webserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"concord/adapters/webserver"
)

func TestOnlyPagesOfNamedOriginsMayCallFromABrowser(t *testing.T) {
	for _, c := range []struct {
		say     string
		allowed []string
		origin  string
		granted string
	}{
		{"by default nobody may", nil, "https://viewer.example", ""},
		{"a named origin may", []string{"https://viewer.example"}, "https://viewer.example", "https://viewer.example"},
		{"another one may not", []string{"https://viewer.example"}, "https://evil.example", ""},
		{"nor one that begins so", []string{"https://viewer.example"}, "https://viewer.example.evil", ""},
		{"nor the null origin", []string{"https://viewer.example"}, "null", ""},
	} {
		h := build(t, webserver.Config{Origins: c.allowed})
		for _, path := range []string{"/dicom-web/studies", "/fhir/Patient", "/wado"} {
			preflight := httptest.NewRequest(http.MethodOptions, path, nil)
			preflight.Header.Set("Origin", c.origin)
			preflight.Header.Set("Access-Control-Request-Method", "GET")
			plain := httptest.NewRequest(http.MethodGet, path, nil) // without a credential: the page must be able to read that, too
			plain.Header.Set("Origin", c.origin)
			for _, r := range []*http.Request{preflight, plain} {
				w := httptest.NewRecorder()
				h.Handler().ServeHTTP(w, r)
				if got := w.Header().Get("Access-Control-Allow-Origin"); got != c.granted {
					t.Errorf("%s: %s %s is granted to %q, want %q", c.say, r.Method, path, got, c.granted)
				}
				if w.Header().Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: cookies are let in", c.say)
				}
				if r == preflight && c.granted != "" && w.Code != http.StatusNoContent {
					t.Errorf("%s: the preflight of %s is answered %d", c.say, path, w.Code)
				}
			}
		}
	}
}
