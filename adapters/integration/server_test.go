package integration_test

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

	"concord/adapters/integration"
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

// mapper makes a patient of a message "id name".
type mapper struct{}

func (mapper) Map(_ context.Context, member string, in *messages.Incoming) (*messages.Mapping, error) {
	id, name, ok := strings.Cut(string(in.Raw), " ")
	if !ok {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "A-1", Msg: "there is no name"}
	}
	body, _ := json.Marshal(map[string]any{"resourceType": "Patient", "name": []any{map[string]string{"text": name}}})
	return &messages.Mapping{Rules: "test@1", Resources: []messages.Resource{{Name: hub.Name{Type: "Patient", ID: member + "-" + id}, Body: body}}}, nil
}

type world struct {
	t      *testing.T
	url    string
	intake *messages.Intake
	jobs   *messages.Jobs
	mu     sync.Mutex
	events []audit.Event
	ticks  int
}

func (w *world) Note(_ context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

// tick is a clock by which no two messages are received at once.
func (w *world) tick() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks++
	return time.Date(2026, 3, 1, 8, 0, w.ticks, 0, time.UTC)
}

func start(t *testing.T) *world {
	gin.SetMode(gin.TestMode)
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	objects, ix, project := &memobjects.Store{}, index.Open(conn, index.StandardLayout(0)), fhir.NewProjection(nil)
	log := &projection.Log{Objects: objects, Partition: records, Cache: projection.NewCache(64 << 20)}
	follower := projection.NewFollower(log, ix, &projection.Projectors{Default: project, ByType: messages.Projectors()})
	if err := follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	writer := commit.New(log, follower, commit.Options{})
	w := &world{t: t}
	w.intake = &messages.Intake{Writer: writer, Follower: follower, Project: project, Blobs: objects, Policy: access.Mutual{},
		Mappers: map[string]messages.Mapper{"hl7v2": mapper{}}, Now: w.tick}
	w.jobs = messages.NewJobs(w.intake)
	engine := gin.New()
	group := engine.Group("/integration", func(c *gin.Context) {
		who := access.NewCaller(c.GetHeader("Test-Member"), c.GetHeader("Test-Scope"), "t")
		c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), who))
	})
	integration.Mount(group, integration.Deps{
		Log:    &messages.Log{Reader: lookup.New(ix, objects, map[hub.Partition]*projection.Follower{records: follower}, access.Mutual{}, w), Partition: records},
		Intake: w.intake, Jobs: w.jobs, Trail: w,
		Read: func(format string, raw []byte) messages.Incoming {
			return messages.Incoming{Format: format, Control: "preview", Raw: raw}
		},
	})
	server := httptest.NewServer(engine)
	t.Cleanup(func() { server.Close(); writer.Close() })
	w.url = server.URL + "/integration"
	return w
}

func (w *world) send(member, control, text string) messages.Message {
	w.t.Helper()
	out, err := w.intake.Take(w.t.Context(), access.NewCaller(member, access.AllResources, "t"), messages.Incoming{Format: "hl7v2", Type: "ADT^A08", Sender: "HIS", Control: control,
		Raw: []byte(text), Answer: func(v messages.Verdict) []byte { return []byte("MSA|" + v.Status) }})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Message
}

// ask sends a request as a member with all resources, or as "engineer" with the scope of one.
func (w *world) ask(who, method, path, body string) (status int, text string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	scope := access.AllResources
	if who == "engineer" {
		scope = access.Integration
	}
	req.Header.Set("Test-Member", who)
	req.Header.Set("Test-Scope", scope)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// is fails unless the answer has a status and some pieces.
func (w *world) is(who, method, path, body string, status int, pieces ...string) string {
	w.t.Helper()
	got, text := w.ask(who, method, path, body)
	if got != status {
		w.t.Errorf("%s %s as %s: %d, not %d: %s", method, path, who, got, status, text)
	}
	for _, p := range pieces {
		if !strings.Contains(text, p) {
			w.t.Errorf("%s %s as %s has no %s: %s", method, path, who, p, text)
		}
	}
	return text
}

func TestAMessageIsShownWithWhatItBecameAndWhatWasAnswered(t *testing.T) {
	w := start(t)
	m := w.send("village", "1", "p1 张伟")
	w.is("village", "GET", "/messages/"+m.ID, "", 200, `"text":"p1 张伟"`, `"answer":"MSA|mapped"`, `"resourceType":"Patient"`, `"mapping":"test@1"`)
	if text := w.is("village", "GET", "/messages/"+m.ID+"/raw", "", 200); text != "p1 张伟" {
		t.Errorf("as sent it is %q", text)
	}
	w.is("engineer", "GET", "/messages/"+m.ID, "", 200, `"member":"village"`)
	w.is("county", "GET", "/messages/"+m.ID, "", 404)
	w.is("county", "GET", "/messages/"+m.ID+"/raw", "", 404)
	w.is("county", "POST", "/messages/"+m.ID+"/replay", "", 404)
	w.is("county", "POST", "/messages/"+m.ID+"/replay?dryRun=true", "", 404)
	w.is("village", "GET", "/messages/none", "", 404)
}

func TestBytesThatAreNoTextAreShownAsBytes(t *testing.T) {
	w := start(t)
	m := w.send("village", "1", "p1 \xd5\xc5")
	w.is("village", "GET", "/messages/"+m.ID, "", 200, `"bytes":"cDEg1cU="`)
}

func TestMessagesAreListedPageByPage(t *testing.T) {
	w := start(t)
	for _, control := range []string{"1", "2", "3"} {
		w.send("village", control, "p1 A")
	}
	w.send("county", "4", "nonsense")
	var page struct {
		Messages []struct{ Control string }
		Total    int
		After    string
	}
	list := func(query string) (controls []string) {
		page.Messages, page.After = nil, ""
		if err := json.Unmarshal([]byte(w.is("village", "GET", "/messages?_count=2"+query, "", 200)), &page); err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			controls = append(controls, m.Control)
		}
		return controls
	}
	if got := strings.Join(list("&_total=true"), " "); got != "3 2" || page.Total != 3 || page.After == "" {
		t.Errorf("the first page is %s of %d", got, page.Total)
	}
	if got := strings.Join(list("&_after="+page.After), " "); got != "1" || page.After != "" {
		t.Errorf("the second page is %s", got)
	}
	w.is("village", "GET", "/messages?member=county", "", 403)
	w.is("engineer", "GET", "/messages?status=dead,failed", "", 400, `"path":"status"`)
	w.is("engineer", "POST", "/replays", `{"status":"failed"}`, 400, `"path":"status"`)
	w.is("engineer", "GET", "/messages?status=dead&since=2020-01-01", "", 200, `"control":"4"`, `"place":"A-1"`)
	w.is("engineer", "GET", "/failures", "", 200, `"dead":1`, `"mapped":3`, `"count":1`, `"there is no name"`)
	w.is("village", "GET", "/messages?colour=red", "", 400, `colour`)
	w.is("village", "GET", "/messages?since=soon", "", 400, `since`)
	w.is("village", "GET", "/messages?_after=xx", "", 400)
}

