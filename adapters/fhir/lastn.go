package fhir

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// mostMeasured bounds how many observations $lastn looks at.
const mostMeasured = 10_000

// lastn answers Observation/$lastn (R4 observation-operation-lastn.html): of the observations that a search meets, the
// newest max (1 unless given) of each code, code by code, newest first. Codes that an observation holds as translations
// of each other are one. The search must name a patient or subject, and a code or category.
func (s *Server) lastn(ctx context.Context, q *question) (*answer, error) {
	if err := q.who.May(access.Search, "Observation"); err != nil {
		return nil, err
	}
	if err := q.inputs(); err != nil {
		return nil, err
	}
	most, err := q.atLeastOne("max", 1)
	if err != nil {
		return nil, err
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(q.params, func(p fhir.Pair) bool { return slices.Contains(names, p.Name) })
	}
	if !has("patient", "subject") || !has("code", "category") {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "$lastn", Msg: "the operation needs a patient or subject, and a code or category"}
	}
	for _, name := range []string{"_sort", "_count", "_total"} {
		if has(name) {
			return nil, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "the operation has an order and a number of its own", Hint: "max is the number for each code"}
		}
	}
	found, err := s.compile(ctx, q, []string{"Observation"}, nil)
	if err != nil {
		return nil, err
	}
	query := found.queries[0]
	query.Sort = []hub.Sort{{Param: "date", Desc: true}}
	groups := codeGroups{most: most, of: map[string]*codeGroup{}}
	for seen := 0; ; {
		query.Limit = s.Limits.Page
		res, err := s.Reader.Search(ctx, q.who, []hub.Partition{s.Partition}, query, parameterNames(q.params))
		if err != nil {
			return nil, err
		}
		for i := range res.Records {
			if err := groups.add(&res.Records[i], seen); err != nil {
				return nil, err
			}
			seen++
		}
		if res.Next == nil {
			break
		}
		if seen >= mostMeasured {
			return nil, &hub.Error{Kind: hub.TooCostly, Msg: fmt.Sprintf("the search meets more than %d observations", mostMeasured), Hint: "narrow it by code, category or date"}
		}
		query.After = res.Next
	}
	hits := groups.newest()
	included, err := s.included(ctx, q.who, hits, found.includes)
	if err != nil {
		return nil, err
	}
	if err := cut(fhir.Subset{Summary: found.Summary, Elements: found.Elements}, hits); err != nil {
		return nil, err
	}
	b := newBundle("searchset", int64(len(hits)))
	applied := slices.DeleteFunc(found.Applied, func(p fhir.Pair) bool { return p.Name == "_count" })
	b.link("self", join(q.url(), encode(append(applied, fhir.Pair{Name: "max", Value: strconv.Itoa(most)}))))
	if found.Summary != "count" {
		for i := range hits {
			b.hit(q.base, &hits[i], "match")
		}
		for i := range included {
			b.hit(q.base, &included[i], "include")
		}
	}
	if len(found.Ignored) > 0 {
		b.ignored(found.Ignored)
	}
	return b.answer()
}

// atLeastOne takes a parameter that is a positive number.
func (q *question) atLeastOne(name string, otherwise int) (int, error) {
	text, err := q.takeOne(name)
	if err != nil || text == "" {
		return otherwise, err
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, &hub.Error{Kind: hub.Invalid, Path: name, Msg: name + " is a whole number from 1 on"}
	}
	return int(n), nil
}

// codeGroups sorts observations, which come newest first, into groups of one code.
type codeGroups struct {
	most int
	of   map[string]*codeGroup // by "system|code", or by the code's text
	all  []*codeGroup
}

type codeGroup struct {
	keys []string
	list []ranked // newest first
}

// ranked is an observation and its place among all.
type ranked struct {
	rank int
	rec  hub.Record
}

func (g *codeGroups) add(rec *hub.Record, rank int) error {
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return fmt.Errorf("read an observation: %w", &hub.Error{Kind: hub.Corrupt, Err: err})
	}
	group := &codeGroup{}
	for _, key := range codeKeys(doc.Root().Get("code")) {
		if known := g.of[key]; known != nil && known != group {
			group = g.merge(known, group)
		} else if known == nil {
			g.of[key] = group
			group.keys = append(group.keys, key)
		}
	}
	if len(group.list) == 0 {
		g.all = append(g.all, group)
	}
	if len(group.list) < g.most {
		group.list = append(group.list, ranked{rank, *rec})
	}
	return nil
}

// merge makes one group of two.
func (g *codeGroups) merge(into, from *codeGroup) *codeGroup {
	for _, key := range from.keys {
		g.of[key] = into
	}
	into.keys = append(into.keys, from.keys...)
	into.list = append(into.list, from.list...)
	slices.SortFunc(into.list, func(a, b ranked) int { return a.rank - b.rank })
	into.list = into.list[:min(len(into.list), g.most)]
	g.all = slices.DeleteFunc(g.all, func(one *codeGroup) bool { return one == from })
	return into
}

// newest lists what is left, group by group.
func (g *codeGroups) newest() []hub.Record {
	var all []hub.Record
	for _, group := range g.all {
		for i := range group.list {
			all = append(all, group.list[i].rec)
		}
	}
	return all
}

// codeKeys are what tells one code from another.
func codeKeys(code fhir.Value) []string {
	var keys []string
	for c := range code.Get("coding").Items() {
		keys = append(keys, token(c.Get("system"), c.Get("code")))
	}
	if len(keys) == 0 {
		keys = append(keys, "\x00"+fhir.Normalise(code.Get("text").Text()))
	}
	return keys
}
