package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/e2e/hubproc"
	"concord/storage/keeper/keepertest"
)

// TestThreeHubsAreOne runs three hubs on one MinIO and one Redis.
func TestThreeHubsAreOne(t *testing.T) {
	minio, redis := startMinio(t), startRedis(t)
	threeHubs(t, hubproc.Stores{Data: t.TempDir(), S3: minio.URL, Redis: redis.URL}, 3*time.Second)
}

// TestThreeHubsOnAClusterAreOne runs them on a Redis Cluster of three nodes, and empties it in the end.
func TestThreeHubsOnAClusterAreOne(t *testing.T) {
	minio := startMinio(t)
	addrs := keepertest.StartCluster(t)
	stores := hubproc.Stores{Data: t.TempDir(), S3: minio.URL, Redis: "redis://" + strings.Join(addrs, ",")}
	hubs, l := threeHubs(t, stores, time.Second)

	before := stores.Must(t, "dump")
	qs := questions(t, hubs[0], l.paths(30))
	r := startReaders(t, 3, qs, hubs...)
	defer r.stop()
	for _, a := range addrs { // one node after the other: between them a part of the index is there
		c := redis.NewClient(&redis.Options{Addr: a, Protocol: 2, DisableIdentity: true})
		if err := c.FlushAll(context.Background()).Err(); err != nil {
			t.Errorf("empty a node: %v", err)
		}
		c.Close()
		time.Sleep(100 * time.Millisecond)
	}
	await(t, "all questions answered again", func() bool {
		for _, q := range qs {
			if a, err := hubs[0].Get(q.path); err != nil || a.Status != http.StatusOK {
				return false
			}
		}
		return true
	})
	r.stop()
	if after := stores.Must(t, "dump"); after != before {
		t.Errorf("the cluster's index differs after it was emptied: %s", difference(before, after))
	}
}

// threeHubs puts three hubs on the stores and holds them to what one hub promises. Two are left running.
func threeHubs(t *testing.T, stores hubproc.Stores, load time.Duration) ([]*hubproc.Client, *ledger) {
	t.Helper()
	token := stores.Member(t, "village")
	var procs []*hubproc.Hub
	var hubs []*hubproc.Client
	for range 3 {
		h := hubproc.Start(t, stores)
		procs, hubs = append(procs, h), append(hubs, h.Client(token))
	}
	oneOfSixtyFourCreates(t, hubs)
	oneOfSixtyFourUpdates(t, hubs)

	l := newLedger("all")
	fill(t, l, 6, load, hubs...)
	awaitQuiet(t, stores)
	sameAnswers(t, hubs, l.paths(30))

	// The third hub is killed in the middle of a load; the clients of the others must not notice.
	strict := newLedger("beside")
	victims := newLedger("victims")
	stopVictims := startLoad(t, victims, 3, hubs[2])
	stop := startLoad(t, strict, 4, hubs[:2]...)
	defer func() { stop(); stopVictims() }()
	time.Sleep(load / 2)
	procs[2].Kill()
	time.Sleep(load / 2)
	stop()
	if n := len(strict.unknown); n > 0 {
		t.Errorf("%d writes to the other hubs were disturbed by the kill", n)
	}
	procs[2].Restart()
	time.Sleep(100 * time.Millisecond)
	stopVictims()
	t.Logf("%d writes, %d beside the kill, %d to the hub that was killed", l.writes.Load(), strict.writes.Load(), victims.writes.Load())
	for i, led := range []*ledger{l, strict, victims} {
		delete(led.updated, shared) // its versions are spread over the three ledgers
		led.check(t, hubs[(i+1)%3])
		led.awaitImagingStudies(t, hubs[i])
	}
	procs[2].Stop()
	awaitQuiet(t, stores)
	if out, errs, err := stores.Command(t, "fsck", "--deep"); err != nil {
		t.Errorf("fsck --deep: %v\n%s%s", err, out, errs)
	}
	return hubs[:2], l
}

