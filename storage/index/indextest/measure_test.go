package indextest_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
	"concord/storage/index"
	"concord/storage/index/indextest"
	"concord/storage/keeper"
	"concord/storage/keeper/keepertest"
)

const records = hub.Partition("records")

// ward makes entries like those of a laboratory's Observations: commits of 51, each of one patient.
type ward struct {
	rnd      *rand.Rand
	log      *indextest.Log
	patients []string
	// encounters has the last one of each patient.
	encounters map[string]string
	made       int
	info       func() string // of the server's process, where it has one of its own
}

func newWard(patients int) *ward {
	w := &ward{rnd: rand.New(rand.NewPCG(1, 2)), log: indextest.NewLog(records), encounters: map[string]string{}}
	for range patients {
		w.patients = append(w.patients, "Patient/"+w.uuid())
	}
	return w
}

func (w *ward) uuid() string {
	a, b := w.rnd.Uint64(), w.rnd.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&0xffffffffffff)
}

func (w *ward) commit() (uint64, []hub.Change) {
	patient, encounter := w.patients[w.rnd.IntN(len(w.patients))], "Encounter/"+w.uuid()
	w.encounters[patient] = encounter
	for range 51 {
		w.log.Put(hub.Name{Type: "Observation", ID: w.uuid()}, w.observation(patient, encounter))
	}
	return w.log.Commit()
}

func (w *ward) observation(patient, encounter string) *hub.Entry {
	w.made++
	code := strconv.Itoa(1000 + w.rnd.IntN(300))
	if w.rnd.IntN(10) < 3 {
		code = "999" // what everybody has measured
	} else if w.rnd.IntN(2) == 0 {
		code = strconv.Itoa(989 + w.rnd.IntN(10)) // what many have
	}
	day := float64(1.6e12 + 1000*float64(w.rnd.IntN(2000*86400)))
	value := float64(w.rnd.IntN(2000)) / 10
	exact := func(param, s string) hub.Term { return hub.Term{Param: param, Text: s} }
	return &hub.Entry{Route: patient, Terms: []hub.Term{
		exact("status", "final"), exact("status", "http://hl7.org/fhir/observation-status|final"),
		exact("category", "laboratory"), exact("category", "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"),
		exact("category", "http://terminology.hl7.org/CodeSystem/observation-category|"), exact("_has", "category"),
		exact("code", code), exact("code", "http://loinc.org|"+code), exact("code", "http://loinc.org|"), exact("_has", "code"),
		exact("subject", patient), exact("patient", patient), exact("encounter", encounter), exact("_has", "subject"),
		exact("performer", "Organization/"+strconv.Itoa(w.made%40)), exact("_profile", "http://example.org/profile"),
		exact("_source", "urn:member:"+strconv.Itoa(w.made%40)), exact("_member", "m"+strconv.Itoa(w.made%40)),
		exact("identifier", "urn:oid:1.2.156.1|"+strconv.Itoa(w.made)), exact("identifier", strconv.Itoa(w.made)), exact("identifier", "urn:oid:1.2.156.1|"),
		exact("value-quantity:unit", "http://unitsofmeasure.org|mmol/L"),
		{Param: "date", Kind: hub.Range, Lo: day, Hi: day + 999},
		{Param: "value-quantity", Kind: hub.Range, Lo: value - 0.05, Hi: value + 0.05},
		{Param: "combo-value-quantity", Kind: hub.Range, Lo: value - 0.05, Hi: value + 0.05},
		{Param: "code:text", Kind: hub.Text, Text: "item number " + code},
	}}
}

type server struct {
	name string
	open func(testing.TB) redis.UniversalClient
}

func servers() []server {
	return []server{
		{"keeper", func(t testing.TB) redis.UniversalClient {
			k := keeper.New(keeper.Options{})
			t.Cleanup(func() { k.Close() })
			return index.ConnectLocal(k)
		}},
		{"redis", func(t testing.TB) redis.UniversalClient {
			client, _ := index.Connect("redis://" + keepertest.StartRedis(t))
			return client
		}},
		{"cluster", func(t testing.TB) redis.UniversalClient {
			client, _ := index.Connect("redis://" + strings.Join(keepertest.StartCluster(t), ","))
			return client
		}},
	}
}

func fresh(t testing.TB, client redis.UniversalClient) *index.Index {
	t.Cleanup(func() { client.Close() })
	ix := index.Open(client, index.StandardLayout(1))
	if _, err := ix.Begin(context.Background(), records); err != nil {
		t.Fatal(err)
	}
	return ix
}

