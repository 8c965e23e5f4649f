package index

import (
	"math"
	"slices"

	"github.com/redis/go-redis/v9"
)

// shard is the part of a search that one slot answers: measure the clauses, start from the rarest, ask the others
// about what it holds; or, when even the rarest is large and only a page is wanted, walk the order and ask all.
type shard struct {
	*search
	p    *partition
	slot int

	all   posting
	must  []*clause // positive
	never []*clause
	first struct{ values, many *redis.IntCmd } // of the first sort key

	total   int
	heads   map[uint64]string // heads that are read already; "" for none
	mark    mark
	marked  bool // the mark was read behind everything else
	offered map[uint64]bool
}

func newShard(s *search, p *partition, slot int) *shard {
	sh := &shard{search: s, p: p, slot: slot, all: p.allPosting(slot, s.q.Type), heads: map[uint64]string{}}
	for i := range s.q.All {
		c := &s.q.All[i]
		cl := &clause{not: c.Not}
		for j := range c.Any {
			if m := p.postingOf(slot, s.q.Type, c.Param, &c.Any[j]); m != nil {
				cl.any = append(cl.any, m)
			}
		}
		if c.Not {
			sh.never = append(sh.never, cl)
		} else {
			sh.must = append(sh.must, cl)
		}
	}
	return sh
}

func (sh *shard) run(await func() bool) {
	mark := sh.measure()
	if !await() {
		return
	}
	everything := &clause{any: []posting{sh.all}}
	for _, c := range append(sh.must, everything) {
		if n, _ := c.size(); n == 0 {
			mark()
			return
		}
	}
	sh.rank()
	sh.never = slices.DeleteFunc(sh.never, func(c *clause) bool { n, _ := c.size(); return n == 0 })
	total, known := sh.knownTotal()
	sh.total = total
	switch rarest, _ := sh.driver().size(); {
	case known && sh.need == 0:
		mark()
	case sh.q.Count && !known, sh.pastValues(), sh.stride() == 0:
		sh.whole(await)
	default:
		if !sh.walk(await, rarest) {
			sh.whole(await)
		}
	}
}

// measure queues the sizes of all, and returns what reads the mark that came with them.
func (sh *shard) measure() func() {
	sh.all.measure(sh.trips)
	for _, c := range slices.Concat(sh.must, sh.never) {
		for _, m := range c.any {
			m.measure(sh.trips)
		}
	}
	sh.first.values = sh.pipe.ZCard(sh.ctx, sh.sortKey(0))
	sh.first.many = sh.pipe.HLen(sh.ctx, sh.p.manyKey(sh.slot, sh.q.Type, sh.order[0].Param))
	return sh.queueMark()
}

// rank puts the rarest clause first.
func (sh *shard) rank() {
	slices.SortStableFunc(sh.must, func(a, b *clause) int {
		n, _ := a.size()
		m, _ := b.size()
		return n - m
	})
}

// driver is the clause to start from: the rarest, or everything.
func (sh *shard) driver() *clause {
	if len(sh.must) > 0 {
		return sh.must[0]
	}
	return &clause{any: []posting{sh.all}}
}

// others are the clauses that remain to be asked when the driver has been fetched.
func (sh *shard) others() []*clause {
	if len(sh.must) == 0 {
		return sh.never
	}
	return slices.Concat(sh.must[1:], sh.never)
}

// knownTotal is the number of matches, where the sizes alone say it.
func (sh *shard) knownTotal() (int, bool) {
	if len(sh.must) > 1 || len(sh.never) > 0 {
		return 0, false
	}
	return sh.driver().size()
}

// pastValues: the page begins among the things without a value, which no walk meets.
func (sh *shard) pastValues() bool { return sh.top.after != nil && math.IsNaN(sh.top.after.values[0]) }

