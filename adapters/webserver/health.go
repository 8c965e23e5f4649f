package webserver

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"path"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"concord/web"
)

func (s *Server) mountHealth() {
	s.engine.GET("/livez", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"alive": true}) })
	s.engine.GET("/readyz", s.ready)
	metrics := promhttp.HandlerFor(s.meter.registry, promhttp.HandlerOpts{})
	s.engine.GET("/metrics", s.monitor, func(c *gin.Context) { metrics.ServeHTTP(c.Writer, c.Request) })
}

type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"`
}

func (s *Server) ready(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), 3*time.Second)
	defer cancel()
	var reasons []string
	if s.draining.Load() {
		reasons = []string{"the hub is shutting down"}
	} else {
		reasons = s.deps.Ready(ctx)
	}
	if len(reasons) > 0 {
		c.Header("Retry-After", "1")
		c.JSON(http.StatusServiceUnavailable, readiness{false, reasons})
		return
	}
	c.JSON(http.StatusOK, readiness{Ready: true})
}

// monitor lets a loopback peer read the metrics, unless it forwards for another, and whoever has a token for it.
func (s *Server) monitor(c *gin.Context) {
	peer, err := netip.ParseAddrPort(c.Request.RemoteAddr)
	h := c.Request.Header
	if err == nil && peer.Addr().Unmap().IsLoopback() && h.Get("X-Forwarded-For") == "" && h.Get("Forwarded") == "" && h.Get("X-Real-Ip") == "" && h.Get("Via") == "" {
		return
	}
	who, err := s.caller(c.Request)
	if err != nil {
		c.Header("WWW-Authenticate", challenge(c.Request, err))
		s.fail(c, err)
		return
	}
	if err := who.MayMonitor(); err != nil {
		s.fail(c, err)
	}
}

// mountPage serves what web/ holds: index.html at / and the rest at /assets.
func (s *Server) mountPage() error {
	files, err := web.Files.ReadDir(".")
	if err != nil {
		return fmt.Errorf("read the embedded pages: %w", err)
	}
	for _, f := range files {
		data, err := web.Files.ReadFile(f.Name())
		if err != nil {
			return fmt.Errorf("read the embedded pages: %w", err)
		}
		route := "/assets/" + f.Name()
		if f.Name() == "index.html" {
			route = "/"
		}
		s.engine.GET(route, func(c *gin.Context) {
			c.Header("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
			c.Header("Cache-Control", "no-cache")
			c.Data(http.StatusOK, mime.TypeByExtension(path.Ext(f.Name())), data)
		})
	}
	return nil
}
