package identity_test

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

	door "concord/adapters/identity"
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

type projector func(body []byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

// world is the door over a hub in memory.
type world struct {
	t      *testing.T
	url    string
	writer *commit.Committer
	linker *persons.Linker
	said   []string
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
	model, err := mappings.Identity()
	if err != nil {
		t.Fatal(err)
	}
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	objects, ix := &memobjects.Store{}, index.Open(conn, index.StandardLayout(0))
	log := &projection.Log{Objects: objects, Partition: records, Cache: projection.NewCache(64 << 20)}
	follower := projection.NewFollower(log, ix, &projection.Projectors{Default: fhir.NewProjection(nil).With(model.Terms),
		ByType: map[string]hub.Projector{persons.PairType: projector(persons.ProjectPair), "hub.mark": projector(func([]byte) (hub.Entry, error) { return hub.Entry{}, nil })}})
	if err := follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, writer: commit.New(log, follower, commit.Options{})}
	t.Cleanup(w.writer.Close)
	reader := lookup.New(ix, objects, map[hub.Partition]*projection.Follower{records: follower}, access.Mutual{}, w)
	reader.Records = records
	w.linker = &persons.Linker{Follower: follower, Writer: w.writer, Model: model}
	board := &persons.Board{Reader: reader, Records: records, Follower: follower, Writer: w.writer, Model: model, Trail: w, Now: time.Now}
	engine := gin.New()
	group := engine.Group("/identity", func(c *gin.Context) {
		who := access.NewCaller(c.GetHeader("Test-Member"), c.GetHeader("Test-Scope"), "t")
		who.Person = "王芳"
		c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), who))
	})
	door.Mount(group, door.Deps{Board: board, Reader: reader, Records: records, Observe: func(what string) { w.said = append(w.said, what) }})
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	w.url = server.URL + "/identity"
	return w
}

