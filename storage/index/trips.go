package index

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// trips lets many tasks share round trips. A task is straight code that queues commands on pipe and calls await
// before it reads their replies; all tasks that await go together in one trip. So the trips of a search are those
// of its slowest shard, whatever the number of shards.
type trips struct {
	ctx        context.Context
	client     redis.UniversalClient
	pipe       redis.Pipeliner
	err        error
	made       int
	limits     Limits
	hands      *hands
	terms      int // Text terms that were read
	termsAhead int // of them, those that may still be read before it is known whether they are needed
	beside     *partition
	aside      func() (meta, error) // what the last trip brought of beside
}

// task ends early when await returns false: then a trip failed, and trips.err says why.
type task func(await func() bool)

func (ix *Index) newTrips(ctx context.Context) *trips {
	return &trips{ctx: ctx, client: ix.client, pipe: ix.client.Pipeline(), limits: ix.limits, hands: ix.hands, termsAhead: earlyTerms}
}

// trip sends what is queued. It keeps the first error; a missing key is none.
func (t *trips) trip() bool {
	if t.err != nil || t.pipe.Len() == 0 {
		return t.err == nil
	}
	t.made++
	if t.beside != nil {
		t.aside = t.queueMeta(t.beside)
	}
	cmds, err := t.pipe.Exec(t.ctx)
	if err == nil {
		return true
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			t.err = err
			return false
		}
	}
	if !errors.Is(err, redis.Nil) {
		t.err = err
	}
	return t.err == nil
}

// readBeside has the last trip tell where a partition is after all else was read.
func (t *trips) readBeside(ix *Index, name hub.Partition) (err error) {
	if name != "" {
		t.beside, err = ix.partition(name)
	}
	return err
}

// tellBeside puts it to the marks of what was read. Of a cluster it is asked by itself: the commands of one trip go to several
// servers there, which do not wait for each other.
func (t *trips) tellBeside(ix *Index, marks map[hub.Partition]hub.Marks) error {
	if t.beside == nil {
		return nil
	}
	if ix.cluster {
		t.queueMeta(t.beside)
		if !t.trip() {
			return t.err
		}
	}
	m, err := t.aside()
	if err == nil {
		marks[t.beside.name] = m.Marks
	}
	return err
}

// together runs the tasks side by side: when each has queued what it wants, it awaits once for all. A task whose await failed has
// to end before together returns.
func (t *trips) together(await func() bool, tasks ...task) bool {
	if len(tasks) < 2 {
		ok := true
		for _, do := range tasks {
			do(func() bool { ok = ok && await(); return ok })
		}
		return ok
	}
	waiting := make([]*hand, 0, len(tasks))
	for _, do := range tasks {
		h := t.hands.take()
		h.do = do
		waiting = append(waiting, h)
	}
	failed := false
	for {
		still := waiting[:0]
		for _, h := range waiting {
			h.failed = failed
			if h.goOn() {
				still = append(still, h)
			} else {
				t.hands.give(h)
			}
		}
		if waiting = still; len(waiting) == 0 {
			return !failed
		}
		failed = failed || !await()
	}
}

// slice queues a command whose reply has gaps: go-redis' own ZMScore cannot tell the score 0 from none.
func (t *trips) slice(args ...any) *redis.SliceCmd {
	cmd := redis.NewSliceCmd(t.ctx, args...)
	_ = t.pipe.Process(t.ctx, cmd)
	return cmd
}

func (t *trips) scores(key string, members []string) *redis.SliceCmd {
	args := make([]any, 2, len(members)+2)
	args[0], args[1] = "zmscore", key
	for _, m := range members {
		args = append(args, m)
	}
	return t.slice(args...)
}
