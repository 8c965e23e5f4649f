package projection

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"concord/hub"
)

// Follower keeps the index of one partition at the tail of its log and knows whether it is there.
type Follower struct {
	log   *Log
	index hub.Index
	proj  hub.Projector

	mu         sync.Mutex
	generation string // of the index that was last seen at the tail
	floor      uint64 // the least mark a complete index has: the highest one seen
	mended     uint64 // how often a catch-up found an index that was emptied or went back
	catching   chan struct{}
	failed     error // why the last catch-up ended, nil when it succeeded
	progress   [2]uint64
}

// NewFollower returns a Follower that has not looked yet: Check fails until CatchUp has succeeded once.
func NewFollower(l *Log, ix hub.Index, p hub.Projector) *Follower {
	return &Follower{log: l, index: ix, proj: p}
}

// Log is the log that is followed.
func (f *Follower) Log() *Log { return f.log }

// Watch stands for the index as it was before a reading.
type Watch struct {
	follower   *Follower
	generation string
	floor      uint64
	mended     uint64
}

// Watch is called before the index is read, and its Check afterwards.
func (f *Follower) Watch() Watch {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Watch{f, f.generation, f.floor, f.mended}
}

// Partition is what is watched.
func (w Watch) Partition() hub.Partition { return w.follower.log.Partition }

// CheckAt is Check for an answer of the index that says itself where it was read.
func (w Watch) CheckAt(m hub.Marks) error {
	w.follower.mu.Lock()
	defer w.follower.mu.Unlock()
	if w.generation != "" && m.Generation == w.generation && m.Applied >= w.floor {
		w.follower.floor = max(w.follower.floor, m.Applied)
		return nil
	}
	return w.follower.incompleteLocked(m)
}

// Check is what a reader asks after it has read the index and before it answers: was the index complete all the time?
// It fails as Follower.Check does, and with Unavailable when the index was mended while it was read: what was read may
// be part of it only.
func (w Watch) Check(ctx context.Context) error {
	if err := w.follower.Check(ctx); err != nil {
		return err
	}
	w.follower.mu.Lock()
	defer w.follower.mu.Unlock()
	if w.follower.mended != w.mended {
		return &hub.Error{Kind: hub.Unavailable, Retry: time.Second,
			Msg: fmt.Sprintf("the index of %s was rebuilt while it was read", w.follower.log.Partition)}
	}
	return nil
}

// Refused is told when the index refused a reading, and returns err. Where the index says that it cannot answer now, a
// catch-up is set going: it completes a commit that a dying hub left half applied, and begins an index anew that has
// lost a part.
func (w Watch) Refused(err error) error {
	if hub.Is(err, hub.Unavailable) {
		w.follower.mu.Lock()
		defer w.follower.mu.Unlock()
		w.follower.startLocked()
	}
	return err
}

// Check says whether the index is complete now. It fails with Unavailable when the index was emptied, went back (a
// Redis that failed over) or never was at the tail, and sets a catch-up going.
func (f *Follower) Check(ctx context.Context) error {
	_, err := f.Complete(ctx)
	return err
}

// Complete is Check, and says which commit is the last that the complete index has. Who follows the log needs both of one
// look: an index that is emptied after a Check is behind where one came to, and one that was restored from an earlier copy is, too.
func (f *Follower) Complete(ctx context.Context) (applied uint64, err error) {
	f.mu.Lock()
	generation, floor := f.generation, f.floor // before the marks are read: a commit may land in between
	f.mu.Unlock()
	m, err := f.index.Marks(ctx, f.log.Partition)
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if generation != "" && m.Generation == generation && m.Applied >= floor {
		f.floor = max(f.floor, m.Applied)
		return m.Applied, nil
	}
	return 0, f.incompleteLocked(m)
}

// incompleteLocked sets a catch-up going and says why there is no answer.
func (f *Follower) incompleteLocked(m hub.Marks) error {
	f.startLocked()
	e := &hub.Error{Kind: hub.Unavailable, Retry: time.Second,
		Msg: fmt.Sprintf("the index of %s is catching up with the log: %d of %d commits", f.log.Partition, m.Applied, max(f.progress[1], f.floor))}
	if f.failed != nil {
		e.Msg = fmt.Sprintf("the index of %s cannot catch up with the log", f.log.Partition)
		e.Err = f.failed
	}
	return e
}

// Lag says how many commits the index is known to be behind, for metrics.
func (f *Follower) Lag(ctx context.Context) (uint64, error) {
	m, err := f.index.Marks(ctx, f.log.Partition)
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	top := max(f.floor, f.progress[1])
	return top - min(top, m.Applied), nil
}

func (f *Follower) startLocked() {
	if f.catching != nil {
		return
	}
	f.catching = make(chan struct{})
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		f.finish(f.catchUp(ctx))
	}()
}

