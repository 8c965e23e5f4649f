package fhir_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	face "concord/adapters/fhir"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/identity/persons"
	"concord/hub/lookup"
	"concord/hub/projection"
	"concord/internal/fhir"
	"concord/internal/memobjects"
	"concord/mappings"
	"concord/storage/index"
	"concord/storage/keeper"
)

const records hub.Partition = "records"

// trail keeps the audit events of a test.
type trail struct {
	mu     sync.Mutex
	events []audit.Event
}

func (t *trail) Note(_ context.Context, e audit.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
	return nil
}

// client asks one hub's FHIR face as one member.
type client struct {
	t      testing.TB
	base   string // http://127.0.0.1:…/fhir
	member string
	scope  string
	trail  *trail
	linker *persons.Linker // which is not run
}

// start runs one hub in this process, on a store in memory and a keeper.
func start(t testing.TB, change ...func(*face.Deps)) *client { return startMany(t, 1, change...)[0] }

// startMany runs several hubs on one store and one index, as several processes are.
func startMany(t testing.TB, n int, change ...func(*face.Deps)) []*client {
	t.Helper()
	gin.SetMode(gin.TestMode)
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	objects, ix := &memobjects.Store{}, index.Open(conn, index.StandardLayout(0))
	t.Cleanup(func() { conn.Close(); k.Close() })
	model, err := mappings.Identity()
	if err != nil {
		t.Fatal(err)
	}
	clients := make([]*client, n)
	for i := range clients {
		project := fhir.NewProjection(nil).With(model.Terms)
		log := &projection.Log{Objects: objects, Partition: records, Cache: projection.NewCache(64 << 20)}
		follower := projection.NewFollower(log, ix, &projection.Projectors{Default: project, ByType: map[string]hub.Projector{
			persons.PairType: projected(persons.ProjectPair), "hub.mark": projected(func([]byte) (hub.Entry, error) { return hub.Entry{Route: "mark"}, nil })}})
		if err := follower.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		writer, notes := commit.New(log, follower, commit.Options{}), &trail{}
		deps := face.Deps{
			Reader: lookup.New(ix, objects, map[hub.Partition]*projection.Follower{records: follower}, access.Mutual{}, notes),
			Blobs:  objects, Writer: writer, Partition: records, Policy: access.Mutual{}, Project: project,
			Identity: model, CursorKey: []byte("0123456789abcdef0123456789abcdef"), Version: "test",
		}
		for _, f := range change {
			f(&deps)
		}
		engine := gin.New()
		group := engine.Group("/fhir", authenticate)
		face.Mount(group, deps)
		server := httptest.NewServer(engine)
		t.Cleanup(func() { server.Close(); writer.Close() })
		clients[i] = &client{t: t, base: server.URL + "/fhir", member: "m1", scope: access.AllResources, trail: notes,
			linker: &persons.Linker{Follower: follower, Writer: writer, Model: model}}
	}
	return clients
}

// authenticate believes what the client says of itself.
func authenticate(c *gin.Context) {
	who := access.NewCaller(c.GetHeader("Test-Member"), c.GetHeader("Test-Scope"), "t")
	c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), who))
}

// as is the same hub asked by another member.
func (c *client) as(member string) *client { other := *c; other.member = member; return &other }

// scoped is the same hub asked with another scope.
func (c *client) scoped(scope string) *client { other := *c; other.scope = scope; return &other }

// answer is what came back.
type answer struct {
	t      testing.TB
	asked  string
	status int
	header http.Header
	body   []byte
}

// do sends one request. headers are "Name: value"; a body goes as application/fhir+json unless they say otherwise. A
// path that begins with http is taken as it is.
func (c *client) do(method, path, body string, headers ...string) answer {
	c.t.Helper()
	url := path
	if !strings.HasPrefix(path, "http") {
		url = c.base + "/" + strings.TrimPrefix(path, "/")
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Test-Member", c.member)
	req.Header.Set("Test-Scope", c.scope)
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{c.t, method + " " + path, res.StatusCode, res.Header, data}
}

func (c *client) get(path string, headers ...string) answer { return c.do("GET", path, "", headers...) }
func (c *client) post(path, body string, headers ...string) answer {
	return c.do("POST", path, body, headers...)
}
func (c *client) put(path, body string, headers ...string) answer {
	return c.do("PUT", path, body, headers...)
}
func (c *client) delete(path string, headers ...string) answer {
	return c.do("DELETE", path, "", headers...)
}

// want ends the test unless the status is as said.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d\n%.2000s", a.asked, a.status, status, a.body)
	}
	return a
}

// at is the value at a path such as "entry.0.response.status": a text as it is, a number as it was sent, anything else
// as JSON; empty when there is none. "#" at the end counts an array's values.
func (a answer) at(path string) string {
	a.t.Helper()
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		a.t.Fatalf("%s: the answer is not JSON: %v\n%.500s", a.asked, err, a.body)
	}
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			if step == "#" {
				return strconv.Itoa(len(x))
			}
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		default:
			if step == "#" {
				return "0"
			}
			return ""
		}
	}
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case json.Number:
		return x.String()
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// is ends the test unless the values at the paths are as said: path, value, path, value, ….
func (a answer) is(pairs ...string) answer {
	a.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		if got := a.at(pairs[i]); got != pairs[i+1] {
			a.t.Fatalf("%s: %s is %q, want %q\n%.2000s", a.asked, pairs[i], got, pairs[i+1], a.body)
		}
	}
	return a
}

// ids are the logical ids of a bundle's resources, in order.
func (a answer) ids() []string {
	a.t.Helper()
	var b struct {
		Entry []struct {
			Resource struct{ ID string } `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(a.body, &b); err != nil {
		a.t.Fatalf("%s: %v", a.asked, err)
	}
	var ids []string
	for _, e := range b.Entry {
		if e.Resource.ID != "" {
			ids = append(ids, e.Resource.ID)
		}
	}
	return ids
}

func TestTheFixtureStoresAndFinds(t *testing.T) {
	c := start(t)
	c.put("Patient/p1", `{"resourceType":"Patient","id":"p1","active":true}`).want(201)
	c.get("Patient/p1").want(200).is("id", "p1", "meta.versionId", "1")
	if ids := c.get("Patient?active=true").want(200).ids(); fmt.Sprint(ids) != "[p1]" {
		t.Errorf("found %v", ids)
	}
}

// projected makes a hub.Projector of a function of the body.
type projected func(body []byte) (hub.Entry, error)

func (p projected) Project(rec *hub.Record) (hub.Entry, error) { return p(rec.Body) }
