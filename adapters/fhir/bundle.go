package fhir

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// entry is one entry of a bundle that was posted.
type entry struct {
	path   string // "Bundle.entry[3]"
	method string
	url    string
	op     *operation // nil for reads
	err    error      // why it cannot be carried out
}

// bundleDepth is what a resource may nest plus what the bundle around it does.
const bundleDepth = 64 + 4

// bundle takes a batch or a transaction (R4 http.html#transaction).
func (s *Server) bundle(c *gin.Context) {
	who, ok := permit(c, access.Create, "Bundle")
	if !ok {
		return
	}
	doc, err := readDoc(c, s.Limits.Bundle, bundleDepth)
	if err == nil {
		err = checkType(doc, "Bundle")
	}
	if err != nil {
		WriteError(c, err)
		return
	}
	kind := doc.Root().Get("type").Text()
	if kind != "batch" && kind != "transaction" {
		WriteError(c, &hub.Error{Kind: hub.Invalid, Path: "Bundle.type", Msg: "a bundle posted here is a batch or a transaction, not " + quote(kind)})
		return
	}
	entries, err := s.entries(c, who, doc)
	if err != nil {
		WriteError(c, err)
		return
	}
	if kind == "transaction" {
		s.transaction(c, who, entries)
	} else {
		s.batch(c, who, entries)
	}
}

func (s *Server) entries(c *gin.Context, who access.Caller, doc *fhir.Doc) ([]*entry, error) {
	var list []*entry
	for item := range doc.Root().Get("entry").Items() {
		if len(list) == s.Limits.Entries {
			return nil, &hub.Error{Kind: hub.TooLarge, Path: "Bundle.entry", Msg: fmt.Sprintf("a bundle may have %d entries", s.Limits.Entries)}
		}
		e := &entry{path: fmt.Sprintf("Bundle.entry[%d]", len(list))}
		e.op, e.err = s.entry(c, who, e, item)
		list = append(list, e)
	}
	return list, nil
}

// entry reads one entry; a nil operation without an error is a read.
func (s *Server) entry(c *gin.Context, who access.Caller, e *entry, item fhir.Value) (*operation, error) {
	req := item.Get("request")
	e.method, e.url = req.Get("method").Text(), req.Get("url").Text()
	target, query, conditional := strings.Cut(strings.TrimPrefix(e.url, s.base(c)+"/"), "?")
	typ, id, _ := strings.Cut(target, "/")
	if e.method != "GET" && e.method != "HEAD" && !fhir.IsResourceType(typ) {
		return nil, &hub.Error{Kind: hub.Invalid, Path: e.path + ".request.url", Msg: "the URL " + quote(e.url) + " names no R4 resource type"}
	}
	op := &operation{name: hub.Name{Type: typ, ID: id}, fullURL: item.Get("fullUrl").Text(), path: e.path}
	var action access.Action
	switch e.method {
	case "POST":
		op.verb, op.name.ID, action = create, newID(), access.Create
		if id != "" {
			return nil, &hub.Error{Kind: hub.Invalid, Path: e.path + ".request.url", Msg: "a POST names a type, not " + quote(e.url)}
		}
		if cond := req.Get("ifNoneExist").Text(); cond != "" {
			q, err := s.condition(c, typ, cond)
			if err != nil {
				return nil, at(e.path+".request.ifNoneExist", err)
			}
			op.ifNoneExist = q
		}
	case "PUT", "DELETE":
		op.verb, action = update, access.Update
		if e.method == "DELETE" {
			op.verb, action = remove, access.Delete
		}
		if conditional {
			return nil, &hub.Error{Kind: hub.Unsupported, Path: e.path + ".request.url", Msg: "conditional " + e.method + " by " + quote(query) + " is not offered"}
		}
		if !idGrammar.MatchString(id) {
			return nil, &hub.Error{Kind: hub.Invalid, Path: e.path + ".request.url", Msg: quote(e.url) + " has no valid id"}
		}
		var err error
		if op.ifMatch, err = parseIfMatch(req.Get("ifMatch").Text()); err != nil {
			return nil, at(e.path+".request", err)
		}
	case "GET", "HEAD":
		return nil, nil
	default:
		return nil, &hub.Error{Kind: hub.Invalid, Path: e.path + ".request.method", Msg: "the method is one of GET, HEAD, POST, PUT, DELETE, not " + quote(e.method)}
	}
	if err := who.May(action, typ); err != nil {
		return nil, at(e.path, err)
	}
	if op.verb == remove {
		return op, nil
	}
	resource := item.Get("resource")
	if resource.Kind() != fhir.Object {
		return nil, &hub.Error{Kind: hub.Invalid, Path: e.path + ".resource", Msg: "a " + e.method + " needs a resource"}
	}
	op.source = resource.Doc()
	if err := checkType(op.source, typ); err != nil {
		return nil, at(e.path, err)
	}
	if err := op.source.Check(); err != nil {
		return nil, at(e.path, err)
	}
	if n := int64(len(resource.Raw())); n > s.Limits.Resource {
		return nil, &hub.Error{Kind: hub.TooLarge, Path: e.path + ".resource", Msg: fmt.Sprintf("the resource has %d bytes, the limit is %d", n, s.Limits.Resource)}
	}
	if op.verb == update {
		if err := checkID(op.source, id); err != nil {
			return nil, at(e.path, err)
		}
	}
	return op, nil
}