// patient commits a Patient with a health card, and has it judged.
func (w *world) patient(member, id, given, card, meta string) {
	w.t.Helper()
	body := `{"resourceType":"Patient","id":"` + id + `",` + meta + `"name":[{"family":"欧阳","given":["` + given + `"]}],"gender":"male","birthDate":"1985-03-12","telecom":[{"system":"phone","value":"13856012345"}],` +
		`"identifier":[{"system":"urn:oid:2.16.156.10011.1.19","value":"` + card + `"}]}`
	n := hub.Name{Type: "Patient", ID: id}
	if _, err := w.writer.Submit(w.t.Context(), commit.Write{Member: member, Names: []hub.Name{n}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: n, Body: func(uint64, time.Time) []byte { return []byte(body) }}}, nil
	}}); err != nil {
		w.t.Fatal(err)
	}
	for more := true; more; {
		var err error
		if more, err = w.linker.Advance(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

const engineer = "system/*.rs integration"

// ask returns the status, the answer's text and the answer.
func (w *world) ask(member, scope, method, path, body string) (int, string, map[string]any) {
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
	return res.StatusCode, string(text), out
}

// doubtful is a pair of a county's and a village's Patient, and its id.
func doubtful(t *testing.T) (*world, string) {
	w := start(t)
	w.patient("county", "c1", "铭哲", "E34018100018", "")
	w.patient("village", "v1", "国强", "E34018100018", "")
	_, text, list := w.ask("county", engineer, "GET", "/pairs", "")
	pairs := list["pairs"].([]any)
	if len(pairs) != 1 {
		t.Fatalf("%s", text)
	}
	return w, pairs[0].(map[string]any)["id"].(string)
}

func TestAPairShowsBothSidesWithTheirNumbersMasked(t *testing.T) {
	w, id := doubtful(t)
	status, text, _ := w.ask("county", engineer, "GET", "/pairs/"+id, "")
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	for _, want := range []string{`"欧阳铭哲"`, `"欧阳国强"`, `"1985-03-12"`, `E34*****0018`, `138****2345`, `号码相同`, `"member":"village"`, `"state":"open"`, `"history"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	for _, hidden := range []string{"E34018100018", "13856012345"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%s is shown", hidden)
		}
	}
}

func TestADecisionIsTakenKeptAndUndone(t *testing.T) {
	w, id := doubtful(t)
	for _, step := range []struct{ what, reason, state string }{{"link", "证件原件已核对", "linked"}, {"undo", "看错了", "open"}, {"separate", "借用他人的卡", "separate"}} {
		status, text, out := w.ask("county", engineer, "POST", "/pairs/"+id+"/"+step.what, `{"reason":"`+step.reason+`"}`)
		if status != 200 || out["pair"].(map[string]any)["state"] != step.state {
			t.Fatalf("%s: %d %s", step.what, status, text)
		}
	}
	_, text, _ := w.ask("county", engineer, "GET", "/pairs/"+id, "")
	for _, want := range []string{"证件原件已核对", "看错了", "借用他人的卡", "王芳"} {
		if !strings.Contains(text, want) {
			t.Errorf("the history does not say %s", want)
		}
	}
	if len(w.said) != 3 {
		t.Errorf("observed %v", w.said)
	}
	changes := 0
	for _, e := range w.events {
		if e.Action == audit.Update && e.Member == "county" {
			changes++
		}
	}
	if changes != 3 {
		t.Errorf("%d changes are in the audit trail", changes)
	}
	for state, n := range map[string]int{"separate": 1, "decided": 1, "open": 0, "contradiction": 0} {
		if _, text, list := w.ask("county", engineer, "GET", "/pairs?state="+state, ""); len(list["pairs"].([]any)) != n {
			t.Errorf("%s: %s", state, text)
		}
	}
}

func TestADoorForTheEngineerOnly(t *testing.T) {
	w, id := doubtful(t)
	reason := `{"reason":"x"}`
	for _, c := range []struct {
		say, scope, method, path, body string
		status                         int
	}{
		{"a member's own token", "system/*.*", "GET", "/pairs", "", 403},
		{"a member's own token decides", "system/*.*", "POST", "/pairs/" + id + "/link", reason, 403},
		{"a member's own token decides on any two", "system/*.*", "POST", "/pairs", `{"patients":["Patient/c1","Patient/v1"],"decision":"link","reason":"x"}`, 403},
		{"no right to read Patients", "integration", "GET", "/pairs", "", 403},
		{"a state that there is not", engineer, "GET", "/pairs?state=some", "", 400},
		{"a limit of none", engineer, "GET", "/pairs?limit=0", "", 400},
		{"a limit beyond", engineer, "GET", "/pairs?limit=201", "", 400},
		{"a cursor that is none", engineer, "GET", "/pairs?cursor=xyz", "", 400},
		{"a cursor of another list", engineer, "GET", "/pairs?cursor=e30", "", 400},
		{"no such pair", engineer, "GET", "/pairs/none", "", 404},
		{"no reason", engineer, "POST", "/pairs/" + id + "/link", `{"reason":" "}`, 400},
		{"another decision", engineer, "POST", "/pairs/" + id + "/merge", reason, 400},
		{"another member of the body", engineer, "POST", "/pairs/" + id + "/link", `{"reason":"x","force":true}`, 400},
		{"no JSON", engineer, "POST", "/pairs/" + id + "/link", `x`, 400},
		{"a long body", engineer, "POST", "/pairs/" + id + "/link", `{"reason":"` + strings.Repeat("x", 70<<10) + `"}`, 413},
		{"undo of nothing", engineer, "POST", "/pairs/" + id + "/undo", reason, 409},
		{"one Patient twice", engineer, "POST", "/pairs", `{"patients":["Patient/c1","Patient/c1"],"decision":"link","reason":"x"}`, 400},
		{"no such Patient", engineer, "POST", "/pairs", `{"patients":["Patient/c1","Patient/none"],"decision":"link","reason":"x"}`, 404},
		{"no such person", engineer, "GET", "/persons/none/history", "", 404},
	} {
		if status, text, _ := w.ask("county", c.scope, c.method, c.path, c.body); status != c.status {
			t.Errorf("%s: %d %s; want %d", c.say, status, text, c.status)
		}
	}
}

func TestAPersonsHistoryNamesWhomItHad(t *testing.T) {
	w, id := doubtful(t)
	w.ask("county", engineer, "POST", "/pairs/"+id+"/link", `{"reason":"x"}`)
	page, err := w.linker.Follower.Search(t.Context(), hub.Query{Type: "Person", Limit: 1})
	if err != nil || len(page.Hits) != 1 {
		t.Fatal(page, err)
	}
	rec, err := w.linker.Follower.Log().Record(t.Context(), page.Hits[0].Head.Loc)
	if err != nil {
		t.Fatal(err)
	}
	golden := rec.Name.ID
	w.ask("county", engineer, "POST", "/pairs/"+id+"/undo", `{"reason":"x"}`)
	if _, text, out := w.ask("county", engineer, "GET", "/persons/"+golden+"/history", ""); len(out["versions"].([]any)) != 2 || !strings.Contains(text, `["Patient/c1","Patient/v1"]`) || !strings.Contains(text, `"removed":true`) {
		t.Error(text)
	}
}

func TestAPairWithAHiddenSideIsNotThere(t *testing.T) {
	w := start(t)
	restricted := `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},`
	w.patient("county", "c1", "铭哲", "E34018100018", "")
	w.patient("village", "v1", "国强", "E34018100018", restricted)
	_, text, list := w.ask("village", engineer, "GET", "/pairs", "")
	pairs := list["pairs"].([]any)
	if len(pairs) != 1 {
		t.Fatalf("its own member sees %s", text)
	}
	id := pairs[0].(map[string]any)["id"].(string)
	if _, text, list := w.ask("county", engineer, "GET", "/pairs", ""); len(list["pairs"].([]any)) != 0 {
		t.Errorf("another sees %s", text)
	}
	if status, text, _ := w.ask("county", engineer, "GET", "/pairs/"+id, ""); status != 404 {
		t.Errorf("%d %s", status, text)
	}
	if status, text, _ := w.ask("county", engineer, "POST", "/pairs/"+id+"/link", `{"reason":"x"}`); status != 404 {
		t.Errorf("%d %s", status, text)
	}
}

func TestNumbersAreMasked(t *testing.T) {
	for value, want := range map[string]string{"340181198503124215": "340***********4215", "13856012345": "138****2345", "M100": "**00", "7": "*", "": "", "E12345678": "*******78", "欧阳": "**"} {
		if got := door.Masked(value); got != want {
			t.Errorf("%s is shown as %s, want %s", value, got, want)
		}
	}
}

func TestPairsThatAreWithheldDoNotShortenAPage(t *testing.T) {
	w := start(t)
	for i, hidden := range []bool{false, true, true, false, true, false} {
		card, meta := "E3401810006"+string(rune('0'+i)), ""
		if hidden {
			meta = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},`
		}
		w.patient("county", "c"+string(rune('0'+i)), "铭哲", card, "")
		w.patient("village", "v"+string(rune('0'+i)), "国强", card, meta)
	}
	var pages []int
	path := "/pairs?limit=1"
	for path != "" {
		status, text, answer := w.ask("county", engineer, "GET", path, "")
		if status != 200 {
			t.Fatal(status, text)
		}
		list, _ := answer["pairs"].([]any)
		pages = append(pages, len(list))
		next, _ := answer["next"].(string)
		if path = ""; next != "" {
			path = "/pairs?limit=1&cursor=" + next
		}
	}
	if len(pages) != 3 || pages[0] != 1 || pages[1] != 1 || pages[2] != 1 {
		t.Errorf("pages of %v pairs", pages)
	}
}
