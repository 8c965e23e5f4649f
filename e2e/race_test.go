package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// raceRounds is what each of the racers does; CONCORD_RACE_ROUNDS=1000 is the long run.
func raceRounds(t *testing.T) int {
	if s := os.Getenv("CONCORD_RACE_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("CONCORD_RACE_ROUNDS: %v", err)
		}
		return n
	}
	return 40
}

// acknowledged is what a racer was told about its write.
type acknowledged struct {
	name, mark string
	version    int
}

// TestConditionalWritesOfManyClientsAgree lets 64 clients of three hubs create and update the same things by criteria, all
// at once: nothing is there twice, and every acknowledged update is a version of its own.
func TestConditionalWritesOfManyClientsAgree(t *testing.T) {
	minio, redis := startMinio(t), startRedis(t)
	stores := hubproc.Stores{Data: t.TempDir(), S3: minio.URL, Redis: redis.URL}
	token := stores.Member(t, "village")
	var hubs []*hubproc.Client
	for range 3 {
		hubs = append(hubs, hubproc.Start(t, stores).Client(token))
	}
	rounds := raceRounds(t)
	keys := max(16, racers*rounds/40) // each is fought for by many
	start := time.Now()
	told := make([][]acknowledged, racers)
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(i), 7))
			for round := range rounds {
				key, mark := fmt.Sprintf("fought-%d", dice.IntN(keys)), fmt.Sprintf("%d-%d", i, round)
				w, err := conditionally(hubs[dice.IntN(len(hubs))], round%2 == 0, key, mark)
				if err != nil {
					t.Errorf("racer %d: %v", i, err)
					return
				}
				told[i] = append(told[i], w)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	t.Logf("%d conditional writes of %d things by %d clients of three hubs in %v: %.0f/s", racers*rounds, keys, racers, took.Round(time.Millisecond), float64(racers*rounds)/took.Seconds())

	names := map[string]string{}
	for i := range keys {
		key := fmt.Sprintf("fought-%d", i)
		hits, err := search(hubs[i%len(hubs)], "Patient?identifier="+system+"|"+key)
		if err != nil || len(hits) > 1 {
			t.Errorf("%s is there %d times, %v", key, len(hits), err)
		}
		for _, h := range hits {
			names[nameOf(h)] = key
		}
	}
	histories := map[string]map[string]string{}
	for _, writes := range told {
		for _, w := range writes {
			if names[w.name] == "" {
				t.Errorf("%s was acknowledged and is not found", w.name)
				continue
			}
			if histories[w.name] == nil {
				histories[w.name] = marksOf(t, hubs[0], w.name)
			}
			if w.version > 0 && histories[w.name][w.mark] != strconv.Itoa(w.version) {
				t.Errorf("%s: the update %s was acknowledged as version %d, the history has it as %q", w.name, w.mark, w.version, histories[w.name][w.mark])
			}
		}
	}
}

// conditionally creates or updates the Patient of a key; version is 0 when a create met another's.
func conditionally(c *hubproc.Client, create bool, key, mark string) (acknowledged, error) {
	body := fmt.Appendf(nil, `{"resourceType":"Patient","identifier":[{"system":%q,"value":%q}],"name":[{"text":%q}]}`, system, key, mark)
	criteria := "identifier=" + system + "|" + key
	for {
		var a hubproc.Answer
		var err error
		if create {
			a, err = c.JSON("POST", "/fhir/Patient", body, "If-None-Exist: "+criteria)
		} else {
			a, err = c.JSON("PUT", "/fhir/Patient?"+criteria, body)
		}
		switch {
		case err != nil:
			return acknowledged{}, err
		case a.Status == http.StatusServiceUnavailable:
			time.Sleep(20 * time.Millisecond)
			continue
		case a.Status != http.StatusOK && a.Status != http.StatusCreated:
			return acknowledged{}, fmt.Errorf("a conditional write of %s: %s", key, a)
		}
		w := acknowledged{name: nameOf(a.Body), mark: mark}
		if a.Status == http.StatusCreated || !create {
			w.version, err = strconv.Atoi(strings.Trim(a.Header.Get("ETag"), `W/"`))
		}
		return w, err
	}
}

// marksOf reads the whole history of a Patient: the version of each mark.
func marksOf(t *testing.T, c *hubproc.Client, name string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for path := "/fhir/" + name + "/_history?_count=200"; path != ""; {
		a, err := c.Get(path)
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("history of %s: %v %v", name, a, err)
		}
		page := hubproc.Decode[struct {
			Link  []struct{ Relation, URL string }
			Entry []struct {
				Resource struct {
					Meta struct{ VersionID string }
					Name []struct{ Text string }
				}
			}
		}](t, a)
		for _, e := range page.Entry {
			versions[e.Resource.Name[0].Text] = e.Resource.Meta.VersionID
		}
		path = ""
		for _, l := range page.Link {
			if l.Relation == "next" {
				path = strings.TrimPrefix(l.URL, c.Base)
			}
		}
	}
	return versions
}
