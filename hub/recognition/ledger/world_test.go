package ledger_test

import (
	"context"
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
	"concord/hub/projection"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/hub/recognition/ledger"
	"concord/internal/fhir"
	"concord/internal/memobjects"
	"concord/mappings"
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
	persons map[string][]string
}

func newHouse(t testing.TB) *house {
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	return &house{&memobjects.Store{}, index.Open(conn, index.StandardLayout(0)), map[string][]string{}}
}

// world is one hub's ledger in this process.
type world struct {
	*ledger.Ledger
	t      testing.TB
	follow *ledger.Follow
	house  *house
	stop   func() // orderly

	mu     sync.Mutex
	now    time.Time
	events []audit.Event
	saw    []ledger.Event
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

// morning is 10:00 in China.
var morning = time.Date(2026, 3, 5, 2, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, h *house) *world {
	t.Helper()
	catalogue, err := mappings.Recognition()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: morning, house: h}
	byType := map[string]hub.Projector{"hub.mark": projector(func([]byte) (hub.Entry, error) { return hub.Entry{}, nil })}
	log := &projection.Log{Objects: h.objects, Partition: records, Cache: projection.NewCache(64 << 20)}
	follower := projection.NewFollower(log, h.index, &projection.Projectors{Default: fhir.NewProjection(nil), ByType: byType})
	if err := follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	writer := commit.New(log, follower, commit.Options{Now: w.clock})
	t.Cleanup(writer.Close)
	w.Ledger = &ledger.Ledger{Follower: follower, Index: h.index, Writer: writer, Records: records, Now: w.clock,
		Reader:    lookup.New(h.index, h.objects, map[hub.Partition]*projection.Follower{records: follower}, access.Mutual{}, w),
		Catalogue: func() *recognition.Catalogue { return catalogue },
		Linked: func(_ context.Context, patient string) ([]string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return append([]string{patient}, h.persons[patient]...), nil
		},
		Observe: func(e ledger.Event, _ *ledger.Opportunity) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.saw = append(w.saw, e)
		}}
	w.Reader.Records = records
	w.follow = ledger.NewFollow(w.Ledger)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.Keep(ctx); close(done) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(w.stop)
	return w
}

