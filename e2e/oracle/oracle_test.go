package oracle

import (
	"crypto/rand"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	compare(t, load(t, start(t, stores), token))
}

func TestTheHubOnMinioAndRedisAnswersAsTheSpecificationSays(t *testing.T) {
	definitions(t)
	stores := hubproc.Stores{Data: t.TempDir(), S3: startMinio(t), Redis: startRedis(t)}
	token := stores.Member(t, "village")
	compare(t, load(t, start(t, stores), token))
}

// publicURL is what clients know the hub by; references that begin with it are relative ones.
const publicURL = "http://hub.example"

func start(t *testing.T, stores hubproc.Stores) *hubproc.Hub {
	return hubproc.Start(t, stores, "--public-url", publicURL)
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

// compare asks the hub and the oracle the same queries.
func compare(t *testing.T, h *hub) {
	queries := number(queriesVariable, 10_000)
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
var known = []disagreement{
	{
		what:  "an element that is there but has nothing to search by (text alone, a contained resource) is not missing (search.html#modifiers)",
		about: func(p Pair) bool { return strings.HasSuffix(p.Name, ":missing") || strings.Contains(p.Value, " pr ") },
	},
	{
		what:  "_include of all parameters follows canonical references, too (search.html#include)",
		about: func(p Pair) bool { return strings.Contains(p.Name, "clude") && strings.HasSuffix(p.Value, ":*") },
	},
	{
		what: "the system of a code is that of its binding also where the element repeats (search.html#token)",
		about: func(p Pair) bool {
			return strings.Contains(p.Value, "/resource-types|") || strings.Contains(p.Value, "/allergy-intolerance-category|")
		},
	},
	{
		what: "_lastUpdated with an upper end finds what was written last, too (search.html#lastUpdated)",
		about: func(p Pair) bool {
			return strings.Contains(p.Name, "_lastUpdated") || strings.Contains(p.Value, "_lastUpdated")
		},
	},
	{
		what:  "le and ge hold of an interval that has just the number asked for in common (search.html#prefix)",
		about: func(p Pair) bool { return strings.Contains(p.Value, "le") || strings.Contains(p.Value, "ge") },
		bend:  func(s *Store) { s.Apart = true },
	},
	{
		what:  "a chained condition is evaluated inside of contained resources (search.html#contained)",
		about: func(p Pair) bool { return strings.Contains(p.Name, ".") || strings.Contains(p.Value, ".") },
		bend:  func(s *Store) { s.Flat = true },
	},
}

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

func (c *comparison) each(batch []Query, done func(i int, fault string)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(batch); i = int(next.Add(1)) - 1 {
				done(i, c.ask(batch[i]))
			}
		})
	}
	wg.Wait()
}

type comparison struct {
	*hub
	asked, hits atomic.Int64
	mu          sync.Mutex
	refused     map[string]int // by reason
	used        map[string]int // parameter names by kind
	excused     map[string]int // known disagreements that were met
}

func (c *comparison) refusals() (n int) {
	for _, times := range c.refused {
		n += times
	}
	return n
}

func (c *comparison) kinds() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(c.used)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, c.used[k]))
	}
	return strings.Join(parts, ", ")
}

// kindOf names what a query consists of, roughly.
func kindOf(q Query) string {
	var kinds []string
	if q.Compartment != "" {
		kinds = append(kinds, "compartment")
	}
	for _, p := range q.Pairs {
		name, modifier, _ := strings.Cut(p.Name, ":")
		switch {
		case strings.HasPrefix(name, "_"):
			kinds = append(kinds, name)
		case strings.Contains(p.Name, "."):
			kinds = append(kinds, "chain")
		case modifier != "":
			kinds = append(kinds, ":"+modifier)
		default:
			kinds = append(kinds, q.Type+"."+name)
		}
	}
	return strings.Join(kinds, " ")
}

// ask asks both and says how they differ; empty when they do not. A refusal is noted.
func (c *comparison) ask(q Query) string {
	c.asked.Add(1)
	want, err := c.store.Search(q)
	if err != nil {
		return "the oracle does not understand its own query: " + err.Error()
	}
	if len(want.Hits) > 0 {
		c.hits.Add(1)
	}
	c.note(q)
	fault := c.differ(q, want)
	for _, k := range known {
		if fault != "" && c.excuses(k, q) {
			c.mu.Lock()
			c.excused[k.what]++
			c.mu.Unlock()
			return ""
		}
	}
	if fault != "" && strings.Contains(q.address(), "ap") && c.turns(q, want) {
		return ""
	}
	return fault
}

// excuses reports whether a disagreement about q is the known one.
func (c *comparison) excuses(k disagreement, q Query) bool {
	if !slices.ContainsFunc(q.Pairs, k.about) {
		return false
	}
	if k.bend == nil {
		return true
	}
	bent := *c.store
	k.bend(&bent)
	other, err := bent.Search(q)
	return err == nil && c.differ(q, other) == ""
}

