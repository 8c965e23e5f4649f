package index

import "slices"

// allOf holds where all of must hold, and none of never.
type allOf struct {
	everything  posting // what lives of the type; the shard measures it
	must, never []posting
	uncounted   bool // an interval need not be counted: it is walked
}

func (a *allOf) measure(t *trips, await func() bool) {
	// The first trip also brings the size of everything, which may be all that is asked.
	measureAll(t, await, slices.Concat(a.must, a.never), true)
	if t.err != nil {
		return
	}
	if !a.uncounted {
		a.count(t, await)
	}
	slices.SortStableFunc(a.must, func(p, q posting) int { return effort(p) - effort(q) })
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
		t.together(await, guessed...)
	}
}

// driver is where to start: the rarest condition, or everything. The others remain to be asked.
func (a *allOf) driver() posting {
	if len(a.must) > 0 {
		return a.must[0]
	}
	return a.everything
}

// effort is what it takes to start from p, in members to be read.
func effort(p posting) int {
	n, _ := p.size()
	if g, is := p.(*anyOf); is && len(g.of) == 1 {
		if e, is := g.of[0].(*exactPosting); is && e.recall() {
			return n / cheaper
		}
	}
	return n
}

// cheaper is how much less a member takes that is remembered.
const cheaper = 16

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

// prune leaves out what an interval does not have, as far as that is known without asking.
func (a *allOf) prune(nums []uint64) []uint64 {
	whole := len(nums)
	for _, p := range a.others() {
		if g, is := p.(*anyOf); is && len(g.of) == 1 {
			if w, is := g.of[0].(*withinPosting); is {
				nums = w.prune(nums, len(nums) < whole) // what is shorter is no longer another's
			}
		}
	}
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
	all := slices.Repeat([]bool{true}, len(nums))
	if len(must)+len(never) == 0 {
		return all
	}
	hits := make([][]bool, len(must)+len(never))
	tasks := make([]task, len(hits))
	for i, p := range slices.Concat(must, never) {
		hits[i] = make([]bool, len(nums))
		tasks[i] = func(await func() bool) { p.probe(t, await, nums, hits[i]) }
	}
	t.together(await, tasks...)
	for i := range all {
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
