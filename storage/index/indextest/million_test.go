package indextest_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
	"concord/storage/index"
)

// TestAMillion loads observations and says how long questions about them take. It is a measurement: CONCORD_MILLION
// names the server ("keeper", "redis" or "cluster"), CONCORD_MILLION_RECORDS how many, a million unless given.
func TestAMillion(t *testing.T) {
	which := os.Getenv("CONCORD_MILLION")
	if which == "" {
		t.Skip("set CONCORD_MILLION=redis to measure a million observations")
	}
	records := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("CONCORD_MILLION_RECORDS")); err == nil {
		records = n
	}
	for _, s := range servers() {
		if s.name == which {
			client := s.open(t)
			sent := &sentCommands{}
			client.AddHook(sent)
			ix, w := fresh(t, client), newWard(2000)
			before := 0.0
			if which == "redis" {
				before = usedMemory(t, client)
				w.info = func() string { return client.Info(context.Background(), "cpu").Val() }
			}
			load(t, ix, w, records)
			if which == "redis" {
				fmt.Printf("%.0f bytes a record\n", (usedMemory(t, client)-before)/float64(w.made))
				keyKinds(t, client, w.made)
			}
			ask(t, ix, w, sent)
		}
	}
}

// load applies commits of 51 and reports the pace of each tenth, and the work, in which making the entries is included.
func load(t *testing.T, ix *index.Index, w *ward, n int) {
	var mem runtime.MemStats
	var busy time.Duration
	worked := cpu(t, w)
	for tenth := 1; w.made < n; {
		seq, changes := w.commit()
		start := time.Now()
		if err := ix.Apply(t.Context(), records, seq, changes); err != nil {
			t.Fatal(err)
		}
		busy += time.Since(start)
		w.log.Commits[seq-1] = nil
		clear(w.log.Things)
		if w.made >= tenth*n/10 {
			runtime.ReadMemStats(&mem)
			now := cpu(t, w)
			fmt.Printf("%8d records: %6.0f a second, %3.0f µs of work each, heap %d MB\n", w.made, float64(n/10)/busy.Seconds(),
				1e6*(now-worked)/float64(n/10), mem.HeapAlloc>>20)
			tenth, busy, worked = tenth+1, 0, now
		}
	}
}

// cpu is the time that this process and the server have worked, in seconds. On a busy machine it says more than the
// clock does.
func cpu(t *testing.T, w *ward) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	seconds := func(v syscall.Timeval) float64 { return float64(v.Sec) + float64(v.Usec)/1e6 }
	sum := seconds(u.Utime) + seconds(u.Stime)
	if w.info != nil {
		for line := range strings.Lines(w.info()) {
			for _, field := range []string{"used_cpu_sys:", "used_cpu_user:"} {
				if rest, is := strings.CutPrefix(line, field); is {
					f, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
					sum += f
				}
			}
		}
	}
	return sum
}

// sentCommands counts what the index asks.
type sentCommands struct{ trips, commands atomic.Int64 }

func (*sentCommands) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*sentCommands) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (c *sentCommands) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.trips.Add(1)
		c.commands.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

type question struct {
	name string
	ask  func(rnd *rand.Rand) hub.Query
}

