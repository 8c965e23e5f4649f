package index

import (
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// withinPosting is what a Range parameter has in an interval. Three keys serve it: low has every value's Lo, high
// the Hi of those where it differs, many the number of further values where a thing has several.
//
// A value matches when its Lo and its Hi lie in the bounds of the match. The values whose Lo is late enough for
// both lower bounds come from low; those that began before and reach far enough come from high.
type withinPosting struct {
	low, high, many string
	match           *hub.Match
	near, far       [2]float64 // bounds in low, and in high
	nears, fars     *redis.IntCmd
	highs, manys    *redis.IntCmd
	known           []uint64
	whole           bool
}

func newWithinPosting(p *partition, slot int, typ, param string, m *hub.Match) *withinPosting {
	return &withinPosting{
		low: p.lowKey(slot, typ, param), high: p.highKey(slot, typ, param), many: p.manyKey(slot, typ, param), match: m,
		near: [2]float64{math.Max(m.LoMin, m.HiMin), math.Min(m.LoMax, m.HiMax)},
		far:  [2]float64{m.HiMin, m.HiMax},
	}
}

func (w *withinPosting) measure(t *trips, await func() bool) { w.queueSize(t); await() }

func (w *withinPosting) queueSize(t *trips) {
	w.nears = t.pipe.ZCount(t.ctx, w.low, score(w.near[0]), score(w.near[1]))
	w.fars = t.pipe.ZCount(t.ctx, w.high, score(w.far[0]), score(w.far[1]))
	w.highs = t.pipe.ZCard(t.ctx, w.high)
	w.manys = t.pipe.HLen(t.ctx, w.many)
}

func (w *withinPosting) size() (int, bool) {
	n := int(w.nears.Val())
	if w.reachesBack() {
		n += int(w.fars.Val())
	}
	return n, w.highs.Val() == 0 && w.manys.Val() == 0
}

// reachesBack: intervals that began before near may still match.
func (w *withinPosting) reachesBack() bool {
	return w.match.HiMin > w.match.LoMin && w.fars.Val() > 0
}

func (w *withinPosting) members(t *trips, await func() bool) []uint64 {
	if w.whole {
		return w.known
	}
	var near, far []string
	tasks := []task{func(await func() bool) {
		near = w.fetch(t, await, w.low, w.near)
		if w.highs.Val() > 0 && !math.IsInf(w.match.HiMax, 1) {
			near = w.keep(t, await, near, w.high, w.match.HiMin, w.match.HiMax, true)
		}
	}}
	if w.reachesBack() {
		tasks = append(tasks, func(await func() bool) {
			far = w.fetch(t, await, w.high, w.far)
			far = w.keep(t, await, far, w.low, w.match.LoMin, w.match.LoMax, false)
		})
	}
	together(await, tasks...)
	nums := make([]uint64, 0, len(near)+len(far))
	for _, m := range near {
		num, _ := numOf(m)
		nums = append(nums, num)
	}
	for _, m := range far {
		num, _ := numOf(m)
		nums = append(nums, num)
	}
	w.known, w.whole = distinct(nums), t.err == nil
	return w.known
}

func (w *withinPosting) fetch(t *trips, await func() bool, key string, bounds [2]float64) []string {
	var members []string
	t.byScore(await, key, bounds[0], bounds[1], false, func() int { return 4 * t.limits.Fetch }, func(got []redis.Z) bool {
		for _, z := range got {
			members = append(members, z.Member.(string))
		}
		return true
	})
	return members
}

// keep leaves the members whose score in key is in the bounds; absent decides about those without one.
func (w *withinPosting) keep(t *trips, await func() bool, members []string, key string, least, most float64, absent bool) []string {
	scores := scoresOf(t, await, key, members)
	kept := members[:0]
	for i, m := range members {
		s := scores(i)
		if math.IsNaN(s) && absent || s >= least && s <= most {
			kept = append(kept, m)
		}
	}
	return kept
}

func (w *withinPosting) probe(t *trips, await func() bool, nums []uint64, hit []bool) {
	if n, _ := w.size(); w.whole || t.limits.worthFetching(n, len(nums)) {
		meet(w.members(t, await), nums, hit)
		return
	}
	members := make([]string, len(nums))
	for i, n := range nums {
		members[i] = member(n)
	}
	owner := make([]int, len(nums)) // members[i] is a value of nums[owner[i]]
	for i := range owner {
		owner[i] = i
	}
	if w.manys.Val() > 0 {
		cmd := t.slice(append([]any{"hmget", w.many}, anys(members)...)...)
		if !await() {
			return
		}
		for i := range nums {
			s, _ := found(cmd, i)
			more, _ := strconv.Atoi(s)
			for k := 1; k <= more; k++ {
				members, owner = append(members, rangeMember(nums[i], k)), append(owner, i)
			}
		}
	}
	var lows, highs func(int) float64
	tasks := []task{func(await func() bool) { lows = scoresOf(t, await, w.low, members) }}
	if w.highs.Val() > 0 {
		tasks = append(tasks, func(await func() bool) { highs = scoresOf(t, await, w.high, members) })
	}
	if !together(await, tasks...) {
		return
	}
	for i := range members {
		v := hub.Term{Kind: hub.Range, Lo: lows(i)}
		v.Hi = v.Lo
		if highs != nil && !math.IsNaN(highs(i)) {
			v.Hi = highs(i)
		}
		if w.match.Matches(&v) { // a Lo that is not there is NaN and matches nothing
			hit[owner[i]] = true
		}
	}
}

// scoresOf reads the scores of the members in one trip; NaN where there is none.
func scoresOf(t *trips, await func() bool, key string, members []string) func(i int) float64 {
	chunk := t.limits.Fetch
	var cmds []*redis.SliceCmd
	for at := 0; at < len(members); at += chunk {
		cmds = append(cmds, t.scores(key, members[at:min(at+chunk, len(members))]))
	}
	if len(cmds) > 0 {
		await()
	}
	return func(i int) float64 {
		if s, ok := found(cmds[i/chunk], i%chunk); ok {
			if f, err := strconv.ParseFloat(s, 64); err == nil {
				return f
			}
		}
		return math.NaN()
	}
}

func anys(members []string) []any {
	args := make([]any, len(members))
	for i, m := range members {
		args[i] = m
	}
	return args
}
