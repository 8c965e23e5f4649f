package commit_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/memobjects"
	"concord/storage/index"
	"concord/storage/keeper"
)

// sluggish is an index that takes its time with every commit.
type sluggish struct{ *projection.Follower }

func (s sluggish) Prepare(ctx context.Context, c *hub.Commit, known []*hub.Entry) func(context.Context) error {
	apply := s.Follower.Prepare(ctx, c, known)
	return func(ctx context.Context) error {
		time.Sleep(20 * time.Millisecond)
		return apply(ctx)
	}
}

// numbered projects the body {"n":"…"}.
type numbered struct{}

func (numbered) Project(rec *hub.Record) (hub.Entry, error) {
	var body struct{ N string }
	err := json.Unmarshal(rec.Body, &body)
	return hub.Entry{Route: rec.Name.String(), Terms: []hub.Term{{Param: "n", Text: body.N}}}, err
}

// TestAFindSeesWhatTheIndexDoesNotHaveYet: of many creations on one condition one creates, though the index lags behind
// the log and each looks before it has its place in the queue.
func TestAFindSeesWhatTheIndexDoesNotHaveYet(t *testing.T) {
	k := keeper.New(keeper.Options{})
	client := index.ConnectLocal(k)
	defer func() { client.Close(); k.Close() }()
	ix, store := index.Open(client, index.StandardLayout(0)), &memobjects.Store{}
	var committers []*commit.Committer
	for range 2 {
		log := &projection.Log{Objects: store, Partition: people, Cache: projection.NewCache(1 << 20)}
		follower := projection.NewFollower(log, ix, numbered{})
		if err := follower.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := commit.New(log, sluggish{follower}, commit.Options{MaxRecords: 3})
		defer c.Close()
		committers = append(committers, c)
	}
	ctx := t.Context()
	var mu sync.Mutex
	var wg sync.WaitGroup
	created := map[string]int{}
	for i := range 60 {
		c := committers[i%2]
		number := string(rune('a' + i%5))
		q := hub.Query{Type: "P", Limit: 2, All: []hub.Clause{{Param: "n", Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: number}}}}}
		wg.Go(func() {
			var before commit.Found
			if i%3 > 0 {
				var err error
				if before, err = c.Find(ctx, q); err != nil {
					t.Error(err)
				}
			}
			name := hub.Name{Type: "P", ID: "p" + time.Now().Format("150405.000000000") + number}
			recs, err := c.Submit(ctx, commit.Write{Member: "m", Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
				found, err := v.FindSince(ctx, q, before)
				if err != nil || len(found) > 0 {
					return nil, err
				}
				return []commit.Draft{{Name: name, Fresh: true, Body: func(uint64, time.Time) []byte { return []byte(`{"n":"` + number + `"}`) }}}, nil
			}})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			created[number] += len(recs)
			mu.Unlock()
		})
	}
	wg.Wait()
	for number, n := range created {
		if n != 1 {
			t.Errorf("%s was created %d times", number, n)
		}
	}
}
