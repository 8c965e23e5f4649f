package index

import (
	"math"
	"slices"

	"concord/hub"

	"github.com/redis/go-redis/v9"
)

// shard is the part of a search that one slot answers: measure the clauses, start from the rarest, ask the others
// about what it holds; or, when even the rarest is large and only a page is wanted, walk the order and ask all.
type shard struct {
	*search
	p    *partition
	slot int

	books      map[string]*book
	names      *directory
	everything *exactPosting
	where      *allOf
	columns    map[string]*column
	fetched    []*exactPosting // read in this search
	paged      []*exactPosting // the same, of pages

	total   int
	heads   map[uint64]head // those that are known already; version 0 for none
	told    []uint64        // of them, those that this search read
	wanted  []uint64        // the hits among them that are not
	began   mark            // of the first trip, behind all else in it
	era     era             // at that mark
	mark    mark
	marked  bool     // the mark was read behind everything else
	offered []uint64 // by a walk, ascending
	relied  outset   // what a walk began with, if it relies on what is remembered
	relies  bool
	several *redis.IntCmd // how many things have several values of what is sorted by, once it was asked
}

// newShard is nil when nothing in the slot can fulfil the query.
func newShard(s *search, p *partition, slot int, qs []*question) *shard {
	sh := &shard{search: s, p: p, slot: slot, everything: p.allPosting(slot, s.q.Type), columns: map[string]*column{}}
	sh.everything.sh = sh
	if sh.where = sh.all(qs); sh.where == nil {
		return nil
	}
	return sh
}

func (sh *shard) run(await func() bool) {
	walks := sh.walksAll()
	if sh.where.uncounted = walks; walks {
		sh.setOut()
	} else {
		sh.queuePopulation(len(sh.where.must) == 0)
	}
	before := sh.made
	var mark func() mark
	sh.where.measure(sh.trips, func() bool {
		if mark == nil {
			mark = sh.queueMark()
		}
		if !await() {
			return false
		}
		if sh.began.gen == "" {
			sh.began = mark()
			sh.era = sh.ix.cache.eraOf(sh.p, sh.slot, sh.began)
			return sh.err == nil && sh.setOutAnew(await)
		}
		return sh.err == nil
	})
	if sh.err != nil {
		return
	}
	for sh.measured++; sh.measured < len(sh.shards); {
		if !await() {
			return
		}
	}
	sh.mark, sh.marked = sh.began, sh.made == before+1 // nothing was read behind it yet
	total, known := sh.where.size()
	everything, _ := sh.everything.size()
	if total == 0 || everything == 0 {
		return
	}
	sh.total = total
	if known && sh.need == 0 {
		return
	}
	reads := func() bool {
		made := sh.made
		ok := await()
		sh.marked = sh.marked && sh.made == made
		return ok
	}
	if sh.q.Count && !known || sh.pastValues() || sh.stride() == 0 || !sh.walk(reads, total) {
		sh.whole(reads)
	}
}

// walksAll reports whether all there is to meet on a walk, or in an interval of it, is a hit: then it walks, unless there is little.
func (sh *shard) walksAll() bool {
	if sh.need == 0 || sh.q.Count || len(sh.where.never) > 0 {
		return false
	}
	switch len(sh.q.All) {
	case 0:
		return true
	case 1:
		c := &sh.q.All[0]
		return len(c.Either) == 0 && len(c.Any) == 1 && c.Any[0].Kind == hub.Within && c.Param == sh.order[0].Param
	}
	return false
}

// queuePopulation queues how much lives of the type, unless a number that was true a moment ago will do.
func (sh *shard) queuePopulation(exactly bool) {
	if n, known := sh.ix.population(sh.p, sh.slot, sh.q.Type); known && !exactly {
		sh.everything.guess = n
		return
	}
	sh.everything.queueSize(sh.trips)
}

// pastValues: the page begins among the things without a value, which no walk meets.
func (sh *shard) pastValues() bool { return sh.top.after != nil && math.IsNaN(sh.top.after.values[0]) }

