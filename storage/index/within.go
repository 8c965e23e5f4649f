package index

import (
	"slices"

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
	many    *redis.IntCmd // asked where a size must be exact
	guess   int
	opened  bool // sure and unsure are known
	counted bool
	known   []uint64
	whole   bool
}

// counting is how many pages a search counts to know how much is in an interval, in all its slots; beyond that it
// guesses.
const counting = 2048

// measure guesses that everything is in the interval: most searches have something rarer, and ask no more.
func (w *withinPosting) measure(t *trips, await func() bool) {
	if w.sh.q.Count {
		w.many = t.pipe.SCard(t.ctx, string(w.sh.p.manyKey(nil, w.sh.slot, w.sh.q.Type, w.param)))
	}
	if await() {
		w.guess, _ = w.sh.everything.size()
	}
}

// open finds the pages of the interval.
func (w *withinPosting) open(await func() bool) {
	if !w.opened {
		w.sure, w.unsure = w.sh.book(await, w.param).candidates(w.match)
		w.opened = true
	}
}

// count is for those who have to know better. Only an exact total is counted in all slots; else some of them speak for the others.
func (w *withinPosting) count(t *trips, await func() bool) {
	if w.open(await); t.err != nil {
		return
	}
	pages := slices.Concat(w.sure, w.unsure)
	if len(pages)*len(w.sh.shards) > counting {
		w.guess = 1 + w.guess*len(pages)/max(1, len(w.sh.book(await, w.param).pages))
		return
	}
	if len(pages) == 0 {
		w.guess, w.counted = 0, true
		return
	}
	sample := w.sh.books[w.param].sample(w.match)
	speaks := w.sh.q.Count || sample.slots < speakers
	var cards []*redis.IntCmd
	if speaks {
		sample.slots++
		for _, pg := range pages {
			cards = append(cards, t.pipe.SCard(t.ctx, w.sh.key(pg)))
		}
	}
	if !await() {
		return
	}
	if !speaks {
		w.guess = 1 + sample.things/sample.slots
		return
	}
	w.guess, w.counted = 0, true
	for _, card := range cards {
		w.guess += int(card.Val())
	}
	sample.things += w.guess
}

// speakers is how many slots are counted to know by and large what is in all.
const speakers = 4

func (w *withinPosting) size() (int, bool) {
	if w.whole {
		return len(w.known), true
	}
	return w.guess, w.guess == 0 || w.counted && len(w.unsure) == 0 && w.many != nil && w.many.Val() == 0
}

func (w *withinPosting) members(t *trips, await func() bool) []uint64 {
	if w.whole {
		return w.known
	}
	if w.open(await); t.err != nil {
		return nil
	}
	var sure, nums []uint64
	t.together(await, func(await func() bool) { sure = w.sh.members(await, w.sure) }, func(await func() bool) { nums = w.sh.members(await, w.unsure) })
	if len(nums) > 0 && t.err == nil {
		c := w.sh.column(w.param)
		spans := c.values(await, nums)
		if t.err != nil {
			return nil
		}
		for i, n := range nums {
			if c.matches(n, spans[i], w.match) {
				sure = append(sure, n)
			}
		}
	}
	w.known, w.whole = distinct(sure), t.err == nil
	return w.known
}

func (w *withinPosting) probe(t *trips, await func() bool, nums []uint64, hit []bool) {
	if w.whole {
		meet(w.known, nums, hit)
		return
	}
	c := w.sh.column(w.param)
	if w.opened {
		_, unknown := c.known(nums)
		if n, _ := w.size(); len(w.sure)+len(w.unsure)+n/8 < len(unknown) { // a number's values cost a command, or nearly
			meet(w.members(t, await), nums, hit)
			return
		}
	}
	spans := c.values(await, nums)
	if t.err != nil {
		return
	}
	for i, n := range nums {
		if c.matches(n, spans[i], w.match) {
			hit[i] = true
		}
	}
}

// prune writes over nums if it may.
func (w *withinPosting) prune(nums []uint64, over bool) []uint64 {
	c := w.sh.column(w.param)
	spans, unknown := c.known(nums)
	if len(unknown) == len(nums) {
		return nums
	}
	kept := nums[:0]
	if !over {
		kept = make([]uint64, 0, len(nums))
	}
	for i, n := range nums {
		switch {
		case len(unknown) > 0 && unknown[0] == n:
			unknown = unknown[1:]
			kept = append(kept, n)
		case c.matches(n, spans[i], w.match):
			kept = append(kept, n)
		}
	}
	return kept
}
