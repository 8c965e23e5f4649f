package messages_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/lookup"
	"concord/hub/messages"
	"concord/hub/projection"
	"concord/internal/fhir"
	"concord/internal/memobjects"
	"concord/storage/index"
	"concord/storage/keeper"
)

const records hub.Partition = "records"

// fake maps messages that say themselves what they mean: JSON with the fields of a messages.Mapping.
type fake struct {
	mu    sync.Mutex
	rules string
	edit  func(*messages.Mapping) // what the rules say on top
}

func (f *fake) Map(_ context.Context, member string, in *messages.Incoming) (*messages.Mapping, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var said struct {
		Resources []struct {
			Part, At string
			Cleared  []string
			Yields   []string
			Body     json.RawMessage
		}
		Unmapped []messages.Code
		Panic    bool
	}
	if err := json.Unmarshal(in.Raw, &said); err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "$", Msg: "the message has no sense"}
	}
	if said.Panic {
		panic("a bug")
	}
	m := &messages.Mapping{Rules: f.rules, Unmapped: said.Unmapped}
	for _, r := range said.Resources {
		doc, err := fhir.Parse(r.Body, fhir.Limits{})
		if err != nil {
			return nil, err
		}
		one := messages.Resource{Name: hub.Name{Type: doc.Type(), ID: member + "-" + doc.ID()}, Body: r.Body, Part: r.Part, Cleared: r.Cleared, Yields: r.Yields}
		if r.At != "" {
			one.At = clock(r.At)
		}
		m.Resources = append(m.Resources, one)
	}
	if f.edit != nil {
		f.edit(m)
	}
	return m, nil
}

// clock is a time of the day of the tests.
func clock(s string) time.Time {
	t, err := time.Parse(time.TimeOnly, s)
	if err != nil {
		panic(err)
	}
	return time.Date(2026, 3, 1, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

type objects interface {
	hub.Objects
	hub.Stager
}

// world is a hub's records in this process.
type world struct {
	t        testing.TB
	objects  objects
	follower *projection.Follower
	writer   *commit.Committer
	intake   *messages.Intake
	log      *messages.Log
	mapper   *fake
	mu       sync.Mutex
	now      time.Time
	events   []audit.Event
}

func (w *world) Note(_ context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

// tick is a clock that goes by a second each time it is looked at.
func (w *world) tick() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Second)
	return w.now
}

func newWorld(t testing.TB) *world {
	t.Helper()
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	return openWorld(t, &memobjects.Store{}, index.Open(conn, index.StandardLayout(0)))
}

// openWorld is a hub on a store and an index that are there.
func openWorld(t testing.TB, objects objects, ix *index.Index, options ...commit.Options) *world {
	t.Helper()
	w := &world{t: t, objects: objects, mapper: &fake{rules: "fake@1"}, now: clock("12:00:00")}
	project := fhir.NewProjection(nil)
	projectors := &projection.Projectors{Default: project, ByType: messages.Projectors()}
	log := &projection.Log{Objects: objects, Partition: records, Cache: projection.NewCache(64 << 20)}
	w.follower = projection.NewFollower(log, ix, projectors)
	if err := w.follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.writer = commit.New(log, w.follower, append(options, commit.Options{})[0])
	t.Cleanup(w.writer.Close)
	w.intake = &messages.Intake{Writer: w.writer, Follower: w.follower, Project: project, Blobs: objects, Policy: access.Mutual{},
		Mappers: map[string]messages.Mapper{"fake": w.mapper}, Now: w.tick}
	reader := lookup.New(ix, objects, map[hub.Partition]*projection.Follower{records: w.follower}, access.Mutual{}, w)
	w.log = &messages.Log{Reader: reader, Partition: records}
	return w
}

func as(member string) access.Caller { return access.NewCaller(member, access.AllResources, "t") }

func answer(v messages.Verdict) []byte { return []byte("answer: " + string(v.Status)) }

// send takes a message of a member in.
func (w *world) send(member, control, sent, text string) messages.Outcome {
	w.t.Helper()
	out, err := w.intake.Take(w.t.Context(), as(member), incoming(control, sent, text))
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func incoming(control, sent, text string) messages.Incoming {
	in := messages.Incoming{Format: "fake", Type: "F01", Sender: "LIS|LAB", Control: control, Raw: []byte(text), Answer: answer}
	if sent != "" {
		in.Sent = clock(sent)
	}
	return in
}

// report is a message with one report of some results, each "code=value".
func report(number string, results ...string) string { return reportAt(number, "", results...) }

func reportAt(number, at string, results ...string) string {
	var list []string
	add := func(body string) {
		list = append(list, fmt.Sprintf(`{"part":"report %s","at":%q,"body":%s}`, number, at, body))
	}
	var refs []string
	for _, r := range results {
		code, value, _ := strings.Cut(r, "=")
		add(fmt.Sprintf(`{"resourceType":"Observation","id":"o-%s-%s","status":"final","code":{"text":%q},"subject":{"reference":"Patient/m-p1"},"valueString":%q}`, number, code, code, value))
		refs = append(refs, fmt.Sprintf(`{"reference":"Observation/m-o-%s-%s"}`, number, code))
	}
	add(fmt.Sprintf(`{"resourceType":"DiagnosticReport","id":"r-%s","status":"final","code":{"text":"panel"},"subject":{"reference":"Patient/m-p1"},"result":[%s]}`, number, strings.Join(refs, ",")))
	return `{"resources":[` + strings.Join(list, ",") + `]}`
}

// shared is a message with resources that belong to no part.
func shared(bodies ...string) string {
	list := make([]string, len(bodies))
	for i, b := range bodies {
		list[i] = `{"body":` + b + `}`
	}
	return `{"resources":[` + strings.Join(list, ",") + `]}`
}

// body is a resource as it is now, and its version; empty where there is none.
func (w *world) body(name string) (string, uint64) {
	w.t.Helper()
	typ, id, _ := strings.Cut(name, "/")
	heads, err := w.follower.Heads(w.t.Context(), []hub.Name{{Type: typ, ID: id}})
	if err != nil {
		w.t.Fatal(err)
	}
	if heads[0].Version == 0 || heads[0].Deleted {
		return "", heads[0].Version
	}
	rec, err := w.follower.Log().Record(w.t.Context(), heads[0].Loc)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(rec.Body), rec.Version
}

// says fails unless a resource has all of some pieces of JSON.
func (w *world) says(name string, pieces ...string) {
	w.t.Helper()
	body, _ := w.body(name)
	for _, p := range pieces {
		if !strings.Contains(body, p) {
			w.t.Errorf("%s has no %s:\n%s", name, p, body)
		}
	}
}

// gone fails unless there is no such resource.
func (w *world) gone(name string) {
	w.t.Helper()
	if body, _ := w.body(name); body != "" {
		w.t.Errorf("%s is still there:\n%s", name, body)
	}
}

// all are the names of a type's things, sorted.
func (w *world) all(typ string) (names []string) {
	w.t.Helper()
	q := hub.Query{Type: typ, Limit: 1000}
	for {
		page, err := w.follower.Search(w.t.Context(), q)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, h := range page.Hits {
			rec, err := w.follower.Log().Record(w.t.Context(), h.Head.Loc)
			if err != nil {
				w.t.Fatal(err)
			}
			names = append(names, rec.Name.String())
		}
		if !page.More {
			slices.Sort(names)
			return names
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
}
