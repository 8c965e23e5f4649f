package index

import (
	"strconv"

	"github.com/redis/go-redis/v9"
)

// exactPosting is a set of numbers.
type exactPosting struct {
	sh    *shard // nil where nothing is remembered
	key   string
	card  *redis.IntCmd // nil: guess is the size, by and large
	guess int
	all   *redis.StringSliceCmd // asked for when asked trips had been made
	asked int
	known []uint64
	whole bool // known is everything
}

func (e *exactPosting) queueSize(t *trips) { e.card = t.pipe.SCard(t.ctx, e.key) }

func (e *exactPosting) measure(t *trips, await func() bool) { e.queueSize(t); await() }

func (e *exactPosting) size() (int, bool) {
	if e.card == nil {
		return e.guess, false
	}
	return int(e.card.Val()), true
}

// recall reports whether the members are known, from the cache if from nowhere else.
func (e *exactPosting) recall() bool {
	if !e.whole && e.sh != nil && e.card != nil {
		n, _ := e.size()
		e.known, e.whole = e.sh.ix.cache.set(e.key, e.sh.era, n)
	}
	return e.whole
}

// queueMembers queues the one command that reads all members; false when they are too many for that.
func (e *exactPosting) queueMembers(t *trips) bool {
	n, _ := e.size()
	if n > 16*t.limits.Fetch {
		return false
	}
	if !e.recall() && e.all == nil {
		e.all, e.asked = t.pipe.SMembers(t.ctx, e.key), t.made
	}
	return true
}

// members waits for nothing when they were queued before the last trip.
func (e *exactPosting) members(t *trips, await func() bool) []uint64 {
	if e.recall() {
		return e.known
	}
	var nums []uint64
	if n, _ := e.size(); n <= 16*t.limits.Fetch {
		e.queueMembers(t)
		if e.asked == t.made && !await() {
			return nil
		}
		if e.whole { // read for another condition meanwhile
			return e.known
		}
		nums = appendNums(make([]uint64, 0, n), e.all.Val())
	} else {
		for cursor := uint64(0); ; {
			cmd := t.pipe.SScan(t.ctx, e.key, cursor, "", int64(4*t.limits.Fetch))
			if !await() {
				return nil
			}
			var page []string
			page, cursor = cmd.Val()
			nums = appendNums(nums, page)
			if cursor == 0 {
				break
			}
		}
	}
	e.known, e.whole = distinct(nums), true
	if e.sh != nil {
		e.sh.fetched = append(e.sh.fetched, e)
	}
	return e.known
}

func (e *exactPosting) probe(t *trips, await func() bool, nums []uint64, hit []bool) {
	if n, _ := e.size(); e.recall() || worthFetching(n, len(nums)) || n <= t.limits.Fetch && e.sh != nil && e.sh.ix.cache.popular(e.key) {
		meet(e.members(t, await), nums, hit)
		return
	}
	chunk := t.limits.Fetch
	var cmds []*redis.BoolSliceCmd
	for at := 0; at < len(nums); at += chunk {
		some := nums[at:min(at+chunk, len(nums))]
		args := make([]any, len(some))
		for i, n := range some {
			args[i] = n
		}
		cmds = append(cmds, t.pipe.SMIsMember(t.ctx, e.key, args...))
	}
	if !await() {
		return
	}
	for c, cmd := range cmds {
		for i, is := range cmd.Val() {
			if is {
				hit[c*chunk+i] = true
			}
		}
	}
}

func appendNums(to []uint64, members []string) []uint64 {
	for _, m := range members {
		if num, err := strconv.ParseUint(m, 10, 64); err == nil {
			to = append(to, num)
		}
	}
	return to
}
