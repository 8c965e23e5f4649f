package webserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"concord/adapters/webserver"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/hub/settings"
	"concord/internal/memobjects"
	"concord/internal/webbody"
)

// house is a server with real members and tokens, and a trail that can be read and made to fail.
type house struct {
	*webserver.Server
	issuer *access.Issuer
	desk   *access.Registrar
	secret string // of member county
	trail  *notes
	logged *lockedBuffer
	ready  atomic.Pointer[[]string]
}

type notes struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (n *notes) Note(_ context.Context, e audit.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
	return n.err
}

func (n *notes) of(a audit.Action) (found []audit.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if e.Action == a {
			found = append(found, e)
		}
	}
	return found
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func build(t testing.TB, config webserver.Config) *house {
	t.Helper()
	store := &memobjects.Store{}
	set, err := settings.Load(t.Context(), store, settings.Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	reg := access.NewRegistry(&projection.Log{Objects: store, Partition: settings.Access})
	if err := reg.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := commit.New(reg.Log(), reg, commit.Options{})
	t.Cleanup(c.Close)
	h := &house{desk: &access.Registrar{Registry: reg, Committer: c, By: "operator"}, trail: &notes{}, logged: &lockedBuffer{}}
	h.issuer = access.NewIssuer(set.ID, set.TokenKey, reg, nil)
	if h.secret, err = h.desk.Add(t.Context(), access.Member{ID: "county", Name: "County", Tier: access.Lead}); err != nil {
		t.Fatal(err)
	}
	h.Server, err = webserver.New(config, webserver.Deps{Tokens: h.issuer, Members: reg, Trail: h.trail,
		Logger: slog.New(slog.NewJSONHandler(h.logged, nil)),
		Ready: func(context.Context) []string {
			if r := h.ready.Load(); r != nil {
				return *r
			}
			return nil
		},
		FHIR: func(c *gin.Context, err error) {
			status := map[hub.ErrKind]int{hub.Unauthenticated: 401, hub.TooMany: 429, hub.Internal: 500, hub.NotFound: 404}[hub.KindOf(err)]
			c.JSON(status, gin.H{"resourceType": "OperationOutcome"})
		}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) token(t testing.TB, scope string) string {
	t.Helper()
	token, err := h.issuer.Issue("county", scope, 0)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (h *house) ask(method, path, token string) *httptest.ResponseRecorder {
	return h.do(method, path, func(r *http.Request) {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

func (h *house) do(method, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	change(r)
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, r)
	return w
}

func echo(c *gin.Context) {
	who, ok := access.CallerFrom(c.Request.Context())
	c.String(http.StatusOK, "%s %v", who.Member, ok)
}

func TestAHandlerLearnsTheCallerFromTheTokenAlone(t *testing.T) {
	h := build(t, webserver.Config{})
	h.FHIR().GET("/:type", echo)
	w := h.do("GET", "/fhir/Patient?member=village", func(r *http.Request) {
		r.Header.Set("Authorization", "bearer "+h.token(t, "system/*.rs"))
		r.Header.Set("X-Member", "village")
	})
	if w.Code != 200 || w.Body.String() != "county true" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for k, v := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got := w.Header().Get(k); got != v {
			t.Errorf("%s: %q", k, got)
		}
	}
}

func TestRequestsWithoutAGoodTokenAreRefusedInTheGroupsFormat(t *testing.T) {
	h := build(t, webserver.Config{})
	called := false
	for _, g := range []*gin.RouterGroup{h.FHIR(), h.DICOMweb(), h.CDS()} {
		g.GET("/thing", func(*gin.Context) { called = true })
	}
	good := h.token(t, "system/*.rs")
	cases := map[string]struct {
		header    []string
		challenge string
	}{
		"no credential":              {nil, `Bearer realm="concord"`},
		"another scheme":             {[]string{"Basic Y291bnR5Og=="}, `error="invalid_token"`},
		"a token that is bad":        {[]string{"Bearer " + good + "x"}, `error="invalid_token"`},
		"two credentials":            {[]string{"Bearer " + good, "Bearer " + good}, `error="invalid_token"`},
		"empty":                      {[]string{""}, `error="invalid_token"`},
		"a token without its scheme": {[]string{good}, `error="invalid_token"`},
	}
	for name, c := range cases {
		for path, says := range map[string]string{"/fhir/thing": "OperationOutcome", "/dicom-web/thing": "unauthenticated", "/cds-services/thing": "unauthenticated"} {
			w := h.do("GET", path+"?access_token="+good, func(r *http.Request) { r.Header["Authorization"] = c.header })
			if w.Code != 401 || !strings.Contains(w.Body.String(), says) {
				t.Errorf("%s at %s: %d %s", name, path, w.Code, w.Body)
			}
			if got := w.Header().Get("WWW-Authenticate"); !strings.Contains(got, c.challenge) {
				t.Errorf("%s at %s: challenge %q", name, path, got)
			}
		}
	}
	if called {
		t.Error("a handler ran without a credential")
	}
	failures := h.trail.of(audit.LoginFailure)
	if len(failures) != 18 || failures[0].Address != "192.0.2.1" || failures[0].Outcome != audit.Denied {
		t.Errorf("%d failures in the trail: %+v", len(failures), failures)
	}
}

func TestFailedLoginsCannotFloodTheTrail(t *testing.T) {
	h := build(t, webserver.Config{})
	h.FHIR().GET("/thing", echo)
	for range 1000 {
		h.ask("GET", "/fhir/thing", "bad")
	}
	if n := len(h.trail.of(audit.LoginFailure)); n < 50 || n > 300 {
		t.Errorf("1,000 failures made %d events", n)
	}
}

func TestADisabledMemberIsRefusedAtOnce(t *testing.T) {
	h := build(t, webserver.Config{})
	h.FHIR().GET("/thing", echo)
	token := h.token(t, "system/*.rs")
	if w := h.ask("GET", "/fhir/thing", token); w.Code != 200 {
		t.Fatal(w.Code)
	}
	if err := h.desk.Disable(t.Context(), "county"); err != nil {
		t.Fatal(err)
	}
	if w := h.ask("GET", "/fhir/thing", token); w.Code != 401 {
		t.Fatal(w.Code)
	}
}

func TestDiscoveryNeedsNoCredential(t *testing.T) {
	h := build(t, webserver.Config{})
	h.FHIR().GET("/metadata", echo)
	h.CDS().GET("", echo)
	for _, path := range []string{"/fhir/metadata", "/cds-services", "/", "/assets/style.css", "/livez", "/readyz"} {
		if w := h.ask("GET", path, ""); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	page := h.ask("GET", "/", "")
	if !strings.Contains(page.Body.String(), "医联体") || !strings.Contains(page.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("the page lacks its Chinese half or its policy")
	}
}

func TestThePageSaysHowTheHubIsInTheReadersLanguage(t *testing.T) {
	h := build(t, webserver.Config{Version: "v1.2.3"})
	for _, one := range []struct{ accept, url, want, not string }{
		{"", "/", "Ready", "运行正常"},
		{"zh-CN,zh;q=0.9,en;q=0.8", "/", "运行正常", "How to get a token"},
		{"zh-CN", "/?lang=en", "How to get a token", "怎样获取令牌"},
	} {
		r := httptest.NewRequest("GET", one.url, nil)
		r.Header.Set("Accept-Language", one.accept)
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, r)
		body := w.Body.String()
		if !strings.Contains(body, one.want) || strings.Contains(body, one.not) || !strings.Contains(body, "v1.2.3") {
			t.Errorf("%s in %q: it should say %q and the version, and not %q:\n%s", one.url, one.accept, one.want, one.not, body)
		}
		for _, link := range regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			if !strings.HasPrefix(link[1], "/") {
				t.Errorf("the page refers to %s, which is not of this hub", link[1])
			}
			if !strings.HasPrefix(link[1], "/docs/") {
				continue
			}
			w := h.ask("GET", link[1], "")
			if w.Code != 200 {
				t.Errorf("%s: %d", link[1], w.Code)
			}
			for _, to := range regexp.MustCompile(`\]\(([\w.-]+\.md)[#)]`).FindAllStringSubmatch(w.Body.String(), -1) {
				if w := h.ask("GET", "/docs/"+to[1], ""); w.Code != 200 {
					t.Errorf("%s refers to %s: %d", link[1], to[1], w.Code)
				}
			}
		}
	}
}

// start serves on a real listener until the test ends.
func start(t *testing.T, h *house) (address string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, ln) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-ended })
		return result
	}
	t.Cleanup(func() { stop() })
	return ln.Addr().String(), stop
}

