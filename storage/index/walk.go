package index

import (
	"math"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// walk goes through the order of the first sort key and asks about each chunk of it, until the page can be filled
// from what was met. It gives up, false, when it has read more than fetching the rarest clause would cost, or when
// what remains has no value to be walked by.
func (sh *shard) walk(await func() bool, rarest int) bool {
	start, stop, bounded := sh.bounds()
	sh.offered = map[uint64]bool{}
	var group []uint64 // things with the last value met; there may be more of them
	var value float64
	met, size, gaveUp := 0, sh.stride(), false
	take := func(nums []uint64, scores []float64) bool {
		hit := sh.where.ask(sh.trips, await, sh.where.must, nums)
		if sh.err != nil {
			return false
		}
		nums, values := choose(nums, scores, hit)
		if len(sh.order) > 1 {
			values = sh.values(await, nums)
		}
		if sh.err != nil {
			return false
		}
		sh.offer(nums, values)
		for _, n := range nums {
			sh.offered[n] = true
		}
		return true
	}
	step := func() int { return size }
	sh.byScore(await, sh.sortKey(0), start, stop, sh.order[0].Desc, step, func(got []redis.Z) bool {
		var ready []uint64
		var scores []float64
		release := func() {
			ready = append(ready, group...)
			for range group {
				scores = append(scores, finite(value))
			}
			group = nil
		}
		for _, z := range got {
			num, leads := numOf(z.Member.(string))
			if z.Score != value {
				release()
				value = z.Score
			}
			if leads {
				group = append(group, num)
			}
		}
		met += len(got)
		last := len(got) < size
		if last {
			release()
		}
		if !take(ready, scores) || last || sh.top.beyond(finite(value)) {
			return false
		}
		size = min(2*size, sh.limits.Fetch)
		gaveUp = met > rarest
		return !gaveUp
	})
	sh.read += met
	if sh.err != nil {
		return true
	}
	if gaveUp {
		return false
	}
	n, _ := sh.everything.size()
	everyoneHasValue := sh.first.many.Val() == 0 && int(sh.first.values.Val()) == n
	return bounded || sh.top.beyond(math.NaN()) || everyoneHasValue
}

// bounds says where a walk begins and ends: behind the page before, and where a clause asks for an interval of the
// very parameter that is walked, in that interval. Then, bounded, things without a value need not be looked for.
func (sh *shard) bounds() (start, stop float64, bounded bool) {
	least, most := math.Inf(-1), math.Inf(1)
	for _, c := range sh.q.All {
		if c.Not || len(c.Either) > 0 || c.Param != sh.order[0].Param || len(c.Any) != 1 || c.Any[0].Kind != hub.Within {
			continue
		}
		bounded, most = true, min(most, c.Any[0].LoMax)
		if sh.first.many.Val() == 0 { // else a thing is met at its least value, and another one may match
			least = max(least, c.Any[0].LoMin)
		}
	}
	start, stop = least, most
	if sh.order[0].Desc {
		start, stop = most, least
	}
	if sh.top.after == nil {
		return start, stop, bounded
	}
	if after := widen(sh.top.after.values[0]); sh.order[0].Desc {
		start = min(start, after)
	} else {
		start = max(start, after)
	}
	return start, stop, bounded
}
