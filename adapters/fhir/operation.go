package fhir

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/internal/fhir"
)

// verb says what an operation does. Their order is that in which a transaction carries them out (R4
// http.html#trules).
type verb uint8

const (
	remove verb = iota
	create
	update
	patch
)

// operation is one change asked for. The fields after the gap are set while planning, which may happen more than once.
type operation struct {
	verb        verb
	name        hub.Name     // where it has criteria: what they meet, else the name that a new thing gets
	source      *fhir.Doc    // as sent; nil for remove and patch
	patch       *sentPatch   // of a patch
	blob        *hub.Blob    // of the large attachments that were taken out of source or doc; nil for none
	kept        *kept        // of a patch: what was put into a blob for it
	when        *hub.Query   // criteria: what the operation is about, or If-None-Exist
	many        bool         // a delete of all that its criteria meet
	hubID       bool         // the id of a new thing is the hub's choice
	ifMatch     uint64       // 0: no condition
	ifNoneMatch uint64       // 0: no condition
	fullURL     string       // of a bundle entry
	path        string       // "Bundle.entry[3]", empty outside bundles
	bundle      *fullURLs    // of the transaction it is in, nil for none
	links       []*link      // what the references of source lead to
	found       commit.Found // what when met before the operation had its place in the queue

	asked    hub.Name   // name as it was before the criteria were looked at
	doc      *fhir.Doc  // what is to be written
	entry    *hub.Entry // what doc adds to the index
	resolved resolution // what doc and entry were made for
	met      *hub.Name  // what a conditional create met instead
	names    []hub.Name // what is changed: none, one, or what a delete of many met
	created  bool       // an update that made a new thing
	draft    int        // position of its first record among the write's, −1 for none
}

