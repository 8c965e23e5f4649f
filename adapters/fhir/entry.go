package fhir

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// entry is one entry of a bundle that was posted: a change or a question.
type entry struct {
	path     string // "Bundle.entry[3]"
	method   string
	op       *operation // nil for questions
	question *question  // nil for changes
	err      error      // why it cannot be carried out

	done   done
	answer *answer
}

// entry reads one entry. Errors are left in it.
func (s *Server) entry(c *gin.Context, who access.Caller, path string, item fhir.Value) *entry {
	req := item.Get("request")
	e := &entry{path: path, method: req.Get("method").Text()}
	url := s.cutBase(c, req.Get("url").Text())
	asks := e.method == http.MethodGet || e.method == http.MethodHead
	_, writes := verbs[e.method]
	switch {
	case req.Kind() != fhir.Object:
		e.err = &hub.Error{Kind: hub.Invalid, Path: path + ".request", Msg: "an entry of a batch or transaction has a request"}
	case !asks && !writes:
		e.err = &hub.Error{Kind: hub.Invalid, Path: path + ".request.method", Msg: "the method is one of GET, HEAD, POST, PUT, PATCH, DELETE, not " + quote(e.method)}
	case req.Get("url").Text() == "":
		e.err = &hub.Error{Kind: hub.Invalid, Path: path + ".request.url", Msg: "an entry's request has a URL, relative to the base"}
	case asks || e.method == http.MethodPost && (strings.Contains(url, "$") || strings.HasSuffix(url, "/_search")):
		e.question, e.err = s.entryQuestion(c, who, url, item)
		e.err = atRequest(path, "url", e.err)
	default:
		var ch *change
		if ch, e.err = s.entryChange(path, url, item); e.err != nil {
			return e
		}
		if e.op, e.err = s.operation(c, who, ch); e.err != nil {
			e.err = at(path, e.err)
			return e
		}
		e.op.path, e.op.fullURL = path, item.Get("fullUrl").Text()
	}
	return e
}

// entryQuestion makes the question of a GET, HEAD, search or operation.
func (s *Server) entryQuestion(c *gin.Context, who access.Caller, url string, item fhir.Value) (*question, error) {
	req := item.Get("request")
	q, err := s.asked(c, who, url)
	if err != nil {
		return nil, err
	}
	q.post = req.Get("method").Text() == http.MethodPost
	q.ifNoneMatch = req.Get("ifNoneMatch").Text()
	if since := req.Get("ifModifiedSince").Text(); since != "" {
		at, err := time.Parse(time.RFC3339, since)
		if err != nil {
			return nil, &hub.Error{Kind: hub.Invalid, Msg: "ifModifiedSince is an instant, not " + quote(since)}
		}
		q.ifModifiedSince = at.UTC().Format(http.TimeFormat)
	}
	if resource := item.Get("resource"); q.post && resource.Kind() == fhir.Object {
		q.given = resource.Doc()
		if err := q.given.Check(); err != nil {
			return nil, err
		}
	}
	_, err = q.route()
	return q, err
}

// entryChange reads what a POST, PUT, PATCH or DELETE of a bundle asks for.
func (s *Server) entryChange(path, url string, item fhir.Value) (*change, error) {
	req := item.Get("request")
	target, query, hasQuery := strings.Cut(url, "?")
	typ, id, _ := strings.Cut(target, "/")
	ch := &change{
		method: req.Get("method").Text(), name: hub.Name{Type: typ, ID: id}, criteria: query, conditional: id == "" && hasQuery,
		ifMatch: req.Get("ifMatch").Text(), ifNoneMatch: req.Get("ifNoneMatch").Text(), ifNoneExist: req.Get("ifNoneExist").Text(),
	}
	wrong := func(format string, args ...any) error {
		return &hub.Error{Kind: hub.Invalid, Path: path + ".request.url", Msg: fmt.Sprintf(format, args...)}
	}
	switch {
	case !fhir.IsResourceType(typ):
		return nil, wrong("the URL %s names no R4 resource type", quote(url))
	case ch.method == http.MethodPost && (id != "" || query != ""):
		return nil, wrong("a POST names a type, not %s", quote(url))
	case ch.method != http.MethodPost && id == "" && !hasQuery:
		return nil, wrong("a %s names an id or criteria, not %s", ch.method, quote(url))
	case id != "" && !idGrammar.MatchString(id):
		return nil, wrong("%s has no valid id", quote(url))
	case ch.method == http.MethodDelete:
		return ch, nil
	}
	resource := item.Get("resource")
	if resource.Kind() != fhir.Object {
		return nil, &hub.Error{Kind: hub.Invalid, Path: path + ".resource", Msg: "a " + ch.method + " needs a resource"}
	}
	if n := int64(len(resource.Raw())); n > s.Limits.Resource {
		return nil, &hub.Error{Kind: hub.TooLarge, Path: path + ".resource", Msg: fmt.Sprintf("the resource has %d bytes, the limit is %d", n, s.Limits.Resource)}
	}
	if ch.method != http.MethodPatch {
		ch.resource = resource.Doc()
		return ch, nil
	}
	var err error
	ch.patch, err = s.entryPatch(resource.Doc())
	return ch, at(path, err)
}

// report writes the entry of the response (R4 bundle.html, entry.response).
func (s *Server) report(c *gin.Context, b *bundleWriter, e *entry) {
	switch {
	case e.err != nil:
		status, o := describe(e.err)
		b.problem(status, o.json())
	case e.question != nil:
		b.answered(e.answer, e.method != http.MethodHead)
	default:
		d, rec := &e.done, (*hub.Record)(nil)
		if d.rec.Version > 0 && d.deleted == 0 {
			rec = &d.rec
		}
		b.written(s.base(c), d, rec, preferred(c))
	}
}

// written adds what became of a change.
func (b *bundleWriter) written(base string, d *done, rec *hub.Record, want preference) {
	b.begin()
	if rec != nil && want == representation {
		b.text.WriteString(`"resource":`)
		b.record(rec)
		b.text.WriteByte(',')
	}
	fmt.Fprintf(&b.text, `"response":{"status":"%d %s"`, d.status, http.StatusText(d.status))
	if rec != nil {
		b.text.WriteString(`,"location":`)
		b.quoted(fmt.Sprintf("%s/%s/_history/%d", base, rec.Name, rec.Version))
	}
	if d.rec.Version > 0 && d.deleted <= 1 {
		fmt.Fprintf(&b.text, `,"etag":"W/\"%d\"","lastModified":"%s"`, d.rec.Version, d.rec.Time.UTC().Format(fhir.InstantFormat))
	}
	if want == outcomeOnly {
		b.text.WriteString(`,"outcome":`)
		b.stored(d.outcome())
	}
	b.text.WriteString(`}}`)
}

// answered adds the answer to a question.
func (b *bundleWriter) answered(a *answer, body bool) {
	b.begin()
	if body && len(a.body) > 0 {
		b.text.WriteString(`"resource":`)
		b.put(a.body)
		b.text.WriteByte(',')
	}
	status := max(a.status, http.StatusOK)
	fmt.Fprintf(&b.text, `"response":{"status":"%d %s"`, status, http.StatusText(status))
	if a.version > 0 {
		fmt.Fprintf(&b.text, `,"etag":"W/\"%d\"","lastModified":"%s"`, a.version, a.changed.UTC().Format(fhir.InstantFormat))
	}
	b.text.WriteString(`}}`)
}
