package fhir

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
	"concord/internal/webbody"
)

// Deletion is what a conditional delete may do (R4 valueset-conditional-delete-status).
type Deletion string

// The deletions; the empty one is DeleteSingle.
const (
	DeleteSingle       Deletion = "single"
	DeleteMultiple     Deletion = "multiple"
	DeleteNotSupported Deletion = "not-supported"
)

// Rules are what the operator decides about writing; the zero value is the default.
type Rules struct {
	NoUpdateCreate    bool // a PUT to an id that there never was is refused
	ConditionalDelete Deletion
}

// change is what a client asks to be written, by a request of its own or by an entry of a bundle.
type change struct {
	method      string // POST, PUT, PATCH, DELETE
	name        hub.Name
	criteria    string // the URL's query
	conditional bool   // the URL names no id but criteria
	ifMatch     string
	ifNoneMatch string
	ifNoneExist string
	resource    *fhir.Doc  // POST and PUT
	patch       *sentPatch // PATCH
}

// verbs are the methods that write, with the right that each needs.
var verbs = map[string]struct {
	verb   verb
	action access.Action
}{
	http.MethodPost: {create, access.Create}, http.MethodPut: {update, access.Update},
	http.MethodPatch: {patch, access.Update}, http.MethodDelete: {remove, access.Delete},
}

// operation checks a change and compiles its conditions.
func (s *Server) operation(c *gin.Context, who access.Caller, ch *change) (*operation, error) {
	typ := ch.name.Type
	op := &operation{verb: verbs[ch.method].verb, name: ch.name, source: ch.resource, patch: ch.patch}
	if err := who.May(verbs[ch.method].action, typ); err != nil {
		return nil, err
	}
	err := ch.noCriteria()
	if err != nil {
		return nil, err
	}
	if op.verb == create && (ch.ifMatch != "" || ch.ifNoneMatch != "") {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "If-Match", Msg: "a create has no version to compare", Hint: "If-None-Exist makes a create conditional"}
	}
	if op.ifMatch, err = entityTag(ch.ifMatch); err != nil {
		return nil, err
	}
	if op.ifNoneMatch, err = entityTag(ch.ifNoneMatch); err != nil {
		return nil, err
	}
	if op.source != nil {
		if err := checkType(op.source, typ); err != nil {
			return nil, err
		}
		if err := op.source.Check(); err != nil {
			return nil, err
		}
	}
	switch {
	case op.verb == create:
		op.name.ID, op.hubID = newID(), true
		if ch.ifNoneExist != "" {
			op.when, err = s.criteria(c, who, typ, ch.ifNoneExist)
		}
		return op, err
	case !ch.conditional:
		if !idGrammar.MatchString(ch.name.ID) {
			return nil, &hub.Error{Kind: hub.Invalid, Path: typ + ".id", Msg: "an id is 1 to 64 letters, digits, dots and hyphens"}
		}
		if op.verb == update {
			err = checkID(op.source, ch.name.ID)
		}
		return op, err
	}
	switch op.verb {
	case update:
		if op.name.ID = op.source.ID(); op.name.ID == "" {
			op.name.ID, op.hubID = newID(), true
		}
	case remove:
		if s.Rules.ConditionalDelete == DeleteNotSupported {
			return nil, &hub.Error{Kind: hub.Unsupported, Path: "method", Msg: "this hub deletes one resource at a time, by its id"}
		}
		op.many = s.Rules.ConditionalDelete == DeleteMultiple
	}
	op.when, err = s.criteria(c, who, typ, ch.criteria)
	return op, err
}

