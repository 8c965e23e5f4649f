package laboratory_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	door "concord/adapters/laboratory"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/laboratory"
	"concord/hub/lookup"
	"concord/hub/projection"
	"concord/internal/fhir"
	"concord/internal/memobjects"
	"concord/mappings"
	"concord/storage/index"
	"concord/storage/keeper"
)

const records hub.Partition = "records"

type projector func(body []byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

type world struct {
	t      *testing.T
	url    string
	writer *commit.Committer
	watch  *laboratory.Watch
	mu     sync.Mutex
	events []audit.Event
}

func (w *world) Note(_ context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

func start(t *testing.T) *world {
	gin.SetMode(gin.TestMode)
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	objects, ix := &memobjects.Store{}, index.Open(conn, index.StandardLayout(0))
	log := &projection.Log{Objects: objects, Partition: records, Cache: projection.NewCache(64 << 20)}
	follower := projection.NewFollower(log, ix, &projection.Projectors{Default: fhir.NewProjection(nil), ByType: map[string]hub.Projector{laboratory.SightingType: projector(laboratory.ProjectSighting)}})
	if err := follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	rules, err := mappings.Laboratory()
	if err != nil {
		t.Fatal(err)
	}
	use := func() *laboratory.Rules { return rules }
	w := &world{t: t, writer: commit.New(log, follower, commit.Options{})}
	t.Cleanup(w.writer.Close)
	reader := lookup.New(ix, objects, map[hub.Partition]*projection.Follower{records: follower}, access.Mutual{}, w)
	alarms := &laboratory.Alarms{Follower: follower, Writer: w.writer, Rules: use, Now: time.Now}
	w.watch = &laboratory.Watch{Name: "alarms", Follower: follower, Writer: w.writer, Derive: alarms.Derive}
	engine := gin.New()
	group := engine.Group("/laboratory", func(c *gin.Context) {
		who := access.NewCaller(c.GetHeader("Test-Member"), c.GetHeader("Test-Scope"), "t")
		c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), who))
	})
	door.Mount(group, door.Deps{
		Queue:  &laboratory.Queue{Reader: reader, Records: records, Writer: w.writer, Rules: use, Maps: &laboratory.MapsFile{Follower: follower, Now: time.Now}},
		Board:  &laboratory.Board{Reader: reader, Records: records, Now: time.Now},
		Alarms: alarms, Trail: w, Now: time.Now,
	})
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	w.url = server.URL + "/laboratory"
	return w
}

