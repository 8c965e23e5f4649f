package index

import (
	"slices"

	"concord/hub"
)

// question is a clause made ready for the slots of a partition: which of its matches can hold in which slot.
type question struct {
	clause     *hub.Clause
	everywhere []*hub.Match
	routed     map[int][]*hub.Match
	ids        []string // of the parameter ID: the directory answers them
	either     [][]*question
}

// questionsOf prepares a conjunction.
func (p *partition) questionsOf(clauses []hub.Clause) []*question {
	qs := make([]*question, len(clauses))
	for i := range clauses {
		c := &clauses[i]
		q := &question{clause: c}
		qs[i] = q
		for _, all := range c.Either {
			q.either = append(q.either, p.questionsOf(all))
		}
		for j := range c.Any {
			m := &c.Any[j]
			switch {
			case len(c.Either) > 0:
				continue
			case isID(c.Param, m):
				q.ids = append(q.ids, m.Text)
				continue
			case m.Route == "":
				q.everywhere = append(q.everywhere, m)
				continue
			}
			if q.routed == nil {
				q.routed = map[int][]*hub.Match{}
			}
			slot := p.slotOf(m.Route)
			q.routed[slot] = append(q.routed[slot], m)
		}
	}
	return qs
}

// isID: an Exact match of the parameter hub.ID is about the name.
func isID(param string, m *hub.Match) bool {
	return param == hub.ID && m.Kind == hub.Equals && m.Term == hub.Exact
}

// look calls each for every clause of a tree.
func look(clauses []hub.Clause, each func(*hub.Clause)) {
	for i := range clauses {
		each(&clauses[i])
		for _, all := range clauses[i].Either {
			look(all, each)
		}
	}
}

// all is the conjunction of qs; nil when nothing in the slot can fulfil it.
func (sh *shard) all(qs []*question) *allOf {
	a := &allOf{everything: sh.everything}
	for _, q := range qs {
		c := sh.any(q)
		switch {
		case q.clause.Not && c != nil:
			a.never = append(a.never, c)
		case !q.clause.Not && c == nil:
			return nil
		case !q.clause.Not:
			a.must = append(a.must, c)
		}
	}
	return a
}

// any is one clause without its Not; nil when nothing in the slot can fulfil it.
func (sh *shard) any(q *question) posting {
	a := &anyOf{open: func(m *hub.Match) posting { return sh.postingOf(q.clause.Param, m) }}
	for _, all := range q.either {
		if c := sh.all(all); c != nil {
			a.of = append(a.of, c)
		}
	}
	a.matches = q.everywhere
	if routed := q.routed[sh.slot]; len(routed) > 0 {
		a.matches = slices.Concat(q.everywhere, routed)
	}
	if len(q.ids) > 0 {
		a.of = append(a.of, &namedPosting{sh: sh, ids: q.ids})
	}
	if len(a.of)+len(a.matches) == 0 {
		return nil
	}
	return a
}

// abreast is how many alternatives of one clause are asked in one trip. It bounds the pipelines, and the memory for
// replies, of a clause with thousands of them.
const abreast = 256

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
	measureAll(t, await, a.of)
	a.of = slices.DeleteFunc(a.of, isEmpty)
	for some := range slices.Chunk(a.matches, abreast) {
		opened := make([]posting, 0, len(some))
		for _, m := range some {
			if p := a.open(m); p != nil {
				opened = append(opened, p)
			}
		}
		if measureAll(t, await, opened); t.err != nil {
			return
		}
		a.of = append(a.of, slices.DeleteFunc(opened, isEmpty)...)
	}
}

func isEmpty(p posting) bool { n, _ := p.size(); return n == 0 }

