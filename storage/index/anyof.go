package index

import (
	"iter"
	"slices"

	"concord/hub"
)

// abreast is how many alternatives of one clause are asked in one trip. It bounds the pipelines, and the memory for
// replies, of a clause with thousands of them.
const abreast = 256

// branching is abreast for alternatives that are conjunctions: each takes several tasks in each slot.
const branching = 16

// chunks are the alternatives that are asked in one trip each.
func chunks(of []posting) iter.Seq[[]posting] {
	if slices.ContainsFunc(of, func(p posting) bool { _, is := p.(*allOf); return is }) {
		return slices.Chunk(of, branching)
	}
	return slices.Chunk(of, abreast)
}

// anyOf holds where one of its alternatives does. Matches are opened as they are measured, and those that nothing
// has are forgotten at once.
type anyOf struct {
	matches []*hub.Match
	open    func(*hub.Match) posting
	of      []posting
	known   []uint64
	whole   bool // known is everything
}

func (a *anyOf) measure(t *trips, await func() bool) {
	given := a.of
	a.of = nil
	for some := range chunks(given) {
		if measureAll(t, await, some, false); t.err != nil {
			return
		}
		a.of = append(a.of, slices.DeleteFunc(some, isEmpty)...)
	}
	for some := range slices.Chunk(a.matches, abreast) {
		opened := make([]posting, 0, len(some))
		for _, m := range some {
			if p := a.open(m); p != nil {
				opened = append(opened, p)
			}
		}
		if measureAll(t, await, opened, false); t.err != nil {
			return
		}
		a.of = append(a.of, slices.DeleteFunc(opened, isEmpty)...)
	}
}

func (a *anyOf) size() (n int, exact bool) {
	if a.whole {
		return len(a.known), true
	}
	exact = len(a.of) <= 1
	for _, p := range a.of {
		k, sure := p.size()
		n += k
		exact = exact && sure
	}
	return n, exact
}

// guesses: an interval is among the alternatives.
func (a *anyOf) guesses() bool {
	return slices.ContainsFunc(a.of, func(p posting) bool { _, is := p.(*withinPosting); return is })
}

// isInterval: it is one interval of param.
func (a *anyOf) isInterval(param string) bool {
	if len(a.of) != 1 {
		return false
	}
	w, is := a.of[0].(*withinPosting)
	return is && w.param == param
}

func (a *anyOf) count(t *trips, await func() bool) {
	var tasks []task
	for _, p := range a.of {
		if w, is := p.(*withinPosting); is {
			tasks = append(tasks, func(await func() bool) { w.count(t, await) })
		}
	}
	t.together(await, tasks...)
}

func (a *anyOf) members(t *trips, await func() bool) []uint64 {
	if a.whole {
		return a.known
	}
	var nums []uint64
	for some := range chunks(a.of) {
		parts := make([][]uint64, len(some))
		var tasks []task
		var small []int // fetched by one command each, that needs no task of its own
		for i, p := range some {
			if e, is := p.(*exactPosting); is && e.queueMembers(t) {
				small = append(small, i)
				continue
			}
			tasks = append(tasks, func(await func() bool) { parts[i] = p.members(t, await) })
		}
		tasks = append(tasks, func(await func() bool) {
			known := !slices.ContainsFunc(small, func(i int) bool { return !some[i].(*exactPosting).whole })
			if known || await() {
				for _, i := range small {
					parts[i] = some[i].members(t, await)
				}
			}
		})
		if t.together(await, tasks...); t.err != nil {
			return nil
		}
		if len(parts) == 1 && nums == nil {
			nums = parts[0]
		} else {
			nums = append(nums, slices.Concat(parts...)...)
		}
	}
	a.known, a.whole = distinct(nums), true
	return a.known
}

func (a *anyOf) probe(t *trips, await func() bool, nums []uint64, hit []bool) {
	if len(nums) == 0 {
		return
	}
	if n, _ := a.size(); a.whole || len(a.of) > 1 && worthFetching(n, len(nums)) {
		meet(a.members(t, await), nums, hit)
		return
	}
	for some := range chunks(a.of) {
		tasks := make([]task, len(some))
		for i, p := range some {
			tasks[i] = func(await func() bool) { p.probe(t, await, nums, hit) }
		}
		if t.together(await, tasks...); t.err != nil {
			return
		}
	}
}
