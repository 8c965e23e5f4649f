package fhir

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
	"concord/internal/webbody"
)

// readDoc reads a JSON body of at most limit bytes.
func readDoc(c *gin.Context, limit int64, maxDepth int) (*fhir.Doc, error) {
	if ct := c.GetHeader("Content-Type"); !isJSON(ct) {
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "the hub takes application/fhir+json, not " + quote(ct)}
	}
	body, err := webbody.Reader(c.Request, limit)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return fhir.Parse(data, fhir.Limits{Bytes: int(limit), Depth: maxDepth})
}

func isJSON(contentType string) bool {
	ct, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(ct)) {
	case "application/fhir+json", "application/json", "application/json+fhir", "text/json":
		return true
	}
	return false
}

// resource reads the body as a resource of the type in the URL.
func (s *Server) resource(c *gin.Context) (*fhir.Doc, error) {
	doc, err := readDoc(c, s.Limits.Resource, 0)
	if err != nil {
		return nil, err
	}
	if err := checkType(doc, c.Param("type")); err != nil {
		return nil, err
	}
	return doc, doc.Check()
}

func checkType(doc *fhir.Doc, want string) error {
	switch got := doc.Type(); {
	case doc.Root().Kind() != fhir.Object:
		return &hub.Error{Kind: hub.Invalid, Msg: "a resource is a JSON object"}
	case got == "":
		return &hub.Error{Kind: hub.Invalid, Path: want, Msg: "the resource has no resourceType"}
	case !fhir.IsResourceType(got):
		return &hub.Error{Kind: hub.Invalid, Path: "resourceType", Msg: "R4 has no resource type " + quote(got)}
	case got != want:
		return &hub.Error{Kind: hub.Invalid, Path: got, Msg: fmt.Sprintf("the resource is a %s, the URL says %s", got, want)}
	}
	return nil
}

func (s *Server) create(c *gin.Context) {
	typ := c.Param("type")
	who, ok := permit(c, access.Create, typ)
	if !ok {
		return
	}
	doc, err := s.resource(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	op := &operation{verb: create, name: hub.Name{Type: typ, ID: newID()}, source: doc}
	if cond := c.GetHeader("If-None-Exist"); cond != "" {
		if op.ifNoneExist, err = s.condition(c, typ, cond); err != nil {
			WriteError(c, err)
			return
		}
	}
	s.single(c, who, op)
}

// condition compiles the search of a conditional create; it must have at least one criterion (R4 http.html#ccreate).
func (s *Server) condition(c *gin.Context, typ, query string) (*hub.Query, error) {
	query = strings.TrimPrefix(query, typ)
	params, err := fhir.Pairs(strings.TrimPrefix(query, "?"))
	if err != nil {
		return nil, err
	}
	q, err := fhir.CompileSearch(typ, params, s.searchOptions(c))
	if err != nil {
		return nil, err
	}
	if len(q.Query.All) == 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "If-None-Exist", Msg: "the condition has no search parameter"}
	}
	q.Query.Limit = 2
	return &q.Query, nil
}

func (s *Server) update(c *gin.Context) {
	typ := c.Param("type")
	who, ok := permit(c, access.Update, typ)
	if !ok {
		return
	}
	id := c.Param("id")
	if !idGrammar.MatchString(id) {
		WriteError(c, &hub.Error{Kind: hub.Invalid, Path: typ + ".id", Msg: "an id is 1 to 64 letters, digits, dots and hyphens"})
		return
	}
	ifMatch, err := parseIfMatch(c.GetHeader("If-Match"))
	if err != nil {
		WriteError(c, err)
		return
	}
	doc, err := s.resource(c)
	if err == nil {
		err = checkID(doc, id)
	}
	if err != nil {
		WriteError(c, err)
		return
	}
	s.single(c, who, &operation{verb: update, name: hub.Name{Type: typ, ID: id}, source: doc, ifMatch: ifMatch})
}

func checkID(doc *fhir.Doc, id string) error {
	if got := doc.ID(); got != id {
		return &hub.Error{Kind: hub.Invalid, Path: doc.Type() + ".id", Msg: fmt.Sprintf("the resource's id is %s, the URL says %s", quote(got), quote(id))}
	}
	return nil
}

func (s *Server) remove(c *gin.Context) {
	typ := c.Param("type")
	who, ok := permit(c, access.Delete, typ)
	if !ok {
		return
	}
	ifMatch, err := parseIfMatch(c.GetHeader("If-Match"))
	if err != nil {
		WriteError(c, err)
		return
	}
	s.single(c, who, &operation{verb: remove, name: hub.Name{Type: typ, ID: c.Param("id")}, ifMatch: ifMatch})
}

// single commits one operation and answers it.
func (s *Server) single(c *gin.Context, who access.Caller, op *operation) {
	recs, err := s.run(c.Request.Context(), who, []*operation{op})
	if err != nil {
		WriteError(c, err)
		return
	}
	if op.met != nil { // R4 http.html#ccreate: 200 and what is there, as far as the caller may read it
		rec, err := s.Reader.Read(c.Request.Context(), who, s.Partition, *op.met)
		if err != nil {
			WriteError(c, err)
			return
		}
		s.answer(c, http.StatusOK, &rec)
		return
	}
	if op.verb == remove {
		if op.absent {
			c.Status(http.StatusNoContent)
			return
		}
		c.Header("ETag", etag(recs[0].Version))
		c.Status(http.StatusNoContent)
		return
	}
	status := http.StatusOK
	if op.verb == create || op.created {
		status = http.StatusCreated
	}
	s.answer(c, status, &recs[0])
}

// answer writes a record's version with the headers of R4 http.html#versions.
func (s *Server) answer(c *gin.Context, status int, rec *hub.Record) {
	h := c.Writer.Header()
	h.Set("ETag", etag(rec.Version))
	h.Set("Last-Modified", rec.Time.Format(http.TimeFormat))
	if status == http.StatusCreated || c.Request.Method == http.MethodPost || c.Request.Method == http.MethodPut {
		h.Set("Location", fmt.Sprintf("%s/%s/_history/%d", s.base(c), rec.Name, rec.Version))
		if strings.Contains(c.GetHeader("Prefer"), "return=minimal") {
			c.Status(status)
			c.Writer.WriteHeaderNow()
			return
		}
	}
	writeResource(c, status, rec.Body)
}

func etag(version uint64) string { return fmt.Sprintf(`W/"%d"`, version) }
