package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/hub/settings"
)

// Mode says what Note waits for.
type Mode string

const (
	// Queued: Note returns when the event waits in this process; it is durable within Options.Every and one commit. A
	// process that is killed loses what waited; a store that is down stops disclosures.
	Queued Mode = "queued"
	// Durable: Note returns when the event is in the log.
	Durable Mode = "durable"
)

// Options of a Trail; zero values mean the defaults.
type Options struct {
	Mode Mode // default Queued
	// Every is the longest that an event waits before it is written; default 100 ms.
	Every time.Duration
	// Capacity is how many events may wait, those on their way to the store included; default 65,536.
	Capacity int
	// Patience is how long the store may take over a batch before Note refuses more; default 2 s.
	Patience time.Duration
	// Member is written as the author of the batches; default "hub".
	Member string
	// Commit is passed to the committer, so that its commits can be observed. Its Resolve defaults to Patience.
	Commit commit.Options
	Now    func() time.Time
}

var errLate = errors.New("the store has not answered in time")

// A batch is cut at this many names and events, so that no record grows beyond a few megabytes.
const (
	maxBatchEvents = 8192
	maxBatchNames  = 65536
)

// Trail takes notes for one process. Several processes may write the same partition.
type Trail struct {
	opt  Options
	log  *projection.Log
	out  *writer
	wake chan struct{}
	stop chan struct{}
	done chan struct{}
	once sync.Once

	mu      sync.Mutex
	waiting []Event
	spare   []Event       // the buffer of the batch before, for the next one
	noted   uint64        // events taken in since Open
	durable uint64        // events of these that are in the log
	moved   chan struct{} // closed and replaced when durable grows
	since   time.Time     // when the batch on its way was handed over; zero when none is
	failed  error         // why the last attempt ended, nil after a success
	closed  bool
}

// Open starts a trail on objects. Close ends it.
func Open(objects hub.Objects, opt Options) *Trail {
	if opt.Mode == "" {
		opt.Mode = Queued
	}
	if opt.Every == 0 {
		opt.Every = 100 * time.Millisecond
	}
	if opt.Capacity == 0 {
		opt.Capacity = 65536
	}
	if opt.Patience == 0 {
		opt.Patience = 2 * time.Second
	}
	if opt.Commit.Resolve == 0 {
		opt.Commit.Resolve = opt.Patience
	}
	if opt.Member == "" {
		opt.Member = "hub"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Commit.Now == nil {
		opt.Commit.Now = opt.Now
	}
	l := &projection.Log{Objects: objects, Partition: settings.Audit}
	t := &Trail{opt: opt, log: l, out: newWriter(l, opt), wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		moved: make(chan struct{})}
	go t.run()
	return t
}

// Note takes e into the trail and completes it by the time and, where ctx has it, the address. An Unavailable error means that it could not be, and that what it tells of must not
// be disclosed. In Durable mode a ctx that ends first leaves open whether the event is in the log.
func (t *Trail) Note(ctx context.Context, e Event) error {
	now := t.opt.Now()
	if e.At.IsZero() || e.At.After(now) { // never younger than the commit it will be in
		e.At = now
	}
	if e.Address == "" {
		e.Address = addressFrom(ctx)
	}
	t.mu.Lock()
	if err := t.refuseLocked(now); err != nil {
		t.mu.Unlock()
		return err
	}
	t.waiting = append(t.waiting, e)
	t.noted++
	mine, first := t.noted, len(t.waiting) == 1
	t.mu.Unlock()
	if first {
		t.nudge()
	}
	if t.opt.Mode == Durable {
		return t.await(ctx, mine)
	}
	return nil
}

func (t *Trail) refuseLocked(now time.Time) error {
	var cause error
	switch {
	case t.closed:
		return &hub.Error{Kind: hub.Unavailable, Msg: "the hub is shutting down", Retry: time.Second}
	case t.failed != nil:
		cause = t.failed
	case !t.since.IsZero() && now.Sub(t.since) > t.opt.Patience:
		cause = errLate
	case t.noted-t.durable >= uint64(t.opt.Capacity):
		cause = fmt.Errorf("%d events wait already", t.opt.Capacity)
	default:
		return nil
	}
	return &hub.Error{Kind: hub.Unavailable, Msg: "the audit trail cannot be written, so nothing is disclosed", Retry: time.Second, Err: cause}
}

// await waits until the first n events are durable. The writer retries for ever, so it waits no longer than Patience.
func (t *Trail) await(ctx context.Context, n uint64) error {
	patience := time.NewTimer(t.opt.Patience)
	defer patience.Stop()
	var cause error
	for ended := false; ; {
		t.mu.Lock()
		there, moved := t.durable >= n, t.moved
		t.mu.Unlock()
		switch {
		case there:
			return nil
		case ended:
			return &hub.Error{Kind: hub.Unavailable, Msg: "the audit trail was not written in time", Retry: time.Second, Err: cause}
		}
		select {
		case <-moved:
		case <-ctx.Done():
			ended, cause = true, ctx.Err()
		case <-patience.C:
			ended, cause = true, errLate
		case <-t.done:
			ended, cause = true, errors.New("the trail was closed")
		}
	}
}

// Check tells whether Note would take an event now, for readiness.
func (t *Trail) Check() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refuseLocked(t.opt.Now())
}

