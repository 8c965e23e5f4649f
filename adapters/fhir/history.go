package fhir

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/internal/fhir"
)

// A history lists versions, newest first (R4 http.html#history): those of one thing, of a type, or of all. It takes
// _since, _at and _count; its pages may be short, even empty, while there is a next one.

// period is what a history is limited to.
type period struct {
	since    time.Time
	from, to time.Time // of _at
	count    int
	applied  []fhir.Pair
}

func (s *Server) history(ctx context.Context, q *question) (*answer, error) {
	cursor := q.last(cursorParam)
	q.take(cursorParam)
	p, err := s.period(q)
	if err != nil {
		return nil, err
	}
	types := fhir.ResourceTypes()
	if q.typ != "" {
		types = []string{q.typ}
	}
	sub, err := q.subset(types...)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"_summary", "_elements"} {
		if v := q.last(name); v != "" {
			p.applied = append(p.applied, fhir.Pair{Name: name, Value: v})
		}
	}
	if sub.Summary == "count" {
		p.count = 0
	}
	turn := s.pages(q, encode(p.applied), cursor)
	span := lookup.Span{Since: p.since, From: p.from, To: p.to, Limit: p.count}
	if _, err := turn.open(&span.Before); err != nil {
		return nil, err
	}
	recs, total, more, err := s.versions(ctx, q, span)
	if err != nil {
		return nil, err
	}
	if err := cut(sub, recs); err != nil {
		return nil, err
	}
	b := newBundle("history", int64(total))
	if more != (hub.Loc{}) {
		turn.link(b, more)
	} else {
		turn.link(b, nil)
	}
	for i := range recs {
		b.version(q.base, &recs[i])
	}
	return b.answer()
}

// versions reads the versions that are asked for; the total is −1 where it is not known.
func (s *Server) versions(ctx context.Context, q *question, span lookup.Span) (recs []hub.Record, total int, more hub.Loc, err error) {
	if q.id != "" {
		if err := q.who.May(access.Read, q.typ); err != nil {
			return nil, 0, more, err
		}
		return s.Reader.VersionsIn(ctx, q.who, s.Partition, q.name(), span)
	}
	if q.typ != "" {
		span.Types, err = []string{q.typ}, q.who.May(access.Search, q.typ)
	} else {
		span.Types, err = readable(q.who)
	}
	if err == nil {
		recs, more, err = s.Reader.History(ctx, q.who, s.Partition, span)
	}
	return recs, -1, more, err
}

// period reads the parameters of a history.
func (s *Server) period(q *question) (period, error) {
	p := period{count: s.Limits.Default}
	for _, name := range []string{"_since", "_at", "_sort", "_count"} {
		value, err := q.takeOne(name)
		if err != nil {
			return p, err
		}
		if value == "" && name != "_count" {
			continue
		}
		ok := true
		switch name {
		case "_since":
			p.since, _, ok = fhir.Interval(strings.ReplaceAll(value, " ", "+"), nil)
		case "_at":
			p.from, p.to, ok = fhir.Interval(strings.ReplaceAll(value, " ", "+"), nil)
		case "_sort":
			ok = value == "-_lastUpdated"
		case "_count":
			if value != "" {
				n, err := strconv.ParseUint(value, 10, 31)
				p.count, ok = int(min(n, uint64(s.Limits.Page))), err == nil || errors.Is(err, strconv.ErrRange)
			}
			value = strconv.Itoa(p.count)
		}
		if !ok {
			return p, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "history does not take this value of " + name,
				Hint: "_since and _at are times, _count a whole number, and the order is -_lastUpdated"}
		}
		p.applied = append(p.applied, fhir.Pair{Name: name, Value: value})
	}
	return p, q.rest("_since", "_at", "_count")
}

// readable are the types that the caller may see the history of; nil stands for all.
func readable(who access.Caller) ([]string, error) {
	all := fhir.ResourceTypes()
	var types []string
	for _, typ := range all {
		if who.May(access.Search, typ) == nil {
			types = append(types, typ)
		}
	}
	switch len(types) {
	case len(all):
		return nil, nil
	case 0:
		return nil, who.May(access.Search, all[0])
	}
	return types, nil
}
