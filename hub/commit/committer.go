// Package commit is the only way in. A Committer gathers concurrent Writes of one partition into
// batches, validates each against the index at the tail plus the earlier writes of its batch, makes the batch
// durable by creating one object, applies it to the index and only then acknowledges.
package commit

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/projection"
)

// Target is what a partition's log is folded into: the index (projection.Follower), or a small fold in memory.
type Target interface {
	// Applied returns the last commit folded in, after catching up with what is known of the log.
	Applied(ctx context.Context) (uint64, error)
	// Prepare works out what commit c brings, which need not be durable yet, and returns what folds it in once it is. To fold
	// in does nothing when that was done before. known are the entries of c's records as far as the caller has them.
	Prepare(ctx context.Context, c *hub.Commit, known []*hub.Entry) (apply func(context.Context) error)
	Heads(ctx context.Context, names []hub.Name) ([]hub.Head, error)
	Search(ctx context.Context, q hub.Query) (hub.Page, error)
	Project(rec *hub.Record) (hub.Entry, error)
}

// Write is a change that happens as a whole or not at all.
type Write struct {
	Member string
	// Names are those whose heads Plan will ask for; they are fetched for the whole batch at once. A Name that
	// Plan drafts must be among them unless it is certainly new (Draft.Fresh).
	Names []hub.Name
	// Plan decides at the tail what to write. It may be called more than once (another hub may win the race for
	// the next commit), so it must not have effects. An error rejects this write alone.
	Plan func(ctx context.Context, v *View) ([]Draft, error)
}

// Draft is a record to be: the committer gives number, version, time and place.
type Draft struct {
	Name   hub.Name
	Delete bool
	Fresh  bool // the name was made for this write (a new random id): no need to look it up
	Member string
	Blob   *hub.Blob
	// Body renders the JSON to keep (one line); nil when Delete. It must be pure.
	Body func(version uint64, at time.Time) []byte
	// Entry is what the record adds to the index, if the caller has it already; else it is projected.
	Entry *hub.Entry
}

// Options of a Committer; zero values mean the defaults.
type Options struct {
	// MaxRecords and MaxBytes end a batch; defaults 2,000 records and 8 MB. A single write may exceed both.
	MaxRecords int
	MaxBytes   int
	// Resolve is how long an unknown outcome of a PUT is pursued before writers are told 503; default 10 s.
	Resolve time.Duration
	// Observe is told of each commit: records, bytes, and how long PUT and index apply took.
	Observe func(records, bytes int, put, apply time.Duration)
	Now     func() time.Time
	// Admit, where not nil, says whether a member may write something at all, whichever way it comes: its error rejects the
	// write. body is nil for a deletion.
	Admit func(member string, name hub.Name, body []byte) error
}

// Committer serialises the writes of one partition in this process. Several processes may commit to the same
// partition: create-if-absent decides who gets each sequence number.
type Committer struct {
	log    *projection.Log
	target Target
	opt    Options

	queue chan []*pending // what was submitted together
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once

	// state at the tail; owned by run
	before *applying // the commit before, when it may not be in the index yet
	behind bool      // the index did not take a commit: nothing is planned until it has been looked at
	late   []*recent // the last commits, up to seq
	seq    uint64
	digest string
	nums   uint64
	last   time.Time
}

type pending struct {
	ctx   context.Context
	write Write
	out   chan Outcome
}

