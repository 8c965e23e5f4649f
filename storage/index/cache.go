package index

import (
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"unsafe"

	"concord/hub"
)

// cache remembers what searches have read: heads and values of Range parameters, so that a page, an interval or an order costs no command
// for each few numbers, and sets of numbers. What it says is true as long as nothing in the slot was rewritten or removed: it is good for one value of
// the slot's mark "changed", its era. Additions leave values alone, and they make a set larger, which is measured before it is used.
type cache struct {
	most    int64 // bytes, and an eighth more of small sets
	mu      sync.RWMutex
	size    int64
	clock   int64
	last    era
	eras    map[slotID]slotEra
	columns map[columnID]tablets[cell]
	heads   map[*partition]tablets[headCell]
	sets    map[string]*cachedSet // by key
	seeds   [2]maphash.Seed
	small   map[setKey]smallSet // those of few members: no pointers, so that garbage collection passes them over
	asked   map[setKey]uint8    // how often a set was asked for that is not remembered
}

// setKey stands for a key: two hashes of it, which nobody outside can foresee.
type setKey [2]uint64

// smallSet is a set of at most as many members as nums has room for.
type smallSet struct {
	era
	n    uint32
	nums [smallMost]uint64
}

const (
	smallMost = 4
	smallSize = 80 // bytes, with its place in the map
)

type slotID struct {
	p    *partition
	slot int
}

// era numbers the states of slots between which something was rewritten; 0 is none that anything is remembered of.
type era uint32

type slotEra struct {
	gen     string
	changed uint64
	era
}

// columnID names the values of one Range parameter in a partition.
type columnID struct {
	p     *partition
	param string
}

// tablets have something of numbers, by number / tabletSize.
type tablets[C any] map[uint64]*tablet[C]

// tablet has what is known of tabletSize numbers, whatever their slots: a number is looked up in one step.
type tablet[C any] struct {
	used  int64
	cells [tabletSize]C
}

const (
	tabletSize = 4096
	memberSize = 8
)

// sizeOf is what a tablet takes, in bytes.
func sizeOf[C any]() int64 {
	var t tablet[C]
	return int64(unsafe.Sizeof(t))
}

// cellFor is where something of num is kept; more is what a new tablet took for it.
func (ts tablets[C]) cellFor(num uint64, now int64) (c *C, more int64) {
	t := ts[num/tabletSize]
	if t == nil {
		t = &tablet[C]{}
		ts[num/tabletSize] = t
		more = sizeOf[C]()
	}
	t.used = now
	return &t.cells[num%tabletSize], more
}

// first is when the one that was not used for the longest time was used, if that was before.
func (ts tablets[C]) first(before int64) int64 {
	for _, t := range ts {
		before = min(before, t.used)
	}
	return before
}

// forget drops what was not used since then, and tells how many bytes that were.
func (ts tablets[C]) forget(since int64) (freed int64) {
	for k, t := range ts {
		if t.used <= since {
			delete(ts, k)
			freed += sizeOf[C]()
		}
	}
	return freed
}

// cell is a value. Lo is NaN for none; the width is that of the span and one, which is exact for whole units of time and for points.
// What does not fit is not remembered, and neither is what has several values.
type cell struct {
	lo    float64
	width float32
	era   era
}

func cellOf(s span, e era) (cell, bool) {
	c := cell{s.lo, float32(s.hi - s.lo + 1), e}
	return c, c.span() == s || math.IsNaN(s.lo)
}

// headCell is a head without its time.
type headCell struct {
	at      hub.Loc
	version uint32 // flagged where it is a deletion
	era     era
}

func (c *cell) span() span { return span{c.lo, c.lo + (float64(c.width) - 1)} }

// cachedSet has all members of a set as it was then, ascending. Nobody writes to nums.
type cachedSet struct {
	era
	seq  uint64 // the slot's mark; 0 where the set's size tells whether it has grown
	nums []uint64
	used int64
}

func newCache(bytes int) *cache {
	return &cache{most: int64(bytes), eras: map[slotID]slotEra{}, columns: map[columnID]tablets[cell]{}, heads: map[*partition]tablets[headCell]{}, sets: map[string]*cachedSet{},
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, small: map[setKey]smallSet{}, asked: map[setKey]uint8{}}
}

// eraOf is the era of a slot with this mark; 0 when what is remembered is younger.
func (c *cache) eraOf(p *partition, slot int, now mark) era {
	id := slotID{p, slot}
	c.mu.RLock()
	known := c.eras[id]
	c.mu.RUnlock()
	if known.gen == now.gen && known.changed == now.changed && known.era != 0 {
		return known.era
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known = c.eras[id]
	switch {
	case known.gen == now.gen && known.changed > now.changed:
		return 0
	case known.gen != now.gen || known.changed != now.changed || known.era == 0:
		c.last++
		known = slotEra{now.gen, now.changed, c.last}
		c.eras[id] = known
	}
	return known.era
}

// recall fills in what it knows of nums, which are ascending, in a slot's era, and lists the others.
func (c *cache) recall(id columnID, at era, nums []uint64, into []span, unknown []uint64) []uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	tablets := c.columns[id]
	var t *tablet[cell]
	have := uint64(math.MaxUint64)
	for i, n := range nums {
		if k := n / tabletSize; k != have {
			t, have = tablets[k], k
		}
		if t != nil && at != 0 {
			if cell := &t.cells[n%tabletSize]; cell.era == at {
				into[i] = cell.span()
				continue
			}
		}
		unknown = append(unknown, n)
	}
	return unknown
}

