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

// tallyKey stands for the text of a hub.Tally of a partition: two hashes of it, which nobody outside can foresee. By the first it is
// looked up, which maps do faster than by both.
type tallyKey [2]uint64

// kind is what is counted of a text: a type and a parameter.
type kind struct{ typ, param string }

func (ts *tallies) open(partitions int) {
	ts.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	ts.most, ts.of = mostTallies/max(partitions, 1), map[*partition]*counted{}
}

func (ts *tallies) key(text string) tallyKey {
	return tallyKey{maphash.String(ts.seeds[0], text), maphash.String(ts.seeds[1], text)}
}

// counted is what was counted in one generation of a partition.
type counted struct {
	gen     string
	seq     uint64 // the slot's mark when the visible one was applied
	applied uint64
	kinds   []kind
	known   map[uint64]tallied
}

// tallied are the numbers of a text, of up to two kinds, and the slot's mark when they were counted. They lie together because they are
// asked for together: looking a text up among many costs more than all else.
type tallied struct {
	text uint64 // the second hash of its key
	seq  uint64
	n    [2]int64
	of   [2]int8 // what n is of, by its place in counted.kinds, from 1 on
}

// about is what is known of a text.
func (c *counted) about(key tallyKey) tallied {
	about := c.known[key[0]]
	if about.text != key[1] {
		return tallied{text: key[1]}
	}
	return about
}

// number is what is known of a kind.
func (t *tallied) number(kind int8) (n int64, has bool) {
	for i, k := range t.of {
		if k == kind {
			return t.n[i], true
		}
	}
	return 0, false
}

// set takes a number that was counted at seq.
func (t *tallied) set(kind int8, n int64, seq uint64) {
	if t.seq != seq {
		*t = tallied{text: t.text, seq: seq}
	}
	i := 0
	if t.of[0] != 0 && t.of[0] != kind {
		i = 1
	}
	t.of[i], t.n[i] = kind, n
}

// mostTallies bounds the texts of all partitions together of which something is remembered: some 12 MB. A partition that has more begins
// anew.
const mostTallies = 200_000

// mostKinds bounds the kinds of a partition.
const mostKinds = 100

// kindOf is the place of what a tally counts, from 1 on; 0 where it has none and gets none.
func (c *counted) kindOf(t *hub.Tally, learn bool) int8 {
	for i := range c.kinds {
		if c.kinds[i].param == t.Param && c.kinds[i].typ == t.Type {
			return int8(i + 1)
		}
	}
	if !learn || len(c.kinds) == mostKinds {
		return 0
	}
	c.kinds = append(c.kinds, kind{t.Type, t.Param})
	return int8(len(c.kinds))
}

// tallyAt is what is known of the tally at a position.
type tallyAt struct {
	at  int
	n   int64
	seq uint64
}

// saw takes note of the mark that the only slot of p had when no commit was beyond the visible mark.
func (ts *tallies) saw(p *partition, now mark, applied uint64) {
	if p.slots > 1 || now.seq > applied {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if c := ts.of[p]; c != nil && c.gen == now.gen {
		c.seq, c.applied = now.seq, applied
	}
}

// recallAll answers tallies as of the marks at, if all of them are known of then.
func (ix *Index) recallAll(of []hub.Tally, at map[hub.Partition]hub.Marks) (counts []int64, all bool) {
	if len(at) == 0 {
		return nil, false
	}
	ts := &ix.tallies
	ts.mu.Lock()
	defer ts.mu.Unlock()
	counts = make([]int64, len(of))
	var c *counted
	var about tallied
	for i := range of {
		if i == 0 || of[i].Partition != of[i-1].Partition || of[i].Text != of[i-1].Text {
			now := at[of[i].Partition]
			c = ts.of[ix.partitions[of[i].Partition]]
			if c == nil || now.Generation == "" || c.gen != now.Generation || c.applied != now.Applied {
				return nil, false
			}
			about = c.about(ts.key(of[i].Text))
		}
		kind := c.kindOf(&of[i], false)
		if kind == 0 || about.seq != c.seq {
			return nil, false
		}
		if counts[i], all = about.number(kind); !all {
			return nil, false
		}
	}
	return counts, true
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
		about := c.about(ts.key(of[i].Text))
		if kind := c.kindOf(&of[i], false); kind != 0 {
			if n, has := about.number(kind); has {
				r.known = append(r.known, tallyAt{i, n, about.seq})
				continue
			}
		}
		r.unknown = append(r.unknown, i)
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
		c = &counted{gen: at.gen, known: map[uint64]tallied{}}
		ts.of[p] = c
	}
	for _, i := range positions {
		if kind := c.kindOf(&of[i], true); kind != 0 {
			key := ts.key(of[i].Text)
			about := c.about(key)
			about.set(kind, counts[i], at.seq)
			c.known[key[0]] = about
		}
	}
}