// New starts a committer. Close ends it.
func New(l *projection.Log, t Target, opt Options) *Committer {
	if opt.MaxRecords == 0 {
		opt.MaxRecords = 2000
	}
	if opt.MaxBytes == 0 {
		opt.MaxBytes = 8 << 20
	}
	if opt.Resolve == 0 {
		opt.Resolve = 10 * time.Second
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Admit == nil {
		opt.Admit = func(string, hub.Name, []byte) error { return nil }
	}
	if opt.Observe == nil {
		opt.Observe = func(int, int, time.Duration, time.Duration) {}
	}
	c := &Committer{log: l, target: t, opt: opt, queue: make(chan []*pending, 4096), stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
}

// Submit makes w durable and visible and returns its records, or says why it was rejected. When ctx ends first the
// outcome is unknown to the caller: the write may still happen.
func (c *Committer) Submit(ctx context.Context, w Write) ([]hub.Record, error) {
	o := c.SubmitAll(ctx, []Write{w})[0]
	return o.Records, o.Err
}

// Outcome is what Submit returns.
type Outcome struct {
	Records []hub.Record
	Err     error
}

// SubmitAll is Submit for writes that come together and stand each for itself: they share a commit as far as one holds
// them. The outcomes are in the order of the writes.
func (c *Committer) SubmitAll(ctx context.Context, ws []Write) []Outcome {
	group, outcomes := make([]*pending, len(ws)), make([]Outcome, len(ws))
	for i := range ws {
		group[i] = &pending{ctx: ctx, write: ws[i], out: make(chan Outcome, 1)}
	}
	fail := func(from int, msg string, err error) []Outcome {
		for i := from; i < len(outcomes); i++ {
			outcomes[i] = Outcome{Err: &hub.Error{Kind: hub.Unavailable, Msg: msg, Retry: time.Second, Err: err}}
		}
		return outcomes
	}
	select {
	case c.queue <- group:
	case <-c.stop:
		return fail(0, "the hub is shutting down", nil)
	case <-ctx.Done():
		return fail(0, "too many writes are waiting", ctx.Err())
	}
	for i, p := range group {
		select {
		case outcomes[i] = <-p.out:
			continue
		default:
		}
		select {
		case outcomes[i] = <-p.out:
		case <-ctx.Done():
			return fail(i, "the write's outcome is not known yet; ask for it, or send it again with a condition", ctx.Err())
		case <-c.done:
			select {
			case outcomes[i] = <-p.out:
			default:
				return fail(i, "the hub is shutting down", nil)
			}
		}
	}
	return outcomes
}

// Close takes no more writes, finishes those that wait, and returns when they are answered.
func (c *Committer) Close() {
	c.once.Do(func() { close(c.stop) })
	<-c.done
}

func (c *Committer) run() {
	defer close(c.done)
	defer c.settle()
	var carry []*pending // deferred to the next batch because a name changes once in a commit
	for {
		batch := carry
		if len(batch) == 0 {
			select {
			case group := <-c.queue:
				batch = group
			case <-c.stop:
				select {
				case group := <-c.queue:
					batch = group
				default:
					return
				}
			}
		}
		carry = c.commit(c.gather(batch))
	}
}

// gather adds what queues already. It does not wait for company: while one batch is on its way to the disk the next
// one queues up, so that batches grow with the load and a lone write is not held up.
func (c *Committer) gather(batch []*pending) []*pending {
	limit := c.opt.MaxRecords
	for len(batch) < limit {
		select {
		case group := <-c.queue:
			batch = append(batch, group...)
			continue
		default:
		}
		break
	}
	return batch
}

// applying is a commit that is durable and on its way into the index. The next one may be planned on top of it and be
// made durable meanwhile, for it can only fail together with the index.
type applying struct {
	seq  uint64
	plan *plan
	done chan struct{}
	err  error // once done
}

// settle waits until the commit before is in the index. The writers have been told when it could not be taken.
func (c *Committer) settle() error {
	if c.before == nil {
		return nil
	}
	<-c.before.done
	err := c.before.err
	c.before = nil
	if err != nil {
		c.forget()
		c.behind = true
	}
	return err
}

// commit carries one batch through and answers its writes; it returns those that must wait for the next one.
func (c *Committer) commit(batch []*pending) (deferred []*pending) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*c.opt.Resolve)
	defer cancel()
	fail := func(err error) []*pending {
		if ctx.Err() != nil && hub.Is(err, hub.Internal) {
			err = &hub.Error{Kind: hub.Unavailable, Msg: "the index does not come to the tail of the log", Retry: time.Second, Err: err}
		}
		for _, p := range batch {
			p.out <- Outcome{Err: err}
		}
		return nil
	}
	for {
		if err := c.reachTail(ctx); err != nil {
			return fail(err)
		}
		pl, err := c.plan(ctx, batch)
		if err != nil && c.before != nil { // the index may have been emptied: look at it first
			c.settle()
			continue
		}
		if err != nil {
			return fail(err)
		}
		if len(pl.records) == 0 {
			c.settle() // a rejection may rest on what the commit before wrote
			pl.answer(nil)
			return pl.deferred
		}
		won, err := c.append(ctx, pl)
		if err != nil {
			return fail(err)
		}
		if won {
			return pl.deferred
		}
	}
}

