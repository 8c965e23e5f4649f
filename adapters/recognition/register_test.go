package recognition_test

import (
	"bytes"
	"compress/gzip"
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

	door "concord/adapters/recognition"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/hub/recognition/register"
	"concord/internal/fhir"
	"concord/internal/memobjects"
	"concord/internal/sheet"
	"concord/mappings"
	"concord/storage/index"
	"concord/storage/keeper"
)

type projector func([]byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

// desk is the door on a store in memory.
type desk struct {
	t      *testing.T
	url    string
	mu     sync.Mutex
	events []audit.Event
}

func (d *desk) Note(_ context.Context, e audit.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
	return nil
}

func open(t *testing.T) *desk {
	gin.SetMode(gin.TestMode)
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	log := &projection.Log{Objects: &memobjects.Store{}, Partition: "records", Cache: projection.NewCache(8 << 20)}
	follower := projection.NewFollower(log, index.Open(conn, index.StandardLayout(0)), &projection.Projectors{Default: fhir.NewProjection(nil),
		ByType: map[string]hub.Projector{register.EventType: projector(register.ProjectEvent)}})
	if err := follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	writer := commit.New(log, follower, commit.Options{Admit: register.Admit})
	t.Cleanup(writer.Close)
	starter, err := mappings.RecognitionStarter(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &register.Register{Follower: follower, Writer: writer, Starter: starter, Zone: fhir.ChinaTime(), Now: time.Now,
		Institution: func(id string) (string, bool) { return "县人民医院", id == "county" }, Institutions: func() []string { return []string{"county"} }}
	d := &desk{t: t}
	engine := gin.New()
	door.Mount(engine.Group("/recognition", func(c *gin.Context) {
		who := access.NewCaller("county", c.GetHeader("Test-Scope"), "t")
		who.Person = c.GetHeader("Test-Person")
		c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), who))
	}), door.Deps{Register: r, Trail: d, Now: time.Now})
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	d.url = server.URL + "/recognition"
	return d
}

