package register_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/hub/recognition/register"
	"concord/internal/fhir"
	"concord/internal/memobjects"
	"concord/mappings"
	"concord/storage/index"
	"concord/storage/keeper"
)

const records hub.Partition = "records"

// world is a store with hubs on it. Its clock goes on at every look, and when the test turns it.
type world struct {
	t       testing.TB
	objects *memobjects.Store
	ix      *index.Index
	mu      sync.Mutex
	now     time.Time
}

type projector func([]byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

func newWorld(t testing.TB) *world {
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	return on(t, index.Open(conn, index.StandardLayout(0)))
}

func on(t testing.TB, ix *index.Index) *world {
	return &world{t: t, objects: &memobjects.Store{}, ix: ix, now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(5 * time.Millisecond)
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

var members = map[string]string{"county": "县人民医院", "village": "柳林村卫生室", "town": "城关镇卫生院"}

// hub opens one more hub on the store.
func (w *world) hub() *register.Register { return w.hubThat(register.Admit) }

// hubThat opens one that admits to the log what it is told to.
func (w *world) hubThat(admit func(string, hub.Name, []byte) error) *register.Register {
	w.t.Helper()
	log := &projection.Log{Objects: w.objects, Partition: records, Cache: projection.NewCache(8 << 20)}
	follower := projection.NewFollower(log, w.ix, &projection.Projectors{Default: fhir.NewProjection(nil), ByType: map[string]hub.Projector{register.EventType: projector(register.ProjectEvent)}})
	if err := follower.CatchUp(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	writer := commit.New(log, follower, commit.Options{Now: w.clock, Admit: admit})
	w.t.Cleanup(writer.Close)
	starter, err := mappings.RecognitionStarter(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &register.Register{Follower: follower, Writer: writer, Starter: starter, Regions: []string{"340321", "皖北"}, Zone: fhir.ChinaTime(), Now: w.clock,
		Institution:  func(id string) (string, bool) { n, ok := members[id]; return n, ok },
		Institutions: func() []string { return []string{"county", "town", "village"} }}
	if err := r.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func person(member, name string) access.Caller {
	who := access.NewCaller(member, access.Catalogue, "token of "+name)
	who.Person = name
	return who
}

var (
	zhang = person("county", "zhang")
	li    = person("village", "li")
)

// with is a starter's row with other columns; "" takes one away.
func with(r *register.Register, id string, columns map[string]any) register.Change {
	row := register.Row{}
	for _, one := range r.Starter.Rows {
		if one.ID() == id {
			for k, v := range one {
				row[k] = v
			}
		}
	}
	row["id"] = id
	for k, v := range columns {
		row[k] = v
	}
	return register.Change{Item: id, Row: row}
}

func propose(t testing.TB, r *register.Register, who access.Caller, q register.Request) *register.Proposal {
	t.Helper()
	if q.Reason == "" {
		q.Reason = "省临检中心通知"
	}
	p, err := r.Propose(t.Context(), who, q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func release(t testing.TB, r *register.Register, q register.Request) *register.Proposal {
	t.Helper()
	p := propose(t, r, zhang, q)
	p, err := r.Rule(t.Context(), li, p.ID, register.Released, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func changes(list ...register.Change) register.Request { return register.Request{Changes: list} }

func window(t testing.TB, r *register.Register, at time.Time, item string) string {
	t.Helper()
	c := r.InForce(at)
	if i := c.Item(item); i != nil {
		return fmt.Sprint(c.Version, " ", i.Windows.Default)
	}
	return c.Version + " none"
}

func qualified(institution, item, start, end string, result register.Result, more ...func(*register.Qualification)) register.Change {
	q := &register.Qualification{Institution: institution, Item: item, Start: start, End: end, Result: result}
	for _, m := range more {
		m(q)
	}
	return register.Change{Qualification: q}
}

func mark(scope, mark string) func(*register.Qualification) {
	return func(q *register.Qualification) { q.Scope, q.Mark = scope, mark }
}