// transaction commits all writes as one and answers reads after them.
func (s *Server) transaction(c *gin.Context, who access.Caller, entries []*entry) {
	ctx := c.Request.Context()
	var ops []*operation
	for _, e := range entries {
		if e.err != nil {
			WriteError(c, e.err)
			return
		}
		if e.op != nil {
			ops = append(ops, e.op)
		}
	}
	if err := distinct(ops); err != nil {
		WriteError(c, err)
		return
	}
	if err := s.conditionalReferences(c, who, ops); err != nil {
		WriteError(c, err)
		return
	}
	recs := make([]hub.Record, len(ops))
	if len(ops) > 0 {
		var err error
		if recs, err = s.run(ctx, who, ops); err != nil {
			WriteError(c, err)
			return
		}
	}
	b, i := newBundle("transaction-response", -1), 0
	for _, e := range entries {
		if e.op == nil {
			s.readEntry(c, who, b, e)
			continue
		}
		s.report(c, b, e.op, &recs[i])
		i++
	}
	writeResource(c, http.StatusOK, b.bytes())
}

// distinct refuses a transaction in which two entries are about the same resource or share a fullUrl.
func distinct(ops []*operation) error {
	names, urls := map[hub.Name]string{}, map[string]string{}
	for _, op := range ops {
		if first, twice := names[op.name]; twice {
			return &hub.Error{Kind: hub.Invalid, Path: op.path, Msg: fmt.Sprintf("%s is in %s too; a transaction changes a resource once", op.name, first)}
		}
		names[op.name] = op.path
		if op.fullURL == "" {
			continue
		}
		if first, twice := urls[op.fullURL]; twice {
			return &hub.Error{Kind: hub.Invalid, Path: op.path + ".fullUrl", Msg: fmt.Sprintf("%s has the same fullUrl", first)}
		}
		urls[op.fullURL] = op.path
	}
	return nil
}

// batch carries out each entry by itself, many at a time so that they share commits.
func (s *Server) batch(c *gin.Context, who access.Caller, entries []*entry) {
	recs := make([]hub.Record, len(entries))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i, e := range entries {
		if e.op == nil || e.err != nil {
			continue
		}
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-slots; wg.Done() }()
			ops := []*operation{e.op}
			e.op.fullURL = "" // entries of a batch do not refer to each other
			if e.err = s.conditionalReferences(c, who, ops); e.err != nil {
				return
			}
			var got []hub.Record
			if got, e.err = s.run(c.Request.Context(), who, ops); e.err == nil {
				recs[i] = got[0]
			}
		}()
	}
	wg.Wait()
	b := newBundle("batch-response", -1)
	for i, e := range entries {
		switch {
		case e.err != nil:
			status, o := describe(e.err)
			raw, _ := json.Marshal(o)
			b.problem(status, raw)
		case e.op == nil:
			s.readEntry(c, who, b, e)
		default:
			s.report(c, b, e.op, &recs[i])
		}
	}
	writeResource(c, http.StatusOK, b.bytes())
}