// whole fetches the rarest condition and asks the others about all of it. For a small one everything that may be
// wanted goes in one trip: the others' answers, the sort values, the heads and the mark.
func (sh *shard) whole(await func() bool) {
	nums := sh.where.driver().members(sh.trips, await)
	if sh.err != nil {
		return
	}
	if sh.stepwise() && sh.rarest > many {
		sh.step(await, nums)
		return
	}
	nums = sh.where.prune(nums)
	sh.read += len(nums)
	if len(nums) > sh.limits.Fetch {
		nums = sh.where.sift(sh.trips, await, nums)
		values := sh.values(await, nums)
		if sh.err != nil {
			return
		}
		sh.total = len(nums)
		sh.offer(nums, values)
		return
	}
	var hit []bool
	var values []float64
	var early func()
	before := sh.made
	sh.together(await,
		func(await func() bool) { hit = sh.where.ask(sh.trips, await, sh.where.others(), nums) },
		func(await func() bool) { values = sh.values(await, nums) },
		func(await func() bool) {
			if sh.need == 0 || len(nums) > sh.early {
				return
			}
			if unknown := sh.unknown(slices.Clone(nums)); len(unknown) > 0 {
				early = sh.queueHeads(unknown)
				await()
			}
		})
	if sh.err != nil {
		return
	}
	if early != nil && sh.made == before+1 { // else some answer is younger than the heads
		early()
	}
	nums, values = choose(nums, values, hit)
	sh.total = len(nums)
	sh.offer(nums, values)
}

// step asks about the numbers from the first on, some more each time, and ends when all that follow come too late: they were
// created no earlier than any before them, and updated no earlier than created.
func (sh *shard) step(await func() bool, nums []uint64) {
	created := math.Inf(-1) // at the earliest, what follows
	for size := sh.firstSteps(); len(nums) > 0 && !sh.top.past(created, nums[0]); size *= 2 {
		some := nums[:min(size, len(nums))]
		nums = nums[len(some):]
		sh.read += len(some)
		hit := sh.where.ask(sh.trips, await, sh.where.others(), some)
		if sh.err != nil {
			return
		}
		some, _ = choose(some, nil, hit)
		values := sh.values(await, some)
		if sh.err != nil {
			return
		}
		for i, n := range some {
			if !math.IsNaN(values[i]) && sh.column(hub.LastUpdated).isFirst(n) {
				created = max(created, values[i])
			}
		}
		sh.offer(some, values)
	}
}

// firstSteps is how many numbers a shard asks about first.
func (sh *shard) firstSteps() int { return max(16, 4*sh.need/len(sh.shards)) }

// values reads the sort values: for each number as many as the order has keys.
func (sh *shard) values(await func() bool, nums []uint64) []float64 {
	if sh.need == 0 || len(nums) == 0 {
		return nil
	}
	width := len(sh.order)
	values := make([]float64, width*len(nums))
	tasks := make([]task, width)
	for k := range width {
		tasks[k] = func(await func() bool) {
			for i, s := range sh.column(sh.order[k].Param).values(await, nums) {
				values[i*width+k] = finite(s.lo)
			}
		}
	}
	if sh.together(await, tasks...); sh.err != nil {
		return nil
	}
	return values
}

// key is that of a page in the shard's slot.
func (sh *shard) key(pg page) string { return sh.p.at(sh.slot) + pg.tail }

// queueSeveral asks how many things have several values of what is sorted by first.
func (sh *shard) queueSeveral() {
	sh.several = sh.pipe.SCard(sh.ctx, string(sh.p.manyKey(nil, sh.slot, sh.q.Type, sh.order[0].Param)))
}

// members lists what is in the pages, ascending. Nothing is read of those that are remembered as they were at the slot's very mark.
func (sh *shard) members(await func() bool, pages []page) []uint64 {
	var nums []uint64
	for some := range slices.Chunk(pages, abreast) {
		var unknown []*exactPosting
		for _, pg := range some {
			key := sh.key(pg)
			if known, has := sh.ix.cache.setAt(key, sh.era, sh.began.seq); has {
				nums = append(nums, known...)
				continue
			}
			unknown = append(unknown, &exactPosting{key: key, all: sh.pipe.SMembers(sh.ctx, key)})
		}
		if len(unknown) > 0 && !await() {
			return nil
		}
		for _, e := range unknown {
			e.known = distinct(appendNums(make([]uint64, 0, len(e.all.Val())), e.all.Val()))
			nums = append(nums, e.known...)
		}
		sh.paged = append(sh.paged, unknown...)
	}
	return distinct(nums)
}

