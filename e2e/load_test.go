package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/sample"
)

// system is that of the identifiers by which the load finds its resources again; each value is used once.
const system = "urn:concord:e2e"

// ledger is what was sent and what of it the hub acknowledged. A write is unknown when no whole answer came, or 503:
// it may have happened or not.
type ledger struct {
	name         string // begins the identifiers of its load
	mu           sync.Mutex
	acknowledged map[string]resource // by identifier
	unknown      map[string]bool     // identifiers
	transactions [][]string          // the identifiers of each, whatever became of it
	updated      map[string][]string // Patient/id: the marks of its versions as acknowledged, by version − 1; "" where unknown
	instances    []instance
	writes       atomic.Int64 // acknowledged
	clients      int          // that have written so far
}

type resource struct {
	name string // Patient/id
	body []byte // as acknowledged; nil for entries of a transaction
}

type instance struct {
	file         sample.File
	acknowledged bool
}

func newLedger(name string) *ledger {
	return &ledger{name: name, acknowledged: map[string]resource{}, unknown: map[string]bool{}, updated: map[string][]string{}}
}

func (l *ledger) acknowledge(identifier string, r resource) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged[identifier] = r
	delete(l.unknown, identifier)
	l.writes.Add(1)
}

func (l *ledger) doubt(identifiers ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range identifiers {
		l.unknown[id] = true
	}
}

// version notes that the hub acknowledged mark as a version, and complains when it acknowledged another before.
func (l *ledger) version(t testing.TB, name string, version int, mark string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.updated[name]) < version {
		l.updated[name] = append(l.updated[name], "")
	}
	if before := l.updated[name][version-1]; before != "" && before != mark {
		t.Errorf("version %d of %s was acknowledged to %s and to %s", version, name, before, mark)
	}
	l.updated[name][version-1] = mark
	l.writes.Add(1)
}

// load is one client that writes without pause until its time is over. Its hub may be down at any moment.
type load struct {
	t      *testing.T
	c      *hubproc.Client
	ledger *ledger
	name   string // begins all its identifiers
	seed   uint64
	dice   *rand.Rand
	n      int
}

// shared is the patient that all clients update, each with the version it read last.
const shared = "Patient/shared"

// startLoad runs that many clients, spread over the hubs, until stop is called; stop returns when they have ended.
func startLoad(t *testing.T, l *ledger, clients int, hubs ...*hubproc.Client) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range clients {
		l.clients++
		i := l.clients
		c := *hubs[i%len(hubs)]
		c.HTTP = hubproc.NewClient(c.Base, c.Token).HTTP
		name := fmt.Sprintf("%s-%d", l.name, i)
		seed := fnv.New64a()
		seed.Write([]byte(name))
		ld := &load{t: t, c: &c, ledger: l, name: name, seed: seed.Sum64(), dice: rand.New(rand.NewPCG(seed.Sum64(), 7))}
		wg.Go(func() { ld.run(done) })
	}
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}

func (ld *load) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
		}
		ok := true
		switch k := ld.dice.IntN(10); {
		case k < 4:
			ok = ld.create()
		case k < 6:
			ok = ld.transaction()
		case k < 7:
			ok = ld.update("Patient/"+ld.name, false)
		case k < 8:
			ok = ld.update(shared, true)
		default:
			ok = ld.store()
		}
		if !ok {
			time.Sleep(10 * time.Millisecond) // the hub is down
		}
	}
}

func (ld *load) identifier() string {
	ld.n++
	return fmt.Sprintf("%s-%d", ld.name, ld.n)
}

// outcome sorts an answer: acknowledged, or unknown. Everything else is a fault of the hub.
func (ld *load) outcome(what string, a hubproc.Answer, err error, acknowledged ...int) bool {
	if err != nil {
		return false
	}
	for _, status := range acknowledged {
		if a.Status == status {
			return true
		}
	}
	if a.Status != http.StatusServiceUnavailable {
		ld.t.Errorf("%s: %s", what, a)
	} else if a.Header.Get("Retry-After") == "" {
		ld.t.Errorf("%s: 503 without Retry-After", what)
	}
	return false
}

func patient(identifier string) []byte {
	return fmt.Appendf(nil, `{"resourceType":"Patient","identifier":[{"system":%q,"value":%q}],"gender":"unknown"}`, system, identifier)
}

func (ld *load) create() bool {
	id := ld.identifier()
	a, err := ld.c.JSON("POST", "/fhir/Patient", patient(id))
	if ld.outcome("create", a, err, http.StatusCreated) {
		ld.ledger.acknowledge(id, resource{nameOf(a.Body), a.Body})
		return true
	}
	if ld.ledger.doubt(id); ld.dice.IntN(2) == 0 {
		return false
	}
	for range 200 { // what a careful client does: ask again with a condition
		time.Sleep(10 * time.Millisecond)
		a, err = ld.c.JSON("POST", "/fhir/Patient", patient(id), "If-None-Exist: identifier="+url.QueryEscape(system+"|"+id))
		if ld.outcome("conditional create", a, err, http.StatusCreated, http.StatusOK) {
			ld.ledger.acknowledge(id, resource{nameOf(a.Body), a.Body})
			return true
		}
	}
	return false
}