func (s *Server) report(c *gin.Context, b *bundleWriter, op *operation, rec *hub.Record) {
	switch {
	case op.met != nil:
		met, err := s.Reader.Read(c.Request.Context(), caller(c), s.Partition, *op.met)
		if err != nil {
			met = hub.Record{}
		}
		b.response(s.base(c), "200 OK", &met, nil)
	case op.verb == remove:
		b.response(s.base(c), "204 No Content", nil, nil)
	case op.verb == create || op.created:
		b.response(s.base(c), "201 Created", rec, nil)
	default:
		b.response(s.base(c), "200 OK", rec, nil)
	}
}

// readEntry answers a GET inside a bundle: a read or a search.
func (s *Server) readEntry(c *gin.Context, who access.Caller, b *bundleWriter, e *entry) {
	fail := func(err error) {
		status, o := describe(at(e.path, err))
		raw, _ := json.Marshal(o)
		b.problem(status, raw)
	}
	target, query, _ := strings.Cut(strings.TrimPrefix(e.url, s.base(c)+"/"), "?")
	typ, id, one := strings.Cut(target, "/")
	if !fhir.IsResourceType(typ) {
		fail(&hub.Error{Kind: hub.Invalid, Msg: "the URL " + quote(e.url) + " names no R4 resource type"})
		return
	}
	if err := who.May(access.Read, typ); err != nil {
		fail(err)
		return
	}
	if one && id != "" {
		rec, err := s.Reader.Read(c.Request.Context(), who, s.Partition, hub.Name{Type: typ, ID: id})
		if err != nil {
			fail(err)
			return
		}
		b.response(s.base(c), "200 OK", &rec, rec.Body)
		return
	}
	params, err := fhir.Pairs(query)
	if err != nil {
		fail(err)
		return
	}
	found, err := s.searchBundle(c, who, typ, params)
	if err != nil {
		fail(err)
		return
	}
	b.response(s.base(c), "200 OK", nil, found)
}

// conditionalReferences replaces references of the form Type?query by the one resource they meet (R4
// http.html#trules); none or several is an error.
func (s *Server) conditionalReferences(c *gin.Context, who access.Caller, ops []*operation) error {
	targets := map[string]string{}
	for _, op := range ops {
		if op.source == nil {
			continue
		}
		mine := map[string]string{}
		for span := range op.source.References() {
			ref := span.Target
			typ, query, ok := strings.Cut(ref, "?")
			if !ok || !fhir.IsResourceType(typ) {
				continue
			}
			if targets[ref] == "" {
				name, err := s.resolveCondition(c.Request.Context(), c, who, typ, query)
				if err != nil {
					return placed(op, err)
				}
				targets[ref] = name.String()
			}
			mine[ref] = targets[ref]
		}
		if len(mine) == 0 {
			continue
		}
		doc, err := rewrite(op.source, mine)
		if err != nil {
			return placed(op, err)
		}
		op.source = doc
	}
	return nil
}

func (s *Server) resolveCondition(ctx context.Context, c *gin.Context, who access.Caller, typ, query string) (hub.Name, error) {
	q, err := s.condition(c, typ, query)
	if err != nil {
		return hub.Name{}, err
	}
	res, err := s.Reader.Search(ctx, who, []hub.Partition{s.Partition}, *q, "conditional reference")
	if err != nil {
		return hub.Name{}, err
	}
	switch len(res.Records) {
	case 1:
		return res.Records[0].Name, nil
	case 0:
		return hub.Name{}, &hub.Error{Kind: hub.PreconditionFailed, Msg: "the conditional reference to a " + typ + " meets nothing"}
	}
	return hub.Name{}, &hub.Error{Kind: hub.MultipleMatches, Msg: "the conditional reference to a " + typ + " meets more than one"}
}
