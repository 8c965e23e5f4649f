package webserver

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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
	if reasons := s.notReady(ctx); len(reasons) > 0 {
		c.Header("Retry-After", "1")
		c.JSON(http.StatusServiceUnavailable, readiness{false, reasons})
		return
	}
	c.JSON(http.StatusOK, readiness{Ready: true})
}

// notReady lists why the hub cannot serve now; none when it can.
func (s *Server) notReady(ctx context.Context) []string {
	if s.draining.Load() {
		return []string{"the hub is shutting down"}
	}
	return s.deps.Ready(ctx)
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