func BenchmarkApply(b *testing.B) {
	for _, s := range servers() {
		b.Run(s.name, func(b *testing.B) {
			ix, w := fresh(b, s.open(b)), newWard(200)
			for b.Loop() {
				b.StopTimer()
				seq, changes := w.commit()
				b.StartTimer()
				if err := ix.Apply(b.Context(), records, seq, changes); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*51)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, s := range servers() {
		ix, w := fresh(b, s.open(b)), newWard(100)
		for range 1000 {
			seq, changes := w.commit()
			if err := ix.Apply(b.Context(), records, seq, changes); err != nil {
				b.Fatal(err)
			}
		}
		patient := w.patients[7]
		having := func(param, text string) hub.Clause {
			return hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Equals, Text: text}}}
		}
		newest := []hub.Sort{{Param: "date", Desc: true}}
		for name, q := range map[string]hub.Query{
			"of a patient, newest first": {Type: "Observation", Routes: []string{patient}, Sort: newest, Limit: 20,
				All: []hub.Clause{having("patient", patient), having("category", "laboratory"), having("status", "final")}},
			"exact in all slots, rare":   {Type: "Observation", Limit: 20, All: []hub.Clause{having("identifier", "urn:oid:1.2.156.1|777")}},
			"exact in all slots, common": {Type: "Observation", Limit: 20, Sort: newest, All: []hub.Clause{having("status", "final"), having("code", "1001")}},
			"everything, newest first":   {Type: "Observation", Limit: 20, Sort: newest},
		} {
			b.Run(s.name+"/"+name, func(b *testing.B) {
				var took []time.Duration
				for b.Loop() {
					start := time.Now()
					page, err := ix.Search(b.Context(), []hub.Partition{records}, q)
					took = append(took, time.Since(start))
					if err != nil || len(page.Hits) == 0 {
						b.Fatal(page, err)
					}
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			})
		}
	}
}

// BenchmarkMemory loads 200,000 records into a Redis and says what each kind of key takes; run it with -benchtime 1x.
func BenchmarkMemory(b *testing.B) {
	client, _ := index.Connect("redis://" + keepertest.StartRedis(b))
	ix, w := fresh(b, client), newWard(4000)
	before := usedMemory(b, client)
	start := time.Now()
	for w.made < 200_000 {
		seq, changes := w.commit()
		if err := ix.Apply(b.Context(), records, seq, changes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w.made)/time.Since(start).Seconds(), "records/s")
	b.ReportMetric((usedMemory(b, client)-before)/float64(w.made), "bytes/record")
	keyKinds(b, client, w.made)
}

// keyKinds prints what each kind of key takes.
func keyKinds(b testing.TB, client redis.UniversalClient, made int) {
	kinds, keys := map[string]float64{}, map[string]int{}
	iter := client.(*redis.Client).Scan(b.Context(), 0, "*", 5000).Iterator()
	var batch []string
	flush := func() {
		pipe := client.Pipeline()
		var cmds []*redis.IntCmd
		for _, k := range batch {
			cmds = append(cmds, pipe.MemoryUsage(b.Context(), k, 5))
		}
		if _, err := pipe.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
		for i, k := range batch {
			_, kind, _ := strings.Cut(k, "}:")
			parts := strings.SplitN(kind, ":", 4)
			switch kind = parts[0]; {
			case kind == "c":
				kind += ":" + parts[1]
			case kind != "k" && kind != "h" && kind != "u" && len(parts) > 2:
				kind += ":" + parts[2]
			}
			kinds[kind] += float64(cmds[i].Val())
			keys[kind]++
		}
		batch = batch[:0]
	}
	for iter.Next(b.Context()) {
		if batch = append(batch, iter.Val()); len(batch) == 5000 {
			flush()
		}
	}
	flush()
	var table bytes.Buffer
	for kind, bytes := range kinds {
		fmt.Fprintf(&table, "\n%8.1f bytes/record in %6d keys of %s", bytes/float64(made), keys[kind], kind)
	}
	lines := strings.Split(table.String(), "\n")
	slices.Sort(lines)
	fmt.Fprintln(os.Stderr, strings.Join(lines, "\n")) // b.Log keeps ten lines only
}

func usedMemory(b testing.TB, client redis.UniversalClient) float64 {
	info := client.Info(context.Background(), "memory").Val()
	_, rest, _ := strings.Cut(info, "used_memory:")
	n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
