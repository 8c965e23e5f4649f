package index

import (
	"math"

	"concord/hub"
)

// walk goes through the pages of the first sort key, as many at a time as are likely to fill the page of hits, and
// asks about what they hold, until nothing that is left can be among the hits. It gives up, false, when it has read more than
// fetching the rarest clause would cost, or when what remains has no value to be walked by.
func (sh *shard) walk(await func() bool, rarest int) bool {
	key := sh.order[0]
	start, stop, bounded := sh.bounds()
	book := sh.books[key.Param]
	pages := book.inOrder(start, stop, key.Desc)
	everything, _ := sh.everything.size()
	each := 1 + everything/max(1, len(book.near)+len(book.wide)) // things of a page, by and large
	step := 1 + sh.stride()/each
	sh.offered = map[uint64]bool{}
	met := map[uint64]bool{}
	for read := 0; len(pages) > 0; {
		some := pages[:min(step, len(pages))]
		pages, step = pages[len(some):], 2*step
		nums := sh.members(await, some)
		if sh.err != nil {
			return true
		}
		sh.read, read = sh.read+len(nums), read+len(nums)
		fresh := nums[:0]
		for _, n := range nums {
			if !met[n] {
				met[n] = true
				fresh = append(fresh, n)
			}
		}
		if !sh.take(await, fresh) || len(pages) > 0 && sh.top.beyond(finite(bound(pages[0], key))) {
			return true
		}
		if read > rarest {
			return false
		}
	}
	return bounded || sh.top.beyond(math.NaN()) || len(met) == everything
}

// bound is what nothing in the page, or in the pages behind it, comes before.
func bound(pg page, key hub.Sort) float64 {
	if key.Desc {
		return pg.to
	}
	return pg.from
}

// take offers those of nums that match; false when a trip failed.
func (sh *shard) take(await func() bool, nums []uint64) bool {
	if len(nums) == 0 {
		return sh.err == nil
	}
	hit := sh.where.ask(sh.trips, await, sh.where.must, nums)
	if sh.err != nil {
		return false
	}
	nums, _ = choose(nums, nil, hit)
	values := sh.values(await, nums)
	if sh.err != nil {
		return false
	}
	sh.offer(nums, values)
	for _, n := range nums {
		sh.offered[n] = true
	}
	return true
}

// bounds says between which values a walk goes: behind the page before, and where a clause asks for an interval of the
// very parameter that is walked, in that interval. Then, bounded, things without a value need not be looked for.
func (sh *shard) bounds() (least, most float64, bounded bool) {
	least, most = math.Inf(-1), math.Inf(1)
	for _, c := range sh.q.All {
		if c.Not || len(c.Either) > 0 || c.Param != sh.order[0].Param || len(c.Any) != 1 || c.Any[0].Kind != hub.Within {
			continue
		}
		bounded, most = true, min(most, c.Any[0].LoMax, c.Any[0].HiMax)
		if sh.many.Val() == 0 { // else a thing is met at its least value, and another one may match
			least = max(least, c.Any[0].LoMin)
		}
	}
	if sh.top.after == nil {
		return least, most, bounded
	}
	if after := widen(sh.top.after.values[0]); sh.order[0].Desc {
		most = min(most, after)
	} else {
		least = max(least, after)
	}
	return least, most, bounded
}