// Flush returns when the events noted before it are durable.
func (t *Trail) Flush(ctx context.Context) error {
	t.mu.Lock()
	n := t.noted
	t.mu.Unlock()
	return t.await(ctx, n)
}

// Close takes no more events and writes those that wait; when the store does not take them it gives up when ctx
// ends, or after Patience, and says how many were lost.
func (t *Trail) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.once.Do(func() { close(t.stop) })
	patience := time.NewTimer(t.opt.Patience)
	defer patience.Stop()
	select {
	case <-t.done:
	case <-patience.C:
	case <-ctx.Done():
	}
	t.out.abandon()
	<-t.done
	t.mu.Lock()
	lost, cause := t.noted-t.durable, t.failed
	t.mu.Unlock()
	if lost > 0 {
		go t.out.committer.Close() // it may still be held up by the store
		return &hub.Error{Kind: hub.Unavailable, Msg: fmt.Sprintf("%d audit events could not be written", lost), Err: cause}
	}
	t.out.committer.Close()
	return nil
}

func (t *Trail) nudge() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// run writes what waits: at once in Durable mode, where the next batch gathers while one is on its way, and every
// Every in Queued mode, however many events come meanwhile.
func (t *Trail) run() {
	defer close(t.done)
	for {
		select {
		case <-t.wake:
			t.linger(t.opt.Every)
		case <-t.stop:
		}
		for {
			begun := time.Now()
			events := t.cut()
			if len(events) == 0 {
				break
			}
			if !t.write(events) {
				return
			}
			if len(events) < maxBatchEvents {
				t.linger(t.opt.Every - time.Since(begun))
			}
		}
		if t.stopping() {
			return
		}
	}
}

// linger lets company gather.
func (t *Trail) linger(d time.Duration) {
	if t.opt.Mode == Durable || d <= 0 {
		return
	}
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-t.stop:
	}
}

func (t *Trail) stopping() bool {
	select {
	case <-t.stop:
		return true
	default:
		return false
	}
}

// cut takes the next batch in hand.
func (t *Trail) cut() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, names := 0, 0
	for n < len(t.waiting) && n < maxBatchEvents && names < maxBatchNames {
		names += len(t.waiting[n].Names)
		n++
	}
	if n == 0 {
		return nil
	}
	batch := t.waiting[:n:n]
	t.waiting, t.spare = append(t.spare[:0], t.waiting[n:]...), nil
	t.since = t.opt.Now()
	return batch
}

// write carries one batch through, however often it takes; false means that Close gave up.
func (t *Trail) write(batch []Event) bool {
	if err := t.out.begin(batch); err != nil { // cannot be: an Event always has a JSON form
		t.settle(nil, err)
		return false
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := t.out.attempt()
		t.settle(batch, err)
		if err == nil {
			return true
		}
		if !t.out.pause(wait) {
			return false
		}
	}
}

// settle takes down how an attempt ended.
func (t *Trail) settle(batch []Event, err error) {
	n := len(batch)
	t.mu.Lock()
	was := t.failed
	t.failed = err
	if err == nil {
		clear(batch)
		t.spare, t.since = batch[:0], time.Time{}
		t.durable += uint64(n)
		close(t.moved)
		t.moved = make(chan struct{})
	}
	t.mu.Unlock()
	switch {
	case err == nil && was != nil:
		slog.Info("audit trail is written again", "events", n)
	case err != nil && was == nil:
		slog.Error("audit trail", "events", n, "err", err)
	}
}
