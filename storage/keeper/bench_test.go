package keeper

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// dialClient is a go-redis client of k.
func dialClient(t testing.TB, k *Keeper) *redis.Client {
	c := redis.NewClient(&redis.Options{Dialer: k.Dial, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// writes collects one commit's index writes by key, as the index does.
type writes struct {
	sets, hashes map[string][]any
	zsets        map[string][]redis.Z
	n            int
}

func (w *writes) sadd(key string, id any) { w.sets[key] = append(w.sets[key], id); w.n++ }
func (w *writes) hset(key string, field, val any) {
	w.hashes[key] = append(w.hashes[key], field, val)
	w.n++
}
func (w *writes) zadd(key string, score float64, member any) {
	w.zsets[key] = append(w.zsets[key], redis.Z{Score: score, Member: member})
	w.n++
}

// record adds what one laboratory result writes: 25 entries, of which six are keys or members of its own.
func (w *writes) record(rnd *rand.Rand, id int) {
	patient := id / 12
	slot := patient * 2654435761 % 64
	r := fmt.Sprintf("{r%02d}:", slot)
	name := fmt.Sprintf("Observation/%08x-%04x-4%03x", rnd.Uint32(), id&0xffff, id>>16)
	w.hset(fmt.Sprintf("{r%02d}:k:%x", id%64, id*40503%16384), name, fmt.Sprintf("%d %d", id, slot))
	w.hset(r+"h:"+strconv.Itoa(id>>7), id, "\x01\x02\x03\x04\x05\x06\x07\x08packed head.")
	w.hset(r+"v:"+strconv.Itoa(id), "1", "12345 678 901")
	w.sadd(r+"a:Observation", id)
	exact := func(param, value string) { w.sadd(r+"e:Observation:"+param+":"+value, id) }
	exact("status", "final")
	exact("category", "laboratory")
	exact("category", "http://terminology.hl7.org/CodeSystem/observation-category|laboratory")
	code := strconv.Itoa(rnd.IntN(300))
	exact("code", code)
	exact("code", "http://loinc.org|"+code)
	exact("subject", "Patient/"+strconv.Itoa(patient))
	exact("patient", "Patient/"+strconv.Itoa(patient))
	exact("encounter", "Encounter/"+strconv.Itoa(id/4))
	exact("performer", "Organization/"+strconv.Itoa(rnd.IntN(40)))
	exact("identifier", fmt.Sprintf("urn:lab|%010d", id))
	exact("_source", "member-"+strconv.Itoa(rnd.IntN(40)))
	exact("_tag", "routine")
	exact("specimen", "Specimen/"+strconv.Itoa(id/2))
	text := func(param, value string) { w.zadd(r+"l:Observation:"+param, 0, value+"\x00"+strconv.Itoa(id)) }
	text("code-text", "serum analyte "+code)
	text("note", "result "+strconv.Itoa(rnd.IntN(1e6)))
	span := func(param string, lo, hi float64) {
		w.zadd(r+"n:Observation:"+param, lo, id)
		w.zadd(r+"x:Observation:"+param, hi, id)
	}
	date := float64(1.6e12 + rnd.Int64N(1e11))
	span("date", date, date+86399999)
	span("_lastUpdated", 1.7e12+float64(id), 1.7e12+float64(id))
	value := float64(rnd.IntN(5000)) / 10
	span("value-quantity", value, value)
}

// fill writes n records in commits, each one transaction.
func fill(tb testing.TB, client *redis.Client, n, perCommit int) (entries int) {
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(1, 2))
	for id := 1; id <= n; {
		w := writes{sets: map[string][]any{}, hashes: map[string][]any{}, zsets: map[string][]redis.Z{}}
		for ; id <= n && (w.n == 0 || id%perCommit != 0); id++ {
			w.record(rnd, id)
		}
		entries += w.n
		err := client.Watch(ctx, func(tx *redis.Tx) error {
			if err := tx.MGet(ctx, "{r}:applied", "{r00}:applied").Err(); err != nil {
				return err
			}
			_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				for key, args := range w.sets {
					p.SAdd(ctx, key, args...)
				}
				for key, args := range w.hashes {
					p.HSet(ctx, key, args...)
				}
				for key, args := range w.zsets {
					p.ZAdd(ctx, key, args...)
				}
				p.Set(ctx, "{r}:applied", id, 0)
				return nil
			})
			return err
		}, "{r}:applied")
		if err != nil {
			tb.Fatal(err)
		}
	}
	return entries
}

