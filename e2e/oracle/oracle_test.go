package oracle

import (
	"crypto/rand"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/e2e/hubproc"
	"concord/storage/object/miniotest"
)

// Variables that a developer may set: how many queries each store is asked, with which seed, and whether to go on
// after a disagreement and list many of them instead of shrinking the first.
const (
	queriesVariable = "CONCORD_ORACLE_QUERIES"
	seedVariable    = "CONCORD_ORACLE_SEED"
	surveyVariable  = "CONCORD_ORACLE_SURVEY"
)

// mostRefused is the share of queries, in percent, that the hub may refuse as too costly or not supported.
const mostRefused = 5

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func TestTheHubOnTheKeeperAnswersAsTheSpecificationSays(t *testing.T) {
	definitions(t)
	stores := hubproc.Embedded(t)
	token := stores.Member(t, "village")
	agree(t, load(t, start(t, stores), token))
}

func TestTheHubOnMinioAndRedisAnswersAsTheSpecificationSays(t *testing.T) {
	definitions(t)
	stores := hubproc.Stores{Data: t.TempDir(), S3: startMinio(t), Redis: startRedis(t)}
	token := stores.Member(t, "village")
	agree(t, load(t, start(t, stores), token))
}

// publicURL is what clients know the hub by; references that begin with it are relative ones.
const publicURL = "http://hub.example"

func start(t *testing.T, stores hubproc.Stores) *hubproc.Hub {
	return hubproc.Start(t, stores, "--public-url", publicURL, "--link-patients=false") // the specification knows nothing of persons
}

func startMinio(t *testing.T) (url string) {
	binary := os.Getenv(miniotest.Binary)
	if binary == "" {
		missing(t, miniotest.Binary+" does not name a minio binary")
	}
	key, secret, address := strings.ToLower(rand.Text()[:12]), rand.Text(), hubproc.FreeAddress(t)
	p := hubproc.NewProcess(t, "minio", binary, "server", t.TempDir(), "--quiet", "--address", address)
	p.Setenv("MINIO_ROOT_USER", key)
	p.Setenv("MINIO_ROOT_PASSWORD", secret)
	p.Setenv("MINIO_BROWSER", "off")
	p.Setenv("MINIO_UPDATE", "off")
	p.Launch()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		a, err := http.Get("http://" + address + "/")
		if err == nil {
			a.Body.Close()
			if a.StatusCode == http.StatusForbidden { // it takes requests
				return fmt.Sprintf("http://%s:%s@%s/concord", key, secret, address)
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("MinIO: nothing after 20 s")
		}
	}
}

func startRedis(t *testing.T) (url string) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "redis-server is not in PATH")
	}
	address := hubproc.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	p := hubproc.NewProcess(t, "redis", binary, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no", "--loglevel", "warning")
	p.Launch()
	return "redis://" + address + "/0"
}

// agree asks a hub that has answered questions before it has everything.
func agree(t *testing.T, h *hub) {
	queries := number(queriesVariable, 10_000)
	compare(t, h, queries/5)
	h.grow(t)
	compare(t, h, queries-queries/5)
}

// compare asks the hub and the oracle the same queries.
func compare(t *testing.T, h *hub, queries int) {
	c := &comparison{hub: h, refused: map[string]int{}, used: map[string]int{}, excused: map[string]int{}}
	generator := NewGenerator(h.store).Query()
	began := time.Now()
	if os.Getenv(surveyVariable) != "" {
		c.survey(t, generator, queries)
	} else {
		c.check(t, generator, queries)
	}
	t.Logf("%d queries in %v: %d with hits, %d refused; by kind: %v", c.asked.Load(), time.Since(began).Round(time.Millisecond), c.hits.Load(), c.refusals(), c.kinds())
	for _, reason := range slices.SortedFunc(maps.Keys(c.refused), func(a, b string) int { return c.refused[b] - c.refused[a] }) {
		t.Logf("refused %6d times: %s", c.refused[reason], reason)
	}
	for _, k := range known {
		t.Logf("known, met %d times: %s", c.excused[k.what], k.what)
	}
	if share := 100 * c.refusals() / max(1, int(c.asked.Load())); share > mostRefused {
		t.Errorf("%d %% of the queries were refused; %d %% are allowed", share, mostRefused)
	}
	if share := 100 * c.hits.Load() / max(1, c.asked.Load()); share < 30 {
		t.Errorf("only %d %% of the queries had hits: they are not worth asking", share)
	}
}

// disagreement is one rule that the hub breaks.
type disagreement struct {
	what  string
	about func(Pair) bool // whether a parameter of a query can meet it
	bend  func(*Store)    // breaks the rule in the oracle, too: both then have to agree; nil where that cannot be said
}

// known are disagreements in which the hub is wrong and that are still to be mended. An entry that is met no more has
// to go.
var known = []disagreement{}

// workers ask at a time.
const workers = 4

// check draws queries until enough have been asked; the first disagreement is shrunk and shown.
func (c *comparison) check(t *testing.T, generator *rapid.Generator[Query], queries int) {
	set := func(name, value string) {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	set("rapid.checks", strconv.Itoa(queries))
	set("rapid.seed", strconv.Itoa(number(seedVariable, 20_000)))
	set("rapid.nofailfile", "true")
	batches := rapid.SliceOfN(generator, 1, 64)
	failed := false
	rapid.Check(t, func(rt *rapid.T) {
		if !failed && c.asked.Load() >= int64(queries) {
			return
		}
		batch := batches.Draw(rt, "queries")
		if !failed {
			batch = batch[:min(len(batch), queries-int(c.asked.Load()))]
		}
		faults := make([]string, len(batch))
		c.each(batch, func(i int, fault string) { faults[i] = fault })
		for i, fault := range faults {
			if fault != "" {
				failed = true
				rt.Fatalf("%s\n%s", batch[i].address(), fault)
			}
		}
	})
}

// survey goes on after disagreements and shows the first of each kind.
func (c *comparison) survey(t *testing.T, generator *rapid.Generator[Query], queries int) {
	var mu sync.Mutex
	kinds := map[string]int{}
	seed := number(seedVariable, 20_000)
	for from := 0; from < queries; from += 64 {
		var batch []Query
		for i := range min(64, queries-from) {
			batch = append(batch, generator.Example(seed+from+i))
		}
		c.each(batch, func(i int, fault string) {
			if fault == "" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			kind := kindOf(batch[i])
			if kinds[kind]++; kinds[kind] <= 2 {
				t.Errorf("%s\n%s", batch[i].address(), fault)
			}
		})
	}
	t.Logf("disagreements by kind: %v", kinds)
}