// write commits a resource of a member, and has what follows derived.
func (w *world) write(member, typ, id, body string) {
	w.t.Helper()
	n := hub.Name{Type: typ, ID: id}
	_, err := w.writer.Submit(w.t.Context(), commit.Write{Member: member, Names: []hub.Name{n}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: n, Body: func(uint64, time.Time) []byte { return []byte(strings.ReplaceAll(body, "\n", "")) }}}, nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	for more := true; more; {
		if more, err = w.watch.Advance(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// ask returns the status and the answer.
func (w *world) ask(member, scope, method, path, body string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Test-Member", member)
	req.Header.Set("Test-Scope", scope)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		w.t.Fatalf("%s %s: %s", method, path, text)
	}
	return res.StatusCode, out
}

const all = "system/*.*"

func TestACriticalValueOfAFHIRWriterIsSeenTo(t *testing.T) {
	w := start(t)
	w.write("village", "Observation", "o1", `{"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"subject":{"reference":"Patient/p"},
		"valueQuantity":{"value":7.1,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`)
	status, list := w.ask("county", all, "GET", "/criticals", "")
	found := list["criticals"].([]any)
	if status != 200 || len(found) != 1 {
		t.Fatalf("%d %v", status, list)
	}
	one := found[0].(map[string]any)
	id := "/criticals/" + one["id"].(string)
	if one["state"] != "notified" || one["member"] != "village" || one["overdue"] != false {
		t.Errorf("%v", one)
	}
	for _, c := range []struct {
		say, member, scope, method, path, body string
		status                                 int
	}{
		{"without the right to search", "county", "system/Patient.rs", "GET", "/criticals", "", 403},
		{"without the right to change", "county", "system/CommunicationRequest.rs", "POST", id + "/acknowledge", `{"who":"a"}`, 403},
		{"nobody", "county", all, "POST", id + "/acknowledge", `{}`, 400},
		{"no JSON", "county", all, "POST", id + "/acknowledge", `who`, 400},
		{"a field that there is not", "county", all, "POST", id + "/acknowledge", `{"who":"a","state":"closed"}`, 400},
		{"too long", "county", all, "POST", id + "/acknowledge", `{"who":"` + strings.Repeat("a", 70<<10) + `"}`, 413},
		{"a step that there is not", "county", all, "POST", id + "/shout", `{"who":"a"}`, 400},
		{"too early", "county", all, "POST", id + "/close", `{"who":"a"}`, 409},
		{"another", "county", all, "POST", "/criticals/none/acknowledge", `{"who":"a"}`, 404},
		{"acknowledged", "county", all, "POST", id + "/acknowledge", `{"who":"李医生"}`, 200},
		{"acknowledged twice", "county", all, "POST", id + "/acknowledge", `{"who":"b"}`, 409},
		{"acted", "county", all, "POST", id + "/act", `{"who":"李医生","note":"x"}`, 200},
		{"closed", "county", all, "POST", id + "/close", `{"who":"李医生"}`, 200},
		{"one, closed", "county", all, "GET", id, "", 200},
		{"a state that there is not", "county", all, "GET", "/criticals?state=some", "", 400},
	} {
		if status, out := w.ask(c.member, c.scope, c.method, c.path, c.body); status != c.status {
			t.Errorf("%s: %d %v; want %d", c.say, status, out, c.status)
		}
	}
	if _, list := w.ask("county", all, "GET", "/criticals?state=all", ""); len(list["criticals"].([]any)) != 1 {
		t.Errorf("%v", list)
	}
	changed := 0
	for _, e := range w.events {
		if e.Action == audit.Update && e.Member == "county" {
			changed++
		}
	}
	if changed != 3 {
		t.Errorf("%d changes are in the audit trail", changed)
	}
}

func TestCodesAreSettledByTheirMemberOrTheEngineer(t *testing.T) {
	w := start(t)
	body := `{"code":{"system":"urn:lis","code":"K1"},"to":[{"system":"http://loinc.org","code":"2823-3"}]}`
	for _, c := range []struct {
		say, member, scope, body string
		status                   int
	}{
		{"its own", "village", all, body, 200},
		{"another's", "village", all, strings.Replace(body, "{", `{"member":"county",`, 1), 403},
		{"the consortium's", "village", all, strings.Replace(body, "{", `{"consortium":true,`, 1), 403},
		{"another's, by the engineer", "village", "integration", strings.Replace(body, "{", `{"member":"county",`, 1), 200},
		{"the consortium's, by the engineer", "village", "integration", strings.Replace(body, "{", `{"consortium":true,`, 1), 200},
		{"without the right", "village", "system/ConceptMap.rs", body, 403},
		{"nothing said", "village", all, `{"code":{"code":"K1"}}`, 400},
		{"a wrong check digit", "village", all, strings.Replace(body, "2823-3", "2823-4", 1), 400},
		{"no code", "village", all, `{"to":[{"system":"http://loinc.org","code":"2823-3"}]}`, 400},
	} {
		if status, out := w.ask(c.member, c.scope, "POST", "/codes", c.body); status != c.status {
			t.Errorf("%s: %d %v; want %d", c.say, status, out, c.status)
		}
	}
	status, out := w.ask("village", all, "GET", "/resolve?system=urn:lis&code=K1", "")
	if status != 200 || out["settled"] != true || out["analyte"] != "potassium" {
		t.Errorf("%d %v", status, out)
	}
	if status, out = w.ask("village", all, "GET", "/resolve?name=%E8%82%8C%E8%82%9D&unit=umol/L", ""); status != 200 || len(out["suggestions"].([]any)) == 0 {
		t.Errorf("%d %v", status, out)
	}
	if status, _ = w.ask("village", all, "GET", "/resolve?member=county&code=K1", ""); status != 403 {
		t.Errorf("another's codes: %d", status)
	}
	if status, out = w.ask("village", all, "GET", "/codes?suggest=99", ""); status != 400 {
		t.Errorf("%d %v", status, out)
	}
}
