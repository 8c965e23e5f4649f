package fhir

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// metaSet is a Meta as sets of profiles, security labels and tags (R4 resource-operation-meta.html).
type metaSet struct {
	version string // of the one resource that it is about, empty when it is about many
	updated string
	lists   [len(metaLists)][]metaItem
}

// metaLists are the elements of Meta that are sets.
var metaLists = [...]string{"profile", "security", "tag"}

// metaItem is a profile, or a Coding, which its system and code tell from others.
type metaItem struct{ key, json string }

// items are a Meta's members of one set.
func items(meta fhir.Value, list string) []metaItem {
	var all []metaItem
	for v := range meta.Get(list).Items() {
		key := v.Text()
		if v.Kind() == fhir.Object {
			key = token(v.Get("system"), v.Get("code"))
		}
		all = append(all, metaItem{key, string(v.Compact())})
	}
	return all
}

func (m *metaSet) has(list int, key string) bool {
	return slices.ContainsFunc(m.lists[list], func(one metaItem) bool { return one.key == key })
}

// add takes over what the set does not have; it reports whether there was anything.
func (m *metaSet) add(meta fhir.Value) (changed bool) {
	for i, list := range metaLists {
		for _, one := range items(meta, list) {
			if !m.has(i, one.key) {
				m.lists[i], changed = append(m.lists[i], one), true
			}
		}
	}
	return changed
}

// remove takes out what the set has; it reports whether there was anything.
func (m *metaSet) remove(meta fhir.Value) (changed bool) {
	for i, list := range metaLists {
		for _, gone := range items(meta, list) {
			if m.has(i, gone.key) {
				m.lists[i], changed = slices.DeleteFunc(m.lists[i], func(one metaItem) bool { return one.key == gone.key }), true
			}
		}
	}
	return changed
}

// members are the sets that are not empty, as members of a JSON object.
func (m *metaSet) members() []string {
	var all []string
	for i, list := range metaLists {
		if len(m.lists[i]) == 0 {
			continue
		}
		texts := make([]string, len(m.lists[i]))
		for j, one := range m.lists[i] {
			texts[j] = one.json
		}
		all = append(all, `"`+list+`":[`+strings.Join(texts, ",")+`]`)
	}
	return all
}

func (m *metaSet) answer() *answer {
	all := m.members()
	if m.version != "" {
		all = append([]string{`"versionId":"` + m.version + `","lastUpdated":"` + m.updated + `"`}, all...)
	}
	value := ""
	if len(all) > 0 { // nothing may be empty (R4 json.html)
		value = `,"valueMeta":{` + strings.Join(all, ",") + `}`
	}
	return wholly([]byte(`{"resourceType":"Parameters","parameter":[{"name":"return"` + value + `}]}`))
}

// mostMetas bounds how many things $meta reads for a type or for all.
const mostMetas = 10_000

// meta answers $meta: the profiles, tags and security labels of a thing, of one of its versions, or of all things of a
// type or of all types together.
func (s *Server) meta(ctx context.Context, q *question) (*answer, error) {
	if err := q.inputs(); err != nil {
		return nil, err
	}
	if err := q.rest(); err != nil {
		return nil, err
	}
	if q.id == "" {
		return s.metaOfMany(ctx, q)
	}
	if err := q.who.May(access.Read, q.typ); err != nil {
		return nil, err
	}
	rec, err := s.recordAsked(ctx, q)
	if err != nil {
		return nil, err
	}
	m, err := metaOf(&rec)
	if err != nil {
		return nil, err
	}
	return m.answer(), nil
}

// recordAsked reads the version in the path, or the current one.
func (s *Server) recordAsked(ctx context.Context, q *question) (hub.Record, error) {
	if len(q.path) < 4 {
		return s.Reader.Read(ctx, q.who, s.Partition, q.name())
	}
	version, err := q.versionID()
	if err != nil {
		return hub.Record{}, err
	}
	return s.Reader.Version(ctx, q.who, s.Partition, q.name(), version)
}

func metaOf(rec *hub.Record) (*metaSet, error) {
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", rec.Name.Type, &hub.Error{Kind: hub.Corrupt, Err: err})
	}
	m := &metaSet{version: fmt.Sprint(rec.Version), updated: rec.Time.UTC().Format(fhir.InstantFormat)}
	m.add(doc.Root().Get("meta"))
	return m, nil
}

