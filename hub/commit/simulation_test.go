package commit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
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

// flaky is a store whose answers get lost: a PUT that failed may have happened or not, may happen once more, or
// may happen only after its sender was told that it failed.
type flaky struct {
	*memobjects.Store
	mu     sync.Mutex
	dice   *rand.Rand
	faults float64 // chance of each kind of fault
	late   sync.WaitGroup
}

var errLostAnswer = errors.New("the answer was lost")

func (f *flaky) roll() (fault int, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait = time.Duration(f.dice.IntN(300)) * time.Microsecond
	for fault = 1; fault <= 4; fault++ {
		if f.dice.Float64() < f.faults {
			return fault, wait
		}
	}
	return 0, wait
}

func (f *flaky) PutNew(ctx context.Context, key string, size int64, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	put := func() error { return f.Store.PutNew(context.WithoutCancel(ctx), key, size, bytes.NewReader(data)) }
	fault, wait := f.roll()
	time.Sleep(wait)
	switch fault {
	case 1: // not written, and an error
		return errLostAnswer
	case 2: // written, and an error
		_ = put()
		return errLostAnswer
	case 3: // sent twice by the network: the second one meets the first
		_ = put()
		return put()
	case 4: // written when nobody waits any more
		f.late.Go(func() { time.Sleep(10 * wait); _ = put() })
		return errLostAnswer
	}
	return put()
}

func (f *flaky) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if fault, _ := f.roll(); fault == 1 {
		return nil, errLostAnswer
	}
	return f.Store.Open(ctx, key, offset, length)
}

func (f *flaky) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return f.Store.List(ctx, prefix, after)
}

const people hub.Partition = "records"

// written is what one writer did to a counter of its own and to those shared by all.
type written struct {
	name    hub.Name
	version uint64
	mark    string
}

// TestEveryAcknowledgedWriteIsInTheLogOnce lets several committers, as in several hubs, race for one log on a store
// that loses answers and an index that is emptied now and then.
func TestEveryAcknowledgedWriteIsInTheLogOnce(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, seed)
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	const hubs, writers, writes = 3, 4, 25
	dice := rand.New(rand.NewPCG(seed, 1))
	store := &flaky{Store: &memobjects.Store{}, dice: rand.New(rand.NewPCG(seed, 2)), faults: []float64{0, 0.02, 0.1}[seed%3]}
	k := keeper.New(keeper.Options{})
	client := index.ConnectLocal(k)
	defer func() { client.Close(); k.Close() }()
	ix := index.Open(client, index.StandardLayout(0))

	var mu sync.Mutex
	var acknowledged []written
	uncertain := map[string]bool{}
	var wg sync.WaitGroup
	for h := range hubs {
		log := &projection.Log{Objects: store, Partition: people, Cache: projection.NewCache(1 << 20)}
		follower := projection.NewFollower(log, ix, &projection.Projectors{})
		c := commit.New(log, follower, commit.Options{MaxRecords: 1 + dice.IntN(20), Resolve: 200 * time.Millisecond})
		defer c.Close()
		for w := range writers {
			mine := rand.New(rand.NewPCG(seed, uint64(h*100+w)))
			wg.Go(func() {
				for n := range writes {
					mark := fmt.Sprintf("%d-%d-%d", h, w, n)
					name := hub.Name{Type: "Counter", ID: fmt.Sprint(mine.IntN(3))}
					if mine.IntN(2) == 0 {
						name.ID = mark
					}
					recs, err := c.Submit(t.Context(), counting(name, mark))
					mu.Lock()
					switch {
					case err == nil:
						for _, r := range recs {
							acknowledged = append(acknowledged, written{r.Name, r.Version, mark})
						}
					case hub.Is(err, hub.Unavailable) || errors.Is(err, errLostAnswer):
						uncertain[mark] = true
					default:
						t.Errorf("write %s: %v", mark, err)
					}
					mu.Unlock()
				}
			})
		}
	}
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		for range seed % 4 {
			time.Sleep(20 * time.Millisecond)
			if err := ix.Reset(context.Background(), people); err != nil {
				t.Errorf("empty the index: %v", err)
			}
		}
	}()
	wg.Wait()
	<-flushed
	store.late.Wait()
	verify(t, store.Store, acknowledged, uncertain, hubs*writers*writes)
	verifyIndex(t, store.Store, ix)
}

