package index

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// outsets remember what a walk asks before it begins. It stays true until a commit touches the slot, as its mark tells, which is read
// in the same trip: so a walk relies on it and, where the mark has moved, asks in a second trip. Slots that are written to between two
// walks are asked at once. Only partitions of one slot are remembered: there the mark speaks for the rolls, too.
type outsets struct {
	mu sync.Mutex
	of map[shelfMark]outset
}

// outset is how much lives of a type, how much of it has several values of a parameter, and the size of that parameter's book.
type outset struct {
	at              mark
	calm            bool // two walks in a row began at this mark
	living, several int64
	rolls           rollSizes
}

// find gives what is worth relying on.
func (os *outsets) find(at shelfMark) (outset, bool) {
	os.mu.Lock()
	defer os.mu.Unlock()
	o := os.of[at]
	return o, o.calm
}

func (os *outsets) remember(at shelfMark, o outset) {
	os.mu.Lock()
	defer os.mu.Unlock()
	o.calm = os.of[at].at == o.at
	os.of[at] = o
}

func (os *outsets) forget(at shelfMark) {
	os.mu.Lock()
	defer os.mu.Unlock()
	delete(os.of, at)
}

// setOut queues what a walk of all there is asks, unless it relies on what is remembered.
func (sh *shard) setOut() {
	at := sh.walked()
	if sh.relied, sh.relies = sh.ix.outsets.find(at); sh.relies {
		sh.everything.card, sh.several = told(sh.ctx, sh.relied.living), told(sh.ctx, sh.relied.several)
		sh.bookSoon(at.param, func() rollSizes { return sh.relied.rolls })
		return
	}
	sh.everything.queueSize(sh.trips)
	sh.queueSeveral()
	if sh.books[at.param] == nil {
		sh.bookSoon(at.param, sh.queueSizes(at))
	}
}

// setOutAnew is setOut for one that relied on what is true no more.
func (sh *shard) setOutAnew(await func() bool) bool {
	if !sh.relies || sh.relied.at == sh.began {
		return true
	}
	delete(sh.books, sh.walked().param)
	sh.ix.outsets.forget(sh.walked())
	sh.setOut()
	return await()
}

// rememberOutset takes what a walk asked, when no commit was beyond the visible mark and none came meanwhile.
func (sh *shard) rememberOutset(applied uint64) {
	at := sh.walked()
	b := sh.books[at.param]
	if !sh.where.uncounted || sh.p.slots > 1 || b == nil || sh.mark != sh.began || sh.began.seq > applied || sh.relies && sh.relied.at == sh.began {
		return
	}
	sh.ix.outsets.remember(at, outset{at: sh.began, living: sh.everything.card.Val(), several: sh.several.Val(), rolls: b.sizes})
}

// walked names the book that a walk goes through.
func (sh *shard) walked() shelfMark { return shelfMark{sh.p, sh.q.Type, sh.order[0].Param} }

// told is a reply that need not be asked for.
func told(ctx context.Context, n int64) *redis.IntCmd {
	cmd := redis.NewIntCmd(ctx)
	cmd.SetVal(n)
	return cmd
}
