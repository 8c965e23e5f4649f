package fhir

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// mostSources bounds how many Patients may have the identifier that $ihe-pix is asked about.
const mostSources = 100

// identified is an identifier, or the logical id of a Patient where system is a hub's address.
type identified struct{ system, value string }

// crossReference answers GET and POST /Patient/$ihe-pix (IHE PIXm ITI-83): by which other identifiers a patient is known.
//
// In: sourceIdentifier (token system|value; in Parameters an Identifier; a Patient's logical id as base|Patient/id),
// targetSystem (uri, repeated; all without it).
//
// Out (Parameters): targetIdentifier for each identifier of each Patient of the person but the one asked about, and
// targetId for each of these Patients; with targetSystem those of these domains only. A Patient that was merged into
// another may be asked about and is not answered with. The errors are those of 2:3.83.4.2.2: 404 for an identifier that
// nobody has, 400 for a domain that is not known, 403 for such a target. An identifier that several people have leads to
// none of them: 412.
func (s *Server) crossReference(ctx context.Context, q *question) (*answer, error) {
	if err := q.who.May(access.Search, "Patient"); err != nil {
		return nil, err
	}
	if err := q.inputs(); err != nil {
		return nil, err
	}
	source, targets, err := q.crossing()
	if err != nil {
		return nil, err
	}
	start, err := s.sources(ctx, q, source)
	if err != nil {
		return nil, err
	}
	for _, system := range targets {
		known, err := s.knownDomain(ctx, q, system)
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, noDomain(hub.Forbidden, "targetSystem", "targetSystem not found")
		}
	}
	person, err := s.personOf(ctx, start)
	if err != nil {
		return nil, err
	}
	names := make([]hub.Name, len(person))
	for i, ref := range person {
		names[i] = hub.Name{Type: "Patient", ID: strings.TrimPrefix(ref, "Patient/")}
	}
	recs, err := s.Reader.Many(ctx, q.who, s.Partition, names)
	if err != nil {
		return nil, err
	}
	found, err := crossed(recs, q.base, source, targets)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(object{"resourceType": "Parameters", "parameter": found})
	return wholly(body), err
}

// noDomain is the error of ITI-83 about a domain that is not known.
func noDomain(kind hub.ErrKind, path, msg string) error {
	return &coded{&hub.Error{Kind: kind, Path: path, Msg: msg}, "code-invalid"}
}

// crossing reads the parameters.
func (q *question) crossing() (source identified, targets []string, err error) {
	token, err := q.takeOne("sourceIdentifier")
	if err != nil {
		return source, nil, err
	}
	for _, list := range q.take("targetSystem") {
		targets = append(targets, strings.Split(list, ",")...)
	}
	if err := q.rest("sourceIdentifier", "targetSystem"); err != nil {
		return source, nil, err
	}
	system, value, both := cutToken(token)
	switch {
	case token == "":
		return source, nil, &hub.Error{Kind: hub.Invalid, Path: "sourceIdentifier", Msg: "the operation needs the identifier to start from", Hint: "as system|value"}
	case !both || system == "":
		return source, nil, noDomain(hub.Invalid, "sourceIdentifier", "sourceIdentifier Assigning Authority not found")
	case value == "":
		return source, nil, &hub.Error{Kind: hub.Invalid, Path: "sourceIdentifier", Msg: "the identifier has no value", Hint: "as system|value"}
	}
	return identified{system, value}, slices.DeleteFunc(targets, func(t string) bool { return t == "" }), nil
}

// cutToken reads system|value, where a bar that belongs to one of them may be escaped (R4 search.html#escaping).
func cutToken(token string) (system, value string, ok bool) {
	escaped := false
	for i := 0; i < len(token); i++ {
		switch {
		case escaped:
			escaped = false
		case token[i] == '\\':
			escaped = true
		case token[i] == '|':
			return fhir.Unescape(token[:i]), fhir.Unescape(token[i+1:]), true
		}
	}
	return "", fhir.Unescape(token), false
}