func (sh *shard) offer(nums []uint64, values []float64) {
	if sh.need == 0 {
		return
	}
	width := len(sh.order)
	for i, n := range nums {
		if _, before := slices.BinarySearch(sh.offered, n); !before {
			sh.top.offer(values[i*width:(i+1)*width:(i+1)*width], n, sh)
		}
	}
}

// choose leaves what was hit. It writes to values, not to nums.
func choose(nums []uint64, values []float64, hit []bool) ([]uint64, []float64) {
	if !slices.Contains(hit, false) {
		return nums, values
	}
	width := 0
	if len(nums) > 0 {
		width = len(values) / len(nums)
	}
	k := 0
	kept := make([]uint64, 0, len(nums))
	for i, n := range nums {
		if hit[i] {
			kept = append(kept, n)
			copy(values[k*width:(k+1)*width], values[i*width:(i+1)*width])
			k++
		}
	}
	return kept, values[:k*width]
}

// unknown are those of nums whose heads are neither read nor remembered. It may write over nums.
func (sh *shard) unknown(nums []uint64) []uint64 {
	if len(sh.heads) == 0 {
		sh.heads = make(map[uint64]head, len(nums))
	}
	nums = slices.DeleteFunc(nums, func(n uint64) bool { _, known := sh.heads[n]; return known })
	return sh.ix.cache.recallHeads(sh.p, sh.era, nums, sh.heads)
}

// tell takes the head that was read of num; version 0 is none.
func (sh *shard) tell(num uint64, packed string) (h head) {
	if packed != "" {
		var err error
		if h, err = unpackHead(packed); err != nil {
			sh.err = err
		}
	}
	if sh.heads == nil {
		sh.heads = map[uint64]head{}
	}
	sh.heads[num], sh.told = h, append(sh.told, num)
	return h
}

// queueHeads queues the heads of nums, and behind them the slot's mark; the result reads the replies.
func (sh *shard) queueHeads(nums []uint64) func() {
	b := sh.queueBlocks(distinct(nums), func(n uint64) string { return string(sh.p.headKey(nil, sh.slot, n)) })
	read := sh.queueMark()
	return func() {
		b.each(func(num uint64, packed string) { sh.tell(num, packed) })
		sh.mark, sh.marked = read(), true
	}
}

// queueMark queues the slot's mark. It tells whether anything changed up to then, so it counts only when nothing
// is read behind it.
func (sh *shard) queueMark() func() mark {
	cmd := sh.slice("hmget", sh.p.markKey(sh.slot), "gen", "seq", "changed")
	return func() mark {
		m, err := readMark(cmd.Val())
		if err != nil {
			sh.err = err
		}
		return m
	}
}

// learn keeps, after a search that nothing overtook, what it read.
func (sh *shard) learn(applied uint64) {
	sh.ix.tallies.saw(sh.p, sh.mark, applied)
	if sh.everything.card != nil {
		n, _ := sh.everything.size()
		sh.ix.populate(sh.p, sh.slot, sh.q.Type, n)
	}
	sh.rememberOutset(applied)
	for _, c := range sh.columns {
		if len(c.read) > 0 {
			sh.ix.cache.remember(c.id, sh.era, c.read, sh.mark.seq <= applied)
		}
	}
	sh.ix.cache.rememberHeads(sh.p, sh.era, sh.told, sh.heads)
	for _, e := range sh.fetched {
		sh.ix.cache.rememberSet(e.key, sh.era, 0, e.known)
	}
	if sh.mark.seq == sh.began.seq {
		for _, e := range sh.paged {
			if len(e.known) > sh.limits.Fetch {
				continue
			}
			sh.ix.cache.rememberSet(e.key, sh.era, sh.mark.seq, e.known)
		}
	}
}
