package fhir

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// everything answers Patient/1/$everything and Encounter/1/$everything (R4 patient-operation-everything.html,
// encounter-operation-everything.html): the thing itself, what is in its compartment, and what that refers to outside of
// it (practitioners, organisations, places, medicines). It takes _since, _type and _count; for a patient start and end, too,
// which things without a clinical date pass. Each page holds what its own things refer to.
func (s *Server) everything(ctx context.Context, q *question) (*answer, error) {
	if err := q.who.May(access.Read, q.typ); err != nil {
		return nil, err
	}
	if err := q.inputs(); err != nil {
		return nil, err
	}
	w, err := s.wish(q)
	if err != nil {
		return nil, err
	}
	center, err := s.Reader.Read(ctx, q.who, s.Partition, q.name())
	if err != nil {
		return nil, err
	}
	sub, err := q.subset(fhir.ResourceTypes()...)
	if err != nil {
		return nil, err
	}
	have, err := s.Reader.Types(ctx, s.Partition)
	if err != nil {
		return nil, err
	}
	turn := s.pages(q, encode(w.applied), w.cursor)
	var after *hub.Position
	if _, err := turn.open(&after); err != nil {
		return nil, err
	}
	queries, err := s.compartmentQueries(q, w, have, after)
	if err != nil {
		return nil, err
	}
	res, err := s.results(ctx, q.who, queries, parameterNames(q.params))
	if err != nil {
		return nil, err
	}
	hits := slices.DeleteFunc(res.Records, func(r hub.Record) bool { return r.Name == center.Name })
	if after == nil {
		hits = slices.Insert(hits, 0, center)
	}
	included, err := s.included(ctx, q.who, hits, outward(q.typ, hits))
	if err != nil {
		return nil, err
	}
	unwanted := func(r hub.Record) bool {
		return r.Name == center.Name && after != nil || r.Time.Before(w.since) || len(w.types) > 0 && !slices.Contains(w.types, r.Name.Type)
	}
	hits, included = slices.DeleteFunc(hits, unwanted), slices.DeleteFunc(included, unwanted)
	for _, recs := range [][]hub.Record{hits, included} {
		if err := cut(sub, recs); err != nil {
			return nil, err
		}
	}
	b := newBundle("searchset", -1)
	if res.Next != nil {
		turn.link(b, res.Next)
	} else {
		turn.link(b, nil)
	}
	for i := range hits {
		b.hit(q.base, &hits[i], "match")
	}
	for i := range included {
		b.hit(q.base, &included[i], "include")
	}
	return b.answer()
}

// wish is what $everything is asked for.
type wish struct {
	since      time.Time
	types      []string
	start, end string
	count      int
	cursor     string
	applied    []fhir.Pair
}

func (s *Server) wish(q *question) (*wish, error) {
	w := &wish{cursor: q.last(cursorParam)}
	q.take(cursorParam)
	for _, value := range q.take("_type") {
		for typ := range strings.SplitSeq(value, ",") {
			if !fhir.IsResourceType(typ) {
				return nil, &hub.Error{Kind: hub.Invalid, Path: "_type", Msg: "R4 has no resource type " + quote(typ), Hint: fhir.NearestType(typ)}
			}
			w.types = append(w.types, typ)
		}
	}
	if len(w.types) > 0 {
		w.applied = append(w.applied, fhir.Pair{Name: "_type", Value: strings.Join(w.types, ",")})
	}
	known := []string{"_since", "_type", "_count"}
	if q.typ == "Patient" {
		known = append(known, "start", "end")
	}
	for _, name := range []string{"_since", "start", "end"} {
		if !slices.Contains(known, name) {
			continue
		}
		value, err := q.takeOne(name)
		if err != nil {
			return nil, err
		}
		if value == "" {
			continue
		}
		value = strings.ReplaceAll(value, " ", "+")
		from, _, ok := fhir.Interval(value, nil)
		if !ok {
			return nil, &hub.Error{Kind: hub.Invalid, Path: name, Msg: name + " is a date or a time"}
		}
		switch name {
		case "_since":
			w.since = from
		case "start":
			w.start = value
		case "end":
			w.end = value
		}
		w.applied = append(w.applied, fhir.Pair{Name: name, Value: value})
	}
	count, err := q.atLeastOne("_count", s.Limits.Page)
	if err != nil {
		return nil, err
	}
	w.count = min(count, s.Limits.Page)
	w.applied = append(w.applied, fhir.Pair{Name: "_count", Value: strconv.Itoa(w.count)})
	return w, q.rest(known...)
}