// atOnce sends one request of each of n clients, all at the same moment, and returns the answers.
func atOnce(n int, ask func(i int) (hubproc.Answer, error)) ([]hubproc.Answer, error) {
	answers := make([]hubproc.Answer, n)
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = ask(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

const racers = 64

func oneOfSixtyFourCreates(t *testing.T, hubs []*hubproc.Client) {
	t.Helper()
	for round := range 3 {
		id := fmt.Sprintf("race-%d", round)
		answers, err := atOnce(racers, func(i int) (hubproc.Answer, error) {
			return hubs[i%len(hubs)].JSON("POST", "/fhir/Patient", patient(id), "If-None-Exist: identifier="+system+"|"+id)
		})
		if err != nil {
			t.Fatal(err)
		}
		created, names := 0, map[string]int{}
		for _, a := range answers {
			switch a.Status {
			case http.StatusCreated:
				created++
			case http.StatusOK:
			default:
				t.Errorf("one of %d conditional creates: %s", racers, a)
				continue
			}
			names[nameOf(a.Body)]++
		}
		if created != 1 || len(names) != 1 {
			t.Errorf("%d conditional creates of one patient: %d created, answered with %v", racers, created, names)
		}
		for _, c := range hubs {
			if hits, err := search(c, "Patient?identifier="+system+"|"+id); err != nil || len(hits) != 1 {
				t.Errorf("after %d conditional creates a hub finds %d, %v", racers, len(hits), err)
			}
		}
	}
}

func oneOfSixtyFourUpdates(t *testing.T, hubs []*hubproc.Client) {
	t.Helper()
	version := func(c *hubproc.Client) (etag string) {
		a, err := c.Get("/fhir/Patient/raced")
		if err != nil || a.Status != http.StatusOK {
			t.Fatal(a, err)
		}
		return a.Header.Get("ETag")
	}
	if a, err := hubs[0].JSON("PUT", "/fhir/Patient/raced", []byte(`{"resourceType":"Patient","id":"raced"}`)); err != nil || a.Status != http.StatusCreated {
		t.Fatal(a, err)
	}
	for round := range 3 {
		before := version(hubs[round%len(hubs)])
		answers, err := atOnce(racers, func(i int) (hubproc.Answer, error) {
			body := fmt.Appendf(nil, `{"resourceType":"Patient","id":"raced","identifier":[{"value":"%d-%d"}]}`, round, i)
			return hubs[i%len(hubs)].JSON("PUT", "/fhir/Patient/raced", body, "If-Match: "+before)
		})
		if err != nil {
			t.Fatal(err)
		}
		statuses, winner := map[int]int{}, ""
		for _, a := range answers {
			if statuses[a.Status]++; a.Status == http.StatusOK {
				winner = string(a.Body)
			}
		}
		if statuses[http.StatusOK] != 1 || statuses[http.StatusPreconditionFailed] != racers-1 {
			t.Errorf("%d updates of %s at version %s: %v", racers, "Patient/raced", before, statuses)
		}
		for _, c := range hubs {
			if a, err := c.Get("/fhir/Patient/raced"); err != nil || string(a.Body) != winner {
				t.Errorf("a hub reads %s %v, the winner was told %s", a, err, winner)
			}
		}
	}
}

// sameAnswers asks all hubs the same at the same moment.
func sameAnswers(t *testing.T, hubs []*hubproc.Client, paths []string) {
	t.Helper()
	if len(paths) < 30 {
		t.Errorf("only %d questions", len(paths))
	}
	for _, path := range paths {
		answers, err := atOnce(len(hubs), func(i int) (hubproc.Answer, error) { return hubs[i].Get(path) })
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if a.Status != http.StatusOK || essence(a) != essence(answers[0]) {
				t.Errorf("ask %s: hub %d says %.300s, hub 0 says %.300s", path, i, a, answers[0])
			}
		}
	}
}
