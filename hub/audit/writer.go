package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
)

// writer commits one batch at a time, each exactly once: an attempt whose outcome is unknown is repeated under the
// same name, and the tail tells when the earlier one turns out to have happened.
type writer struct {
	committer *commit.Committer
	tail      *tail
	member    string
	ctx       context.Context // ends when Close gives up
	abandon   context.CancelFunc

	name hub.Name
	body []byte
}

func newWriter(l *projection.Log, opt Options) *writer {
	w := &writer{tail: &tail{Unindexed: commit.Unindexed{Log: l}}, member: opt.Member}
	w.ctx, w.abandon = context.WithCancel(context.Background())
	w.committer = commit.New(l, w.tail, opt.Commit)
	return w
}

// begin takes the batch that attempt writes.
func (w *writer) begin(events []Event) error {
	for i := range events {
		events[i].At = events[i].At.UTC().Truncate(time.Millisecond)
	}
	body, err := json.Marshal(batchBody{events})
	if err != nil {
		return fmt.Errorf("write %d audit events: %w", len(events), err)
	}
	w.name, w.body = hub.Name{Type: BatchType, ID: strings.ToLower(rand.Text())}, body
	w.tail.watch(w.name)
	return nil
}

func (w *writer) attempt() error {
	name, body := w.name, w.body
	_, err := w.committer.Submit(w.ctx, commit.Write{Member: w.member, Names: []hub.Name{name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, name)
		if err != nil || head.Version > 0 { // an earlier attempt was written after all
			return nil, err
		}
		return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return body }}}, nil
	}})
	return err
}

// pause waits before the next attempt; false means that there is to be none.
func (w *writer) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}

// tail is the Target of the audit partition. It knows of one name only: that of the batch being written.
type tail struct {
	commit.Unindexed

	mu      sync.Mutex
	watched hub.Name
	head    hub.Head
}

func (t *tail) watch(n hub.Name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watched, t.head = n, hub.Head{}
}

// Prepare implements commit.Target.
func (t *tail) Prepare(ctx context.Context, c *hub.Commit, known []*hub.Entry) func(context.Context) error {
	move := t.Unindexed.Prepare(ctx, c, known)
	return func(ctx context.Context) error {
		t.mu.Lock()
		for i := range c.Records {
			if rec := &c.Records[i]; rec.Name == t.watched {
				t.head = hub.Head{Partition: c.Partition, Name: rec.Name, Num: rec.Num, Version: rec.Version, Loc: rec.Loc}
			}
		}
		t.mu.Unlock()
		return move(ctx)
	}
}

// Heads implements commit.Target.
func (t *tail) Heads(_ context.Context, names []hub.Name) ([]hub.Head, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	heads := make([]hub.Head, len(names))
	for i, n := range names {
		if n == t.watched {
			heads[i] = t.head
		}
	}
	return heads, nil
}