func ask(t *testing.T, ix *index.Index, w *ward, sent *sentCommands) {
	having := func(param, text string) hub.Clause {
		return hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Equals, Text: text}}}
	}
	within := func(param string, lo, hi float64) hub.Clause {
		return hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Within, LoMin: math.Inf(-1), LoMax: hi, HiMin: lo, HiMax: math.Inf(1)}}}
	}
	code := func(rnd *rand.Rand) hub.Clause {
		return having("code", "http://loinc.org|"+strconv.Itoa(1000+rnd.IntN(300)))
	}
	common := having("code", "http://loinc.org|999")
	usual := func(rnd *rand.Rand) hub.Clause {
		return having("code", "http://loinc.org|"+strconv.Itoa(989+rnd.IntN(10)))
	}
	newest := []hub.Sort{{Param: "date", Desc: true}}
	oldest := []hub.Sort{{Param: "date"}}
	q := func(sort []hub.Sort, all ...hub.Clause) hub.Query {
		return hub.Query{Type: "Observation", Sort: sort, Limit: 20, All: all}
	}
	month := func(rnd *rand.Rand) hub.Clause {
		from := 1.6e12 + 86.4e6*float64(rnd.IntN(1900))
		return within("date", from, from+30*86.4e6)
	}
	count := func(q hub.Query) hub.Query { q.Limit, q.Count = 0, true; return q }
	value := func(rnd *rand.Rand) hub.Clause {
		lo := float64(rnd.IntN(150))
		return within("value-quantity", lo, lo+20)
	}
	patients := func(rnd *rand.Rand, n int, routed bool) hub.Clause {
		c := hub.Clause{Param: "patient"}
		for range n {
			m := hub.Match{Text: w.patients[rnd.IntN(len(w.patients))]}
			if routed {
				m.Route = m.Text
			}
			c.Any = append(c.Any, m)
		}
		return c
	}
	for _, k := range []question{
		{"patient and code, newest first", func(rnd *rand.Rand) hub.Query {
			p := w.patients[rnd.IntN(len(w.patients))]
			x := q(newest, having("patient", p), common)
			x.Routes = []string{p}
			return x
		}},
		{"a patient's results, newest first", func(rnd *rand.Rand) hub.Query {
			p := w.patients[rnd.IntN(len(w.patients))]
			x := q(newest, having("patient", p), having("category", "laboratory"))
			x.Routes = []string{p}
			return x
		}},
		{"identifier", func(rnd *rand.Rand) hub.Query {
			return q(nil, having("identifier", "urn:oid:1.2.156.1|"+strconv.Itoa(1+rnd.IntN(w.made))))
		}},
		{"code in a month, by date", func(rnd *rand.Rand) hub.Query { return q(oldest, code(rnd), month(rnd)) }},
		{"code in a month, unsorted", func(rnd *rand.Rand) hub.Query { return q(nil, code(rnd), month(rnd)) }},
		{"common code in a month, newest first", func(rnd *rand.Rand) hub.Query { return q(newest, common, month(rnd)) }},
		{"common code since a day, by date", func(rnd *rand.Rand) hub.Query {
			return q(oldest, common, within("date", 1.6e12+86.4e6*float64(rnd.IntN(1900)), math.Inf(1)))
		}},
		{"common code, newest first", func(rnd *rand.Rand) hub.Query { return q(newest, common) }},
		{"code's values, newest first", func(rnd *rand.Rand) hub.Query { return q(newest, code(rnd), value(rnd)) }},
		{"code's values, unsorted", func(rnd *rand.Rand) hub.Query { return q(nil, code(rnd), value(rnd)) }},
		{"usual code in a month, newest first", func(rnd *rand.Rand) hub.Query { return q(newest, usual(rnd), month(rnd)) }},
		{"usual code in a month, unsorted", func(rnd *rand.Rand) hub.Query { return q(nil, usual(rnd), month(rnd)) }},
		{"usual code's values, newest first", func(rnd *rand.Rand) hub.Query { return q(newest, usual(rnd), value(rnd)) }},
		{"usual code's values, unsorted", func(rnd *rand.Rand) hub.Query { return q(nil, usual(rnd), value(rnd)) }},
		{"common code's values, newest first", func(rnd *rand.Rand) hub.Query { return q(newest, common, value(rnd)) }},
		{"common code's values, unsorted", func(rnd *rand.Rand) hub.Query { return q(nil, common, value(rnd)) }},
		{"values in all codes, newest first", func(rnd *rand.Rand) hub.Query { return q(newest, value(rnd)) }},
		{"everything, unsorted", func(rnd *rand.Rand) hub.Query { return q(nil) }},
		{"everything, newest first", func(rnd *rand.Rand) hub.Query { return q(newest) }},
		{"last updated since, newest first", func(rnd *rand.Rand) hub.Query {
			since := hub.Instant(time.Date(2024, 1, 1, 0, 0, rnd.IntN(w.made/51), 0, time.UTC))
			return q([]hub.Sort{{Param: hub.LastUpdated, Desc: true}}, within(hub.LastUpdated, since, math.Inf(1)))
		}},
		{"either of two codes, newest first", func(rnd *rand.Rand) hub.Query {
			return q(newest, hub.Clause{Either: [][]hub.Clause{{common, having("status", "final")}, {code(rnd)}}})
		}},
		{"either of two rare, newest first", func(rnd *rand.Rand) hub.Query {
			return q(newest, hub.Clause{Either: [][]hub.Clause{{code(rnd), having("performer", "Organization/7")}, {code(rnd), having("performer", "Organization/8")}}})
		}},
		{"500 of a patient's encounters, routed", func(rnd *rand.Rand) hub.Query {
			p := w.patients[rnd.IntN(len(w.patients))]
			c := hub.Clause{Param: "encounter"}
			for i := range 500 {
				c.Any = append(c.Any, hub.Match{Text: "Encounter/" + strconv.Itoa(i), Route: p})
			}
			c.Any = append(c.Any, hub.Match{Text: w.encounters[p], Route: p})
			x := q(nil, c)
			x.Limit = 1000
			return x
		}},
		{"a patient's 500, all", func(rnd *rand.Rand) hub.Query {
			x := q(nil, patients(rnd, 1, true))
			x.Limit = 1000
			return x
		}},
		{"1,000 patients, routed, newest first", func(rnd *rand.Rand) hub.Query { return q(newest, patients(rnd, 1000, true), code(rnd)) }},
		{"1,000 patients, not routed", func(rnd *rand.Rand) hub.Query { return q(newest, patients(rnd, 1000, false), code(rnd)) }},
		{"10,000 encounters, not routed", func(rnd *rand.Rand) hub.Query {
			c := hub.Clause{Param: "encounter"}
			for i := range 10_000 {
				c.Any = append(c.Any, hub.Match{Text: "Encounter/" + strconv.Itoa(i)})
			}
			for _, e := range w.encounters {
				if c.Any = append(c.Any, hub.Match{Text: e}); len(c.Any) == 10_100 {
					break
				}
			}
			return q(newest, c)
		}},
		{"count of one code", func(rnd *rand.Rand) hub.Query { return count(q(nil, common)) }},
		{"count of two clauses", func(rnd *rand.Rand) hub.Query { return count(q(nil, common, having("status", "final"))) }},
		{"count of three clauses", func(rnd *rand.Rand) hub.Query {
			return count(q(nil, common, having("status", "final"), having("category", "laboratory")))
		}},
		{"count of a month", func(rnd *rand.Rand) hub.Query { return count(q(nil, month(rnd))) }},
		{"count of a code in a month", func(rnd *rand.Rand) hub.Query { return count(q(nil, common, month(rnd))) }},
	} {
		if only := os.Getenv("CONCORD_MILLION_ONLY"); only != "" && !strings.Contains(k.name, only) {
			continue
		}
		line := fmt.Sprintf("%-40s", k.name)
		for _, clients := range []int{1, 8} {
			var mu sync.Mutex
			var wg sync.WaitGroup
			var took []time.Duration
			var hits, total int64
			before, trips, commands := cpu(t, w), sent.trips.Load(), sent.commands.Load()
			end := time.Now().Add(1500 * time.Millisecond)
			for c := range clients {
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(c), 9))
					for i := 0; i < 3 || time.Now().Before(end); i++ {
						q := k.ask(rnd)
						start := time.Now()
						page, err := ix.Search(context.Background(), []hub.Partition{records}, q)
						d := time.Since(start)
						if err != nil {
							t.Error(k.name, err)
							return
						}
						mu.Lock()
						took, hits, total = append(took, d), hits+int64(len(page.Hits)), total+page.Total
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			n := int64(max(1, len(took)))
			line += fmt.Sprintf("  %d: p50 %7.2f p99 %7.2f cpu %7.2f ms %5d commands in %2d trips (%5.1f hits, %d)", clients, ms(took[n/2]), ms(took[n*99/100]), 1000*(cpu(t, w)-before)/float64(n), (sent.commands.Load()-commands)/n, (sent.trips.Load()-trips)/n, float64(hits)/float64(n), total/n)
		}
		fmt.Println(line)
	}
}