func TestNoBodyIsReadBeforeTheCredentialIsChecked(t *testing.T) {
	h := build(t, webserver.Config{Notice: time.Millisecond})
	h.FHIR().POST("/:type", func(c *gin.Context) { io.Copy(io.Discard, c.Request.Body) })
	body := &countedBody{}
	w := h.do("POST", "/fhir/Patient", func(r *http.Request) {
		r.Body, r.ContentLength = body, 1<<30
	})
	if w.Code != 401 || body.reads.Load() != 0 {
		t.Fatalf("%d after %d reads", w.Code, body.reads.Load())
	}

	address, _ := start(t, h)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// the header and not one byte of the body: an answer that waits for any of it would not come
	fmt.Fprintf(conn, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 1<<30)
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 401 || !res.Close || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d, close %v", res.StatusCode, res.Close)
	}
	sent, chunk := 0, make([]byte, 64<<10)
	for sent < 64<<20 {
		n, err := conn.Write(chunk)
		if sent += n; err != nil {
			break
		}
	}
	if sent >= 64<<20 {
		t.Errorf("the server took %d bytes after it had refused", sent)
	}
}

type countedBody struct{ reads atomic.Int32 }

func (b *countedBody) Read(p []byte) (int, error) { b.reads.Add(1); return len(p), nil }
func (b *countedBody) Close() error               { return nil }

