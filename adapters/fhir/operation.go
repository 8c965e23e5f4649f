package fhir

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/internal/fhir"
)

type verb uint8

const (
	create verb = iota
	update
	remove
)

// operation is one change asked for. The fields after the gap are set while planning, which may happen more than once.
type operation struct {
	verb        verb
	name        hub.Name
	source      *fhir.Doc  // as sent
	ifMatch     uint64     // 0: no condition
	ifNoneExist *hub.Query // conditional create
	fullURL     string     // of a bundle entry
	path        string     // "Bundle.entry[3]", empty outside bundles

	doc     *fhir.Doc  // source with references inside the bundle resolved
	entry   *hub.Entry // what doc adds to the index
	met     *hub.Name  // what a conditional create met instead
	created bool       // an update that made a new thing
	absent  bool       // a delete that found nothing
	draft   int        // position among the write's records, −1 for none
}

var idGrammar = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,64}$`)

// newID makes a random logical id.
func newID() string { return uuid.NewString() }

// parseIfMatch reads an entity tag of the form W/"3".
func parseIfMatch(tag string) (uint64, error) {
	if tag == "" {
		return 0, nil
	}
	t := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`), `"`)
	v, err := strconv.ParseUint(t, 10, 64)
	if err != nil || v == 0 {
		return 0, &hub.Error{Kind: hub.Invalid, Path: "If-Match", Msg: "the entity tag " + quote(tag) + ` is not of the form W/"3"`}
	}
	return v, nil
}

// run commits the operations as one transaction and returns the records, by position in ops; where an operation
// wrote nothing (a conditional create that met something, a delete of nothing) its record is zero.
func (s *Server) run(ctx context.Context, who access.Caller, ops []*operation) ([]hub.Record, error) {
	w := commit.Write{Member: who.Member}
	conditional := false
	for _, op := range ops {
		if op.verb != create {
			w.Names = append(w.Names, op.name)
		}
		conditional = conditional || op.ifNoneExist != nil
	}
	if !conditional { // references cannot depend on what the index says: do the work before the queue
		if err := s.resolve(ops); err != nil {
			return nil, err
		}
	}
	w.Plan = func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		return s.plan(ctx, who, v, ops, conditional)
	}
	written, err := s.Writer.Submit(ctx, w)
	if err != nil {
		return nil, err
	}
	recs := make([]hub.Record, len(ops))
	for i, op := range ops {
		if op.draft >= 0 {
			recs[i] = written[op.draft]
		}
	}
	return recs, nil
}

func (s *Server) plan(ctx context.Context, who access.Caller, v *commit.View, ops []*operation, conditional bool) ([]commit.Draft, error) {
	for _, op := range ops {
		op.met, op.created, op.absent, op.draft = nil, false, false, -1
		if op.ifNoneExist == nil {
			continue
		}
		found, err := v.Find(ctx, *op.ifNoneExist)
		switch {
		case err != nil:
			return nil, err
		case len(found) > 1:
			return nil, placed(op, &hub.Error{Kind: hub.MultipleMatches, Msg: "If-None-Exist meets more than one " + op.name.Type})
		case len(found) == 1:
			op.met = &found[0]
		}
	}
	if conditional {
		if err := s.resolve(ops); err != nil {
			return nil, err
		}
	}
	drafts := make([]commit.Draft, 0, len(ops))
	for _, op := range ops {
		d, err := s.draft(ctx, who, v, op)
		if err != nil {
			return nil, placed(op, err)
		}
		if d != nil {
			op.draft = len(drafts)
			drafts = append(drafts, *d)
		}
	}
	return drafts, nil
}

// draft checks one operation at the tail; nil means that there is nothing to write.
func (s *Server) draft(ctx context.Context, who access.Caller, v *commit.View, op *operation) (*commit.Draft, error) {
	if op.met != nil {
		return nil, nil
	}
	d := &commit.Draft{Name: op.name, Entry: op.entry, Fresh: op.verb == create, Delete: op.verb == remove}
	if op.doc != nil {
		doc, id := op.doc, op.name.ID
		d.Body = func(version uint64, at time.Time) []byte { return doc.Splice(id, version, at) }
	}
	if op.verb == create {
		return d, nil
	}
	head, err := v.Head(ctx, op.name)
	if err != nil {
		return nil, err
	}
	if op.ifMatch != 0 && (head.Version != op.ifMatch || head.Deleted) {
		return nil, &hub.Error{Kind: hub.PreconditionFailed, Msg: fmt.Sprintf("%s is at version %d, If-Match asks for %d", op.name, head.Version, op.ifMatch)}
	}
	op.created = op.verb == update && (head.Version == 0 || head.Deleted)
	op.absent = op.verb == remove && (head.Version == 0 || head.Deleted)
	if op.absent {
		return nil, nil
	}
	if head.Version > 0 {
		rec, err := v.Record(ctx, op.name)
		if err != nil {
			return nil, err
		}
		if err := s.Policy.MayChange(who, rec.Member); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// resolve rewrites references between the entries of a bundle (R4 http.html#trules: fullUrl → literal reference) and
// projects each document.
func (s *Server) resolve(ops []*operation) error {
	targets := map[string]string{}
	for _, op := range ops {
		if op.fullURL == "" {
			continue
		}
		to := op.name
		if op.met != nil {
			to = *op.met
		}
		targets[op.fullURL] = to.String()
		if i := strings.LastIndex(op.fullURL, "/"+op.name.Type+"/"); i >= 0 { // relative references meet it too
			targets[op.fullURL[i+1:]] = to.String()
		}
	}
	for _, op := range ops {
		if op.source == nil || op.met != nil {
			continue
		}
		op.doc = op.source
		if len(targets) > 0 {
			doc, err := rewrite(op.source, targets)
			if err != nil {
				return placed(op, err)
			}
			op.doc = doc
		}
		e, err := s.Project.Entry(op.doc, op.name)
		if err != nil {
			return placed(op, err)
		}
		op.entry = &e
	}
	return nil
}

// rewrite replaces references; a document without any of targets is returned as it is.
func rewrite(doc *fhir.Doc, targets map[string]string) (*fhir.Doc, error) {
	for span := range doc.References() {
		if _, ok := targets[span.Target]; ok {
			return fhir.Parse(doc.RewriteReferences(targets), fhir.Limits{})
		}
	}
	return doc, nil
}

func placed(op *operation, err error) error {
	if op.path == "" {
		return err
	}
	return at(op.path, err)
}
