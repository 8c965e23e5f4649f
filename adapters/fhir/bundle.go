package fhir

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
)

// bundleDepth is what a resource may nest plus what the bundle around it does.
const bundleDepth = 64 + 4

// bundle takes a batch or a transaction (R4 http.html#transaction).
func (s *Server) bundle(c *gin.Context) {
	who, ok := permit(c, access.Create, "Bundle")
	if !ok {
		return
	}
	entries, kind, err := s.entries(c, who)
	if err == nil && kind == "transaction" {
		err = s.transaction(c, who, entries)
	}
	if err != nil {
		refuseAll(c, err)
		return
	}
	if kind == "batch" {
		s.batch(c, who, entries)
	}
	s.askAll(c, entries)
	b := newBundle(kind+"-response", -1)
	for _, e := range entries {
		s.report(c, b, e)
	}
	all, err := b.pieces()
	if err != nil {
		WriteError(c, err)
		return
	}
	s.writePieces(c, http.StatusOK, all, c.Query("_pretty") == "true")
}

// entries reads the bundle.
func (s *Server) entries(c *gin.Context, who access.Caller) (list []*entry, kind string, err error) {
	doc, err := readDoc(c, s.Limits.Bundle, bundleDepth)
	if err == nil && doc.Type() != "Bundle" {
		err = &hub.Error{Kind: hub.Invalid, Path: "resourceType", Msg: "what is posted here is a Bundle, not " + quote(doc.Type())}
	}
	if err != nil {
		return nil, "", err
	}
	kind = doc.Root().Get("type").Text()
	switch kind {
	case "batch", "transaction":
	case "":
		return nil, "", &hub.Error{Kind: hub.Invalid, Path: "Bundle.type", Msg: "the bundle has no type: a batch or a transaction is due"}
	default:
		return nil, "", &hub.Error{Kind: hub.Invalid, Path: "Bundle.type", Msg: "a bundle posted here is a batch or a transaction, not " + quote(kind),
			Hint: "post it to /Bundle to keep it as a resource"}
	}
	for item := range doc.Root().Get("entry").Items() {
		if len(list) == s.Limits.Entries {
			return nil, "", &hub.Error{Kind: hub.TooLarge, Path: "Bundle.entry", Msg: fmt.Sprintf("a bundle may have %d entries", s.Limits.Entries)}
		}
		list = append(list, s.entry(c, who, fmt.Sprintf("Bundle.entry[%d]", len(list)), item))
	}
	return list, kind, nil
}

// transaction commits all changes as one. Whatever is wrong with any of the entries is told at once, and then nothing
// is done.
func (s *Server) transaction(c *gin.Context, who access.Caller, entries []*entry) error {
	var ops []*operation
	var all hub.Faults
	for _, e := range entries {
		if e.err == nil && e.question != nil && e.question.post && !strings.HasSuffix(e.question.path[len(e.question.path)-1], "_search") {
			e.err = &hub.Error{Kind: hub.Unsupported, Path: e.path + ".request.url", Msg: "operations cannot be part of a transaction", Hint: "post them by themselves or in a batch"}
		}
		if err := gather(&all, e.err); err != nil {
			return err
		}
		if e.op != nil {
			ops = append(ops, e.op)
		}
	}
	if len(all) > 0 {
		return all
	}
	if len(ops) == 0 {
		return nil
	}
	_, err := bundled(s.base(c), ops)
	if err == nil {
		err = s.mergers(c.Request.Context(), who, ops)
	}
	if err == nil {
		err = s.detach(c.Request.Context(), ops)
	}
	if err == nil {
		err = s.link(c, who, ops)
	}
	var recs []hub.Record
	if err == nil {
		recs, err = s.run(c.Request.Context(), who, ops)
	}
	if err != nil {
		return err
	}
	i := 0
	for _, e := range entries {
		if e.op != nil {
			e.done, e.err = s.result(c, who, e.op, recs[i])
			i++
		}
	}
	return nil
}

// batch carries out each change by itself, many at a time so that they share commits. Entries of a batch do not refer to
// each other (R4 http.html#brules).
func (s *Server) batch(c *gin.Context, who access.Caller, entries []*entry) {
	together(64, entries, func(e *entry) {
		if e.op == nil || e.err != nil {
			return
		}
		e.op.fullURL = ""
		e.done, e.err = s.single(c, who, e.op)
	})
}

// askAll answers the questions, after all changes. Together the answers may be as long as a bundle.
func (s *Server) askAll(c *gin.Context, entries []*entry) {
	var size atomic.Int64
	together(4, entries, func(e *entry) {
		if e.question == nil || e.err != nil {
			return
		}
		if size.Load() > s.Limits.Bundle {
			e.err = &hub.Error{Kind: hub.TooCostly, Path: e.path, Msg: fmt.Sprintf("the answers of the bundle have more than %d bytes", s.Limits.Bundle), Hint: "ask by itself, or for less at once"}
			return
		}
		if e.answer, e.err = s.ask(c.Request.Context(), e.question); e.err != nil {
			e.err = atRequest(e.path, "url", e.err)
			return
		}
		for i := range e.answer.body {
			size.Add(int64(len(e.answer.body[i].text))) // attachments need no memory
		}
	})
}

// together does something with each entry, at most n at a time.
func together(n int, entries []*entry, do func(*entry)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, n)
	for _, e := range entries {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(e)
		})
	}
	wg.Wait()
}