func TestSlowHeadersAndSlowBodiesAreCut(t *testing.T) {
	h := build(t, webserver.Config{Notice: time.Millisecond, Pace: webbody.Pace{Idle: 200 * time.Millisecond}})
	ended := make(chan error, 1)
	h.FHIR().POST("/:type", func(c *gin.Context) {
		_, err := io.Copy(io.Discard, c.Request.Body)
		ended <- err
		c.Status(400)
	})
	address, _ := start(t, h)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\nabc", h.token(t, "system/*.*"))
	select {
	case err := <-ended:
		if !hub.Is(err, hub.Invalid) {
			t.Errorf("the handler was told %v", err)
		}
	case <-time.After(2 * time.Second):
		t.Error("the handler still waits for the body")
	}

	slow, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprint(slow, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	slow.SetReadDeadline(time.Now().Add(7 * time.Second))
	if _, err := io.Copy(io.Discard, slow); err != nil {
		t.Errorf("a header that never ends was not cut after 5 s: %v", err)
	}
}

func TestAMemberIsHeldToItsLimits(t *testing.T) {
	h := build(t, webserver.Config{Limits: webserver.Limits{Rate: 0.001, Burst: 3, Concurrent: 1}})
	gate, entered := make(chan struct{}), make(chan struct{})
	h.FHIR().GET("/thing", echo)
	h.FHIR().GET("/wait", func(c *gin.Context) { close(entered); <-gate })
	token := h.token(t, "system/*.rs")
	done := make(chan int, 1)
	go func() { done <- h.ask("GET", "/fhir/wait", token).Code }()
	<-entered
	w := h.ask("GET", "/fhir/thing", token)
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "OperationOutcome") {
		t.Errorf("a second request at a time: %d %s", w.Code, w.Body)
	}
	close(gate)
	if code := <-done; code != 200 {
		t.Error(code)
	}
	if w := h.ask("GET", "/fhir/thing", token); w.Code != 200 {
		t.Errorf("the third of a burst of three: %d", w.Code)
	}
	if w := h.ask("GET", "/fhir/thing", token); w.Code != 429 {
		t.Errorf("the fourth: %d", w.Code)
	}
	if _, err := h.desk.Add(t.Context(), access.Member{ID: "village", Name: "Village", Tier: access.Community}); err != nil {
		t.Fatal(err)
	}
	other, err := h.issuer.Issue("village", "system/*.rs", 0)
	if err != nil {
		t.Fatal(err)
	}
	if w := h.ask("GET", "/fhir/thing", other); w.Code != 200 {
		t.Errorf("another member pays for it: %d", w.Code)
	}
}

func TestAPanicIsAPlainErrorAndItsValueStaysOutOfTheLog(t *testing.T) {
	h := build(t, webserver.Config{})
	h.FHIR().GET("/thing", func(*gin.Context) { panic("patient 张三") })
	h.DICOMweb().GET("/thing", func(c *gin.Context) { _ = []int{}[len(c.Params)] })
	token := h.token(t, "system/*.rs")
	if w := h.ask("GET", "/fhir/thing", token); w.Code != 500 || !strings.Contains(w.Body.String(), "OperationOutcome") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := h.ask("GET", "/dicom-web/thing", token); w.Code != 500 || strings.Contains(w.Body.String(), "index out of range") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	log := h.logged.String()
	if strings.Contains(log, "张三") || !strings.Contains(log, "index out of range") || !strings.Contains(log, "server_test.go") {
		t.Errorf("log: %s", log)
	}
}

func TestLogsAndMetricsHoldNoPatientData(t *testing.T) {
	h := build(t, webserver.Config{})
	h.FHIR().GET("/:type/:id", echo)
	token := h.token(t, "system/*.rs")
	h.ask("GET", "/fhir/Patient/330106199001011234?name=Zhang", token)
	h.ask("GET", "/nowhere/330106199001011234?name=Zhang", token)
	h.ask("ZHANG", "/fhir/Patient/330106199001011234", token)
	h.do("GET", "/fhir/Patient/1", func(r *http.Request) {
		r.Header.Set("X-Request-Id", "a\r\nZhang")
	})
	metrics := h.do("GET", "/metrics", func(r *http.Request) { r.RemoteAddr = "127.0.0.1:5000" })
	if metrics.Code != 200 || !strings.Contains(metrics.Body.String(), `concord_http_requests_total{method="GET",route="/fhir/:type/:id",status="200"} 1`) {
		t.Fatalf("%d %s", metrics.Code, metrics.Body)
	}
	for what, text := range map[string]string{"metrics": metrics.Body.String(), "log": h.logged.String()} {
		for _, secret := range []string{"3301061990", "Zhang", "ZHANG", token} {
			if strings.Contains(text, secret) {
				t.Errorf("%s in %s", secret, what)
			}
		}
	}
	if !strings.Contains(h.logged.String(), `"member":"county"`) {
		t.Error("the access line does not name the member")
	}
}

func TestMetricsAreForLoopbackAndMonitorsOnly(t *testing.T) {
	h := build(t, webserver.Config{})
	cases := map[string]struct {
		peer, forwarded, token string
		want                   int
	}{
		"loopback":                {"127.0.0.1:5000", "", "", 200},
		"loopback, IPv6":          {"[::1]:5000", "", "", 200},
		"a proxy on the loopback": {"127.0.0.1:5000", "203.0.113.9", "", 401},
		"elsewhere":               {"10.0.0.9:5000", "", "", 401},
		"elsewhere as a member":   {"10.0.0.9:5000", "", h.token(t, "system/*.*"), 403},
		"elsewhere as a monitor":  {"10.0.0.9:5000", "", h.token(t, "metrics"), 200},
	}
	for name, c := range cases {
		w := h.do("GET", "/metrics", func(r *http.Request) {
			r.RemoteAddr = c.peer
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
		})
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
}

func TestReadinessGivesItsReasons(t *testing.T) {
	h := build(t, webserver.Config{})
	h.ready.Store(&[]string{"the index is catching up"})
	w := h.ask("GET", "/readyz", "")
	var got struct {
		Ready   bool
		Reasons []string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 503 || got.Ready || len(got.Reasons) != 1 || w.Header().Get("Retry-After") == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := h.ask("GET", "/livez", ""); w.Code != 200 {
		t.Errorf("alive: %d", w.Code)
	}
}

func TestDrainingFinishesWhatIsUnderWayAndSaysSoFirst(t *testing.T) {
	h := build(t, webserver.Config{Notice: 300 * time.Millisecond})
	entered, gate := make(chan struct{}), make(chan struct{})
	h.FHIR().GET("/wait", func(c *gin.Context) { close(entered); <-gate; c.String(200, "whole") })
	address, stop := start(t, h)
	answer := make(chan string, 1)
	go func() {
		req, _ := http.NewRequest("GET", "http://"+address+"/fhir/wait", nil)
		req.Header.Set("Authorization", "Bearer "+h.token(t, "system/*.rs"))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			answer <- err.Error()
			return
		}
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	time.Sleep(100 * time.Millisecond)
	res, err := http.Get("http://" + address + "/readyz")
	if err != nil || res.StatusCode != 503 {
		t.Errorf("during the notice: %v, %v", res, err)
	}
	time.Sleep(400 * time.Millisecond)
	if _, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		t.Error("connections are accepted after the notice")
	}
	close(gate)
	if got := <-answer; got != "whole" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestADrainThatTakesTooLongIsCutAndReported(t *testing.T) {
	h := build(t, webserver.Config{Notice: time.Millisecond, Drain: 100 * time.Millisecond})
	entered := make(chan struct{})
	h.FHIR().GET("/wait", func(c *gin.Context) { close(entered); <-c.Request.Context().Done() })
	address, stop := start(t, h)
	go func() {
		req, _ := http.NewRequest("GET", "http://"+address+"/fhir/wait", nil)
		req.Header.Set("Authorization", "Bearer "+h.token(t, "system/*.rs"))
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	<-entered
	started := time.Now()
	if err := stop(); !hub.Is(err, hub.Unavailable) || time.Since(started) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
}

func TestAnAddressThatIsTakenIsAnError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	h := build(t, webserver.Config{Listen: ln.Addr().String()})
	if err := h.Run(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func BenchmarkAuthenticatedRequest(b *testing.B) {
	h := build(b, webserver.Config{Limits: webserver.Limits{Rate: 1e9, Burst: 1e9}})
	h.FHIR().GET("/:type/:id", func(c *gin.Context) { c.Status(200) })
	token := h.token(b, "system/*.rs")
	b.ReportAllocs()
	for b.Loop() {
		if w := h.ask("GET", "/fhir/Patient/1", token); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
