package fhir

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
	"concord/internal/webbody"
)

// question is what is asked by GET, HEAD, POST _search or an operation, or by an entry of a bundle.
type question struct {
	who  access.Caller
	base string // the service root without a trailing slash
	// path is the address behind the base: "Patient/1/_history".
	path []string
	// typ, id and sub are the first three parts of path, as far as they are a resource type, an id and a type or *.
	typ, id, sub string
	// params are those of the URL, then those of a form.
	params []fhir.Pair
	// named are the types that _type named, once it was taken.
	named []string
	// given is the resource that was posted to an operation, nil when none was.
	given *fhir.Doc
	// post says that the method was POST.
	post bool
	// lenient passes over unknown parameters (Prefer: handling=lenient).
	lenient                      bool
	ifNoneMatch, ifModifiedSince string
}

// answer is what comes back for a question.
type answer struct {
	status  int // 0: 200
	version uint64
	changed time.Time // the answer's Last-Modified where it has a version
	// body is the JSON in pieces: stored bytes are not copied, attachments not yet read.
	body []piece
}

// wholly is an answer of one piece.
func wholly(body []byte) *answer { return &answer{body: []piece{textPiece(body)}} }

// handler answers one kind of question.
type handler func(s *Server, ctx context.Context, q *question) (*answer, error)

// disallowed is the error of a method that an address does not take (RFC 9110 15.5.6).
type disallowed struct {
	error
	allow string
}

func (d *disallowed) Unwrap() error { return d.error }

func notAllowed(method, allow string) error {
	return &disallowed{&hub.Error{Kind: hub.Unsupported, Path: "method", Msg: "this address does not take " + quote(method), Hint: "it takes " + allow}, allow}
}

// get answers GET and HEAD.
func (s *Server) get(c *gin.Context) {
	q, err := s.question(c)
	if err != nil {
		refuse(c, err)
		return
	}
	if isBinary(c) && q.last("_format") == "" {
		s.download(c, q)
		return
	}
	s.reply(c, q)
}

// post answers searches and operations, and hands on what writes.
func (s *Server) post(c *gin.Context) {
	path := segments(c.Request.URL.Path)
	last := path[len(path)-1]
	switch {
	case strings.HasPrefix(last, "$"):
		s.postOperation(c)
	case last == "_search":
		s.postSearch(c)
	case len(path) == 1:
		s.typed(s.write)(c)
	default:
		allow := "GET, HEAD"
		if len(path) == 2 {
			allow += ", PUT, PATCH, DELETE"
		}
		refuse(c, notAllowed(c.Request.Method, allow))
	}
}

// postSearch takes the parameters of the URL and those of the form together (R4 search.html#Introduction).
func (s *Server) postSearch(c *gin.Context) {
	q, err := s.question(c)
	if err == nil {
		var form []fhir.Pair
		form, err = readForm(c)
		q.params = append(q.params, form...)
	}
	if err != nil {
		refuse(c, err)
		return
	}
	s.reply(c, q)
}

// postOperation takes the parameters of the URL and those of a Parameters resource together (R4 operations.html#executing).
func (s *Server) postOperation(c *gin.Context) {
	q, err := s.question(c)
	if err == nil && c.Request.ContentLength != 0 {
		if q.given, err = readDoc(c, s.Limits.Resource, 0); err == nil {
			err = q.given.Check()
		}
	}
	if err != nil {
		refuse(c, err)
		return
	}
	s.reply(c, q)
}

func (s *Server) question(c *gin.Context) (*question, error) {
	params, err := fhir.Pairs(c.Request.URL.RawQuery)
	if err != nil {
		return &question{}, err
	}
	return &question{
		who: caller(c), base: s.base(c), path: segments(c.Request.URL.Path), params: params,
		post: c.Request.Method == http.MethodPost, lenient: lenient(c.GetHeader("Prefer")),
		ifNoneMatch: c.GetHeader("If-None-Match"), ifModifiedSince: c.GetHeader("If-Modified-Since"),
	}, nil
}

func lenient(prefer string) bool { return strings.Contains(prefer, "handling=lenient") }