// reachTail loads what the next commit is chained to.
func (c *Committer) reachTail(ctx context.Context) error {
	if c.before != nil {
		select {
		case <-c.before.done:
		default:
			if c.seq == c.before.seq && !c.behind {
				return nil // what is on its way is the tail
			}
		}
		c.settle() // an error is for the writers of that commit; this batch looks for itself
	}
	applied, err := c.target.Applied(ctx)
	if err != nil {
		return err
	}
	c.behind = false
	if applied == c.seq {
		return nil
	}
	if applied == 0 {
		c.forget()
		return nil
	}
	commit, data, err := c.log.Commit(ctx, applied)
	if err != nil {
		return err
	}
	c.adopt(commit, data, nil)
	return nil
}

// forget makes the next batch look at the tail again.
func (c *Committer) forget() { c.seq, c.digest, c.nums = 0, "", 0 }

func (c *Committer) adopt(commit *hub.Commit, data []byte, entries []*hub.Entry) {
	c.remember(commit.Seq, commit.Records, entries)
	c.seq, c.digest, c.last = commit.Seq, hub.Digest(data), commit.Time
	c.nums = commit.Nums
	for i := range commit.Records {
		c.nums = max(c.nums, commit.Records[i].Num)
	}
}

// append PUTs the plan as the next commit and has it applied in the background, which answers the plan's writes. won is
// false when another hub took the place: its commit is applied and the batch must be planned again.
func (c *Committer) append(ctx context.Context, pl *plan) (won bool, err error) {
	nonce := rand.Text()
	next := &hub.Commit{Partition: c.log.Partition, Seq: c.seq + 1, Prev: c.digest, Nonce: nonce, Time: pl.time, Nums: c.nums, Records: pl.records}
	data, err := next.Encode()
	if err != nil {
		return false, err
	}
	ready := make(chan func(context.Context) error, 1)
	go func() { ready <- c.target.Prepare(ctx, next, pl.entries) }() // while the disk works
	started := time.Now()
	if won, err = c.put(ctx, next, data); err != nil {
		return false, err
	}
	put := time.Since(started)
	behind := c.settle() != nil
	if !won {
		other, raw, err := c.log.Commit(ctx, next.Seq)
		if err != nil {
			return false, err
		}
		if err := c.target.Prepare(ctx, other, nil)(ctx); err != nil {
			return false, err
		}
		c.adopt(other, raw, nil)
		return false, nil
	}
	c.log.Written(next, data)
	c.adopt(next, data, pl.entries)
	c.before = &applying{seq: next.Seq, plan: pl, done: make(chan struct{})}
	apply := <-ready // before ctx ends
	go c.apply(c.before, next, len(data), put, behind, apply)
	return true, nil
}

// apply puts a durable commit into the index and answers its writes.
func (c *Committer) apply(a *applying, next *hub.Commit, size int, put time.Duration, behind bool, fold func(context.Context) error) {
	defer close(a.done)
	ctx, cancel := context.WithTimeout(context.Background(), 2*c.opt.Resolve)
	defer cancel()
	started := time.Now()
	if behind {
		c.target.Applied(ctx) // catches up
	}
	// The writes have happened. If the index cannot follow, the answer is "unknown", never "no".
	if err := fold(ctx); err != nil {
		a.err = &hub.Error{Kind: hub.Unavailable, Msg: "the write is durable but the index cannot take it yet", Retry: time.Second, Err: err}
		for _, r := range a.plan.results {
			r.p.out <- Outcome{Err: a.err}
		}
		return
	}
	c.opt.Observe(len(next.Records), size, put, time.Since(started))
	a.plan.answer(nil)
}

// put creates the commit's object. An error leaves the outcome open, so the same bytes are sent again until
// the store says either "created" or "exists"; then the nonce tells whose it is.
func (c *Committer) put(ctx context.Context, next *hub.Commit, data []byte) (won bool, err error) {
	key := hub.LogKey(next.Partition, next.Seq)
	deadline := time.Now().Add(c.opt.Resolve)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := c.log.Objects.PutNew(ctx, key, int64(len(data)), bytes.NewReader(data))
		if err == nil {
			return true, nil
		}
		if hub.Is(err, hub.Exists) {
			there, _, rerr := c.log.Commit(ctx, next.Seq)
			if rerr == nil {
				return there.Nonce == next.Nonce, nil
			}
			err = rerr
		}
		if time.Now().Add(wait).After(deadline) || ctx.Err() != nil {
			c.forget()
			return false, &hub.Error{Kind: hub.Unavailable, Retry: 2 * time.Second, Err: err,
				Msg: fmt.Sprintf("the object store does not answer for commit %d of %s; whether it was written is not known yet", next.Seq, next.Partition)}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}