// BenchmarkRecords fills a keeper with records, a million unless -short, and reports speed, memory and restart.
// Run it with -benchtime 1x.
func BenchmarkRecords(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	for range b.N {
		k := New(Options{First: []string{"r"}})
		// Not dialClient: its cleanup would keep this keeper in memory until the end.
		client := redis.NewClient(&redis.Options{Dialer: k.Dial, Protocol: 2, DisableIdentity: true})
		began, spent := time.Now(), processorTime()
		entries := fill(b, client, n, 500)
		took := time.Since(began)
		b.ReportMetric(float64(n)/took.Seconds(), "records/s")
		b.ReportMetric(float64(n)/(processorTime()-spent).Seconds(), "records/cpu-s") // tells more on a busy machine
		b.ReportMetric(float64(entries)/float64(n), "entries/record")
		b.Logf("filled %d records in %v; resident %d MiB", n, took, resident()>>20)
		began = time.Now()
		runtime.GC()
		b.Logf("one garbage collection %v", time.Since(began))
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/float64(n), "heapB/record")
		b.ReportMetric(float64(resident())/(1<<20), "residentMiB")
		for _, line := range k.sizes() {
			b.Log(line)
		}
		var snapshot bytes.Buffer
		began = time.Now()
		if err := k.SnapshotTo(&snapshot); err != nil {
			b.Fatal(err)
		}
		b.Logf("snapshot of %d MiB written in %v", snapshot.Len()>>20, time.Since(began))
		_ = client.Close()
		_ = k.Close()
		saved := bytes.Clone(snapshot.Bytes())
		k, client, snapshot = nil, nil, bytes.Buffer{}
		runtime.GC()
		began = time.Now()
		again := New(Options{})
		if err := again.Restore(bytes.NewReader(saved)); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "restore-s")
		size := len(saved)
		saved = nil
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.Logf("restored from %d MiB: heap %d MiB", size>>20, m.HeapAlloc>>20)
		_ = again.Close()
	}
}

// sizes is a table of what each structure takes.
func (k *Keeper) sizes() (lines []string) {
	type row struct{ keys, bytes, members int }
	rows := map[string]*row{}
	of := func(name string) *row {
		if rows[name] == nil {
			rows[name] = &row{}
		}
		return rows[name]
	}
	for i := range k.spaces {
		sp := &k.spaces[i]
		r := of("slots of keys")
		r.keys += sp.keys.live
		r.bytes += 8 * cap(sp.keys.slots)
		of("free blocks").bytes += sp.keys.mem.spare
		for i, s := range sp.keys.slots {
			if s.ref == 0 {
				continue
			}
			key := string(sp.keys.keyAt(i))
			v := sp.value(i)
			_, rest, _ := strings.Cut(key, "}:")
			letter, _, _ := strings.Cut(rest, ":")
			r := of(letter + " " + map[bool]string{false: "small", true: "large"}[v.kind >= bigIDs] + " " + v.kind.String())
			r.keys++
			r.bytes += roundUp(blockHead + len(sp.keys.mem.bytes(s.ref)))
			switch {
			case v.kind >= bigIDs:
				r.bytes += v.object().size()
				if z, ok := v.object().(*zset); ok {
					r.members += z.len()
				} else if v.kind.String() == "set" {
					r.members += v.setLen()
				}
			case v.kind == smallIDs:
				r.members += v.setLen()
			case v.kind == smallMap:
				r.members += v.hashLen()
			}
		}
	}
	for name, r := range rows {
		lines = append(lines, fmt.Sprintf("%-18s %9d keys %9d members %7.1f MiB %6.1f B/member", name, r.keys, r.members,
			float64(r.bytes)/(1<<20), float64(r.bytes)/float64(max(1, r.members))))
	}
	slices.Sort(lines)
	return lines
}

// processorTime is what the process has used of all processors, the client's and the collector's work included.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the process' memory in RAM, 0 where the system does not say.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
