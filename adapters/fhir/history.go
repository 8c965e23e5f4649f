package fhir

import (
	"context"
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
	if q.id != "" {
		return s.historyOfOne(ctx, q, p, sub, turn)
	}
	return s.historyOfMany(ctx, q, p, sub, turn)
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
				p.count, ok = int(min(n, uint64(s.Limits.Page))), err == nil
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

// turnOfOne is where the history of one thing goes on: with the versions before Before, the next of which was current
// until Until.
type turnOfOne struct {
	Before uint64 `json:"b"`
	Until  int64  `json:"u"`
}

// endOfTime is until when the current version is so.
const endOfTime = 1 << 60

func (s *Server) historyOfOne(ctx context.Context, q *question, p period, sub fhir.Subset, turn pages) (*answer, error) {
	if err := q.who.May(access.Read, q.typ); err != nil {
		return nil, err
	}
	at := turnOfOne{Until: endOfTime}
	if _, err := turn.open(&at); err != nil {
		return nil, err
	}
	restricted := !p.since.IsZero() || !p.from.IsZero()
	var list []hub.Record
	var next any
	total := int64(-1)
	for {
		limit := max(1, p.count-len(list)+1)
		recs, all, err := s.Reader.Versions(ctx, q.who, s.Partition, q.name(), at.Before, limit)
		if err != nil {
			return nil, err
		}
		if !restricted {
			total = int64(all)
		}
		for i := range recs {
			rec := &recs[i]
			if p.count == 0 && !restricted || rec.Time.Before(p.since) {
				recs = nil // versions are in the order of their times
				break
			}
			if p.holds(rec.Time, time.UnixMilli(at.Until)) {
				if len(list) == p.count {
					next, recs = &at, nil
					break
				}
				list = append(list, *rec)
			}
			at = turnOfOne{rec.Version, rec.Time.UnixMilli()}
		}
		if len(recs) < limit {
			break
		}
	}
	if p.count == 0 {
		next = nil
	}
	return s.historyBundle(q, list, total, sub, &turn, next)
}

// holds reports whether a version that was current from one time to another belongs to the period.
func (p *period) holds(from, until time.Time) bool {
	return p.from.IsZero() || !from.After(p.to) && until.After(p.from)
}

func (s *Server) historyOfMany(ctx context.Context, q *question, p period, sub fhir.Subset, turn pages) (*answer, error) {
	span := lookup.Span{Since: p.since, From: p.from, To: p.to, Limit: p.count}
	if q.typ != "" {
		if err := q.who.May(access.Search, q.typ); err != nil {
			return nil, err
		}
		span.Types = []string{q.typ}
	} else {
		var err error
		if span.Types, err = readable(q.who); err != nil {
			return nil, err
		}
	}
	if _, err := turn.open(&span.Before); err != nil {
		return nil, err
	}
	if p.count == 0 {
		return s.historyBundle(q, nil, -1, sub, &turn, nil)
	}
	recs, more, err := s.Reader.History(ctx, q.who, s.Partition, span)
	if err != nil {
		return nil, err
	}
	if more == (hub.Loc{}) {
		return s.historyBundle(q, recs, -1, sub, &turn, nil)
	}
	return s.historyBundle(q, recs, -1, sub, &turn, more)
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

func (s *Server) historyBundle(q *question, recs []hub.Record, total int64, sub fhir.Subset, turn *pages, next any) (*answer, error) {
	if err := cut(sub, recs); err != nil {
		return nil, err
	}
	b := newBundle("history", total)
	turn.link(b, next)
	for i := range recs {
		b.version(q.base, &recs[i])
	}
	return &answer{body: b.pieces()}, nil
}
