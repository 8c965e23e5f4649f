package fhir

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// anyVersion stands for the entity tag *.
const anyVersion = math.MaxUint64

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

// entityTag is parseIfMatch that also takes *, any version (RFC 9110 13.1.1).
func entityTag(tag string) (uint64, error) {
	if strings.TrimSpace(tag) == "*" {
		return anyVersion, nil
	}
	return parseIfMatch(tag)
}

// criteria compiles the search of a conditional interaction and carries its chains out. It must have at least one search
// parameter (R4 http.html#ccreate), and what it does not understand is an error however lenient the client is: a
// condition that is passed over would mean more than was said. The caller needs the right to search.
func (s *Server) criteria(c *gin.Context, who access.Caller, typ, query string) (*hub.Query, error) {
	query = strings.TrimPrefix(strings.TrimPrefix(query, typ), "?")
	if i := strings.LastIndexByte(query, '?'); i >= 0 { // an absolute URL
		query = query[i+1:]
	}
	params, err := fhir.Pairs(query)
	if err != nil {
		return nil, err
	}
	params = slices.DeleteFunc(params, func(p fhir.Pair) bool { return slices.Contains(general, p.Name) })
	o := s.searchOptions(c)
	o.Lenient = false
	q, err := fhir.CompileSearch(typ, params, o)
	if err != nil {
		return nil, err
	}
	if len(q.Query.All) == 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "the condition has no search parameter", Hint: "it would mean every " + typ}
	}
	for _, t := range append(q.Types, typ) {
		if err := who.May(access.Search, t); err != nil {
			return nil, err
		}
	}
	plain, err := s.Reader.Plain(c.Request.Context(), who, s.Partition, q.Query)
	if err != nil {
		return nil, err
	}
	plain.Sort, plain.After, plain.Count, plain.Limit = nil, nil, false, 2
	return &plain, nil
}

// meet looks at the tail for what the criteria of op meet and decides what it is about: R4 http.html#ccreate, #cond-update,
// #cdelete, #patch.
func (t *turn) meet(ctx context.Context, op *operation) error {
	limit := 2
	if op.many {
		limit = t.Limits.Deletes + 1
	}
	found, err := t.find(ctx, op, limit)
	switch {
	case err != nil:
		return err
	case op.many && len(found) == limit:
		return &hub.Error{Kind: hub.TooCostly, Msg: fmt.Sprintf("the criteria meet more than the %d that are deleted at once", t.Limits.Deletes), Hint: "narrow the criteria"}
	case op.many:
		op.names = found
	case len(found) > 1:
		return &hub.Error{Kind: hub.MultipleMatches, Msg: "the criteria meet more than one " + op.name.Type}
	case op.verb == create && len(found) == 1:
		op.met, op.names = &found[0], nil
	case len(found) == 1 && op.verb == update && !op.hubID && found[0] != op.asked:
		return &hub.Error{Kind: hub.Invalid, Path: op.name.Type + ".id", Msg: fmt.Sprintf("the criteria meet another %s than the one whose id was sent", op.name.Type)}
	case len(found) == 1:
		op.name, op.names = found[0], found
	case op.verb == remove:
		op.names = nil
	case op.verb == patch:
		return &hub.Error{Kind: hub.NotFound, Msg: "the criteria meet no " + op.name.Type}
	case op.verb == update:
		t.made.unmet[op] = true
		if op.ifMatch != 0 {
			return &hub.Error{Kind: hub.PreconditionFailed, Msg: "the criteria meet no " + op.name.Type + ", and If-Match asks for a version"}
		}
	}
	return nil
}

// foresee searches for what the criteria of the operations meet now, several at a time, so that at the tail only what
// changed since must be looked at.
func (s *Server) foresee(ctx context.Context, ops []*operation) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, op := range ops {
		if op.when == nil {
			continue
		}
		g.Go(func() (err error) {
			op.found, err = s.Writer.Find(ctx, *op.when)
			if hub.Is(err, hub.Unavailable) { // the index is catching up; the queue waits for it
				err = nil
			}
			return err
		})
	}
	return g.Wait()
}

