package fhir

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// A Patient that another took the place of may name that one by an identifier alone, as the feed of ITI-104 does (link.other.identifier,
// type replaced-by). Links lead by references: the one Patient of the same member that has the identifier is written into it.

// mergers gives each link of type replaced-by a reference. An identifier that no Patient of the member has, or several, is refused:
// a merge that does nothing must not look like one.
func (s *Server) mergers(ctx context.Context, who access.Caller, ops []*operation) error {
	return each(ops, func(op *operation) error {
		if op.source == nil || op.source.Type() != "Patient" {
			return nil
		}
		i, body := -1, op.source.Root().Raw()
		changed := false
		for l := range op.source.Root().Get("link").Items() {
			i++
			other := l.Get("other")
			if l.Get("type").Text() != "replaced-by" || other.Get("reference").Text() != "" || other.Get("identifier").Kind() != fhir.Object {
				continue
			}
			to, err := s.successor(ctx, who, op, other.Get("identifier"), fmt.Sprintf("Patient.link[%d].other.identifier", i))
			if err != nil {
				return err
			}
			raw, _ := json.Marshal(to.String())
			body = bytes.ReplaceAll(body, other.Raw(), append([]byte(`{"reference":`+string(raw)+`,`), other.Raw()[1:]...))
			changed = true
		}
		if !changed {
			return nil
		}
		doc, err := fhir.Parse(body, fhir.Limits{})
		if err == nil {
			op.source = doc
		}
		return err
	})
}

// successor is the Patient of the caller's member that has an identifier, and is not the one that op is about.
func (s *Server) successor(ctx context.Context, who access.Caller, op *operation, identifier fhir.Value, path string) (hub.Name, error) {
	system, value := identifier.Get("system").Text(), identifier.Get("value").Text()
	if system == "" || value == "" {
		return hub.Name{}, &hub.Error{Kind: hub.Unprocessable, Path: path, Msg: "the identifier of the Patient that stays has a system and a value"}
	}
	if err := who.May(access.Search, "Patient"); err != nil {
		return hub.Name{}, err
	}
	found, err := fhir.CompileSearch("Patient", []fhir.Pair{{Name: "identifier", Value: fhir.Escape(system) + "|" + fhir.Escape(value)}}, fhir.SearchOptions{})
	if err != nil {
		return hub.Name{}, err
	}
	found.Query.Limit = mostSources
	recs, err := s.Reader.Weigh(ctx, who, s.Partition, found.Query)
	if err != nil {
		return hub.Name{}, err
	}
	var mine []hub.Name
	for i := range recs {
		if recs[i].Member == who.Member && recs[i].Name != op.name {
			mine = append(mine, recs[i].Name)
		}
	}
	switch len(mine) {
	case 1:
		return mine[0], nil
	case 0:
		return hub.Name{}, &hub.Error{Kind: hub.Unprocessable, Path: path, Msg: "no Patient of this member has the identifier of the one that stays",
			Hint: "send that Patient first, or its reference"}
	}
	return hub.Name{}, &hub.Error{Kind: hub.Unprocessable, Path: path, Msg: "several Patients of this member have the identifier of the one that stays", Hint: "send its reference"}
}
