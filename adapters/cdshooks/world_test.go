package cdshooks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"concord/adapters/cdshooks"
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

// members are a village and a county hospital.
type members struct{}

func (members) Member(id string) (access.Member, bool) {
	m, ok := map[string]access.Member{
		"village": {ID: "village", Name: "柳林村卫生室", Tier: access.Community},
		"county":  {ID: "county", Name: "县人民医院", Tier: access.Lead},
		"evil":    {ID: "evil", Name: "<img src=x onerror=alert(1)> [click](javascript:x) ![x](http://e.example)", Tier: access.Lead},
	}[id]
	return m, ok
}

// book is a ledger that only remembers.
type book struct {
	mu       sync.Mutex
	offers   []ledger.Offer
	feedback []ledger.Feedback
}

func (b *book) Offer(_ context.Context, _ access.Caller, offers []ledger.Offer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offers = append(b.offers, offers...)
	return nil
}

func (b *book) Feedback(_ context.Context, _ access.Caller, f ledger.Feedback) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.feedback = append(b.feedback, f)
	return nil
}

// world is one hub with CDS Hooks in this process.
type world struct {
	t       testing.TB
	url     string
	writer  *commit.Committer
	adviser *advice.Adviser
	book    *book
	mu      sync.Mutex
	events  []audit.Event
}

func (w *world) Note(_ context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

func start(t testing.TB, change ...func(*cdshooks.Deps)) *world {
	t.Helper()
	gin.SetMode(gin.TestMode)
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	objects, ix := &memobjects.Store{}, index.Open(conn, index.StandardLayout(0))
	log := &projection.Log{Objects: objects, Partition: records, Cache: projection.NewCache(64 << 20)}
	follower := projection.NewFollower(log, ix, &projection.Projectors{Default: fhir.NewProjection(nil)})
	if err := follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	catalogue, err := mappings.Recognition()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, writer: commit.New(log, follower, commit.Options{}), book: &book{}}
	t.Cleanup(w.writer.Close)
	reader := lookup.New(ix, objects, map[hub.Partition]*projection.Follower{records: follower}, access.Mutual{}, w)
	reader.Records = records
	w.adviser = &advice.Adviser{
		Reader: reader, Records: records, Catalogue: func() *recognition.Catalogue { return catalogue }, Members: members{}, Now: time.Now, BodyTerm: mappings.BodyTerm,
		Retrievable:   func(context.Context, string) (bool, error) { return true, nil },
		Qualification: func(string, string, time.Time, string) (recognition.Fact, string) { return recognition.Yes, "全国HR" },
	}
	deps := cdshooks.Deps{Adviser: w.adviser, Ledger: w.book, PublicURL: "https://hub.example", Viewer: "https://viewer.example/?study={study}", Now: time.Now,
		Limits: cdshooks.Limits{Budget: 20 * time.Second}}
	for _, f := range change {
		f(&deps)
	}
	engine := gin.New()
	group := engine.Group("/cds-services", func(c *gin.Context) {
		scope := c.GetHeader("Test-Scope")
		if scope == "" {
			scope = access.AllResources
		}
		c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), access.NewCaller(c.GetHeader("Test-Member"), scope, "t")))
	})
	cdshooks.Mount(group, deps)
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	w.url = server.URL + "/cds-services"
	return w
}

// write commits a resource of a member.
func (w *world) write(member, body string) {
	w.t.Helper()
	doc, err := fhir.Parse([]byte(body), fhir.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	n := hub.Name{Type: doc.Type(), ID: doc.ID()}
	_, err = w.writer.Submit(w.t.Context(), commit.Write{Member: member, Names: []hub.Name{n}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: n, Body: func(version uint64, at time.Time) []byte { return doc.Splice(n.ID, version, at) }}}, nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// creatinine is a result of a patient, taken some time ago.
func creatinine(id, patient string, ago time.Duration, more string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"14682-9"}],"text":"肌酐"},
		"subject":{"reference":"Patient/%s"},"effectiveDateTime":"%s","valueQuantity":{"value":78,"unit":"umol/L","system":"http://unitsofmeasure.org","code":"umol/L"}%s}`,
		id, patient, time.Now().Add(-ago).UTC().Format(time.RFC3339), more)
}

// coded is a result of another item.
func coded(id, patient, loinc string, ago time.Duration) string {
	unit := map[string]string{"14682-9": "umol/L", "14933-6": "umol/L", "1742-6": "U/L", "1920-8": "U/L", "2324-2": "U/L"}[loinc]
	if unit == "" {
		unit = "mmol/L"
	}
	return strings.NewReplacer("14682-9", loinc, "umol/L", unit, "肌酐", "").Replace(creatinine(id, patient, ago, ""))
}

// order is a draft.
func order(id, patient, loinc, more string) string {
	return fmt.Sprintf(`{"resource":{"resourceType":"ServiceRequest","id":"%s","status":"draft","intent":"order","subject":{"reference":"Patient/%s"},
		"code":{"coding":[{"system":"http://loinc.org","code":"%s"}]}%s}}`, id, patient, loinc, more)
}

const instance = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"

// selecting is an order-select hook with drafts that are all selected.
func selecting(patient string, drafts ...string) string {
	var names []string
	for _, d := range drafts {
		v, err := fhir.Parse([]byte(d), fhir.Limits{})
		if err != nil {
			panic(err)
		}
		r := v.Root().Get("resource")
		names = append(names, `"`+r.Get("resourceType").Text()+"/"+r.Get("id").Text()+`"`)
	}
	return fmt.Sprintf(`{"hook":"order-select","hookInstance":"%s","context":{"userId":"Practitioner/d1","patientId":"%s","selections":[%s],
		"draftOrders":{"resourceType":"Bundle","type":"collection","entry":[%s]}}}`, instance, patient, strings.Join(names, ","), strings.Join(drafts, ","))
}

// reply is what came back.
type reply struct {
	status int
	body   []byte
	Cards  []shown `json:"cards"`
	Issue  []struct {
		Diagnostics string
		Expression  []string
	} `json:"issue"`
}

// shown is a card as a client reads it.
type shown struct {
	UUID, Summary, Detail, Indicator, SelectionBehavior string
	Source                                              struct {
		Label, URL, Icon string
		Topic            struct{ Code, System, Display string }
	}
	Links       []struct{ Label, URL, Type string }
	Suggestions []struct {
		Label, UUID string
		Actions     []struct {
			Type, Description, ResourceID string
			Resource                      json.RawMessage
		}
	}
	OverrideReasons []struct{ Code, System, Display string }
}

// ask posts to a path below /cds-services as a member; headers are "Name: value".
func (w *world) ask(member, path, body string, headers ...string) reply {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Test-Member", member)
	req.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	out := reply{status: res.StatusCode}
	if out.body, err = io.ReadAll(res.Body); err != nil {
		w.t.Fatal(err)
	}
	if len(out.body) > 0 {
		if err := json.Unmarshal(out.body, &out); err != nil {
			w.t.Fatalf("%s: %v: %s", path, err, out.body)
		}
	}
	return out
}

// cards is ask that wants so many cards.
func (w *world) cards(n int, member, path, body string, headers ...string) reply {
	w.t.Helper()
	r := w.ask(member, path, body, headers...)
	if r.status != 200 || len(r.Cards) != n {
		w.t.Fatalf("%s: status %d, %d cards, want %d\n%.3000s", path, r.status, len(r.Cards), n, r.body)
	}
	return r
}
