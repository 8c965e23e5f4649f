package webserver

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

// cors lets pages of the configured origins call the hub from a browser (Fetch standard, 3.2). By default there are none, and
// browsers keep to pages of the hub's own origin. Credentials are bearer tokens that the page itself sends; cookies are never
// looked at, so Access-Control-Allow-Credentials is not given.
func (s *Server) cors(c *gin.Context) {
	if len(s.config.Origins) == 0 {
		return
	}
	h := c.Writer.Header()
	h.Add("Vary", "Origin")
	origin := c.GetHeader("Origin")
	if origin == "" || !slices.Contains(s.config.Origins, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if c.Request.Method != http.MethodOptions || c.GetHeader("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", "Content-Location, Content-Range, ETag, Location, Retry-After, Warning, X-Request-Id")
		return
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, Range, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
	c.AbortWithStatus(http.StatusNoContent)
}