func (f *Follower) finish(err error) {
	if err != nil {
		level := slog.LevelError
		if hub.Is(err, hub.Unavailable) { // it is being emptied, or a store is down: the next try will tell
			level = slog.LevelWarn
		}
		slog.Log(context.Background(), level, "index catch-up", "partition", f.log.Partition, "err", err)
		time.Sleep(200 * time.Millisecond) // so that a store that is down is not asked without pause
	}
	f.mu.Lock()
	f.failed = err
	close(f.catching)
	f.catching = nil
	f.mu.Unlock()
}

// CatchUp brings the index to the tail. Concurrent calls share one run.
func (f *Follower) CatchUp(ctx context.Context) error {
	f.mu.Lock()
	f.startLocked()
	done := f.catching
	f.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *Follower) catchUp(ctx context.Context) error {
	p := f.log.Partition
	m, err := f.index.Begin(ctx, p)
	if err != nil {
		return err
	}
	if m.Applied > 0 {
		ok, err := f.log.Has(ctx, m.Applied)
		if err != nil {
			return err
		}
		if !ok {
			return &hub.Error{Kind: hub.Conflict, Msg: fmt.Sprintf("the index of %s is at commit %d, which its log does not have: it belongs to another store", p, m.Applied),
				Hint: "point the hub at the right store, or run: concord rebuild"}
		}
	}
	mend := false
	for {
		tail, err := f.log.Tail(ctx, m.Applied)
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.progress = [2]uint64{m.Applied, tail}
		mend = mend || m.Generation != f.generation || m.Applied < f.floor
		f.mu.Unlock()
		if tail == m.Applied {
			break
		}
		started := time.Now()
		err = f.log.Commits(ctx, m.Applied+1, tail, func(c *hub.Commit, _ []byte) error {
			return f.prepare(ctx, c, nil)(ctx)
		})
		if err != nil && !hub.Is(err, hub.Conflict) {
			return err
		}
		if n := tail - m.Applied; n > 100 {
			slog.Info("index caught up", "partition", p, "commits", n, "took", time.Since(started).Round(time.Millisecond))
		}
		if m, err = f.index.Begin(ctx, p); err != nil { // another hub may have carried it further, or emptied it
			return err
		}
	}
	f.mu.Lock()
	if mend {
		f.mended++
	}
	f.generation, f.floor = m.Generation, max(m.Applied, f.progress[1])
	f.mu.Unlock()
	return nil
}

func (f *Follower) prepare(ctx context.Context, c *hub.Commit, known []*hub.Entry) func(context.Context) error {
	changes, err := Changes(ctx, f.log, f.proj, c.Records, known)
	if err != nil {
		return func(context.Context) error { return err }
	}
	apply := f.index.Prepare(c.Partition, c.Seq, changes)
	return func(ctx context.Context) error {
		if err := apply(ctx); err != nil {
			return fmt.Errorf("apply commit %d of %s: %w", c.Seq, c.Partition, err)
		}
		return nil
	}
}

// Applied makes sure that the index is complete as far as this hub knows and returns the last commit in it.
func (f *Follower) Applied(ctx context.Context) (uint64, error) {
	if err := f.Check(ctx); err != nil {
		if err := f.CatchUp(ctx); err != nil {
			return 0, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.floor, nil
}

// Prepare makes a commit ready for the index, and returns what puts it there once it is in the log. known are the entries of
// its records as far as the caller has them.
func (f *Follower) Prepare(ctx context.Context, c *hub.Commit, known []*hub.Entry) (apply func(context.Context) error) {
	ready := f.prepare(ctx, c, known)
	return func(ctx context.Context) error {
		err := ready(ctx)
		if hub.Is(err, hub.Conflict) || hub.Is(err, hub.Unavailable) { // it was emptied or went back meanwhile
			if err = f.CatchUp(ctx); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.floor = max(f.floor, c.Seq)
		f.mu.Unlock()
		return nil
	}
}

// Heads looks names up in the index. Like Search it fails with Unavailable unless the index was complete all the time:
// what an incomplete one does not have must not be created again.
func (f *Follower) Heads(ctx context.Context, names []hub.Name) ([]hub.Head, error) {
	w := f.Watch()
	heads, err := f.index.Heads(ctx, f.log.Partition, names)
	if err != nil {
		return nil, w.Refused(err)
	}
	return heads, w.Check(ctx)
}

// Search asks the index of this partition alone.
func (f *Follower) Search(ctx context.Context, q hub.Query) (hub.Page, error) {
	w := f.Watch()
	page, err := f.index.Search(ctx, []hub.Partition{f.log.Partition}, q)
	if err != nil {
		return hub.Page{}, w.Refused(err)
	}
	return page, w.Check(ctx)
}

// Project says what rec adds to the index.
func (f *Follower) Project(rec *hub.Record) (hub.Entry, error) { return f.proj.Project(rec) }
