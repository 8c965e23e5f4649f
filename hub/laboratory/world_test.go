package laboratory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/laboratory"
	"concord/hub/lookup"
	"concord/hub/messages"
	"concord/hub/projection"
	"concord/internal/fhir"
	"concord/internal/memobjects"
	"concord/storage/index"
	"concord/storage/keeper"
)

const records hub.Partition = "records"

type projector func(body []byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

// house is what several hubs have in common.
type house struct {
	objects *memobjects.Store
	index   *index.Index
}

func newHouse(t testing.TB) *house {
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	return &house{&memobjects.Store{}, index.Open(conn, index.StandardLayout(0))}
}

// world is one hub's laboratory in this process.
type world struct {
	t        testing.TB
	follower *projection.Follower
	writer   *commit.Committer
	intake   *messages.Intake
	maps     *laboratory.MapsFile
	alarms   *laboratory.Alarms
	watches  []*laboratory.Watch
	queue    *laboratory.Queue
	board    *laboratory.Board

	mu     sync.Mutex
	now    time.Time
	events []audit.Event
}

func (w *world) Note(_ context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

// clock goes by a millisecond each time it is looked at.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
}

var morning = time.Date(2026, 3, 5, 8, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, h *house) *world {
	t.Helper()
	w := &world{t: t, now: morning}
	project := fhir.NewProjection(nil)
	byType := messages.Projectors()
	byType[laboratory.SightingType] = projector(laboratory.ProjectSighting)
	byType["hub.mark"] = projector(func([]byte) (hub.Entry, error) { return hub.Entry{}, nil })
	log := &projection.Log{Objects: h.objects, Partition: records, Cache: projection.NewCache(64 << 20)}
	w.follower = projection.NewFollower(log, h.index, &projection.Projectors{Default: project, ByType: byType})
	if err := w.follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.writer = commit.New(log, w.follower, commit.Options{Now: w.clock})
	t.Cleanup(w.writer.Close)
	r := rules(t)
	use := func() *laboratory.Rules { return r }
	w.maps = &laboratory.MapsFile{Follower: w.follower, Every: time.Nanosecond, Now: w.clock}
	w.intake = &messages.Intake{Writer: w.writer, Follower: w.follower, Project: project, Blobs: h.objects, Policy: access.Mutual{},
		Mappers: map[string]messages.Mapper{"lis": lis{}}, Refiners: []messages.Refiner{&laboratory.Refiner{Rules: use, Maps: w.maps.Current}}, Now: w.clock}
	w.alarms = &laboratory.Alarms{Follower: w.follower, Writer: w.writer, Rules: use, Now: w.clock}
	deltas := &laboratory.Deltas{Follower: w.follower, Writer: w.writer, Rules: use}
	w.watches = []*laboratory.Watch{
		{Name: "alarms", Follower: w.follower, Writer: w.writer, Derive: w.alarms.Derive},
		{Name: "deltas", Follower: w.follower, Writer: w.writer, Derive: deltas.Derive}}
	reader := lookup.New(h.index, h.objects, map[hub.Partition]*projection.Follower{records: w.follower}, access.Mutual{}, w)
	w.queue = &laboratory.Queue{Reader: reader, Records: records, Writer: w.writer, Rules: use, Maps: w.maps}
	w.board = &laboratory.Board{Reader: reader, Records: records, Now: w.clock}
	return w
}

// lis maps messages that are a report in JSON.
type lis struct{}

// report is what a laboratory sends.
type report struct {
	Number, Specimen, Kind, Panel, Taken string
	Results                              []item
}

type item struct{ Code, Name, Value, Unit, Flag, Status string }

func (lis) Map(_ context.Context, member string, in *messages.Incoming) (*messages.Mapping, error) {
	var rep report
	if err := json.Unmarshal(in.Raw, &rep); err != nil {
		return nil, err
	}
	m := &messages.Mapping{Rules: "lis@1"}
	part := "report " + rep.Number
	add := func(typ, id, part, body string) string {
		m.Resources = append(m.Resources, messages.Resource{Name: hub.Name{Type: typ, ID: id}, Part: part, Body: []byte(strings.ReplaceAll(body, "\n", ""))})
		return typ + "/" + id
	}
	if rep.Panel == "" {
		rep.Panel = "生化"
	}
	patient := add("Patient", member+"-p1", "", `{"resourceType":"Patient","gender":"female","birthDate":"1980-02-03"}`)
	specimen := ""
	if rep.Specimen != "" {
		ref := add("Specimen", member+"-s"+rep.Specimen, "", fmt.Sprintf(`{"resourceType":"Specimen","identifier":[{"system":"urn:barcodes","value":%q}],"type":{"text":%q},"subject":{"reference":%q}}`, rep.Specimen, rep.Kind, patient))
		specimen = fmt.Sprintf(`,"specimen":{"reference":%q}`, ref)
	}
	var refs []string
	for i, r := range rep.Results {
		flag, taken, status := "", "", r.Status
		if r.Flag != "" {
			flag = fmt.Sprintf(`,"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":%q}]}]`, r.Flag)
		}
		if rep.Taken != "" {
			taken = fmt.Sprintf(`,"effectiveDateTime":%q`, rep.Taken)
		}
		if status == "" {
			status = "final"
		}
		ref := add("Observation", fmt.Sprintf("%s-o%s-%d", member, rep.Number, i), part, fmt.Sprintf(`{"resourceType":"Observation","status":%q,"code":{"coding":[{"system":"urn:lis","code":%q,"display":%q}]},"subject":{"reference":%q},
			"valueQuantity":{"value":%s,"unit":%q},"referenceRange":[{"low":{"value":1,"unit":%q}}]%s%s%s}`, status, r.Code, r.Name, patient, r.Value, r.Unit, r.Unit, specimen, taken, flag))
		refs = append(refs, fmt.Sprintf(`{"reference":%q}`, ref))
	}
	add("DiagnosticReport", member+"-r"+rep.Number, part, fmt.Sprintf(`{"resourceType":"DiagnosticReport","status":"final","code":{"text":%q},"subject":{"reference":%q},"result":[%s]}`, rep.Panel, patient, strings.Join(refs, ",")))
	return m, nil
}

func as(member string) access.Caller { return access.NewCaller(member, access.AllResources, "t") }

// send takes a report in and has what follows from it derived.
func (w *world) send(member string, rep report) *messages.Message {
	w.t.Helper()
	raw, _ := json.Marshal(rep)
	out, err := w.intake.Take(w.t.Context(), as(member), messages.Incoming{Format: "lis", Type: "R", Sender: "LIS", Raw: raw, Control: string(raw)})
	if err != nil {
		w.t.Fatal(err)
	}
	if out.Message.Status != messages.Mapped {
		w.t.Fatalf("%s: %+v", out.Message.Status, out.Message.Faults)
	}
	w.derive()
	return &out.Message
}

// write has a member write resources over FHIR.
func (w *world) write(member string, bodies ...string) {
	w.t.Helper()
	for _, body := range bodies {
		doc, err := fhir.Parse([]byte(body), fhir.Limits{})
		if err != nil {
			w.t.Fatal(err)
		}
		n := hub.Name{Type: doc.Type(), ID: doc.ID()}
		d := commit.Draft{Name: n, Body: func(version uint64, at time.Time) []byte { return doc.Splice(n.ID, version, at) }}
		if _, err := w.writer.Submit(w.t.Context(), commit.Write{Member: member, Names: []hub.Name{n}, Plan: plan(d)}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) derive() {
	w.t.Helper()
	for _, watch := range w.watches {
		for more := true; more; {
			var err error
			if more, err = watch.Advance(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// find searches, and returns the resources as text.
func (w *world) find(typ, query string) []string {
	w.t.Helper()
	pairs, err := fhir.Pairs(query)
	if err != nil {
		w.t.Fatal(err)
	}
	search, err := fhir.CompileSearch(typ, pairs, fhir.SearchOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	search.Query.Limit = 100
	page, err := w.follower.Search(w.t.Context(), search.Query)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, h := range page.Hits {
		rec, err := w.follower.Log().Record(w.t.Context(), h.Head.Loc)
		if err != nil {
			w.t.Fatal(err)
		}
		doc, err := fhir.Parse(rec.Body, fhir.Limits{})
		if err == nil && fhir.IsResourceType(rec.Name.Type) {
			err = doc.Check()
		}
		if err != nil {
			w.t.Errorf("%s is no FHIR: %v\n%s", rec.Name, err, rec.Body)
		}
		all = append(all, string(rec.Body))
	}
	return all
}
