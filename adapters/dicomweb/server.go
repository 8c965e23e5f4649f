// Package dicomweb is the hub's DICOMweb face (PS3.18), mounted at /dicom-web: STOW-RS takes instances in, QIDO-RS
// finds them, WADO-RS hands them out, byte for byte as they came.
package dicomweb

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/imaging"
	"concord/hub/lookup"
	"concord/internal/dicom"
)

// Deps are what the adapter works with.
type Deps struct {
	Reader      *lookup.Reader
	Archive     *imaging.Archive
	Partitions  []hub.Partition // the DICOM ones
	PartitionOf func(study string) hub.Partition
	// PublicURL is the hub's address as clients see it, without a trailing slash; empty: taken from the request.
	PublicURL string
	Limits    Limits
}

// Limits bound what a request may cost; zero values mean the defaults named.
type Limits struct {
	Results  int // greatest number of QIDO results, default 1,000
	Default  int // number of results when no limit is asked for, default 200
	Parts    int // instances of one STOW request, default 50,000
	Parallel int // instances of one STOW request made durable at the same time, default 16
}

func (l *Limits) fill() {
	for _, f := range []struct {
		p *int
		v int
	}{{&l.Results, 1000}, {&l.Default, 200}, {&l.Parts, 50000}, {&l.Parallel, 16}} {
		if *f.p == 0 {
			*f.p = f.v
		}
	}
}

// scope is the resource type that stands for DICOM in access scopes.
const scope = access.ImagingStudy

// seriesTag is Series Instance UID.
const seriesTag dicom.Tag = 0x0020000E

// Server answers DICOMweb requests.
type Server struct{ Deps }

// Mount registers the routes on an authenticated group at /dicom-web.
func Mount(g *gin.RouterGroup, d Deps) *Server {
	d.Limits.fill()
	s := &Server{d}
	read, write := allow(access.Read), allow(access.Create)
	const study, series, instance = "/studies/:study", "/studies/:study/series/:series", "/studies/:study/series/:series/instances/:instance"

	g.POST("/studies", write, s.store)
	g.POST(study, write, s.store)

	g.GET("/studies", read, s.query(dicom.Study))
	g.GET("/series", read, s.query(dicom.Series))
	g.GET("/instances", read, s.query(dicom.Instance))
	g.GET(study+"/series", read, s.query(dicom.Series))
	g.GET(study+"/instances", read, s.query(dicom.Instance))
	g.GET(series+"/instances", read, s.query(dicom.Instance))

	for _, path := range []string{study, series, instance} {
		g.GET(path, read, s.retrieve)
		g.GET(path+"/metadata", read, s.metadata)
	}
	g.GET(instance+"/frames/:frames", read, s.frames)
	g.GET(instance+"/bulk/*path", read, s.bulk)
	return s
}

func allow(a access.Action) gin.HandlerFunc {
	return func(c *gin.Context) {
		who, _ := access.CallerFrom(c.Request.Context())
		if err := who.May(a, scope); err != nil {
			WriteError(c, err)
		}
	}
}

func caller(c *gin.Context) access.Caller {
	who, _ := access.CallerFrom(c.Request.Context())
	return who
}

// base is the service root as the client sees it, without a trailing slash.
func (s *Server) base(c *gin.Context) string {
	if s.PublicURL != "" {
		return s.PublicURL + "/dicom-web"
	}
	scheme := "http"
	if c.Request.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + c.Request.Host + "/dicom-web"
}

func writeJSON(c *gin.Context, status int, body []byte) {
	c.Writer.Header().Set("Content-Type", "application/dicom+json")
	c.Writer.WriteHeader(status)
	if c.Request.Method != http.MethodHead {
		c.Writer.Write(body)
	}
}