// segments are the parts of a path behind /fhir.
func segments(path string) []string {
	path = strings.Trim(strings.TrimPrefix(path, "/fhir"), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// reply answers q over HTTP.
func (s *Server) reply(c *gin.Context, q *question) {
	a, err := s.ask(c.Request.Context(), q)
	if err != nil {
		refuse(c, err)
		return
	}
	s.show(c, q, a)
}

// show writes an answer.
func (s *Server) show(c *gin.Context, q *question, a *answer) {
	if a.version > 0 {
		c.Header("ETag", etag(a.version))
		c.Header("Last-Modified", a.changed.UTC().Format(http.TimeFormat))
	}
	if a.status == http.StatusNotModified {
		c.Status(a.status)
		return
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	s.writePieces(c, a.status, a.body, q.pretty())
}

// refuse is WriteError with the headers that go with some errors.
func refuse(c *gin.Context, err error) {
	var d *disallowed
	if errors.As(err, &d) {
		c.Header("Allow", d.allow)
	}
	var g *gone
	if errors.As(err, &g) {
		c.Header("ETag", etag(g.version))
	}
	WriteError(c, err)
}

// asked makes the question of an entry of a bundle: url is relative to the base, or begins with it.
func (s *Server) asked(c *gin.Context, who access.Caller, url string) (*question, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(url, s.base(c)), "?")
	params, err := fhir.Pairs(query)
	return &question{who: who, base: s.base(c), path: segments(path), params: params, lenient: lenient(c.GetHeader("Prefer"))}, err
}

// ask answers a question.
func (s *Server) ask(ctx context.Context, q *question) (*answer, error) {
	h, err := q.route()
	if err != nil {
		return nil, err
	}
	if err := q.format(); err != nil {
		return nil, err
	}
	return h(s, ctx, q)
}

// route finds what a question is about from its path.
func (q *question) route() (handler, error) {
	p := q.path
	if n := len(p); n > 0 && strings.HasPrefix(p[n-1], "$") {
		return q.operation(p[n-1], p[:n-1])
	}
	if len(p) > 0 && p[len(p)-1] == "_search" {
		if !q.post {
			return nil, notAllowed(http.MethodGet, "POST")
		}
		p = p[:len(p)-1]
	}
	if len(p) == 0 {
		return (*Server).search, nil
	}
	switch {
	case len(p) > 1:
	case p[0] == "_history":
		return (*Server).history, nil
	case p[0] == "metadata":
		return (*Server).capabilities, nil
	}
	if !fhir.IsResourceType(p[0]) {
		return nil, unknownType(p[0])
	}
	q.typ = p[0]
	switch {
	case len(p) == 1:
		return (*Server).search, nil
	case p[1] == "_history" && len(p) == 2:
		return (*Server).history, nil
	}
	if !idGrammar.MatchString(p[1]) {
		return nil, &hub.Error{Kind: hub.NotFound, Path: q.typ + ".id", Msg: "there is no " + q.typ + " with such an id", Hint: "an id is 1 to 64 letters, digits, dots and hyphens"}
	}
	q.id = p[1]
	switch {
	case len(p) == 2:
		return (*Server).read, nil
	case p[2] == "_history" && len(p) == 3:
		return (*Server).history, nil
	case p[2] == "_history" && len(p) == 4:
		return (*Server).vread, nil
	case len(p) == 3:
		q.sub = p[2]
		return (*Server).searchCompartment, nil
	}
	return nil, &hub.Error{Kind: hub.NotFound, Msg: "there is nothing at this address"}
}

func unknownType(typ string) error {
	return &hub.Error{Kind: hub.NotFound, Msg: "R4 has no resource type " + quote(typ), Hint: fhir.NearestType(typ)}
}

func (q *question) name() hub.Name { return hub.Name{Type: q.typ, ID: q.id} }

// url is the question's address without parameters.
func (q *question) url() string { return strings.TrimSuffix(q.base+"/"+strings.Join(q.path, "/"), "/") }

// versionID is the version that the path names.
func (q *question) versionID() (uint64, error) {
	version, err := strconv.ParseUint(q.path[3], 10, 64)
	if err != nil || version == 0 {
		return 0, &hub.Error{Kind: hub.NotFound, Msg: "versions are counted from 1"}
	}
	return version, nil
}

// take removes the parameters of a name and returns the values.
func (q *question) take(name string) []string {
	var values []string
	q.params = slices.DeleteFunc(slices.Clone(q.params), func(p fhir.Pair) bool {
		if p.Name == name {
			values = append(values, p.Value)
		}
		return p.Name == name
	})
	return values
}

// takeOne is take for a parameter that may be given once.
func (q *question) takeOne(name string) (string, error) {
	values := q.take(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", &hub.Error{Kind: hub.Invalid, Path: name, Msg: "the parameter may be given once"}
}

// rest refuses the parameters that were not taken, unless the client is lenient. known are those that were.
func (q *question) rest(known ...string) error {
	for _, p := range q.params {
		if slices.Contains(general, p.Name) || q.lenient {
			continue
		}
		known = append(known, general...)
		return &hub.Error{Kind: hub.Invalid, Path: p.Name, Msg: "there is no parameter " + quote(p.Name) + " here", Hint: "known are " + strings.Join(known, ", ")}
	}
	return nil
}

// formLimit caps the body of a POST _search.
const formLimit = 1 << 20

func readForm(c *gin.Context) ([]fhir.Pair, error) {
	if ct, _, _ := strings.Cut(c.GetHeader("Content-Type"), ";"); strings.TrimSpace(ct) != "application/x-www-form-urlencoded" && c.Request.ContentLength != 0 {
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "_search takes application/x-www-form-urlencoded"}
	}
	body, err := webbody.Reader(c.Request, formLimit)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return fhir.Pairs(string(data))
}