// settle waits until what was offered is written, and has what follows derived.
func (w *world) settle() {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); w.Waiting() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatal("offers are not written")
		}
	}
	for more := true; more; {
		var err error
		if more, err = w.follow.Advance(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func as(member string) access.Caller { return access.NewCaller(member, access.AllResources, "t") }

var engineer = access.NewCaller("county", access.AllResources+" "+access.Integration, "e")

// put writes a version of a resource.
func (w *world) put(member, typ, id, body string) {
	w.t.Helper()
	n := hub.Name{Type: typ, ID: id}
	_, err := w.Writer.Submit(w.t.Context(), commit.Write{Member: member, Names: []hub.Name{n}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: n, Delete: body == "", Body: func(version uint64, at time.Time) []byte {
			doc, err := fhir.Parse([]byte(body), fhir.Limits{})
			if err != nil {
				w.t.Error(err)
				return []byte("{}")
			}
			return doc.Splice(id, version, at)
		}}}, nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// potassium writes a result of the village's laboratory.
func (w *world) potassium(id, patient, status, value string, taken time.Time) {
	w.t.Helper()
	w.put("village", "Observation", id, fmt.Sprintf(`{"resourceType":"Observation","status":%q,"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"subject":{"reference":%q},
		"effectiveDateTime":%q,"valueQuantity":{"value":%s,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`, status, patient, taken.Format(time.RFC3339), value))
}

// offer is one of potassium, recognisable by a result of the village.
type offer struct {
	patient, order, encounter, department, result, card string
	of                                                  string // Patient of the result, the patient's unless given
	producer, item                                      string
	outcome                                             recognition.Outcome
	unqualified                                         bool
	at                                                  time.Time
	version                                             uint64
}

func (w *world) made(o offer) ledger.Offer {
	w.t.Helper()
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&o.patient, "Patient/p")
	def(&o.of, o.patient)
	def(&o.result, "Observation/k")
	def(&o.producer, "village")
	def(&o.order, "ServiceRequest/draft-1")
	def(&o.item, "potassium")
	def((*string)(&o.outcome), "recognisable")
	if o.at.IsZero() {
		o.at = w.clock()
	}
	if o.version == 0 {
		o.version = 1
	}
	item := w.Catalogue().Item(o.item)
	if item == nil {
		w.t.Fatalf("the catalogue has no %s", o.item)
	}
	j := recognition.Judgement{ID: o.result, Outcome: o.outcome, Taken: recognition.At(morning.Add(-time.Hour)), Expires: morning.Add(6 * 24 * time.Hour)}
	if o.unqualified {
		j.Reasons = []recognition.Reason{{Code: recognition.NotQualified, Effect: recognition.Fail}}
	}
	d := recognition.Decision{Outcome: o.outcome, Item: item, Catalogue: "test-1", Time: o.at, Judgements: []recognition.Judgement{j}}
	if o.outcome == recognition.Recognisable {
		d.Saving = recognition.Money{Amount: 1250, Currency: "CNY"}
	}
	if o.outcome == recognition.Exempt {
		d.Override = "emergency"
	}
	typ, id, _ := strings.Cut(o.result, "/")
	return ledger.Offer{Patient: o.patient, Encounter: o.encounter, Department: o.department, Card: o.card, Hook: "order-select", At: o.at,
		Answer: advice.Answer{Order: advice.Order{ID: o.order, Exam: recognition.Exam{Codes: []recognition.Coding{{System: "http://loinc.org", Code: "2823-3"}}}}, Decision: d,
			Results: []advice.Result{{ID: o.result, Name: hub.Name{Type: typ, ID: id}, Version: o.version, Patient: o.of, Producer: o.producer}}}}
}

// offer offers, and returns the card.
func (w *world) offer(member string, o offer) string {
	w.t.Helper()
	made := w.made(o)
	if err := w.Offer(w.t.Context(), as(member), []ledger.Offer{made}); err != nil {
		w.t.Fatal(err)
	}
	if o.card != "" {
		return o.card
	}
	return w.CardID(member, made)
}

func (w *world) accept(member, card string) {
	w.t.Helper()
	if err := w.Feedback(w.t.Context(), as(member), ledger.Feedback{Card: card, Outcome: ledger.Accepted, At: w.clock()}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) decline(member, card, reason string) {
	w.t.Helper()
	if err := w.Feedback(w.t.Context(), as(member), ledger.Feedback{Card: card, Outcome: ledger.Overridden, Reason: reason, At: w.clock()}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) report(who access.Caller, f ledger.Filter) ledger.Report {
	w.t.Helper()
	r, err := w.Statistics(w.t.Context(), who, f)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// counted is a report's total as "offered 2, accepted 1", without zeros.
func counted(c ledger.Counts) string {
	var all []string
	for _, m := range ledger.Measures() {
		if n := c.Of[m]; n != 0 {
			all = append(all, fmt.Sprintf("%s %d", m, n))
		}
	}
	return strings.Join(all, ", ")
}

func (w *world) wants(what string) {
	w.t.Helper()
	if got := counted(w.report(engineer, ledger.Filter{}).Total); got != what {
		w.t.Errorf("counted %q, want %q", got, what)
	}
}

// find searches, and returns the resources as text; each must be right FHIR.
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
	page, err := w.Follower.Search(w.t.Context(), search.Query)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, h := range page.Hits {
		rec, err := w.Follower.Log().Record(w.t.Context(), h.Head.Loc)
		if err != nil {
			w.t.Fatal(err)
		}
		doc, err := fhir.Parse(rec.Body, fhir.Limits{})
		if err == nil {
			err = doc.Check()
		}
		if err != nil {
			w.t.Errorf("%s is no FHIR: %v\n%s", rec.Name, err, rec.Body)
		}
		all = append(all, string(rec.Body))
	}
	slices.Sort(all)
	return all
}

// versions is how many versions an opportunity has.
func (w *world) versions(card string) uint64 {
	w.t.Helper()
	heads, err := w.Follower.Heads(w.t.Context(), []hub.Name{{Type: "GuidanceResponse", ID: card}})
	if err != nil {
		w.t.Fatal(err)
	}
	return heads[0].Version
}