func nameOf(body []byte) string {
	var r struct{ ResourceType, ID string }
	_ = json.Unmarshal(body, &r)
	return r.ResourceType + "/" + r.ID
}

func (ld *load) transaction() bool {
	const observations = 3
	ids := make([]string, observations+1)
	entries := make([]string, len(ids))
	for i := range ids {
		ids[i] = ld.identifier()
		typ, full, body := "Patient", "urn:uuid:"+sample.UUID(ld.seed+uint64(ld.n), "transaction", i), string(patient(ids[i]))
		if i > 0 {
			typ = "Observation"
			body = fmt.Sprintf(`{"resourceType":"Observation","status":"final","identifier":[{"system":%q,"value":%q}],"code":{"text":"x"},"subject":{"reference":%q}}`,
				system, ids[i], "urn:uuid:"+sample.UUID(ld.seed+uint64(ld.n-i), "transaction", 0))
		}
		entries[i] = fmt.Sprintf(`{"fullUrl":%q,"resource":%s,"request":{"method":"POST","url":%q}}`, full, body, typ)
	}
	a, err := ld.c.JSON("POST", "/fhir", fmt.Appendf(nil, `{"resourceType":"Bundle","type":"transaction","entry":[%s]}`, strings.Join(entries, ",")))
	ld.ledger.mu.Lock()
	ld.ledger.transactions = append(ld.ledger.transactions, ids)
	ld.ledger.mu.Unlock()
	if !ld.outcome("transaction", a, err, http.StatusOK) {
		ld.ledger.doubt(ids...)
		return false
	}
	response := hubproc.Decode[struct {
		Entry []struct{ Response struct{ Location string } }
	}](ld.t, a)
	for i, e := range response.Entry {
		name, _, _ := strings.Cut(e.Response.Location, "/_history")
		parts := strings.Split(name, "/")
		ld.ledger.acknowledge(ids[i], resource{name: strings.Join(parts[max(0, len(parts)-2):], "/")})
	}
	return true
}

// update writes the next version of a patient under If-Match. When others write to it too, 412 is no surprise.
func (ld *load) update(name string, contended bool) bool {
	read, err := ld.c.Get("/fhir/" + name)
	if err != nil || read.Status == http.StatusServiceUnavailable {
		return false
	}
	version, condition := 0, []string(nil)
	if read.Status == http.StatusOK {
		fmt.Sscanf(read.Header.Get("ETag"), `W/"%d"`, &version)
		condition = []string{fmt.Sprintf(`If-Match: W/"%d"`, version)}
	} else if contended {
		ld.t.Errorf("read %s: %s", name, read)
		return false
	}
	mark := ld.identifier()
	_, id, _ := strings.Cut(name, "/")
	body := fmt.Appendf(nil, `{"resourceType":"Patient","id":%q,"identifier":[{"system":%q,"value":%q}]}`, id, system, mark)
	a, err := ld.c.JSON("PUT", "/fhir/"+name, body, condition...)
	if contended && err == nil && a.Status == http.StatusPreconditionFailed {
		return true
	}
	if !ld.outcome("update", a, err, http.StatusOK, http.StatusCreated) {
		return false
	}
	got := 0
	fmt.Sscanf(a.Header.Get("ETag"), `W/"%d"`, &got)
	if got != version+1 {
		ld.t.Errorf("an update of version %d of %s was acknowledged as version %d", version, name, got)
	}
	ld.ledger.version(ld.t, name, got, mark)
	return true
}

func (ld *load) store() bool {
	ld.n++
	files := series(ld.t, ld.seed+uint64(ld.n), 1+ld.dice.IntN(2))
	bodies := make([][]byte, len(files))
	for i, f := range files {
		bodies[i] = f.Bytes()
	}
	a, err := ld.c.Store(bodies...)
	ok := ld.outcome("store", a, err, http.StatusOK, http.StatusAccepted)
	failed := ok && (bytes.Contains(a.Body, []byte(`"00081198"`)) || bytes.Contains(a.Body, []byte(`"0008119A"`))) // some of them: 202
	ld.ledger.mu.Lock()
	defer ld.ledger.mu.Unlock()
	for _, f := range files {
		ld.ledger.instances = append(ld.ledger.instances, instance{f, ok && !failed})
	}
	if ok {
		ld.ledger.writes.Add(1)
	}
	return ok
}

// series makes a study of one small series.
func series(t testing.TB, seed uint64, slices int) []sample.File {
	var files []sample.File
	for f, err := range sample.CTSeries(seed, sample.Options{Slices: slices, Rows: 16, Columns: 16, Time: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}) {
		if err != nil {
			t.Error(err)
			return nil
		}
		files = append(files, f)
	}
	return files
}