// ask sends a request as a person (empty: a member's client) and returns status and text.
func (d *desk) ask(person, method, path string, body io.Reader, headers ...string) (int, http.Header, string) {
	d.t.Helper()
	req, err := http.NewRequest(method, d.url+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	scope := "system/*.rs"
	if person != "" {
		scope = access.Catalogue
	}
	req.Header.Set("Test-Person", person)
	req.Header.Set("Test-Scope", scope)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

func TestTheDoorAsksWhoIsThereBeforeItReads(t *testing.T) {
	d := open(t)
	unread := func() io.Reader { return anyBody{} }
	for _, c := range []struct {
		say, person, method, path string
		headers                   []string
		status                    int
	}{
		{"a member proposes", "", "POST", "/proposals", nil, 403},
		{"a member imports", "", "POST", "/qualifications/import", nil, 403},
		{"a member releases", "", "POST", "/proposals/x/release", nil, 403},
		{"a monitor reads", "", "GET", "/catalogue", []string{"Test-Scope: metrics"}, 403},
		{"who reads patients only", "", "GET", "/catalogue", []string{"Test-Scope: system/Patient.rs"}, 403},
		{"who may read qualifications", "", "GET", "/catalogue", []string{"Test-Scope: system/Basic.rs"}, 200},
	} {
		var body io.Reader
		if c.method == "POST" {
			body = unread()
		}
		if status, _, text := d.ask(c.person, c.method, c.path, body, c.headers...); status != c.status {
			t.Errorf("%s: %d %s", c.say, status, text)
		}
	}
}

// anyBody is a body that must not matter.
type anyBody struct{}

func (anyBody) Read(p []byte) (int, error) { return copy(p, "{}"), io.EOF }

func TestProposalsAreTakenAsRowsAndAsResources(t *testing.T) {
	d := open(t)
	_, _, text := d.ask("", "GET", "/catalogue/alt", nil)
	var one struct {
		Version string
		Item    struct{ Row map[string]any }
		History []any
	}
	if err := json.Unmarshal([]byte(text), &one); err != nil || one.Item.Row["window"] != "14d" || one.History == nil {
		t.Fatalf("%s, %v", text, err)
	}
	status, header, resource := d.ask("", "GET", "/catalogue/alt", nil, "Accept: application/fhir+json")
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "application/fhir+json") || !strings.Contains(resource, `"resourceType":"ObservationDefinition"`) {
		t.Fatalf("%d %s", status, resource)
	}
	edited := strings.Replace(resource, `"value":14}`, `"value":10}`, 1)
	status, _, text = d.ask("zhang", "POST", "/proposals", strings.NewReader(`{"reason":"试行","effective":"2099-01-01","resources":[`+edited+`]}`))
	if status != 400 || !strings.Contains(text, "five years") {
		t.Errorf("too far ahead: %d %s", status, text)
	}
	tomorrow := time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	status, header, text = d.ask("zhang", "POST", "/proposals", strings.NewReader(`{"reason":"试行","effective":"`+tomorrow+`","resources":[`+edited+`]}`))
	if status != 201 || !strings.Contains(text, "14d → 10d") {
		t.Fatalf("%d %s", status, text)
	}
	at := strings.TrimPrefix(header.Get("Location"), "/recognition")
	if status, _, text = d.ask("li", "POST", at+"/release", strings.NewReader(`{"reason":"同意"}`)); status != 200 || !strings.Contains(text, `"version":"`+one.Version+`"`) {
		t.Errorf("released for later: %d %s", status, text)
	}
	if _, _, text = d.ask("", "GET", "/catalogue/alt?at="+tomorrow, nil); !strings.Contains(text, one.Version+"+1") || !strings.Contains(text, `"10d"`) {
		t.Errorf("then: %s", text)
	}
	if status, _, text = d.ask("", "GET", "/releases/1", nil); status != 200 || !strings.Contains(text, "试行") || !strings.Contains(text, "同意") {
		t.Errorf("%d %s", status, text)
	}
	for say, body := range map[string]string{
		"no JSON": "reason", "another resource": `{"reason":"x","resources":[{"resourceType":"Patient","id":"a"}]}`, "a resource that is wrong": `{"reason":"x","resources":[{"resourceType":"Basic"}]}`,
		"two values": `{"reason":"x"} {}`, "a moment that is none": `{"reason":"x","effective":"soon"}`, "nothing": ``,
	} {
		if status, _, text := d.ask("zhang", "POST", "/proposals", strings.NewReader(body)); status != 400 {
			t.Errorf("%s: %d %s", say, status, text)
		}
	}
	if status, _, _ := d.ask("zhang", "POST", "/proposals", strings.NewReader(`{"reason":"`+strings.Repeat("a", 11<<20)+`"}`)); status != 413 {
		t.Errorf("too long: %d", status)
	}
	for _, path := range []string{"/catalogue/none", "/proposals/none", "/releases/9"} {
		if status, _, text := d.ask("", "GET", path, nil); status != 404 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for _, path := range []string{"/catalogue?at=soon", "/proposals?state=half", "/proposals?count=-1", "/releases/zero", "/qualifications?day=today", "/qualifications/expiring?days=x", "/qualifications/template?format=pdf"} {
		if status, _, text := d.ask("", "GET", path, nil); status != 400 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	created, updated := 0, 0
	for _, e := range d.events {
		switch e.Action {
		case audit.Create:
			created++
		case audit.Update:
			updated++
		}
	}
	if created != 1 || updated != 1 {
		t.Errorf("%d proposals and %d rulings are in the audit trail", created, updated)
	}
}

func TestAWorkbookIsImported(t *testing.T) {
	d := open(t)
	status, header, text := d.ask("", "GET", "/qualifications/template", nil)
	tables, err := sheet.Read([]byte(text), sheet.Limits{})
	if status != 200 || err != nil || !strings.Contains(header.Get("Content-Disposition"), ".xlsx") {
		t.Fatalf("the template: %d %v", status, err)
	}
	var book bytes.Buffer
	if err := sheet.Write(&book, "2026", append(tables[0].Rows, []string{"县人民医院", "谷丙转氨酶", "全国", "2026-01-01", "2026年12月31日", "合格", "全国HR", "皖临检3号"})); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(book.Bytes())
	z.Close()
	if status, _, text = d.ask("zhang", "POST", "/qualifications/import?reason=2026", &packed, "Content-Encoding: gzip"); status != 200 || !strings.Contains(text, `"proposal"`) {
		t.Fatalf("%d %s", status, text)
	}
	if _, _, text := d.ask("", "GET", "/qualifications", nil); !strings.Contains(text, `"total":0`) {
		t.Errorf("in force before it was released: %s", text)
	}
	if status, _, text := d.ask("zhang", "POST", "/qualifications/import?reason=2026&dry-run=yes", strings.NewReader("x")); status != 400 {
		t.Errorf("%d %s", status, text)
	}
	if status, _, _ := d.ask("zhang", "POST", "/qualifications/import?reason=2026", io.LimitReader(zeros{}, 11<<20)); status != 413 {
		t.Errorf("too long: %d", status)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
