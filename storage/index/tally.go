package index

import (
	"sync"

	"concord/hub"
)

// tallies remember what was counted. It stays true until a commit touches the slot, which is seen from the slot's mark; so they are
// kept of partitions that have one slot.
type tallies struct {
	mu sync.Mutex
	of map[*partition]*counted
}

// counted is what was counted in one generation of a partition.
type counted struct {
	gen   string
	known map[hub.Tally]tallied
}

// tallied is a number, and the slot's mark when it was counted.
type tallied struct {
	n   int64
	seq uint64
}

// mostTallies bounds what is remembered of a partition: some 2 MB. Beyond that it is counted anew.
const mostTallies = 16_384

// remembered is what is known of some tallies, by their positions.
type remembered struct {
	gen     string
	known   map[int]tallied
	unknown []int
}

// recall looks those at positions up.
func (ts *tallies) recall(p *partition, of []hub.Tally, positions []int) *remembered {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	c := ts.of[p]
	if c == nil {
		return &remembered{unknown: positions}
	}
	r := &remembered{gen: c.gen, known: make(map[int]tallied, len(positions))}
	for _, i := range positions {
		if n, has := c.known[of[i]]; has {
			r.known[i] = n
		} else {
			r.unknown = append(r.unknown, i)
		}
	}
	return r
}

// holds reports whether all that is known is still true at the slot's mark, and fills it in.
func (r *remembered) holds(now mark, counts []int64) bool {
	for i, c := range r.known {
		if c.seq != now.seq || r.gen != now.gen {
			return false
		}
		counts[i] = c.n
	}
	return true
}

// remember takes what was counted when the only slot of p had this mark.
func (ts *tallies) remember(p *partition, at mark, of []hub.Tally, positions []int, counts []int64) {
	if p.slots > 1 || len(positions) == 0 {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	c := ts.of[p]
	if c == nil || c.gen != at.gen || len(c.known) > mostTallies {
		c = &counted{at.gen, map[hub.Tally]tallied{}}
		ts.of[p] = c
	}
	for _, i := range positions {
		c.known[of[i]] = tallied{counts[i], at.seq}
	}
}