// mostMet is how many things are looked at for what a condition means.
const mostMet = 10_000

// find returns what the criteria of op meet at the tail as the operations before have left it, at most limit names.
func (t *turn) find(ctx context.Context, op *operation, limit int) ([]hub.Name, error) {
	q := op.when
	wide := *q
	wide.Limit = limit + len(t.made.gone)
	var found []hub.Name
	for {
		all, err := t.view.FindSince(ctx, wide, op.found)
		if err != nil {
			return nil, err
		}
		hidden, err := t.Reader.Hidden(ctx, t.who, t.Partition, all) // a condition must not tell of what a search does not show
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(slices.Clone(all), func(n hub.Name) bool { return t.made.gone[n] || slices.Contains(hidden, n) })
		if len(found) >= limit || len(all) < wide.Limit || len(hidden) == 0 {
			break
		}
		if wide.Limit *= 2; wide.Limit > mostMet { // there may be others behind those that are hidden
			return nil, &hub.Error{Kind: hub.TooCostly, Msg: "the condition is too wide", Hint: "narrow the criteria"}
		}
	}
	own, err := t.made.find(q, &hub.Record{Time: t.view.Time()})
	if err != nil {
		return nil, err
	}
	for _, op := range own {
		if !slices.Contains(found, op.name) {
			found = append(found, op.name)
		}
	}
	return found[:min(limit, len(found))], nil
}

// made is what the operations of a transaction have done so far, for the criteria of those that follow.
type made struct {
	gone  map[hub.Name]bool
	ops   []*operation
	exact map[exactTerm][]*operation // by the Exact terms that can be asked for
	asked map[string]bool            // parameters of criteria; nil: all of them
	unmet map[*operation]bool        // updates whose criteria met nothing
}

type exactTerm struct{ typ, param, text string }

func newMade(ops []*operation) *made {
	m := &made{gone: map[hub.Name]bool{}, exact: map[exactTerm][]*operation{}, unmet: map[*operation]bool{}}
	for _, op := range ops {
		if op.when == nil {
			continue
		}
		if m.asked == nil {
			m.asked = map[string]bool{}
		}
		for i := range op.when.All {
			m.asked[op.when.All[i].Param] = true
		}
	}
	return m
}

func (m *made) add(op *operation) {
	if op.verb == remove {
		for _, n := range op.names {
			m.gone[n] = true
		}
		return
	}
	if op.entry == nil {
		return
	}
	m.ops = append(m.ops, op)
	for _, term := range op.entry.Terms {
		if term.Kind == hub.Exact && (m.asked == nil || m.asked[term.Param]) {
			key := exactTerm{op.name.Type, term.Param, term.Text}
			m.exact[key] = append(m.exact[key], op)
		}
	}
}

// find returns the operations whose resource meets q.
func (m *made) find(q *hub.Query, now *hub.Record) ([]*operation, error) {
	var found []*operation
	for _, op := range m.candidates(q) {
		if op.name.Type != q.Type || slices.Contains(found, op) {
			continue
		}
		rec := hub.Record{Name: op.name, Body: op.doc.Root().Raw()}
		if now != nil {
			rec.Time = now.Time
		}
		ok, err := q.Meets(&rec, op.entry)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, op)
		}
	}
	return found, nil
}

// candidates narrows the operations down by exact terms where q asks for such, so that thousands of conditions need not
// look at thousands of resources.
func (m *made) candidates(q *hub.Query) []*operation {
	param, texts, ok := q.Named()
	if !ok || m.asked != nil && !m.asked[param] {
		return m.ops
	}
	var ops []*operation
	for _, text := range texts {
		ops = append(ops, m.exact[exactTerm{q.Type, param, text}]...)
	}
	return ops
}
