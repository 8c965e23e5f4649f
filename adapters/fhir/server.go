// Package fhir is the hub's FHIR R4 (4.0.1) REST face, mounted at /fhir: it translates HTTP into writes for the
// committer and questions for the Reader, and back. What it stores is the JSON as sent with id and meta set.
//
// An operation is one change asked for: a single create, update or delete, or an entry of a bundle.
package fhir

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/lookup"
	"concord/hub/recognition"
	"concord/internal/fhir"
)

// Policy decides who may change what.
type Policy interface {
	MayChange(who access.Caller, owner string) error
}

// Members knows the institutions.
type Members interface {
	Member(id string) (access.Member, bool)
}

// Deps are what the adapter works with.
type Deps struct {
	Reader    *lookup.Reader
	Writer    *commit.Committer
	Partition hub.Partition // where FHIR records lie
	Policy    Policy
	Project   *fhir.Projection
	Catalogue *recognition.Catalogue
	Members   Members
	// Retrievable says whether a study's images can be fetched now; nil: not known.
	Retrievable func(ctx context.Context, studyUID string) (bool, error)
	// CursorKey signs page cursors.
	CursorKey []byte
	// PublicURL is the hub's address as clients see it, without a trailing slash; empty: taken from the request.
	PublicURL string
	Version   string
	Limits    Limits
}

// Limits bound what a request may cost; zero values mean the defaults named.
type Limits struct {
	Resource int64 // bytes of one resource, default 10 MB
	Bundle   int64 // bytes of one bundle, default 50 MB
	Entries  int   // entries of one bundle, default 5,000
	Page     int   // greatest _count, default 1,000
	Default  int   // _count when none is asked for, default 50
}

func (l *Limits) fill() {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	if l.Resource == 0 {
		l.Resource = 10 << 20
	}
	if l.Bundle == 0 {
		l.Bundle = 50 << 20
	}
	set(&l.Entries, 5000)
	set(&l.Page, 1000)
	set(&l.Default, 50)
}

// Server answers FHIR requests.
type Server struct {
	Deps
}

// Mount registers the routes on an authenticated group at /fhir.
func Mount(g *gin.RouterGroup, d Deps) *Server {
	d.Limits.fill()
	s := &Server{d}
	g.Use(acceptable)
	g.GET("/metadata", s.capabilities)
	g.POST("", s.bundle)
	g.POST("/", s.bundle)
	g.GET("/:type", s.typed(s.search))
	g.POST("/:type", s.typed(s.create))
	g.POST("/:type/:id", s.typed(s.postOperation)) // _search and $operations
	g.GET("/:type/:id", s.typed(s.getOrOperation))
	g.HEAD("/:type/:id", s.typed(s.read))
	g.PUT("/:type/:id", s.typed(s.update))
	g.DELETE("/:type/:id", s.typed(s.remove))
	g.GET("/:type/:id/_history", s.typed(s.history))
	g.GET("/:type/:id/_history/:vid", s.typed(s.vread))
	return s
}

// acceptable refuses requests that want their answer in another format than JSON (R4 http.html#mime-type: _format goes
// before Accept), rather than answer them with what they cannot read.
func acceptable(c *gin.Context) {
	if format := c.Query("_format"); format != "" {
		if format != "json" && !isJSON(strings.ReplaceAll(format, " ", "+")) { // + in a query is a blank
			WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "_format", Msg: "the hub answers in JSON, not " + quote(format)})
		}
		return
	}
	accept := strings.Join(c.Request.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return
	}
	for one := range strings.SplitSeq(accept, ",") {
		typ, _, _ := strings.Cut(one, ";")
		if typ = strings.ToLower(strings.TrimSpace(typ)); isJSON(typ) || typ == "*/*" || typ == "application/*" {
			return
		}
	}
	WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "the hub answers in application/fhir+json, not " + quote(accept)})
}

// typed refuses resource types that R4 does not have before anything else looks at the request.
func (s *Server) typed(next gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if typ := c.Param("type"); !fhir.IsResourceType(typ) {
			WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "R4 has no resource type " + quote(typ), Hint: fhir.NearestType(typ)})
			return
		}
		next(c)
	}
}

func (s *Server) postOperation(c *gin.Context) {
	switch c.Param("id") {
	case "_search":
		s.search(c)
	case "$find-recognisable":
		if c.Param("type") == "ServiceRequest" {
			s.findRecognisable(c)
			return
		}
		fallthrough
	default:
		WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "there is no operation " + quote(c.Param("id")) + " on " + c.Param("type")})
	}
}

func (s *Server) getOrOperation(c *gin.Context) {
	if strings.HasPrefix(c.Param("id"), "$") {
		if c.Param("type") == "ServiceRequest" && c.Param("id") == "$find-recognisable" {
			s.findRecognisable(c)
			return
		}
		WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "there is no operation " + quote(c.Param("id")) + " on " + c.Param("type")})
		return
	}
	s.read(c)
}

// base is the service root as the client sees it, without a trailing slash.
func (s *Server) base(c *gin.Context) string {
	if s.PublicURL != "" {
		return s.PublicURL + "/fhir"
	}
	scheme := "http"
	if c.Request.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + c.Request.Host + "/fhir"
}

func caller(c *gin.Context) access.Caller {
	who, _ := access.CallerFrom(c.Request.Context())
	return who
}

// permit asks for the scope; on refusal it has answered.
func permit(c *gin.Context, a access.Action, typ string) (access.Caller, bool) {
	who := caller(c)
	if err := who.May(a, typ); err != nil {
		WriteError(c, err)
		return who, false
	}
	return who, true
}

func writeResource(c *gin.Context, status int, body []byte) {
	c.Writer.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
	c.Writer.WriteHeader(status)
	if c.Request.Method != http.MethodHead {
		c.Writer.Write(body)
	}
}
