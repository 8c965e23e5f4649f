package ecg_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	door "concord/adapters/ecg"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/ecg"
	"concord/hub/imaging"
	"concord/hub/lookup"
	"concord/hub/messages"
	"concord/hub/projection"
	"concord/internal/dicom"
	wave "concord/internal/ecg"
	"concord/internal/ecg/export"
	"concord/internal/fhir"
	"concord/storage/index"
	"concord/storage/keeper"
	"concord/storage/object/disk"
)

const (
	records hub.Partition = "records"
	images  hub.Partition = "dicom-00"
)

// trail counts what is disclosed.
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

// rules are those of access.Mutual, and hide what a test says.
type rules struct {
	access.Mutual
	hidden func(who access.Caller, rec *hub.Record) bool
}

func (r *rules) MayRead(who access.Caller, rec *hub.Record) error {
	if r.hidden != nil && r.hidden(who, rec) {
		return &hub.Error{Kind: hub.Forbidden, Msg: "hidden"}
	}
	return r.Mutual.MayRead(who, rec)
}

func (r *rules) MayReadAll(access.Caller) bool { return r.hidden == nil }

type projector func(body []byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

// client asks a hub's door for electrocardiograms as one member.
type client struct {
	t       testing.TB
	base    string
	member  string
	scope   string
	trail   *trail
	rules   *rules
	deriver *imaging.Deriver
	records *projection.Follower
	writer  *commit.Committer
}

// start runs a hub in this process on a folder and a keeper. Largest is 1 MB.
func start(t testing.TB) *client {
	t.Helper()
	gin.SetMode(gin.TestMode)
	objects, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	ix := index.Open(conn, index.StandardLayout(1))
	project := fhir.NewProjection(nil)
	byType := messages.Projectors()
	byType[dicom.Study.Type()], byType[dicom.Series.Type()], byType[dicom.Instance.Type()] = projector(dicom.ProjectStudy), projector(dicom.ProjectSeries), projector(dicom.ProjectInstance)
	byType[imaging.MarkType] = projector(func([]byte) (hub.Entry, error) { return hub.Entry{}, nil })
	followers, writers := map[hub.Partition]*projection.Follower{}, map[hub.Partition]*commit.Committer{}
	for _, p := range []hub.Partition{records, images} {
		log := &projection.Log{Objects: objects, Partition: p, Cache: projection.NewCache(16 << 20)}
		followers[p] = projection.NewFollower(log, ix, &projection.Projectors{Default: project, ByType: byType})
		if err := followers[p].CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		writers[p] = commit.New(log, followers[p], commit.Options{})
	}
	notes, policy := &trail{}, &rules{}
	of := func(string) hub.Partition { return images }
	mapper := &ecg.Mapper{Base: "/ecg", Known: func(ctx context.Context, member, id, authority string) (string, error) {
		return imaging.KnownPatient(ctx, followers[records], member, id, map[string]bool{authority: true})
	}}
	intake := &messages.Intake{Writer: writers[records], Follower: followers[records], Project: project, Blobs: objects, Policy: policy, Mappers: map[string]messages.Mapper{}, Now: time.Now}
	for _, f := range ecg.MessageFormats() {
		intake.Mappers[f] = mapper
	}
	archive := &imaging.Archive{Objects: objects, Stager: objects, Index: ix, Partitions: []hub.Partition{images}, Followers: followers, Writers: writers, PartitionOf: of, Now: time.Now}
	engine := gin.New()
	door.Mount(engine.Group("/ecg", authenticate), door.Deps{
		Library: &ecg.Library{Reader: lookup.New(ix, objects, followers, policy, notes), Records: records, PartitionOf: of, Largest: 1 << 20},
		Intake:  &ecg.Intake{Messages: intake, Archive: archive, Stager: objects, Records: followers[records], Largest: 1 << 20, Room: ecg.NewRoom(2)},
		Version: "test",
	})
	server := httptest.NewServer(engine)
	t.Cleanup(func() {
		server.Close()
		writers[records].Close()
		writers[images].Close()
		conn.Close()
		k.Close()
	})
	deriver := imaging.NewDeriver(imaging.Deriver{Index: ix, Followers: followers, Records: records, Writer: writers[records], Partitions: []hub.Partition{images},
		Reading: &ecg.Instances{Base: "/ecg", Objects: objects, Largest: 1 << 20, Room: ecg.NewRoom(1)}})
	return &client{t: t, base: server.URL, member: "village", scope: access.AllResources, trail: notes, rules: policy, deriver: deriver, records: followers[records], writer: writers[records]}
}

// authenticate believes what the client says of itself.
func authenticate(c *gin.Context) {
	who := access.NewCaller(c.GetHeader("Test-Member"), c.GetHeader("Test-Scope"), "t")
	c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), who))
}

