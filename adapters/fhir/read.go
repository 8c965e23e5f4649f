package fhir

import (
	"context"
	"net/http"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
)

// gone is the error of what was deleted, which still has an entity tag.
type gone struct {
	error
	version uint64
}

func (g *gone) Unwrap() error { return g.error }

// read answers with the current version (R4 http.html#read).
func (s *Server) read(ctx context.Context, q *question) (*answer, error) {
	rec, err := s.current(ctx, q)
	if err != nil {
		return nil, err
	}
	return q.show(&rec)
}

func (s *Server) current(ctx context.Context, q *question) (hub.Record, error) {
	if err := q.who.May(access.Read, q.typ); err != nil {
		return hub.Record{}, err
	}
	rec, err := s.Reader.Read(ctx, q.who, s.Partition, q.name())
	if rec.Version > 0 && hub.Is(err, hub.Gone) {
		err = &gone{err, rec.Version}
	}
	return rec, err
}

// vread answers with one version (R4 http.html#vread).
func (s *Server) vread(ctx context.Context, q *question) (*answer, error) {
	rec, err := s.version(ctx, q)
	if err != nil {
		return nil, err
	}
	return q.show(&rec)
}

func (s *Server) version(ctx context.Context, q *question) (hub.Record, error) {
	if err := q.who.May(access.Read, q.typ); err != nil {
		return hub.Record{}, err
	}
	version, err := q.versionID()
	if err != nil {
		return hub.Record{}, err
	}
	return s.Reader.Version(ctx, q.who, s.Partition, q.name(), version)
}

// show answers with a record as far as it is wanted.
func (q *question) show(rec *hub.Record) (*answer, error) {
	if err := q.rest(); err != nil {
		return nil, err
	}
	sub, err := q.subset(rec.Name.Type)
	if err != nil {
		return nil, err
	}
	if sub.Summary == "count" {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "_summary", Msg: "count is for searches"}
	}
	a := &answer{version: rec.Version, changed: rec.Time}
	if q.unchanged(rec) {
		a.status = http.StatusNotModified
		return a, nil
	}
	one := []hub.Record{*rec}
	if err := cut(sub, one); err != nil {
		return nil, err
	}
	a.body, err = pieces(&one[0])
	return a, err
}

// unchanged evaluates If-None-Match and, where there is none, If-Modified-Since (R4 http.html#cread, RFC 9110 13.1).
func (q *question) unchanged(rec *hub.Record) bool {
	if q.ifNoneMatch != "" {
		for tag := range strings.SplitSeq(q.ifNoneMatch, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" {
				return true
			}
			if v, err := parseIfMatch(tag); err == nil && v == rec.Version {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(q.ifModifiedSince)
	return err == nil && !rec.Time.Truncate(time.Second).After(since)
}
