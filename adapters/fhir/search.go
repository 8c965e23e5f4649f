package fhir

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/internal/fhir"
)

// searchOptions are those of a request.
func (s *Server) searchOptions(c *gin.Context) fhir.SearchOptions {
	return s.options(c.Request.Context(), &question{who: caller(c), base: s.base(c), lenient: lenient(c.GetHeader("Prefer"))})
}

func (s *Server) options(ctx context.Context, q *question) fhir.SearchOptions {
	return fhir.SearchOptions{
		Base: q.base, Count: s.Limits.Default, MaxCount: s.Limits.Page, Now: time.Now(), Lenient: q.lenient,
		Load: func(typ, canonical string) (*fhir.Doc, error) { return s.terminology(ctx, q.who, typ, canonical) },
	}
}

// terminology finds a CodeSystem or ValueSet by its canonical URL, the newest where several have it, or by Type/id; nil when
// there is none.
func (s *Server) terminology(ctx context.Context, who access.Caller, typ, canonical string) (*fhir.Doc, error) {
	u, version, _ := strings.Cut(canonical, "|")
	params := []fhir.Pair{{Name: "url", Value: fhir.Escape(u)}, {Name: "_count", Value: "1"}, {Name: "_sort", Value: "-_lastUpdated"}}
	if id, ok := strings.CutPrefix(u, typ+"/"); ok {
		params[0] = fhir.Pair{Name: "_id", Value: fhir.Escape(id)}
	}
	if version != "" {
		params = append(params, fhir.Pair{Name: "version", Value: fhir.Escape(version)})
	}
	found, err := fhir.CompileSearch(typ, params, fhir.SearchOptions{})
	if err != nil {
		return nil, err
	}
	res, err := s.Reader.Search(ctx, who, []hub.Partition{s.Partition}, found.Query, "terminology")
	if err != nil || len(res.Records) == 0 {
		return nil, err
	}
	return fhir.Parse(res.Records[0].Body, fhir.Limits{})
}

// search answers GET /fhir/Type?…, POST /fhir/Type/_search and, over several types, GET /fhir?… and POST /fhir/_search
// (R4 search.html).
func (s *Server) search(ctx context.Context, q *question) (*answer, error) {
	if q.typ != "" {
		return s.find(ctx, q, []string{q.typ}, nil)
	}
	types, err := s.typesAsked(ctx, q, nil)
	if err != nil {
		return nil, err
	}
	return s.find(ctx, q, types, nil)
}

// typesAsked takes _type out of the parameters: the types it names, each of which the caller must be allowed to search;
// without it, those that the hub has and the caller may search. among, where not nil, are all that may be asked for.
func (s *Server) typesAsked(ctx context.Context, q *question, among []string) (types []string, err error) {
	if q.named, q.params, err = fhir.TypesOf(q.params); err != nil {
		return nil, err
	}
	for _, typ := range q.named {
		if among != nil && !slices.Contains(among, typ) {
			return nil, &hub.Error{Kind: hub.Invalid, Path: "_type", Msg: "no " + typ + " is in this compartment"}
		}
		if err := q.who.May(access.Search, typ); err != nil {
			return nil, err
		}
	}
	if len(q.named) > 0 {
		return q.named, nil
	}
	have, err := s.Reader.Types(ctx, s.Partition)
	if err != nil {
		return nil, err
	}
	for _, typ := range have {
		if fhir.IsResourceType(typ) && (among == nil || slices.Contains(among, typ)) && q.who.May(access.Search, typ) == nil {
			types = append(types, typ)
		}
	}
	if len(types) == 0 && len(have) > 0 && among == nil {
		return nil, q.who.May(access.Search, have[0])
	}
	return types, nil
}

// compiled is what a search over one or more types came to.
type compiled struct {
	*fhir.Search // of the first type
	queries      []hub.Query
	includes     []hub.Include
}

// compile compiles a search for each of the types; within, where not nil, is what else must hold of things of a type.
func (s *Server) compile(ctx context.Context, q *question, types []string, within func(typ string) (hub.Clause, error)) (*compiled, error) {
	all := &compiled{}
	params := slices.DeleteFunc(slices.Clone(q.params), func(p fhir.Pair) bool { return p.Name == cursorParam })
	options := s.options(ctx, q)
	if len(types) > 1 {
		options.Among = types
	}
	for _, typ := range types {
		if err := q.who.May(access.Search, typ); err != nil {
			return nil, err
		}
		one, err := fhir.CompileSearch(typ, params, options)
		if err != nil {
			return nil, q.hinted(err)
		}
		for _, other := range one.Types {
			if err := q.who.May(access.Search, other); err != nil {
				return nil, err
			}
		}
		if within != nil {
			clause, err := within(typ)
			if err != nil {
				return nil, err
			}
			one.Query.All = append(one.Query.All, clause)
		}
		if one.Summary == "count" {
			one.Query.Limit = 0
		}
		all.queries = append(all.queries, one.Query)
		for _, in := range one.Includes {
			if !slices.Contains(all.includes, in) {
				all.includes = append(all.includes, in)
			}
		}
		if all.Search == nil {
			all.Search = one
		}
	}
	if all.Search == nil { // no type has anything: the parameters are read all the same
		one, err := fhir.CompileSearch("Basic", params, options)
		if err != nil {
			return nil, err
		}
		all.Search = one
	}
	return all, nil
}

