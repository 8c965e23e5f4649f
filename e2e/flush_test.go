package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// question is something to ask a hub whose answer is known while nobody writes.
type question struct {
	path   string
	answer string
}

// changing are the parts of answers that differ each time: the bundle's id and time, and the hub's address.
var changing = regexp.MustCompile(`"id":"[0-9a-f-]{36}","meta":\{"lastUpdated":"[^"]*"\},"type":"(searchset|history)"|http://127\.0\.0\.1:[0-9]+|after=[^"&]*|_cursor=[^"&]*`)

func essence(a hubproc.Answer) string { return string(changing.ReplaceAll(a.Body, nil)) }

// questions asks all the paths and remembers the answers.
func questions(t *testing.T, c *hubproc.Client, paths []string) []question {
	t.Helper()
	qs := make([]question, len(paths))
	for i, path := range paths {
		a, err := c.Get(path)
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("ask %s: %s %v", path, a, err)
		}
		qs[i] = question{path, essence(a)}
	}
	return qs
}

// paths are about everything the ledger has: reads, searches of many kinds, histories, QIDO, metadata.
func (l *ledger) paths(most int) []string {
	paths := []string{
		"/fhir/Patient?_count=200", "/fhir/Patient?_summary=count", "/fhir/Patient?_sort=-_lastUpdated&_count=50",
		"/fhir/Observation?_count=100", "/fhir/Observation?status=final&_summary=count", "/fhir/Observation?date=gt2020&_count=20",
		"/fhir/Patient?gender=unknown&_count=30", "/fhir/Patient?identifier=nothing", "/fhir/" + shared, "/fhir/" + shared + "/_history",
		"/fhir/ImagingStudy?_count=100", "/dicom-web/studies?limit=100", "/dicom-web/series?limit=50", "/dicom-web/instances?limit=100",
		"/dicom-web/studies?ModalitiesInStudy=CT&limit=20",
	}
	for id, r := range l.acknowledged {
		if len(paths) >= most {
			break
		}
		typ, _, _ := bytes.Cut([]byte(r.name), []byte("/"))
		paths = append(paths, "/fhir/"+r.name, fmt.Sprintf("/fhir/%s?identifier=%s", typ, id))
		if string(typ) == "Patient" {
			paths = append(paths, "/fhir/Observation?subject="+r.name)
		}
	}
	for i, in := range l.instances {
		if i == 5 {
			break
		}
		if in.acknowledged {
			f := in.file
			paths = append(paths, "/dicom-web/studies/"+f.StudyUID+"/metadata", "/dicom-web/studies/"+f.StudyUID+"/series/"+f.SeriesUID+"/instances")
		}
	}
	return paths
}

// readers ask without pause until stop: an answer is the known one, or 503 with Retry-After. The counters tell how
// many of each there were.
type readers struct {
	right, refused atomic.Int64
	stop           func()
}

func startReaders(t *testing.T, n int, qs []question, hubs ...*hubproc.Client) *readers {
	r := &readers{}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		c := hubs[i%len(hubs)]
		wg.Go(func() {
			for k := i * 7; ; k++ {
				select {
				case <-done:
					return
				default:
				}
				r.ask(t, c, qs[k%len(qs)])
			}
		})
	}
	r.stop = sync.OnceFunc(func() { close(done); wg.Wait() })
	return r
}

func (r *readers) ask(t *testing.T, c *hubproc.Client, q question) {
	a, err := c.Get(q.path)
	switch {
	case err != nil:
		t.Errorf("ask %s: %v", q.path, err)
	case a.Status == http.StatusServiceUnavailable:
		if a.Header.Get("Retry-After") == "" || !json.Valid(a.Body) {
			t.Errorf("ask %s: 503 without Retry-After or without a reason: %v %s", q.path, a.Header, a)
		}
		r.refused.Add(1)
	case a.Status != http.StatusOK:
		t.Errorf("ask %s: %s", q.path, a)
	case essence(a) != q.answer:
		t.Errorf("ask %s: an answer that is not the known one, of %d bytes instead of %d: %.200s", q.path, len(essence(a)), len(q.answer), a.Body)
	default:
		r.right.Add(1)
	}
}