func TestAMessageIsPreviewedBesideWhatThereIs(t *testing.T) {
	w := start(t)
	w.send("village", "1", "p1 A")
	w.is("village", "POST", "/map", "p1 B", 200, `"status":"mapped"`, `"before":"A"`, `"after":"B"`, `Patient.name[0].text`)
	w.is("village", "POST", "/map", "nonsense", 200, `"status":"dead"`, `"place":"A-1"`)
	w.is("village", "POST", "/map?member=county", "p1 B", 403)
	w.is("engineer", "POST", "/map?member=county", "p1 B", 200, `"how":"new"`)
	w.is("village", "GET", "/messages?control=preview", "", 200, `"messages":[]`)
}

func TestAReplayIsStartedFollowedAndStopped(t *testing.T) {
	w := start(t)
	w.send("village", "1", "p1 A")
	w.send("county", "2", "p1 A")
	w.is("village", "POST", "/replays", `{"dryRun":true}`, 200, `"seen":1`, `"differ":0`)
	var job struct{ ID string }
	if err := json.Unmarshal([]byte(w.is("village", "POST", "/replays", `{"status":"mapped","rate":50}`, 202, `"total":1`)), &job); err != nil {
		t.Fatal(err)
	}
	if _, err := w.jobs.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.is("village", "GET", "/replays/"+job.ID, "", 200, `"ended":"done"`, `"unchanged":1`)
	w.is("village", "GET", "/replays", "", 200, job.ID)
	w.is("county", "GET", "/replays", "", 200, `"replays":[]`)
	w.is("county", "POST", "/replays/"+job.ID+"/stop", "", 404)
	w.is("village", "POST", "/replays", `{"member":"county"}`, 403)
	w.is("village", "POST", "/replays", `{"colour":"red"}`, 400)
	w.is("village", "POST", "/replays", `{"rate":-1}`, 400)
	w.is("village", "POST", "/replays", `{"dryRun":true,"since":"2020-01-01"}`, 200, `"seen":1`)
	w.is("village", "POST", "/replays", `{"dryRun":true,"since":"2020-01-01T00:00:00Z","until":"2020-01-02"}`, 200, `"seen":0`)
	w.is("village", "POST", "/replays", `{"dryRun":true,"since":"yesterday"}`, 400, `"path":"since"`)
}

func TestWhatIsLookedAtIsInTheTrail(t *testing.T) {
	w := start(t)
	m := w.send("village", "1", "p1 A")
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/messages", ""}, {"GET", "/messages/" + m.ID, ""}, {"GET", "/messages/" + m.ID + "/raw", ""}, {"GET", "/failures", ""},
		{"POST", "/messages/" + m.ID + "/replay", ""}, {"POST", "/messages/" + m.ID + "/replay?dryRun=true", ""},
		{"POST", "/map", "p1 B"}, {"POST", "/replays", "{}"}, {"POST", "/replays", `{"dryRun":true}`},
	} {
		before := len(w.events)
		if status, text := w.ask("village", c.method, c.path, c.body); status >= 300 {
			t.Errorf("%s %s: %s", c.method, c.path, text)
		}
		if len(w.events) == before {
			t.Errorf("%s %s left nothing in the trail", c.method, c.path)
		}
	}
}
