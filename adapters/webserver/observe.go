package webserver

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"concord/hub"
	"concord/hub/access"
)

// meter is the server's own registry and what it measures of requests. Labels are route patterns, never paths.
type meter struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMeter() *meter {
	m := &meter{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_http_requests_total", Help: "Requests answered."}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "concord_http_request_seconds", Help: "Time from the request's header to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}}, []string{"route", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "concord_http_in_flight", Help: "Requests under way."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.inFlight, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// method keeps made-up methods out of labels and logs.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// observe gives the request its id and tells of it when it is over: one access line and the metrics. Neither holds
// the path or the query, which may carry names and numbers; the route's pattern stands for them.
func (s *Server) observe(c *gin.Context) {
	started := time.Now()
	id := s.ids.of(c.Request)
	c.Header("X-Request-Id", id)
	s.meter.inFlight.Inc()
	defer func() {
		took := time.Since(started)
		route, meth, status := c.FullPath(), method(c.Request.Method), c.Writer.Status()
		if route == "" {
			route = "none"
		}
		s.meter.inFlight.Dec()
		s.meter.requests.WithLabelValues(route, meth, strconv.Itoa(status)).Inc()
		s.meter.seconds.WithLabelValues(route, meth).Observe(took.Seconds())
		level := slog.LevelInfo
		if status >= 500 {
			level = slog.LevelWarn
		}
		ctx := c.Request.Context()
		if !s.deps.Logger.Enabled(ctx, level) {
			return
		}
		who, _ := access.CallerFrom(ctx)
		s.deps.Logger.LogAttrs(ctx, level, "request", slog.String("request", id), slog.String("method", meth), slog.String("route", route),
			slog.Int("status", status), slog.Int("bytes", max(0, c.Writer.Size())), slog.Duration("took", took),
			slog.String("member", who.Member), slog.String("address", s.address(c)))
	}()
	// Requests begin in the order they came: without it, a processor that has work keeps what came with it waiting behind
	// that work, while the others go on with connections that ask again at once.
	runtime.Gosched()
	c.Next()
}

// recover turns a panic into a plain 500 and puts its stack into the log. The panic's value is left out unless it is
// the runtime's: another may quote data. An answer that has begun is cut off, so that nobody takes it for whole.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(http.ErrAbortHandler)
		}
		what := "value withheld"
		var fault runtime.Error
		if err, ok := v.(error); ok && errors.As(err, &fault) {
			what = fault.Error()
		}
		s.deps.Logger.Error("panic in a handler", "request", c.Writer.Header().Get("X-Request-Id"), "route", c.FullPath(), "panic", what, "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		s.fail(c, &hub.Error{Kind: hub.Internal, Msg: "a handler panicked"})
	}()
	c.Next()
}

// headers are those of an API answer; the page sets its own. A handler may allow caching of what never changes.
func headers(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	if c.Request.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// requestIDs are a random name of the process and a count.
type requestIDs struct {
	process string
	n       *atomic.Uint64
}

func newRequestIDs() requestIDs { return requestIDs{rand.Text()[:8], new(atomic.Uint64)} }

// of keeps the id a client or proxy sent if it is harmless in a log line.
func (ids requestIDs) of(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); harmless(id) {
		return id
	}
	return ids.process + "-" + strconv.FormatUint(ids.n.Add(1), 36)
}

func harmless(id string) bool {
	if len(id) < 1 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