// whole fetches the driver and asks the others about all of it. For a small driver everything that may be wanted
// goes in one trip: the others' answers, the sort values, the heads and the mark.
func (sh *shard) whole(await func() bool) {
	nums := sh.driver().members(sh.trips, await)
	if sh.err != nil {
		return
	}
	sh.read += len(nums)
	if len(nums) > sh.limits.Fetch {
		sh.sift(await, nums)
		return
	}
	var hit []bool
	var values []float64
	var early func()
	before := sh.made
	together(await,
		func(await func() bool) { hit = sh.ask(await, sh.others(), nums) },
		func(await func() bool) { values = sh.values(await, nums) },
		func(await func() bool) {
			if sh.need > 0 && len(nums) <= sh.early {
				early = sh.queueHeads(nums)
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

// sift asks clause by clause, so that each leaves less to ask the next.
func (sh *shard) sift(await func() bool, nums []uint64) {
	for _, c := range sh.others() {
		hit := c.probe(sh.trips, await, nums)
		if sh.err != nil {
			return
		}
		nums, _ = choose(nums, nil, hit)
	}
	values := sh.values(await, nums)
	if sh.err != nil {
		return
	}
	sh.total = len(nums)
	sh.offer(nums, values)
}

// ask says for each number whether all clauses hold.
func (sh *shard) ask(await func() bool, clauses []*clause, nums []uint64) []bool {
	hits := make([][]bool, len(clauses))
	tasks := make([]task, len(clauses))
	for i, c := range clauses {
		tasks[i] = func(await func() bool) { hits[i] = c.probe(sh.trips, await, nums) }
	}
	together(await, tasks...)
	all := make([]bool, len(nums))
	for i := range all {
		all[i] = !slices.ContainsFunc(hits, func(hit []bool) bool { return i >= len(hit) || !hit[i] })
	}
	return all
}

// values reads the sort values: for each number as many as the order has keys.
func (sh *shard) values(await func() bool, nums []uint64) []float64 {
	if sh.need == 0 || len(nums) == 0 {
		return nil
	}
	members := make([]string, len(nums))
	for i, n := range nums {
		members[i] = member(n)
	}
	width := len(sh.order)
	values := make([]float64, width*len(nums))
	tasks := make([]task, width)
	for k := range width {
		tasks[k] = func(await func() bool) {
			scores := scoresOf(sh.trips, await, sh.sortKey(k), members)
			for i := range nums {
				values[i*width+k] = finite(scores(i))
			}
		}
	}
	together(await, tasks...)
	return values
}

func (sh *shard) sortKey(k int) string {
	return sh.p.lowKey(sh.slot, sh.q.Type, sh.order[k].Param)
}

func (sh *shard) offer(nums []uint64, values []float64) {
	if sh.need == 0 {
		return
	}
	width := len(sh.order)
	for i, n := range nums {
		if !sh.offered[n] {
			sh.top.offer(candidate{place{values[i*width : (i+1)*width], n, sh.p.name}, sh})
		}
	}
}

// choose leaves what was hit.
func choose(nums []uint64, values []float64, hit []bool) ([]uint64, []float64) {
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

// queueHeads queues the heads of nums, and behind them the slot's mark; the result reads the replies.
func (sh *shard) queueHeads(nums []uint64) func() {
	var cmds []*redis.SliceCmd
	var parts [][]uint64
	nums = distinct(slices.Clone(nums))
	for len(nums) > 0 {
		n := 1
		for n < len(nums) && nums[n]/sh.p.block == nums[0]/sh.p.block {
			n++
		}
		args := []any{"hmget", sh.p.headKey(sh.slot, nums[0])}
		for _, num := range nums[:n] {
			args = append(args, member(num))
		}
		cmds, parts, nums = append(cmds, sh.slice(args...)), append(parts, nums[:n]), nums[n:]
	}
	readMark := sh.queueMark()
	return func() {
		for i, part := range parts {
			for j, num := range part {
				sh.heads[num], _ = found(cmds[i], j)
			}
		}
		readMark()
	}
}

// queueMark queues the slot's mark. It tells whether anything changed up to then, so it counts only when nothing
// is read behind it.
func (sh *shard) queueMark() func() {
	cmd := sh.slice("hmget", sh.p.markKey(sh.slot), "gen", "seq", "changed")
	return func() {
		m, err := readMark(cmd.Val())
		if err != nil {
			sh.err = err
		}
		sh.mark, sh.marked = m, true
	}
}