// counting writes the next version of a counter, and together with it a companion of its own: both or none.
func counting(name hub.Name, mark string) commit.Write {
	companion := hub.Name{Type: "Companion", ID: mark}
	body := func(uint64, time.Time) []byte { return fmt.Appendf(nil, `{"mark":%q}`, mark) }
	return commit.Write{Member: "m", Names: []hub.Name{name, companion}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		if _, err := v.Head(ctx, name); err != nil {
			return nil, err
		}
		return []commit.Draft{{Name: name, Body: body}, {Name: companion, Fresh: true, Body: body}}, nil
	}}
}

// verify reads the log as it lies in the store.
func verify(t *testing.T, objects hub.Objects, acknowledged []written, uncertain map[string]bool, sent int) {
	log := &projection.Log{Objects: objects, Partition: people}
	tail, err := log.Tail(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[written]int{}
	times := map[string]int{} // a mark is in two records
	versions := map[hub.Name]hub.Record{}
	prev, nums, last := "", uint64(0), time.Time{}
	for seq := uint64(1); seq <= tail; seq++ {
		c, data, err := log.Commit(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if c.Prev != prev || c.Nums != nums || !c.Time.After(last) {
			t.Errorf("commit %d: chained to %.8s, counts %d before it, of %v; expected %.8s, %d, after %v", seq, c.Prev, c.Nums, c.Time, prev, nums, last)
		}
		prev, last = hub.Digest(data), c.Time
		inCommit := map[hub.Name]bool{}
		for i := range c.Records {
			r := &c.Records[i]
			before := versions[r.Name]
			if before.Version == 0 {
				nums++
				before.Num = nums
			}
			if r.Version != before.Version+1 || r.Num != before.Num || r.Prev != before.Loc || inCommit[r.Name] {
				t.Errorf("commit %d: %s is version %d, number %d, after version %d, number %d", seq, r.Name, r.Version, r.Num, before.Version, before.Num)
			}
			inCommit[r.Name], versions[r.Name] = true, *r
			var mark string
			fmt.Sscanf(string(r.Body), `{"mark":%q}`, &mark)
			found[written{r.Name, r.Version, mark}]++
			times[mark]++
		}
	}
	for _, w := range acknowledged {
		if found[w] != 1 {
			t.Errorf("%s version %d of %s was acknowledged and is in the log %d times", w.name, w.version, w.mark, found[w])
		}
	}
	for mark, n := range times {
		if n != 2 {
			t.Errorf("write %s has two records and %d of them are in the log", mark, n)
		}
	}
	if len(acknowledged)/2+len(uncertain) != sent {
		t.Errorf("%d of %d writes were answered", len(acknowledged)/2+len(uncertain), sent)
	}
	t.Logf("%d of %d writes acknowledged in %d commits", len(acknowledged)/2, sent, tail)
	if len(acknowledged)/2 < sent/2 {
		t.Error("that is less than half")
	}
}

// verifyIndex: a catch-up by a hub that starts now makes the index the fold of the log.
func verifyIndex(t *testing.T, objects hub.Objects, ix *index.Index) {
	log := &projection.Log{Objects: objects, Partition: people}
	if err := projection.NewFollower(log, ix, &projection.Projectors{}).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got, want bytes.Buffer
	if err := ix.Dump(t.Context(), &got, people); err != nil {
		t.Fatal(err)
	}
	k := keeper.New(keeper.Options{})
	client := index.ConnectLocal(k)
	defer func() { client.Close(); k.Close() }()
	fresh := index.Open(client, index.StandardLayout(0))
	if err := projection.NewFollower(log, fresh, &projection.Projectors{}).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Dump(t.Context(), &want, people); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Error("the index is not the fold of the log")
	}
}
