// Package fhir is the hub's FHIR R4 (4.0.1) REST face, mounted at /fhir: it translates HTTP into writes for the
// committer and questions for the Reader, and back. What it stores is the JSON as sent with id and meta set.
//
// An operation is one change asked for: a single create, update or delete, or an entry of a bundle.
package fhir

import (
	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/identity"
	"concord/hub/lookup"
	"concord/hub/recognition/advice"
	"concord/internal/fhir"
)

// Policy decides who may change what.
type Policy interface {
	MayChange(who access.Caller, owner string) error
}

// Blobs takes in what is too large for a record.
type Blobs interface {
	hub.Stager
	hub.Opener
}

// Deps are what the adapter works with.
type Deps struct {
	Reader    *lookup.Reader
	Blobs     Blobs
	Writer    *commit.Committer
	Partition hub.Partition // where FHIR records lie
	Policy    Policy
	Project   *fhir.Projection
	// Adviser answers $find-recognisable and $explain; nil: nobody does.
	Adviser *advice.Adviser
	// Viewer is the address of a viewer of images, with {study} in it; empty: there is none.
	Viewer string
	// Took, where not nil, is told the size of each blob that was stored.
	Took func(bytes int64)
	// Identity judges who is whom, and Persons knows what was judged.
	Identity *identity.Model
	Persons  Persons
	// Decisions answers $explain of a decision that was kept; nil: nobody does.
	Decisions Decisions
	// Measures answers $evaluate-measure; nil: nobody does.
	Measures Measures
	// CursorKey signs page cursors.
	CursorKey []byte
	// PublicURL is the hub's address as clients see it, without a trailing slash; empty: taken from the request.
	PublicURL string
	Version   string
	Limits    Limits
	Rules     Rules
}

// Limits bound what a request may cost; zero values mean the defaults named.
type Limits struct {
	Resource   int64 // bytes of one resource, default 10 MB
	Bundle     int64 // bytes of one bundle, default 50 MB
	Binary     int64 // bytes of one Binary sent as it is, default 1 GB
	Attachment int   // bytes of base64 data, decoded, that lie in a blob and not in the record, default 64 KB
	Entries    int   // entries of one bundle, default 5,000
	Page       int   // greatest _count, default 1,000
	Default    int   // _count when none is asked for, default 50
	Deletes    int   // resources that one conditional delete takes away, default 1,000
}

func (l *Limits) fill() {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	for p, v := range map[*int64]int64{&l.Resource: 10 << 20, &l.Bundle: 50 << 20, &l.Binary: 1 << 30} {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.Attachment, 64<<10)
	set(&l.Entries, 5000)
	set(&l.Page, 1000)
	set(&l.Default, 50)
	set(&l.Deletes, 1000)
}

// Server answers FHIR requests.
type Server struct {
	Deps
	promises promises
}

// Mount registers the routes on an authenticated group at /fhir. What asks (GET, HEAD, POST _search, operations) is told
// apart by its path, see question; gin's routes name what the log and the metrics show.
func Mount(g *gin.RouterGroup, d Deps) *Server {
	d.Limits.fill()
	s := &Server{Deps: d}
	g.Use(acceptable)
	for _, path := range []string{"", "/", "/metadata", "/:type", "/:type/:id", "/:type/:id/:sub", "/:type/:id/:sub/:vid", "/:type/:id/:sub/:vid/:operation"} {
		g.GET(path, s.get)
		g.HEAD(path, s.get)
	}
	g.POST("", s.bundle)
	g.POST("/", s.bundle)
	for _, path := range []string{"/:type", "/:type/:id", "/:type/:id/:sub", "/:type/:id/:sub/:vid", "/:type/:id/:sub/:vid/:operation"} {
		g.POST(path, s.post)
	}
	for _, path := range []string{"/:type", "/:type/:id"} { // without an id: by criteria
		g.PUT(path, s.typed(s.write))
		g.PATCH(path, s.typed(s.write))
		g.DELETE(path, s.typed(s.write))
	}
	return s
}

// typed refuses resource types that R4 does not have before anything else looks at the request.
func (s *Server) typed(next gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if typ := c.Param("type"); !fhir.IsResourceType(typ) {
			WriteError(c, unknownType(typ))
			return
		}
		next(c)
	}
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