// noCriteria refuses criteria beside a name, and those of a create, which has them in a header: to pass over them would be
// to do more than was said.
func (ch *change) noCriteria() error {
	if ch.conditional || ch.criteria == "" {
		return nil
	}
	params, err := fhir.Pairs(ch.criteria)
	for _, p := range params {
		if slices.Contains(general, p.Name) {
			continue
		}
		hint := "leave either the id or the criteria out"
		if ch.method == http.MethodPost {
			hint = "the header If-None-Exist makes a create conditional, and POST to _search searches"
		}
		return &hub.Error{Kind: hub.Invalid, Path: p.Name, Msg: "this " + ch.method + " takes no parameter " + quote(p.Name), Hint: hint}
	}
	return err
}

// write answers POST, PUT, PATCH and DELETE on a type or an id.
func (s *Server) write(c *gin.Context) {
	ch := &change{
		method: c.Request.Method, name: hub.Name{Type: c.Param("type"), ID: c.Param("id")}, criteria: c.Request.URL.RawQuery,
		ifMatch: c.GetHeader("If-Match"), ifNoneMatch: c.GetHeader("If-None-Match"), ifNoneExist: c.GetHeader("If-None-Exist"),
	}
	ch.conditional = ch.method != http.MethodPost && ch.name.ID == ""
	who, ok := permit(c, verbs[ch.method].action, ch.name.Type) // before the body is read
	if !ok {
		return
	}
	if ch.name.Type == "Binary" && (ch.method == http.MethodPost || ch.method == http.MethodPut) {
		s.writeBinary(c, who, ch)
		return
	}
	var err error
	switch ch.method {
	case http.MethodPost, http.MethodPut:
		ch.resource, err = readDoc(c, s.Limits.Resource, 0)
	case http.MethodPatch:
		ch.patch, err = s.readPatch(c)
	}
	var op *operation
	if err == nil {
		op, err = s.operation(c, who, ch)
	}
	var d done
	if err == nil {
		d, err = s.single(c, who, op)
	}
	if err != nil {
		refuse(c, err)
		return
	}
	s.answer(c, &d, preferred(c))
}

// single commits one operation.
func (s *Server) single(c *gin.Context, who access.Caller, op *operation) (done, error) {
	ops := []*operation{op}
	if err := s.mergers(c.Request.Context(), who, ops); err != nil {
		return done{}, err
	}
	if err := s.detach(c.Request.Context(), ops); err != nil {
		return done{}, err
	}
	if err := s.link(c, who, ops); err != nil {
		return done{}, err
	}
	recs, err := s.run(c.Request.Context(), who, ops)
	if err != nil {
		return done{}, err
	}
	return s.result(c, who, op, recs[0])
}

// readDoc reads a JSON body of at most limit bytes.
func readDoc(c *gin.Context, limit int64, maxDepth int) (*fhir.Doc, error) {
	if ct := c.GetHeader("Content-Type"); !isJSON(ct) {
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "the hub takes application/fhir+json, not " + quote(ct)}
	}
	return readBody(c, limit, maxDepth)
}

func readBody(c *gin.Context, limit int64, maxDepth int) (*fhir.Doc, error) {
	body, err := webbody.Reader(c.Request, limit)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return fhir.Parse(data, fhir.Limits{Bytes: int(limit), Depth: maxDepth, Nodes: values(int(limit))})
}

// values is how many JSON values a body of at most limit bytes may have: the densest of real resources have one for 19 bytes,
// and each takes 24 bytes of memory.
func values(limit int) int { return 1<<17 + limit/18 }

func isJSON(contentType string) bool {
	switch mediaType(contentType) {
	case "application/fhir+json", "application/json", "application/json+fhir", "text/json":
		return true
	}
	return false
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

func checkID(doc *fhir.Doc, id string) error {
	if got := doc.ID(); got != id {
		return &hub.Error{Kind: hub.Invalid, Path: doc.Type() + ".id", Msg: fmt.Sprintf("the resource's id is %s, the URL says %s", quote(got), quote(id))}
	}
	return nil
}

// cutBase is what a URL says behind the service root; a URL may be relative to it.
func (s *Server) cutBase(c *gin.Context, url string) string {
	return strings.TrimPrefix(strings.TrimPrefix(url, s.base(c)), "/")
}