// hinted tells the client of a search of all types, who named none of them, why one of them matters.
func (q *question) hinted(err error) error {
	var e *hub.Error
	if q.typ != "" || len(q.named) > 0 || !errors.As(err, &e) || e.Kind != hub.Invalid || strings.HasPrefix(e.Path, "_") {
		return err
	}
	inner := *e
	inner.Hint = "a search of all types takes what each of them has; _type names some"
	return &inner
}

// find carries a search out and builds the searchset: the hits, what was included, and what was ignored.
func (s *Server) find(ctx context.Context, q *question, types []string, within func(typ string) (hub.Clause, error)) (*answer, error) {
	found, err := s.compile(ctx, q, types, within)
	if err != nil {
		return nil, err
	}
	if len(found.includes) > 0 && found.Summary == "text" { // R4 search.html#summary
		return nil, &hub.Error{Kind: hub.Invalid, Path: "_summary", Msg: "_summary=text does not go with _include and _revinclude"}
	}
	applied := found.Applied
	if len(q.named) > 0 {
		applied = append([]fhir.Pair{{Name: "_type", Value: strings.Join(q.named, ",")}}, applied...)
	}
	turn := s.pages(q, encode(applied), q.last(cursorParam))
	var after *hub.Position
	if more, err := turn.open(&after); err != nil {
		return nil, err
	} else if !more {
		after = nil
	}
	for i := range found.queries {
		found.queries[i].After = after
		found.queries[i].Count = counts(found.Search, &found.queries[i])
	}
	res, err := s.results(ctx, q.who, found.queries, parameterNames(q.params))
	if err != nil {
		return nil, err
	}
	if res.Total < 0 && after == nil && res.Next == nil {
		res.Total = int64(len(res.Records)) // all there is
	}
	if found.Total == "none" {
		res.Total = -1
	}
	included, err := s.included(ctx, q.who, res.Records, found.includes)
	if err != nil {
		return nil, err
	}
	sub := fhir.Subset{Summary: found.Summary, Elements: found.Elements}
	if err := cut(sub, res.Records); err != nil {
		return nil, err
	}
	sub.Elements = nil // they are the hits'
	if err := cut(sub, included); err != nil {
		return nil, err
	}
	b := newBundle("searchset", res.Total)
	b.text.Grow(200 * (len(res.Records) + len(included))) // what goes around a resource
	if res.Next != nil && found.Query.Limit > 0 {
		turn.link(b, res.Next)
	} else {
		turn.link(b, nil)
	}
	for i := range res.Records {
		b.hit(q.base, &res.Records[i], "match")
	}
	for i := range included {
		b.hit(q.base, &included[i], "include")
	}
	if len(found.Ignored) > 0 {
		b.ignored(found.Ignored)
	}
	return b.answer()
}

// counts tells whether the total is worth its cost: when it is asked for, and where it is cheap, because one patient's
// slot has all hits or nothing restricts them.
func counts(found *fhir.Search, query *hub.Query) bool {
	switch found.Total {
	case "accurate", "estimate":
		return true
	case "none":
		return query.Limit == 0
	}
	return query.Limit == 0 || query.Plain() && !fhir.HasSecurityContext(query.Type) && (len(query.Routes) > 0 || len(query.All) == 0)
}

// results asks the Reader for what the queries, each of another type, meet together.
func (s *Server) results(ctx context.Context, who access.Caller, queries []hub.Query, note string) (lookup.Result, error) {
	switch len(queries) {
	case 0:
		return lookup.Result{}, nil
	case 1:
		return s.Reader.Search(ctx, who, []hub.Partition{s.Partition}, queries[0], note)
	}
	count := !slices.ContainsFunc(queries, func(q hub.Query) bool { return !q.Count })
	for i := range queries {
		queries[i].Count = count
	}
	return s.Reader.SearchAll(ctx, who, s.Partition, queries, note)
}

// included follows includes to what the caller may search for.
func (s *Server) included(ctx context.Context, who access.Caller, hits []hub.Record, includes []hub.Include) ([]hub.Record, error) {
	if len(hits) == 0 || len(includes) == 0 {
		return nil, nil
	}
	may := func(typ string) bool { return who.May(access.Search, typ) == nil }
	return s.Reader.Follow(ctx, who, s.Partition, hits, includes, may)
}

// encode writes parameters as a query string, in their order.
func encode(params []fhir.Pair) string {
	parts := make([]string, len(params))
	for i, p := range params {
		parts[i] = url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value)
	}
	return strings.Join(parts, "&")
}

// parameterNames is what the audit trail keeps of a query: names, never values.
func parameterNames(params []fhir.Pair) string {
	names := make([]string, 0, len(params))
	for _, p := range params {
		names = append(names, strings.Trim(strconv.QuoteToASCII(p.Name[:min(64, len(p.Name))]), `"`))
	}
	slices.Sort(names)
	if len(names) > 32 {
		names = names[:32]
	}
	return strings.Join(slices.Compact(names), ",")
}
