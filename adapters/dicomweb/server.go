// Package dicomweb is the hub's DICOMweb face (PS3.18), mounted at /dicom-web: STOW-RS takes instances in, QIDO-RS
// finds them, WADO-RS and WADO-URI hand them out, byte for byte as they came or written anew as the client needs them, and
// their owner can take them away.
//
// Its own words: a place is a study, series or instance as a URL names it; a part is one body of an answer; a delivery is how
// parts are sent; a shot is an image to be rendered.
package dicomweb

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/imaging"
	"concord/hub/lookup"
	"concord/internal/dicom"
	"concord/internal/pixels"
)

// Deps are what the adapter works with.
type Deps struct {
	Reader      *lookup.Reader
	Archive     *imaging.Archive
	Shelf       *imaging.Shelf
	Rows        *imaging.Rows // nil: nothing is remembered of how studies were told
	Pixels      *pixels.Decoder
	Policy      Policy
	Trail       Trail
	Partitions  []hub.Partition // the DICOM ones
	PartitionOf func(study string) hub.Partition
	// PublicURL is the hub's address as clients see it, without a trailing slash; empty: taken from the request.
	PublicURL string
	Limits    Limits
}

// Policy says who may take things away.
type Policy interface {
	MayChange(who access.Caller, owner string) error
}

// Trail takes notes of what was done.
type Trail interface {
	Note(ctx context.Context, e audit.Event) error
}

// Limits bound what a request may cost; zero values mean the defaults named.
type Limits struct {
	Results  int // greatest number of QIDO results, default 1,000
	Default  int // number of results when no limit is asked for, default 200
	Parts    int // instances of one STOW request, default 50,000
	Metadata int // bytes of the metadata of one STOW request, default 64 MB
	Decoding int // bytes of the stored frames that are being decoded at the same time, and of the images being rendered, default 256 MB each; twice of decoded frames being sent
}

func (l *Limits) fill() {
	for _, f := range []struct {
		p *int
		v int
	}{{&l.Results, 1000}, {&l.Default, 200}, {&l.Parts, 50000}, {&l.Metadata, 64 << 20}, {&l.Decoding, 256 << 20}} {
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
type Server struct {
	Deps
	decoding *budget       // of stored frames
	drawing  *budget       // of images being rendered; entered before decoding
	sending  *budget       // of decoded frames on their way to clients; entered before decoding
	shelving chan struct{} // derived blobs on their way to the shelf
	keeping  sync.WaitGroup
	changed  waiting
	known    atomic.Pointer[string] // address under which metadata was asked for last; nil: never
}

// Mount registers the routes on an authenticated group at /dicom-web.
func Mount(g *gin.RouterGroup, d Deps) *Server {
	d.Limits.fill()
	s := &Server{Deps: d, decoding: newBudget(int64(d.Limits.Decoding)), drawing: newBudget(int64(d.Limits.Decoding)), sending: newBudget(2 * int64(d.Limits.Decoding)), shelving: make(chan struct{}, 4)}
	if d.PublicURL != "" {
		base := d.PublicURL + "/dicom-web"
		s.known.Store(&base)
	}
	for _, r := range s.routes() {
		g.Handle(r.method, r.path, allow(r.action), r.handle)
		if r.method == http.MethodGet {
			g.HEAD(r.path, allow(r.action), r.handle)
		}
	}
	g.OPTIONS("/", s.capabilities)
	g.GET("/", s.capabilities)
	return s
}

// Close waits for derived blobs that are on their way to the shelf. No request may be under way.
func (s *Server) Close() { s.keeping.Wait() }

// MountWADO registers WADO-URI at a group of its own, too.
func (s *Server) MountWADO(g *gin.RouterGroup) {
	g.GET("", allow(access.Read), s.wadoURI)
	g.HEAD("", allow(access.Read), s.wadoURI)
}

// route is one line of what the service can do: Mount and the capabilities are made of it.
type route struct {
	method, path string
	action       access.Action
	handle       gin.HandlerFunc
	what         string   // the transaction's name in PS3.18
	types        []string // of the answer
}

func (s *Server) routes() []route {
	const study, series, instance = "/studies/:study", "/studies/:study/series/:series", "/studies/:study/series/:series/instances/:instance"
	get := func(what, path string, h gin.HandlerFunc, types ...string) route {
		return route{http.MethodGet, path, access.Read, h, what, types}
	}
	search := func(path string, h gin.HandlerFunc) route {
		return route{http.MethodGet, path, access.Search, h, "Search", []string{typeJSON, "multipart/related"}}
	}
	all := []route{
		{http.MethodPost, "/studies", access.Create, s.store, "Store", []string{typeJSON, typeXML}},
		{http.MethodPost, study, access.Create, s.store, "Store", []string{typeJSON, typeXML}},
		search("/studies", s.query(dicom.Study)),
		search("/series", s.query(dicom.Series)),
		search("/instances", s.query(dicom.Instance)),
		search(study+"/series", s.query(dicom.Series)),
		search(study+"/instances", s.query(dicom.Instance)),
		search(series+"/instances", s.query(dicom.Instance)),
		get("Retrieve Frames", instance+"/frames/:frames", s.frames, "multipart/related", typeOctets),
		get("Retrieve Rendered", instance+"/frames/:frames/rendered", s.rendered, typeJPEG, typePNG, typeGIF, "multipart/related"),
		get("Retrieve Thumbnail", instance+"/frames/:frames/thumbnail", s.thumbnail, typeJPEG),
		get("Retrieve Bulkdata", instance+"/bulk/*path", s.bulk, typeOctets, "multipart/related"),
		get("Retrieve (WADO-URI)", "/wado", s.wadoURI, typeJPEG, typePNG, typeGIF, typeDICOM),
	}
	for _, path := range []string{study, series, instance} {
		whole := []string{"multipart/related", typeZip}
		if path == instance {
			whole = []string{"multipart/related", typeDICOM, typeZip}
		}
		all = append(all,
			get("Retrieve", path, s.retrieve, whole...),
			get("Retrieve Metadata", path+"/metadata", s.metadata, typeJSON, "multipart/related"),
			get("Retrieve Rendered", path+"/rendered", s.rendered, typeJPEG, typePNG, typeGIF, "multipart/related"),
			get("Retrieve Thumbnail", path+"/thumbnail", s.thumbnail, typeJPEG),
			route{http.MethodDelete, path, access.Delete, s.remove, "Delete", nil})
	}
	return all
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
	return scheme + "://" + host(c.Request) + "/dicom-web"
}

// host is what the request calls the hub. Some clients leave the port out of it; it is put back unless a proxy, which its
// headers show, may have another.
func host(r *http.Request) string {
	local, known := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !known || strings.Contains(strings.TrimPrefix(r.Host, "["), ":") && !strings.HasSuffix(r.Host, "]") {
		return r.Host
	}
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return r.Host
		}
	}
	_, port, err := net.SplitHostPort(local.String())
	if err != nil || port == "80" && r.TLS == nil || port == "443" && r.TLS != nil {
		return r.Host
	}
	return r.Host + ":" + port
}

func writeJSON(c *gin.Context, status int, body []byte) {
	c.Writer.Header().Set("Content-Type", typeJSON)
	c.Writer.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.Writer.WriteHeader(status)
	if c.Request.Method != http.MethodHead {
		c.Writer.Write(body)
	}
}