// idGrammar is the form of a logical id (R4 datatypes.html#id).
var idGrammar = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,64}$`)

// newID makes a random logical id.
func newID() string { return uuid.NewString() }

// target is what a reference to the operation's resource must say.
func (op *operation) target() hub.Name {
	if op.met != nil {
		return *op.met
	}
	return op.name
}

// run commits the operations as one transaction and returns the records, by position in ops; where an operation
// wrote nothing (a conditional create that met something, a delete of nothing) its record is zero. What is wrong with
// the operations comes back as one error for all of them.
func (s *Server) run(ctx context.Context, who access.Caller, ops []*operation) ([]hub.Record, error) {
	w := commit.Write{Member: who.Member}
	for _, op := range ops {
		op.asked = op.name
		if op.when == nil && !op.hubID {
			w.Names = append(w.Names, op.name)
		}
	}
	ordered := slices.Clone(ops)
	slices.SortStableFunc(ordered, func(a, b *operation) int { return cmp.Compare(min(a.verb, update), min(b.verb, update)) })
	// Most of the work depends on nothing that the index says: it is done before the queue.
	if err := each(ordered, s.resolve); err != nil {
		return nil, err
	}
	if err := s.foresee(ctx, ordered); err != nil {
		return nil, err
	}
	w.Plan = func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		t := &turn{Server: s, who: who, view: v, claims: map[hub.Name]*operation{}, made: newMade(ordered)}
		return t.plan(ctx, ordered)
	}
	written, err := s.submit(ctx, w, len(ops))
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

// each does something with every operation and gathers what is wrong with them.
func each(ops []*operation, do func(*operation) error) error {
	var all hub.Faults
	for _, op := range ops {
		if err := gather(&all, placed(op, do(op))); err != nil {
			return err
		}
	}
	if len(all) > 0 {
		return all
	}
	return nil
}

// turn is the planning of one transaction at the tail.
type turn struct {
	*Server
	who    access.Caller
	view   *commit.View
	claims map[hub.Name]*operation // what is changed, and by which of the operations
	made   *made
}

func (t *turn) plan(ctx context.Context, ops []*operation) ([]commit.Draft, error) {
	err := each(ops, func(op *operation) error { return t.decide(ctx, op) })
	if err == nil { // now it is known what conditional references and fullUrls stand for
		err = each(ops, t.resolve)
	}
	if err != nil {
		return nil, err
	}
	drafts := make([]commit.Draft, 0, len(ops))
	err = each(ops, func(op *operation) error {
		first := len(drafts)
		for _, name := range op.names {
			d, err := t.draft(ctx, op, name)
			if err != nil {
				return err
			}
			if d != nil {
				drafts = append(drafts, *d)
			}
		}
		if op.draft = -1; len(drafts) > first {
			op.draft = first
		}
		return nil
	})
	return drafts, err
}

// decide finds out which things the operation is about and refuses those that another one of the transaction changes.
func (t *turn) decide(ctx context.Context, op *operation) error {
	op.name, op.met, op.created, op.draft = op.asked, nil, false, -1
	op.names = []hub.Name{op.name}
	if op.when != nil {
		if err := t.meet(ctx, op); err != nil {
			return err
		}
	}
	for _, name := range op.names {
		if other, twice := t.claims[name]; twice {
			return &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("%s is in %s too; a transaction changes a resource once", name, other.path)}
		}
		t.claims[name] = op
	}
	if op.met == nil {
		t.made.add(op)
	}
	return nil
}

// draft checks one change at the tail; nil means that there is nothing to write.
func (t *turn) draft(ctx context.Context, op *operation, name hub.Name) (*commit.Draft, error) {
	if t.view.Changed(name) { // by a neighbour: it will be looked at again
		return &commit.Draft{Name: name}, nil
	}
	if err := t.view.Admit(t.who.Member, name); err != nil {
		return nil, err
	}
	d := &commit.Draft{Name: name, Fresh: op.hubID && name == op.asked, Delete: op.verb == remove}
	if !d.Fresh {
		write, err := t.allowed(ctx, op, name)
		if err != nil || !write {
			return nil, err
		}
	}
	if op.verb == patch {
		if err := t.apply(ctx, op); err != nil {
			return nil, err
		}
	}
	op.created = op.created || d.Fresh
	if doc := op.doc; op.verb != remove {
		if err := checkContext(doc); err != nil {
			return nil, err
		}
		d.Entry, d.Blob = op.entry, op.blob
		d.Body = func(version uint64, at time.Time) []byte { return doc.Splice(name.ID, version, at) }
	}
	return d, nil
}

// allowed checks the conditions on the version that is there; false means that there is nothing to delete.
func (t *turn) allowed(ctx context.Context, op *operation, name hub.Name) (bool, error) {
	head, err := t.view.Head(ctx, name)
	if err != nil {
		return false, err
	}
	var refused error
	if head.Version > 0 {
		rec, err := t.view.Record(ctx, name)
		if err != nil {
			return false, err
		}
		if refused = t.Policy.MayChange(t.who, rec.Member); refused != nil {
			err := t.Reader.MayRead(ctx, t.who, t.Partition, &rec)
			switch {
			case hub.Is(err, hub.NotFound): // for all that can be told it is not there
				head = hub.Head{Name: name}
			case err != nil:
				return false, err
			}
		}
	}
	there := head.Version > 0 && !head.Deleted
	switch {
	case op.ifMatch != 0 && (!there || op.ifMatch != anyVersion && op.ifMatch != head.Version):
		return false, &hub.Error{Kind: hub.PreconditionFailed, Msg: fmt.Sprintf("%s is at version %d, which is not what If-Match asks for", name, head.Version)}
	case there && (op.ifNoneMatch == anyVersion || op.ifNoneMatch == head.Version && op.ifNoneMatch != 0):
		return false, &hub.Error{Kind: hub.PreconditionFailed, Msg: fmt.Sprintf("%s is at version %d, which If-None-Match excludes", name, head.Version)}
	case there && op.verb == update && op.when != nil && name == op.asked && t.made.unmet[op]:
		return false, &hub.Error{Kind: hub.Conflict, Msg: fmt.Sprintf("the criteria meet nothing, but there is a %s", name)}
	case !there && op.verb == remove:
		return false, nil
	case head.Version == 0 && op.verb == update && t.Rules.NoUpdateCreate:
		return false, notAllowedHere(name)
	case head.Version == 0 && op.verb == patch:
		return false, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("there is no %s", name)}
	case head.Deleted && op.verb == patch:
		return false, &hub.Error{Kind: hub.Gone, Msg: fmt.Sprintf("%s was deleted in version %d", name, head.Version)}
	}
	op.created = op.verb == update && !there
	return true, refused
}

func notAllowedHere(name hub.Name) error {
	return &hub.Error{Kind: hub.Unsupported, Path: "method", Msg: fmt.Sprintf("there is no %s, and this hub gives the ids of new resources itself", name), Hint: "create it by POST"}
}

func placed(op *operation, err error) error {
	if op.path == "" || err == nil {
		return err
	}
	return at(op.path, err)
}