// sources are the Patients that have the identifier asked about, as far as the caller may read them.
func (s *Server) sources(ctx context.Context, q *question, source identified) ([]string, error) {
	unknown := &hub.Error{Kind: hub.NotFound, Path: "sourceIdentifier", Msg: "sourceIdentifier Patient Identifier not found"}
	if isBase(q.base, source.system) {
		id, ok := strings.CutPrefix(source.value, "Patient/")
		if !ok || !idGrammar.MatchString(id) {
			return nil, unknown
		}
		recs, err := s.weigh(ctx, q, "_id", fhir.Escape(id), 1)
		if err == nil && len(recs) == 0 {
			err = unknown
		}
		return []string{source.value}, err
	}
	recs, err := s.weigh(ctx, q, "identifier", fhir.Escape(source.system)+"|"+fhir.Escape(source.value), mostSources)
	if err != nil {
		return nil, err
	}
	if len(recs) > 0 {
		start := make([]string, len(recs))
		for i := range recs {
			start[i] = recs[i].Name.String()
		}
		return start, nil
	}
	known, err := s.knownDomain(ctx, q, source.system)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, noDomain(hub.Invalid, "sourceIdentifier", "sourceIdentifier Assigning Authority not found")
	}
	return nil, unknown
}

// weigh searches Patients without showing them to anybody.
func (s *Server) weigh(ctx context.Context, q *question, param, value string, most int) ([]hub.Record, error) {
	found, err := fhir.CompileSearch("Patient", []fhir.Pair{{Name: param, Value: value}}, s.options(ctx, q))
	if err != nil {
		return nil, err
	}
	found.Query.Limit = most
	return s.Reader.Weigh(ctx, q.who, s.Partition, found.Query)
}

// knownDomain: the model knows numbers of this system, or somebody whom the caller may read has one.
func (s *Server) knownDomain(ctx context.Context, q *question, system string) (bool, error) {
	if isBase(q.base, system) {
		return true, nil
	}
	if s.Identity != nil {
		for i := range s.Identity.Kinds {
			if slices.Contains(s.Identity.Kinds[i].Systems, system) {
				return true, nil
			}
		}
	}
	recs, err := s.weigh(ctx, q, "identifier", fhir.Escape(system)+"|", 1)
	return len(recs) > 0, err
}

// isBase: system stands for the logical ids of this hub.
func isBase(base, system string) bool { return strings.TrimSuffix(system, "/") == base }

// personOf are all Patients of the one person that the given ones are of.
func (s *Server) personOf(ctx context.Context, start []string) ([]string, error) {
	person := start[:1]
	if s.Persons != nil {
		var err error
		if person, err = s.Persons.Linked(ctx, start[0]); err != nil {
			return nil, err
		}
	}
	for _, other := range start[1:] {
		if !slices.Contains(person, other) {
			return nil, &hub.Error{Kind: hub.MultipleMatches, Path: "sourceIdentifier", Msg: "several Patients have this identifier that are not known to be one person",
				Hint: "GET /identity/pairs shows what is open about them"}
		}
	}
	return person, nil
}

// crossed are the parameters of the answer.
func crossed(recs []hub.Record, base string, source identified, targets []string) ([]parameter, error) {
	wants := func(system string) bool { return len(targets) == 0 || slices.Contains(targets, system) }
	logical := slices.ContainsFunc(targets, func(t string) bool { return isBase(base, t) })
	identifiers, ids := []parameter{}, []parameter{}
	seen := map[identified]bool{source: true}
	for i := range recs {
		doc, err := fhir.Parse(recs[i].Body, fhir.Limits{})
		if err != nil {
			return nil, fmt.Errorf("read a Patient: %w", &hub.Error{Kind: hub.Corrupt, Err: err})
		}
		if merged(doc.Root()) {
			continue
		}
		has := false
		for v := range doc.Root().Get("identifier").Items() {
			one := identified{v.Get("system").Text(), v.Get("value").Text()}
			if one.system == "" || one.value == "" || !wants(one.system) {
				continue
			}
			has = true
			if !seen[one] {
				seen[one] = true
				identifiers = append(identifiers, parameter{"name": "targetIdentifier", "valueIdentifier": json.RawMessage(v.Compact())})
			}
		}
		asked := isBase(base, source.system) && recs[i].Name.String() == source.value
		if !asked && (len(targets) == 0 || has || logical) {
			ids = append(ids, parameter{"name": "targetId", "valueReference": object{"reference": recs[i].Name.String()}})
		}
	}
	return append(identifiers, ids...), nil
}

// merged: a Patient says that another one took its place (R4 patient.html#dup-records).
func merged(patient fhir.Value) bool {
	if patient.Get("active").Text() != "false" {
		return false
	}
	for l := range patient.Get("link").Items() {
		if l.Get("type").Text() == "replaced-by" {
			return true
		}
	}
	return false
}