// fill writes for a while and waits until what follows from it is there too.
func fill(t *testing.T, l *ledger, clients int, d time.Duration, hubs ...*hubproc.Client) {
	t.Helper()
	if a, err := hubs[0].JSON("PUT", "/fhir/"+shared, []byte(`{"resourceType":"Patient","id":"shared","identifier":[{"value":"first"}]}`)); err != nil || a.Status >= 300 {
		t.Fatal(a, err)
	}
	stop := startLoad(t, l, clients, hubs...)
	time.Sleep(d)
	stop()
	l.awaitImagingStudies(t, hubs[0])
}

// awaitQuiet waits until two dumps in a row are the same: until nothing is derived any more.
func awaitQuiet(t *testing.T, s hubproc.Stores) (dump string) {
	t.Helper()
	dump = s.Must(t, "dump")
	await(t, "the index to become quiet", func() bool {
		time.Sleep(500 * time.Millisecond)
		before := dump
		dump = s.Must(t, "dump")
		return dump == before
	})
	return dump
}

// TestAFlushedIndexIsNeverTakenForAnEmptyHub empties Redis under readers: until it is rebuilt each answer is 503 or the
// whole truth.
func TestAFlushedIndexIsNeverTakenForAnEmptyHub(t *testing.T) {
	minio, redis := startMinio(t), startRedis(t)
	stores := hubproc.Stores{Data: t.TempDir(), S3: minio.URL, Redis: redis.URL}
	token := stores.Member(t, "village")
	h := hubproc.Start(t, stores)
	c := h.Client(token)
	l := newLedger("load")
	fill(t, l, 8, 3*time.Second, c)
	before := awaitQuiet(t, stores)
	qs := questions(t, c, l.paths(60))
	r := startReaders(t, 6, qs, c)
	defer r.stop()

	const flushes = 6
	for range flushes {
		refused := r.refused.Load()
		redis.flush()
		await(t, "a refusal after the flush", func() bool { return r.refused.Load() > refused })
		await(t, "the hub to be ready again", h.Ready)
		time.Sleep(300 * time.Millisecond)
	}
	if after := stores.Must(t, "dump"); after != before {
		t.Errorf("the index after %d flushes differs: %s", flushes, difference(before, after))
	}

	redis.kill()
	await(t, "refusals while Redis is down", func() bool { return !h.Ready() })
	before503 := r.right.Load()
	time.Sleep(300 * time.Millisecond)
	if n := r.right.Load() - before503; n > 6 { // those that were under way
		t.Errorf("%d answers without an index", n)
	}
	redis.start()
	await(t, "the hub to be ready again", h.Ready)
	r.stop()
	t.Logf("%d writes; %d right answers, %d refusals", l.writes.Load(), r.right.Load(), r.refused.Load())
	if r.right.Load() < 100 {
		t.Error("hardly a question was answered")
	}
	if after := stores.Must(t, "dump"); after != before {
		t.Errorf("the index after Redis was away differs: %s", difference(before, after))
	}
	l.check(t, c)
}

// TestNothingAcknowledgedIsLostWhenTheStoresFail kills MinIO and empties Redis under writers.
func TestNothingAcknowledgedIsLostWhenTheStoresFail(t *testing.T) {
	minio, redis := startMinio(t), startRedis(t)
	stores := hubproc.Stores{Data: t.TempDir(), S3: minio.URL, Redis: redis.URL}
	token := stores.Member(t, "village")
	h := hubproc.Start(t, stores)
	c := h.Client(token)
	l := newLedger("load")
	fill(t, l, 4, 500*time.Millisecond, c)
	stop := startLoad(t, l, 8, c)
	defer stop()
	for k := range 4 {
		time.Sleep(400 * time.Millisecond)
		minio.kill()
		time.Sleep(200 * time.Millisecond)
		if k == 2 {
			h.Kill()
		}
		minio.start()
		if k == 2 {
			h.Restart()
		}
		time.Sleep(400 * time.Millisecond)
		redis.flush()
		if k == 3 {
			h.Kill()
			h.Restart()
		}
	}
	await(t, "the hub to be ready again", h.Ready)
	written := l.writes.Load()
	await(t, "writes after all was mended", func() bool { return l.writes.Load() > written+20 })
	stop()
	t.Logf("%d writes acknowledged, %d identifiers unknown", l.writes.Load(), len(l.unknown))
	l.check(t, c)
	l.awaitImagingStudies(t, c)
	h.Stop()
	checkStores(t, stores)
}
