package projection_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/projection"
	"concord/internal/memobjects"
	"concord/storage/index"
	"concord/storage/keeper"
)

const records hub.Partition = "records"

// house is a log of n commits of one new Patient each, and an index of it.
func house(t *testing.T, n int) (*index.Index, *projection.Log) {
	t.Helper()
	objects := &memobjects.Store{}
	prev := ""
	for seq := uint64(1); seq <= uint64(n); seq++ {
		name := hub.Name{Type: "Patient", ID: fmt.Sprint(seq)}
		c := hub.Commit{Partition: records, Seq: seq, Prev: prev, Time: time.Unix(int64(seq), 0).UTC(), Nums: seq - 1,
			Records: []hub.Record{{Name: name, Num: seq, Version: 1, Time: time.Unix(int64(seq), 0).UTC(), Body: []byte(`{}`)}}}
		data, err := c.Encode()
		if err == nil {
			err = objects.PutNew(t.Context(), hub.LogKey(records, seq), int64(len(data)), bytes.NewReader(data))
		}
		if err != nil {
			t.Fatal(err)
		}
		prev = hub.Digest(data)
	}
	k := keeper.New(keeper.Options{})
	client := index.ConnectLocal(k)
	t.Cleanup(func() { client.Close(); k.Close() })
	return index.Open(client, index.StandardLayout(1)), &projection.Log{Objects: objects, Partition: records}
}

// meanwhile is an index that lets something happen between a reading and its answer.
type meanwhile struct {
	hub.Index
	happens func()
}

func (m *meanwhile) Search(ctx context.Context, ps []hub.Partition, q hub.Query) (hub.Page, error) {
	page, err := m.Index.Search(ctx, ps, q)
	m.happens()
	return page, err
}

func TestAnIndexThatWasRebuiltWhileItWasReadGivesNoAnswer(t *testing.T) {
	ix, log := house(t, 5)
	seam := &meanwhile{Index: ix, happens: func() {}}
	f := projection.NewFollower(log, seam, &projection.Projectors{})
	all := hub.Query{Type: "Patient", Limit: 10}
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if page, err := f.Search(t.Context(), all); err != nil || len(page.Hits) != 5 {
		t.Fatalf("a complete index: %d hits, %v", len(page.Hits), err)
	}
	// Redis is emptied, another hub has rebuilt two commits, the search reads these, and then the rest follows.
	if err := ix.Reset(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if _, err := ix.Begin(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	apply(t, ix, log, 1, 2)
	seam.happens = func() {
		apply(t, ix, log, 3, 5)
		if err := f.CatchUp(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if page, err := f.Search(t.Context(), all); !hub.Is(err, hub.Unavailable) {
		t.Errorf("a search that saw 2 of 5 answers with %d hits and error %v", len(page.Hits), err)
	}
	seam.happens = func() {}
	if page, err := f.Search(t.Context(), all); err != nil || len(page.Hits) != 5 {
		t.Errorf("after the rebuild: %d hits, %v", len(page.Hits), err)
	}
}

func TestAnIndexThatGrewWhileItWasReadAnswers(t *testing.T) {
	ix, log := house(t, 5)
	seam := &meanwhile{Index: ix}
	f := projection.NewFollower(log, seam, &projection.Projectors{})
	if _, err := ix.Begin(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	apply(t, ix, log, 1, 5)
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	seam.happens = func() { // an ordinary catch-up finds nothing to mend
		if err := f.CatchUp(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if page, err := f.Search(t.Context(), hub.Query{Type: "Patient", Limit: 10}); err != nil || len(page.Hits) != 5 {
		t.Errorf("%d hits, %v", len(page.Hits), err)
	}
}

func apply(t *testing.T, ix hub.Index, log *projection.Log, from, to uint64) {
	t.Helper()
	err := log.Commits(t.Context(), from, to, func(c *hub.Commit, _ []byte) error {
		changes, err := projection.Changes(t.Context(), log, &projection.Projectors{}, c.Records, nil)
		if err != nil {
			return err
		}
		return ix.Apply(t.Context(), records, c.Seq, changes)
	})
	if err != nil {
		t.Error(err)
	}
}

// counting counts what is read of a store.
type counting struct {
	hub.Objects
	reads atomic.Int64
}

func (c *counting) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	c.reads.Add(1)
	return c.Objects.Open(ctx, key, offset, length)
}

func TestThoseWhoFollowALogReadEachCommitOnce(t *testing.T) {
	_, log := house(t, 50)
	store := &counting{Objects: log.Objects}
	log = &projection.Log{Objects: store, Partition: records}
	all := func(hub.Name) bool { return true }
	recs, reached, err := log.Changed(t.Context(), 0, 50, 3, all)
	if err != nil || len(recs) != 3 || reached != 3 {
		t.Fatalf("%d records through commit %d, %v", len(recs), reached, err)
	}
	if n := store.reads.Load(); n > 20 {
		t.Errorf("three commits were wanted and %d read", n)
	}
	for range 7 {
		if recs, reached, err = log.Changed(t.Context(), 0, 50, 1000, all); err != nil || len(recs) != 50 || reached != 50 {
			t.Fatalf("%d records through commit %d, %v", len(recs), reached, err)
		}
	}
	if n := store.reads.Load(); n > 60 { // some were under way when enough was read
		t.Errorf("50 commits were read %d times", n)
	}
}