func (c *client) as(member string) *client { other := *c; other.member = member; return &other }

// derive makes what follows from the instances that have come.
func (c *client) derive() {
	c.t.Helper()
	for more := true; more; {
		var err error
		if more, err = c.deriver.Advance(c.t.Context(), images); err != nil {
			c.t.Fatal(err)
		}
	}
}

// answer is what came back.
type answer struct {
	t      testing.TB
	asked  string
	status int
	header http.Header
	body   []byte
}

// do sends one request; headers are "Name: value".
func (c *client) do(method, path string, body []byte, headers ...string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Test-Member", c.member)
	req.Header.Set("Test-Scope", c.scope)
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

func (c *client) get(path string, headers ...string) answer {
	c.t.Helper()
	return c.do("GET", path, nil, headers...)
}

// send posts a file and returns the id of the recording.
func (c *client) send(file []byte, status int) string {
	c.t.Helper()
	at := c.do("POST", "/ecg", file).want(status).header.Get("Location")
	return strings.TrimPrefix(at, "/ecg/")
}

// want ends the test unless the status is as said.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d\n%.1000s", a.asked, a.status, status, a.body)
	}
	return a
}

// has reports an answer without a text.
func (a answer) has(text string) answer {
	a.t.Helper()
	if !strings.Contains(string(a.body), text) {
		a.t.Errorf("%s: no %q in\n%.2000s", a.asked, text, a.body)
	}
	return a
}

// resource reads a FHIR resource as it lies in the log.
func (c *client) resource(typ, id string) map[string]any {
	c.t.Helper()
	heads, err := c.records.Heads(c.t.Context(), []hub.Name{{Type: typ, ID: id}})
	if err != nil || heads[0].Version == 0 || heads[0].Deleted {
		c.t.Fatalf("%s/%s: %v %+v", typ, id, err, heads[0])
	}
	rec, err := c.records.Log().Record(c.t.Context(), heads[0].Loc)
	if err != nil {
		c.t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(rec.Body, &r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

// recordingOf is ten seconds of twelve leads of a patient, all of them different.
func recordingOf(patient string) *wave.Recording {
	g := wave.Group{Rate: 250}
	for i, code := range wave.Twelve() {
		l := wave.Lead{Code: code, Label: code.String(), Scale: 2.5, Unit: "uV"}
		for n := range 2500 {
			l.Samples.Append(int32(200 * math.Sin(float64(n)*float64(i+1)/40)))
		}
		g.Leads = append(g.Leads, l)
	}
	return &wave.Recording{
		Patient:  wave.Patient{ID: patient, Name: "王 小明", Family: "王", Given: "小明", Sex: wave.Male, BirthDate: "1961-02-03"},
		Acquired: wave.Time{Time: time.Date(2026, 3, 1, 9, 30, 0, 0, time.FixedZone("", 8*3600)), Zoned: true},
		Device:   wave.Device{Manufacturer: "Cart Works", Model: "C12", Serial: "77"}, Groups: []wave.Group{g},
		Measurements: []wave.Measurement{
			{Code: wave.HeartRate, Quantity: wave.Quantity{Value: 72, Unit: "/min"}, Group: -1}, {Code: wave.QTInterval, Quantity: wave.Quantity{Value: 398, Unit: "ms"}, Group: -1},
			{Code: wave.QRSAxis, Quantity: wave.Quantity{Value: -12, Unit: "deg"}, Group: -1}},
		Statements: []wave.Statement{{Text: "Sinus rhythm"}, {Text: "Normal ECG"}},
	}
}

func aecgOf(t testing.TB, r *wave.Recording, root string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := export.AECG(&b, r, root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func dicomOf(t testing.TB, r *wave.Recording, id string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := export.DICOM(&b, r, ecg.IdentityOf(id)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
