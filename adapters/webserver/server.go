package webserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"concord/hub"
	"concord/hub/access"
)

const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// Where the groups are mounted.
const (
	fhirRoot = "/fhir"
	dicomWeb = "/dicom-web"
	wadoURI  = "/wado"
	cdsRoot  = "/cds-services"
)

// Server is the HTTP face of one hub process.
type Server struct {
	config   Config
	deps     Deps
	engine   *gin.Engine
	meter    *meter
	members  *access.Allowances
	guesses  *throttle
	failures failureNotes
	open     map[string]bool
	ids      requestIDs
	draining atomic.Bool

	fhir, dicom, wado, cds *gin.RouterGroup
	guard                  []gin.HandlerFunc
	others                 []otherGroup
}

// otherGroup is one that was asked for by Group.
type otherGroup struct {
	root  string
	write ErrorWriter
}

// New builds the server with its own routes; the adapters add theirs to its groups before Run.
func New(config Config, deps Deps) (*Server, error) {
	config.fill()
	if deps.Logger == nil {
		deps.Logger = slog.Default()
	}
	if deps.Ready == nil {
		deps.Ready = func(context.Context) []string { return nil }
	}
	gin.SetMode(gin.ReleaseMode)
	s := &Server{config: config, deps: deps, engine: gin.New(), meter: newMeter(), open: map[string]bool{}, ids: newRequestIDs(),
		members: access.NewAllowances(config.Limits.Rate, config.Limits.Burst, config.Limits.Concurrent), guesses: newThrottle(config.Limits.Failures, config.Limits.FailureEvery), failures: newFailureNotes(deps.Trail)}
	for _, route := range config.Open {
		s.open[route] = true
	}
	e := s.engine
	e.RedirectTrailingSlash, e.RedirectFixedPath, e.HandleMethodNotAllowed = false, false, true
	if err := e.SetTrustedProxies(config.TrustedProxies); err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "trusted proxies", Msg: "an entry is no address or network", Err: err}
	}
	e.Use(s.hear, s.observe, s.recover, headers, s.cors)
	e.NoRoute(func(c *gin.Context) {
		s.fail(c, &hub.Error{Kind: hub.NotFound, Msg: "there is nothing at this address"})
	})
	e.NoMethod(func(c *gin.Context) {
		s.fail(c, &hub.Error{Kind: hub.Unsupported, Path: "method", Msg: "this address does not take " + method(c.Request.Method)})
	})
	if err := s.mountPage(); err != nil {
		return nil, err
	}
	s.mountHealth()
	s.mountTokens()
	s.guard = []gin.HandlerFunc{s.authenticate, s.limit, s.pace}
	s.fhir, s.dicom, s.cds = e.Group(fhirRoot, s.guard...), e.Group(dicomWeb, s.guard...), e.Group(cdsRoot, s.guard...)
	s.wado = e.Group(wadoURI, s.guard...)
	return s, nil
}

// FHIR is the group at /fhir. Its handlers find the access.Caller in the request's context.
func (s *Server) FHIR() *gin.RouterGroup { return s.fhir }

// DICOMweb is the group at /dicom-web.
func (s *Server) DICOMweb() *gin.RouterGroup { return s.dicom }

// WADO is the group at /wado, where older clients ask for single objects.
func (s *Server) WADO() *gin.RouterGroup { return s.wado }

// CDS is the group at /cds-services.
func (s *Server) CDS() *gin.RouterGroup { return s.cds }

// Group is another group, at root ("/ecg"), whose errors write puts into words; nil writes plain JSON. It must be asked for
// before the server runs.
func (s *Server) Group(root string, write ErrorWriter) *gin.RouterGroup {
	s.others = append(s.others, otherGroup{root, write})
	return s.engine.Group(root, s.guard...)
}

// Metrics is where other rooms register their collectors.
func (s *Server) Metrics() prometheus.Registerer { return s.meter.registry }

// Allowances are the members' own, for the other ways in.
func (s *Server) Allowances() *access.Allowances { return s.members }

// Handler is the whole server as a handler.
func (s *Server) Handler() http.Handler { return s.engine }

// Run listens and serves until ctx ends; then it says that it is not ready, stops accepting, and lets requests on
// their way finish within Config.Drain.
func (s *Server) Run(ctx context.Context) error {
	ln, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.config.Listen, err)
	}
	return s.Serve(ctx, ln)
}

// Serve is Run on a listener that is there already; it closes it.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{Handler: s.engine, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ErrorLog: slog.NewLogLogger(s.deps.Logger.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() {
		if s.config.CertFile != "" {
			ended <- srv.ServeTLS(ln, s.config.CertFile, s.config.KeyFile)
			return
		}
		ended <- srv.Serve(ln)
	}()
	s.deps.Logger.Info("listening", "address", ln.Addr().String(), "tls", s.config.CertFile != "")
	select {
	case err := <-ended:
		ln.Close()
		return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	return s.drain(srv)
}

func (s *Server) drain(srv *http.Server) error {
	s.draining.Store(true)
	srv.SetKeepAlivesEnabled(false)
	time.Sleep(s.config.Notice)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Drain)
	defer cancel()
	err := srv.Shutdown(ctx)
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = &hub.Error{Kind: hub.Unavailable, Msg: fmt.Sprintf("requests were cut off after %v", s.config.Drain)}
	}
	return errors.Join(err, srv.Close())
}

// fail answers with an error in the format of the group that the path belongs to.
func (s *Server) fail(c *gin.Context, err error) {
	closeUnread(c)
	retryAfter(c, err)
	write := writePlain
	for _, group := range append([]otherGroup{{fhirRoot, s.deps.FHIR}, {dicomWeb, s.deps.DICOMweb}, {wadoURI, s.deps.DICOMweb}, {cdsRoot, s.deps.CDS}}, s.others...) {
		rest, within := strings.CutPrefix(c.Request.URL.Path, group.root)
		if within && (rest == "" || rest[0] == '/') && group.write != nil {
			write = group.write
		}
	}
	write(c, err)
	c.Abort()
}

// closeUnread ends the connection after the answer when the request has a body: the server would else read some of
// it to keep the connection.
func closeUnread(c *gin.Context) {
	if c.Request.ContentLength != 0 {
		c.Header("Connection", "close")
	}
}
