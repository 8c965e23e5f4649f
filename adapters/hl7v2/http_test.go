package hl7v2

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
)

func TestAMessageOverHTTPIsAnsweredWithItsAcknowledgement(t *testing.T) {
	gin.SetMode(gin.TestMode)
	for name, c := range map[string]struct {
		kind, scope, body string
		fails             error
		status            int
		has               string
	}{
		"taken":                   {MediaType, access.AllResources, oru("1", "", ""), nil, 200, "MSA|AA|1\r"},
		"as text, in a frame":     {"text/plain; charset=utf-8", access.AllResources, "\x0b" + oru("1", "", "") + "\x1c\r", nil, 200, "MSA|AA|1\r"},
		"whoever its header says": {MediaType, access.AllResources, strings.Replace(oru("1", "", ""), "|LIS|", "|OTHER|", 1), nil, 200, "MSA|AA|1\r"},
		"not to be answered":      {MediaType, access.AllResources, oru("1", "NE", "NE"), nil, 204, ""},
		"no message":              {MediaType, access.AllResources, "<xml/>", nil, 200, "MSA|AR|"},
		"two at once":             {MediaType, access.AllResources, oru("1", "", "") + oru("2", "", ""), nil, 200, "MSA|AA|2\r"},
		"of another kind":         {"application/json", access.AllResources, "{}", nil, 415, "unsupported"},
		"without the right":       {MediaType, "system/Observation.cruds", oru("1", "", ""), nil, 403, "forbidden"},
		"too large":               {MediaType, access.AllResources, oru("1", "", "") + strings.Repeat("x", 1<<20), nil, 413, "too-large"},
		"not now":                 {MediaType, access.AllResources, oru("1", "", ""), &hub.Error{Kind: hub.Unavailable, Msg: "the store is away", Retry: time.Second}, 503, "MSA|AR|1|"},
	} {
		s := New(Config{Limits: Limits{Message: 1 << 20}}, Deps{Intake: &shelf{fails: c.fails}, Members: &consortium{}, Trail: &log{}})
		e := gin.New()
		s.Mount(e.Group("/hl7v2", func(g *gin.Context) {
			g.Request = g.Request.WithContext(access.WithCaller(g.Request.Context(), access.NewCaller("county", c.scope, "")))
		}))
		r := httptest.NewRequest(http.MethodPost, "/hl7v2", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		body, err := io.ReadAll(w.Body)
		if err != nil || w.Code != c.status || !strings.Contains(string(body), c.has) {
			t.Errorf("%s: %d %q, want %d with %q", name, w.Code, body, c.status, c.has)
		}
		if (c.status == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After is %q", name, w.Header().Get("Retry-After"))
		}
	}
}
