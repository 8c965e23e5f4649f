package index

import (
	"hash/maphash"
	"sync"

	"concord/hub"
)

// tallies remember what was counted. It stays true until a commit touches the slot, which is seen from the slot's mark; so they are
// kept of partitions that have one slot.
type tallies struct {
	seeds [2]maphash.Seed
	most  int // numbers of each partition
	mu    sync.Mutex
	of    map[*partition]*counted
}

// tallyKey stands for a hub.Tally of a partition: two hashes of it, which nobody outside can foresee.
type tallyKey [2]uint64

func (ts *tallies) open(partitions int) {
	ts.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	ts.most, ts.of = mostTallies/max(partitions, 1), map[*partition]*counted{}
}

func (ts *tallies) key(t *hub.Tally) tallyKey {
	return tallyKey{maphash.Comparable(ts.seeds[0], *t), maphash.Comparable(ts.seeds[1], *t)}
}

// counted is what was counted in one generation of a partition.
type counted struct {
	gen   string
	known map[tallyKey]tallied
}

// tallied is a number, and the slot's mark when it was counted.
type tallied struct {
	n   int64
	seq uint64
}

// mostTallies bounds what is remembered of all partitions together: some 20 MB. Of a partition that has more it is counted anew.
const mostTallies = 400_000

// tallyAt is what is known of the tally at a position.
type tallyAt struct {
	at int
	tallied
}

// remembered is what is known of some tallies, by their positions.
type remembered struct {
	gen     string
	known   []tallyAt
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
	r := &remembered{gen: c.gen, known: make([]tallyAt, 0, len(positions))}
	for _, i := range positions {
		if n, has := c.known[ts.key(&of[i])]; has {
			r.known = append(r.known, tallyAt{i, n})
		} else {
			r.unknown = append(r.unknown, i)
		}
	}
	return r
}

// holds reports whether all that is known is still true at the slot's mark, and fills it in.
func (r *remembered) holds(now mark, counts []int64) bool {
	for _, c := range r.known {
		if c.seq != now.seq || r.gen != now.gen {
			return false
		}
		counts[c.at] = c.n
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
	if c == nil || c.gen != at.gen || len(c.known) > ts.most {
		c = &counted{at.gen, map[tallyKey]tallied{}}
		ts.of[p] = c
	}
	for _, i := range positions {
		c.known[ts.key(&of[i])] = tallied{counts[i], at.seq}
	}
}