// compartmentQueries are one query for each type of the compartment that the hub has and the caller may search.
func (s *Server) compartmentQueries(q *question, w *wish, have []string, after *hub.Position) ([]hub.Query, error) {
	var all []hub.Query
	for _, typ := range fhir.CompartmentTypes(q.typ) {
		if !slices.Contains(have, typ) || len(w.types) > 0 && !slices.Contains(w.types, typ) || q.who.May(access.Search, typ) != nil {
			continue
		}
		clause, err := q.within(typ)
		if err != nil {
			return nil, err
		}
		query := hub.Query{Type: typ, All: []hub.Clause{clause}, Limit: w.count, After: after}
		if !w.since.IsZero() {
			more, err := clauses(typ, hub.LastUpdated, "ge", w.since.UTC().Format(fhir.InstantFormat))
			if err != nil {
				return nil, err
			}
			query.All = append(query.All, more...)
		}
		cared, err := w.care(typ)
		if err != nil {
			return nil, err
		}
		query.All = append(query.All, cared...)
		all = append(all, query)
	}
	return all, nil
}

// careDates are the parameters that hold when care was given, the surest first.
var careDates = []string{"date", "period", "started", "occurrence", "effective-time", "effective", "authoredon", "authored-on", "authored", "onset-date", "recorded-date",
	"created", "event-date", "performed", "datewritten", "datetime", "collected", "sent", "identified", "start-date"}

// care are the clauses of start and end on things of a type: their clinical date is between the two, or they have none.
func (w *wish) care(typ string) ([]hub.Clause, error) {
	if w.start == "" && w.end == "" {
		return nil, nil
	}
	params := fhir.SearchParams(typ)
	for _, name := range careDates {
		if !slices.ContainsFunc(params, func(p fhir.Param) bool { return p.Code == name && p.Type == fhir.DateParam }) {
			continue
		}
		var between []hub.Clause
		for prefix, value := range map[string]string{"ge": w.start, "le": w.end} {
			if value == "" {
				continue
			}
			more, err := clauses(typ, name, prefix, value)
			if err != nil {
				return nil, err
			}
			between = append(between, more...)
		}
		missing, err := clauses(typ, name+":missing", "", "true")
		if err != nil {
			return nil, err
		}
		return []hub.Clause{{Either: [][]hub.Clause{between, missing}}}, nil
	}
	return nil, nil
}

// clauses compiles one condition.
func clauses(typ, name, prefix, value string) ([]hub.Clause, error) {
	found, err := fhir.CompileSearch(typ, []fhir.Pair{{Name: name, Value: prefix + value}}, fhir.SearchOptions{})
	if err != nil {
		return nil, err
	}
	return found.Query.All, nil
}

// outward are the references from the hits to what can be in no such compartment, and on from there.
func outward(compartment string, hits []hub.Record) []hub.Include {
	inside := fhir.CompartmentTypes(compartment)
	var from []string
	for i := range hits {
		if typ := hits[i].Name.Type; !slices.Contains(from, typ) {
			from = append(from, typ)
		}
	}
	var all []hub.Include
	for i := 0; i < len(from); i++ { // grows while it runs
		typ := from[i]
		for _, p := range fhir.SearchParams(typ) {
			if p.Type != fhir.ReferenceParam {
				continue
			}
			for _, target := range p.Targets {
				if slices.Contains(inside, target) || target == compartment || !fhir.IsResourceType(target) {
					continue
				}
				iterate := !slices.Contains(inside, typ) && typ != compartment
				all = append(all, hub.Include{Type: typ, Param: p.Code, Target: target, Iterate: iterate})
				if !slices.Contains(from, target) {
					from = append(from, target)
				}
			}
		}
	}
	return all
}