// remember takes what was read in a slot's era. absences: also that there is no value.
func (c *cache) remember(id columnID, at era, read map[uint64]value, absences bool) {
	if at == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	tablets := c.columns[id]
	if tablets == nil {
		tablets = map[uint64]*tablet[cell]{}
		c.columns[id] = tablets
	}
	c.clock++
	for num, v := range read {
		value, fits := cellOf(v.span, at)
		if !fits || v.several != "" || v.passing || v.none() && !absences {
			continue
		}
		into, more := tablets.cellFor(num, c.clock)
		*into, c.size = value, c.size+more
	}
	c.trim()
}

// recallHeads puts the heads that it knows of nums into heads, and leaves the others.
func (c *cache) recallHeads(p *partition, at era, nums []uint64, heads map[uint64]head) (unknown []uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	tablets := c.heads[p]
	unknown = nums[:0]
	for _, n := range nums {
		if t := tablets[n/tabletSize]; t != nil && at != 0 {
			if h := &t.cells[n%tabletSize]; h.era == at {
				heads[n] = head{version: uint64(h.version >> 1), deleted: h.version&1 == 1, at: h.at}
				continue
			}
		}
		unknown = append(unknown, n)
	}
	return unknown
}

// rememberHeads takes those that were read in a slot's era; the time of a head is not kept.
func (c *cache) rememberHeads(p *partition, at era, nums []uint64, heads map[uint64]head) {
	if at == 0 || len(nums) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	tablets := c.heads[p]
	if tablets == nil {
		tablets = map[uint64]*tablet[headCell]{}
		c.heads[p] = tablets
	}
	c.clock++
	for _, n := range nums {
		if h := heads[n]; h.version > 0 && h.version < math.MaxUint32>>1 {
			into, more := tablets.cellFor(n, c.clock)
			*into, c.size = headCell{h.at, uint32(flagged(h.version, h.deleted)), at}, c.size+more
		}
	}
	c.trim()
}

// set is what the set at key has, if size of it are remembered.
func (c *cache) set(key string, at era, size int) (nums []uint64, has bool) {
	if at == 0 {
		return nil, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if size <= smallMost {
		s, has := c.small[c.keyOf(key)]
		if !has || s.era != at || int(s.n) != size {
			return nil, false
		}
		return slices.Clone(s.nums[:size]), true
	}
	s := c.sets[key]
	if s == nil || s.era != at || len(s.nums) != size {
		return nil, false
	}
	return s.nums, true
}

func (c *cache) keyOf(key string) setKey {
	return setKey{maphash.String(c.seeds[0], key), maphash.String(c.seeds[1], key)}
}

// setAt is what the set at key had at the slot's mark seq, when nothing has been written to the slot since.
func (c *cache) setAt(key string, at era, seq uint64) (nums []uint64, has bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := c.sets[key]
	if s == nil || s.era != at || at == 0 || s.seq != seq || seq == 0 {
		return nil, false
	}
	return s.nums, true
}

// popular reports whether a set is asked for again and again, so that it is better read whole and remembered.
func (c *cache) popular(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.asked) > 100_000 {
		clear(c.asked)
	}
	k := c.keyOf(key)
	c.asked[k]++
	if c.asked[k] < 4 {
		return false
	}
	delete(c.asked, k)
	return true
}

func (c *cache) rememberSet(key string, at era, seq uint64, nums []uint64) {
	if at == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(nums) <= smallMost && seq == 0 {
		s := smallSet{era: at, n: uint32(len(nums))}
		copy(s.nums[:], nums)
		c.small[c.keyOf(key)] = s
		for k := range c.small { // any, when they take more than an eighth of what all may take
			if int64(len(c.small))*smallSize <= c.most/8 {
				break
			}
			delete(c.small, k)
		}
		return
	}
	if old := c.sets[key]; old != nil {
		c.size -= memberSize * int64(len(old.nums))
	}
	c.clock++
	c.sets[key] = &cachedSet{era: at, seq: seq, nums: nums[:len(nums):len(nums)], used: c.clock}
	c.size += memberSize * int64(len(nums))
	c.trim()
}

// trim forgets what was read longest ago until a quarter is free.
func (c *cache) trim() {
	if c.size <= c.most {
		return
	}
	// Ages are looked at in rough classes: all of the older half of the time there is, then again.
	for c.size > c.most/4*3 && len(c.columns)+len(c.heads)+len(c.sets) > 0 {
		first := c.clock
		for _, tablets := range c.columns {
			first = tablets.first(first)
		}
		for _, tablets := range c.heads {
			first = tablets.first(first)
		}
		for _, s := range c.sets {
			first = min(first, s.used)
		}
		old := first + (c.clock-first)/2
		for id, tablets := range c.columns {
			if c.size -= tablets.forget(old); len(tablets) == 0 {
				delete(c.columns, id)
			}
		}
		for p, tablets := range c.heads {
			if c.size -= tablets.forget(old); len(tablets) == 0 {
				delete(c.heads, p)
			}
		}
		for key, s := range c.sets {
			if s.used <= old {
				delete(c.sets, key)
				c.size -= memberSize * int64(len(s.nums))
			}
		}
	}
}