func (c *comparison) note(q Query) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range q.Pairs {
		name, modifier, _ := strings.Cut(p.Name, ":")
		switch {
		case name == "_include", name == "_revinclude", name == "_has", name == "_sort", name == "_filter", name == "_list":
			c.used[name]++
		case strings.Contains(p.Name, "."):
			c.used["chain"]++
		default:
			if d := c.store.Defs.Param(q.Type, name); d != nil {
				c.used[d.Type]++
			}
			if c.store.Defs.IsType(modifier) {
				modifier = "[type]"
			}
			if modifier != "" {
				c.used[":"+modifier]++
			}
		}
	}
}

// turns reports whether the answer depends on the minute, as that to ap does.
func (c *comparison) turns(q Query, now Answer) bool {
	for _, shift := range []time.Duration{-time.Hour, time.Hour} {
		other := *c.store
		other.Now = other.Now.Add(shift)
		if a, err := other.Search(q); err != nil || !slices.Equal(a.Hits, now.Hits) {
			return true
		}
	}
	return false
}

// differ asks the hub, page by page, and compares.
func (c *comparison) differ(q Query, want Answer) string {
	extra := []Pair{{"_count", strconv.Itoa(max(1, (len(want.Hits)+2)/3))}}
	switch n := len(want.Hits); {
	case n%5 == 1:
		extra = []Pair{{"_summary", "count"}}
	case n%2 == 0:
		extra = append(extra, Pair{"_total", "accurate"})
	}
	at, rest := q.address(extra...), want.Hits
	for pages := 0; ; pages++ {
		a, err := c.client.Get(at)
		if err != nil {
			return err.Error()
		}
		if a.Status != 200 {
			return c.refusal(pages, a)
		}
		p, err := readPage(a.Body)
		if err != nil {
			return err.Error()
		}
		if (extra[0].Name == "_summary" || len(extra) > 1 || p.total != "") && p.total != strconv.Itoa(len(want.Hits)) {
			return fmt.Sprintf("total is %q, want %d: %s", p.total, len(want.Hits), few(names(want.Hits)))
		}
		if extra[0].Name == "_summary" {
			if len(p.entries) > 0 {
				return "_summary=count has entries"
			}
			return ""
		}
		var hits, included []string
		for _, e := range p.entries {
			switch e.mode {
			case "match":
				hits = append(hits, e.name)
			case "include":
				included = append(included, e.name)
			}
		}
		if len(hits) > len(rest) || pages > 4 {
			return fmt.Sprintf("page %d has %v, %d hits are left: %s", pages, hits, len(rest), few(names(rest)))
		}
		due := rest[:len(hits)]
		for i, r := range due {
			if r.Name() != hits[i] {
				return fmt.Sprintf("page %d of %d, hit %d is %s, want %s\n got %s\nwant %s", pages, len(hits), i, hits[i], r.Name(), few(hits[i:]), few(names(due[i:])))
			}
		}
		slices.Sort(included)
		if w := want.Included(due); !slices.Equal(included, w) {
			return fmt.Sprintf("page %d includes %s\nwant %s", pages, few(except(included, w)), few(except(w, included)))
		}
		rest = rest[len(hits):]
		if p.next == "" {
			break
		}
		at = strings.TrimPrefix(p.next, publicURL)
	}
	if len(rest) > 0 {
		return fmt.Sprintf("%d hits of %d do not come, the first: %s", len(rest), len(want.Hits), few(names(rest)))
	}
	return ""
}

func except(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(other, n) })
}

func names(rs []*Resource) (list []string) {
	for _, r := range rs {
		list = append(list, r.Name())
	}
	return list
}

// few is the beginning of a list of names.
func few(list []string) string {
	if len(list) > 5 {
		return strings.Join(list[:5], " ") + " …"
	}
	return strings.Join(list, " ")
}

var quoted = regexp.MustCompile(`"[^"]*"`)

// refusal notes why the hub does not answer. Only client errors of a first page count as that.
func (c *comparison) refusal(pages int, a hubproc.Answer) string {
	outcome, err := decode(a.Body)
	if err != nil || pages > 0 || a.Status >= 500 && a.Status != 501 || outcome["resourceType"] != "OperationOutcome" {
		return fmt.Sprintf("page %d: %s", pages, a)
	}
	issues, _ := outcome["issue"].([]any)
	reason := strconv.Itoa(a.Status)
	for _, i := range issues {
		n := Node{Value: i}
		reason += " " + n.get("code") + ": " + quoted.ReplaceAllString(n.get("diagnostics"), `"…"`)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[reason]++
	return ""
}
