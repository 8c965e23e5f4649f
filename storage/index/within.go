package index

import (
	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// withinPosting is what a Range parameter has in an interval. Its pages say what may match, and of most that it does;
// the column decides about the others.
type withinPosting struct {
	sh      *shard
	param   string
	match   *hub.Match
	sure    []page
	unsure  []page
	cards   []*redis.IntCmd
	many    *redis.IntCmd
	guess   int
	counted bool
	known   []uint64
	whole   bool
}

// counting is how many pages a search counts to know how much is in an interval, in all its slots; beyond that it
// guesses.
const counting = 2048

// measure counts in a trip of its own, when the book is there.
func (w *withinPosting) measure(t *trips, await func() bool) {
	w.many = t.pipe.SCard(t.ctx, w.sh.p.manyKey(w.sh.slot, w.sh.q.Type, w.param))
	if !await() {
		return
	}
	b := w.sh.books[w.param]
	w.sure, w.unsure = b.candidates(w.match)
	if n := len(w.sure) + len(w.unsure); n*len(w.sh.shards) > counting {
		everything, _ := w.sh.everything.size()
		w.guess = 1 + everything*n/max(1, len(b.pages))
		return
	}
	for _, pages := range [][]page{w.sure, w.unsure} {
		for _, pg := range pages {
			w.cards = append(w.cards, t.pipe.SCard(t.ctx, w.sh.key(pg)))
		}
	}
	if len(w.cards) > 0 && !await() {
		return
	}
	for _, card := range w.cards {
		w.guess += int(card.Val())
	}
	w.counted = true
}

func (w *withinPosting) size() (int, bool) {
	if w.whole {
		return len(w.known), true
	}
	return w.guess, w.guess == 0 || w.counted && len(w.unsure) == 0 && w.many.Val() == 0
}

func (w *withinPosting) members(t *trips, await func() bool) []uint64 {
	if w.whole {
		return w.known
	}
	var sure, nums []uint64
	together(await, func(await func() bool) { sure = w.sh.members(await, w.sure) }, func(await func() bool) { nums = w.sh.members(await, w.unsure) })
	if len(nums) > 0 && t.err == nil {
		c := w.sh.column(w.param)
		if c.read(await, nums); t.err != nil {
			return nil
		}
		for _, n := range nums {
			if c.matches(n, w.match) {
				sure = append(sure, n)
			}
		}
	}
	w.known, w.whole = distinct(sure), t.err == nil
	return w.known
}

func (w *withinPosting) probe(t *trips, await func() bool, nums []uint64, hit []bool) {
	if n, _ := w.size(); w.whole || t.limits.worthFetching(n, len(nums)) {
		meet(w.members(t, await), nums, hit)
		return
	}
	c := w.sh.column(w.param)
	if c.read(await, nums); t.err != nil {
		return
	}
	for i, n := range nums {
		if c.matches(n, w.match) {
			hit[i] = true
		}
	}
}