// measureAll measures side by side.
func measureAll(t *trips, await func() bool, ps []posting) {
	var tasks []task
	queued := false
	for _, p := range ps {
		if q, is := p.(quick); is {
			q.queueSize(t)
			queued = true
			continue
		}
		tasks = append(tasks, func(await func() bool) { p.measure(t, await) })
	}
	if queued {
		tasks = append(tasks, func(await func() bool) { await() })
	}
	if len(tasks) > 0 {
		together(await, tasks...)
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
	together(await, tasks...)
}

func (a *anyOf) members(t *trips, await func() bool) []uint64 {
	if a.whole {
		return a.known
	}
	var nums []uint64
	for some := range slices.Chunk(a.of, abreast) {
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
			if len(small) > 0 && await() {
				for _, i := range small {
					parts[i] = some[i].members(t, await)
				}
			}
		})
		if together(await, tasks...); t.err != nil {
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
	for some := range slices.Chunk(a.of, abreast) {
		tasks := make([]task, len(some))
		for i, p := range some {
			tasks[i] = func(await func() bool) { p.probe(t, await, nums, hit) }
		}
		if together(await, tasks...); t.err != nil {
			return
		}
	}
}

// allOf holds where all of must hold, and none of never.
type allOf struct {
	everything  posting // what lives of the type; the shard measures it
	must, never []posting
}

func (a *allOf) measure(t *trips, await func() bool) {
	// The first trip also brings the size of everything, which may be all that is asked.
	together(await, func(await func() bool) { await() }, func(await func() bool) { measureAll(t, await, slices.Concat(a.must, a.never)) })
	if t.err != nil {
		return
	}
	a.count(t, await)
	slices.SortStableFunc(a.must, func(p, q posting) int {
		n, _ := p.size()
		m, _ := q.size()
		return n - m
	})
	a.never = slices.DeleteFunc(a.never, isEmpty)
}

// count lets those conditions count that have guessed, unless something else is so rare that it does not matter.
func (a *allOf) count(t *trips, await func() bool) {
	rarest, _ := a.everything.size()
	var guessed []task
	for _, p := range a.must {
		if g, is := p.(*anyOf); is && g.guesses() {
			guessed = append(guessed, func(await func() bool) { g.count(t, await) })
			continue
		}
		n, _ := p.size()
		rarest = min(rarest, n)
	}
	if len(guessed) > 0 && rarest > t.limits.Fetch/16 {
		together(await, guessed...)
	}
}

// driver is where to start: the rarest condition, or everything. The others remain to be asked.
func (a *allOf) driver() posting {
	if len(a.must) > 0 {
		return a.must[0]
	}
	return a.everything
}

func (a *allOf) others() []posting {
	if len(a.must) == 0 {
		return nil
	}
	return a.must[1:]
}

func (a *allOf) size() (n int, exact bool) {
	n, exact = a.driver().size()
	return n, n == 0 || exact && len(a.must) <= 1 && len(a.never) == 0
}

func (a *allOf) members(t *trips, await func() bool) []uint64 {
	nums := a.driver().members(t, await)
	if t.err != nil {
		return nil
	}
	if len(nums) > t.limits.Fetch {
		return a.sift(t, await, nums)
	}
	nums, _ = choose(nums, nil, a.ask(t, await, a.others(), nums))
	return nums
}

func (a *allOf) probe(t *trips, await func() bool, nums []uint64, hit []bool) {
	for i, holds := range a.ask(t, await, a.must, nums) {
		hit[i] = hit[i] || holds
	}
}

// ask says for each number whether all of must hold, and none of never. Where many are asked, intervals are asked only
// about those that have the rest.
func (a *allOf) ask(t *trips, await func() bool, must []posting, nums []uint64) []bool {
	var dear, cheap []posting
	for _, p := range must {
		if g, is := p.(*anyOf); is && g.guesses() {
			dear = append(dear, p)
		} else {
			cheap = append(cheap, p)
		}
	}
	if len(nums) < crowd || len(dear) == 0 || len(cheap)+len(a.never) == 0 {
		return askAll(t, await, must, a.never, nums)
	}
	hit := askAll(t, await, cheap, a.never, nums)
	if t.err != nil {
		return hit
	}
	left, _ := choose(nums, nil, hit)
	still := askAll(t, await, dear, nil, left)
	for i, k := 0, 0; i < len(hit); i++ {
		if hit[i] {
			hit[i] = still[k]
			k++
		}
	}
	return hit
}

// crowd is how many numbers are worth a trip more.
const crowd = 32

func askAll(t *trips, await func() bool, must, never []posting, nums []uint64) []bool {
	hits := make([][]bool, len(must)+len(never))
	tasks := make([]task, len(hits))
	for i, p := range slices.Concat(must, never) {
		hits[i] = make([]bool, len(nums))
		tasks[i] = func(await func() bool) { p.probe(t, await, nums, hits[i]) }
	}
	together(await, tasks...)
	all := make([]bool, len(nums))
	for i := range all {
		all[i] = true
		for k, hit := range hits {
			all[i] = all[i] && hit[i] == (k < len(must))
		}
	}
	return all
}

// sift asks the others one after the other, so that each leaves less to ask the next.
func (a *allOf) sift(t *trips, await func() bool, nums []uint64) []uint64 {
	for i, p := range slices.Concat(a.others(), a.never) {
		hit := make([]bool, len(nums))
		p.probe(t, await, nums, hit)
		if t.err != nil {
			return nil
		}
		if i >= len(a.others()) {
			for k := range hit {
				hit[k] = !hit[k]
			}
		}
		nums, _ = choose(nums, nil, hit)
	}
	return nums
}
