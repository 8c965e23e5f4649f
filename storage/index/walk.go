package index

import (
	"math"
	"slices"

	"concord/hub"
)

// walk goes through the pages of the first sort key, as many at a time as are likely to fill the page of hits, and
// asks about what they hold, until nothing that is left can be among the hits. It gives up, false, when it has read far
// more than the rarest clause holds, or when what remains has no value to be walked by.
func (sh *shard) walk(await func() bool, rarest int) bool {
	key := sh.order[0]
	asked, known := sh.made, sh.several != nil
	if !known {
		sh.everything.queueSize(sh.trips)
		sh.queueSeveral()
	}
	book := sh.book(await, key.Param)
	if sh.err != nil || !known && sh.made == asked && !await() {
		return true
	}
	path, bounded := sh.ahead(book, key, sh.several.Val() > 0)
	everything, _ := sh.everything.size()
	each := 1 + everything/max(1, len(book.pages)) // things of a page, by and large
	step := 1 + sh.stride()/each
	var met []uint64
	for read := 0; !path.ended(); {
		some := path.next(step)
		step *= 2
		nums := sh.members(await, some)
		if sh.err != nil {
			return true
		}
		sh.read, read = sh.read+len(nums), read+len(nums)
		fresh := nums
		if len(met) > 0 {
			fresh = slices.DeleteFunc(nums, func(n uint64) bool { _, before := slices.BinarySearch(met, n); return before })
		}
		met = distinct(slices.Concat(met, fresh))
		if !sh.take(await, fresh) {
			return true
		}
		if !path.ended() && (!await() || sh.top.beyond(finite(bound(path.rest[0], key)))) { // behind the other shards' step: together they may be enough
			return true
		}
		if read > 4*rarest {
			return false
		}
	}
	return bounded || sh.top.beyond(math.NaN()) || len(met) == everything
}

// take offers those of nums that match; false when a trip failed.
func (sh *shard) take(await func() bool, nums []uint64) bool {
	if len(nums) == 0 {
		return sh.err == nil
	}
	var values []float64
	if sh.where.uncounted && len(sh.order) == 1 { // what it is sorted by tells all
		nums, values = sh.inInterval(await, nums)
	} else {
		hit := sh.where.ask(sh.trips, await, sh.where.must, nums)
		if sh.err != nil {
			return false
		}
		nums, _ = choose(nums, nil, hit)
		values = sh.values(await, nums)
	}
	if sh.err != nil {
		return false
	}
	sh.offer(nums, values)
	sh.offered = distinct(slices.Concat(sh.offered, nums))
	return true
}

// inInterval are those of nums that are within the interval asked for, if any is, and what they are sorted by. It writes over nums.
func (sh *shard) inInterval(await func() bool, nums []uint64) (within []uint64, values []float64) {
	c := sh.column(sh.order[0].Param)
	spans := c.values(await, nums)
	if sh.err != nil {
		return nil, nil
	}
	within, values = nums[:0], make([]float64, 0, len(nums))
	for i, n := range nums {
		if len(sh.q.All) == 0 || c.matches(n, spans[i], &sh.q.All[0].Any[0]) {
			within, values = append(within, n), append(values, finite(spans[i].lo))
		}
	}
	return within, values
}

// ahead lists the pages that a walk goes through: behind the page before, and where a clause asks for an interval of
// the very parameter that is walked, in that interval. Then, bounded, things without a value need not be looked for.
// several: some things have more than one value.
func (sh *shard) ahead(book *book, key hub.Sort, several bool) (way *path, bounded bool) {
	m := anything()
	for _, c := range sh.q.All {
		if c.Not || len(c.Either) > 0 || c.Param != key.Param || len(c.Any) != 1 || c.Any[0].Kind != hub.Within {
			continue
		}
		one := c.Any[0]
		bounded, m.LoMax, m.HiMax = true, min(m.LoMax, one.LoMax), min(m.HiMax, one.HiMax)
		if !several { // else a thing is met at its least value, and another one may match
			m.LoMin, m.HiMin = max(m.LoMin, one.LoMin), max(m.HiMin, one.HiMin)
		} else {
			m.HiMax = math.Inf(1)
			m.LoMax = min(m.LoMax, one.HiMax)
		}
	}
	least, most := math.Inf(-1), math.Inf(1)
	if sh.top.after != nil {
		if after := widen(sh.top.after.values[0]); key.Desc {
			most = after
		} else {
			least = after
		}
	}
	return book.ahead(m, least, most, key), bounded
}