func (s *Server) metaOfMany(ctx context.Context, q *question) (*answer, error) {
	types := []string{q.typ}
	if q.typ == "" {
		var err error
		if types, err = s.typesAsked(ctx, &question{who: q.who}, nil); err != nil {
			return nil, err
		}
	}
	m, read := &metaSet{}, 0
	for _, typ := range types {
		if err := q.who.May(access.Search, typ); err != nil {
			return nil, err
		}
		query := hub.Query{Type: typ, Limit: s.Limits.Page}
		any := hub.Clause{}
		for _, name := range []string{"_profile", "_security", "_tag"} {
			there, err := clauses(typ, name+":missing", "", "false")
			if err != nil {
				return nil, err
			}
			any.Either = append(any.Either, there)
		}
		query.All = []hub.Clause{any}
		for {
			res, err := s.Reader.Search(ctx, q.who, []hub.Partition{s.Partition}, query, "$meta")
			if err != nil {
				return nil, err
			}
			for i := range res.Records {
				one, err := fhir.Parse(res.Records[i].Body, fhir.Limits{})
				if err != nil {
					return nil, fmt.Errorf("read %s: %w", typ, &hub.Error{Kind: hub.Corrupt, Err: err})
				}
				m.add(one.Root().Get("meta"))
			}
			if read += len(res.Records); res.Next == nil {
				break
			}
			if read >= mostMetas {
				return nil, &hub.Error{Kind: hub.TooCostly, Msg: fmt.Sprintf("more than %d things have profiles, tags or labels", mostMetas), Hint: "ask about one type or one thing"}
			}
			query.After = res.Next
		}
	}
	return m.answer(), nil
}

// metaTries is how often a change of meta begins again because another writer came first.
const metaTries = 8

// changeMeta answers $meta-add and $meta-delete (R4 resource-operation-meta-add.html, -delete): a change makes a new
// version like any update; where nothing changes, nothing is written. Called on a version, that must be the current one,
// as older ones do not change.
func (s *Server) changeMeta(ctx context.Context, q *question) (*answer, error) {
	if err := q.who.May(access.Update, q.typ); err != nil {
		return nil, err
	}
	if err := q.rest(); err != nil {
		return nil, err
	}
	change, err := q.metaGiven()
	if err != nil {
		return nil, err
	}
	edit := (*metaSet).add
	if strings.HasSuffix(q.path[len(q.path)-1], "-delete") {
		edit = (*metaSet).remove
	}
	for try := 1; ; try++ {
		m, err := s.editMeta(ctx, q, func(m *metaSet) bool { return edit(m, change) })
		if err == nil {
			return m.answer(), nil
		}
		if !hub.Is(err, hub.PreconditionFailed) || try == metaTries {
			return nil, err
		}
	}
}

// metaGiven is the Meta in the Parameters that were posted.
func (q *question) metaGiven() (fhir.Value, error) {
	if q.given != nil && q.given.Type() == "Parameters" {
		for p := range q.given.Root().Get("parameter").Items() {
			if meta := p.Get("valueMeta"); p.Get("name").Text() == "meta" && meta.Kind() == fhir.Object {
				return meta, nil
			}
		}
	}
	return fhir.Value{}, &hub.Error{Kind: hub.Invalid, Path: "Parameters.parameter", Msg: "the operation takes Parameters with a meta (valueMeta)"}
}

// editMeta changes the meta of what q is about, unless it has been changed since it was read: then it is PreconditionFailed.
func (s *Server) editMeta(ctx context.Context, q *question, edit func(*metaSet) bool) (*metaSet, error) {
	current, err := s.Reader.Read(ctx, q.who, s.Partition, q.name())
	if err != nil {
		return nil, err
	}
	if len(q.path) >= 4 {
		switch version, err := q.versionID(); {
		case err != nil:
			return nil, err
		case version != current.Version:
			return nil, &hub.Error{Kind: hub.Conflict, Msg: fmt.Sprintf("%s is at version %d; what an older one said stays", current.Name, current.Version)}
		}
	}
	m, err := metaOf(&current)
	if err != nil || !edit(m) {
		return m, err
	}
	doc, err := withMeta(current.Body, m)
	if err != nil {
		return nil, err
	}
	recs, err := s.run(ctx, q.who, []*operation{{verb: update, name: current.Name, source: doc, blob: current.Blob, ifMatch: current.Version}})
	if err != nil {
		return nil, err
	}
	return metaOf(&recs[0])
}

// withMeta is a stored resource with other profiles, security labels and tags; its meta keeps what else it has.
func withMeta(body []byte, m *metaSet) (*fhir.Doc, error) {
	doc, err := fhir.Parse(body, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	var meta, all []string
	for name, v := range doc.Root().Get("meta").Members() {
		if !slices.Contains(metaLists[:], name) {
			meta = append(meta, `"`+name+`":`+string(v.Raw()))
		}
	}
	meta = append(meta, m.members()...)
	for name, v := range doc.Root().Members() {
		if name == "meta" { // what is stored always has one
			all = append(all, `"meta":{`+strings.Join(meta, ",")+`}`)
			continue
		}
		all = append(all, `"`+name+`":`+string(v.Raw()))
	}
	return fhir.Parse([]byte("{"+strings.Join(all, ",")+"}"), fhir.Limits{})
}
