package index

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// cache remembers what searches have read: values of Range parameters, so that an interval or an order costs no command for each few
// numbers, and sets of numbers. What it says is true as long as nothing in the slot was rewritten or removed: it is good for one value of
// the slot's mark "changed". Additions leave values alone, and they make a set larger, which is measured before it is used.
type cache struct {
	most    int64 // bytes
	size    atomic.Int64
	clock   atomic.Int64
	mu      sync.Mutex
	columns map[columnID]*cachedColumn
	sets    map[string]*cachedSet // by key
	asked   map[string]uint8      // how often a set was asked for that is not remembered
}

// What a value and a member of a set take, in bytes.
const (
	valueSize  = 28
	memberSize = 8
)

// columnID names the values of one Range parameter in one slot.
type columnID struct {
	p     *partition
	slot  int
	param string
}

// cachedColumn has the values that were read when the slot's mark was gen, changed. What has several is not remembered.
type cachedColumn struct {
	mu      sync.RWMutex
	gen     string
	changed uint64
	nums    []uint64 // ascending
	spans   []span   // of nums; Lo is NaN for none
	fresh   map[uint64]span
	used    atomic.Int64
}

func (col *cachedColumn) empty(at mark) (size int64) {
	size = int64(len(col.nums)) + int64(len(col.fresh))
	col.gen, col.changed, col.nums, col.spans, col.fresh = at.gen, at.changed, nil, nil, map[uint64]span{}
	return -valueSize * size
}

// blend takes in what is fresh, once that is worth a copy of all.
func (col *cachedColumn) blend() {
	if len(col.fresh) < 64+len(col.nums)/4 {
		return
	}
	added := slices.Sorted(maps.Keys(col.fresh))
	nums, spans := make([]uint64, 0, len(col.nums)+len(added)), make([]span, 0, len(col.nums)+len(added))
	for i, n := range col.nums {
		for len(added) > 0 && added[0] < n {
			nums, spans, added = append(nums, added[0]), append(spans, col.fresh[added[0]]), added[1:]
		}
		nums, spans = append(nums, n), append(spans, col.spans[i])
	}
	for _, n := range added {
		nums, spans = append(nums, n), append(spans, col.fresh[n])
	}
	col.nums, col.spans, col.fresh = nums, spans, map[uint64]span{}
}

// cachedSet has all members of a set as it was then, ascending. Nobody writes to nums.
type cachedSet struct {
	gen     string
	changed uint64
	nums    []uint64
	used    atomic.Int64
}

func newCache(bytes int) *cache {
	return &cache{most: int64(bytes), columns: map[columnID]*cachedColumn{}, sets: map[string]*cachedSet{}, asked: map[string]uint8{}}
}

// column is nil when what is remembered is younger than now; what is older is forgotten.
func (c *cache) column(id columnID, now mark) *cachedColumn {
	c.mu.Lock()
	col := c.columns[id]
	if col == nil {
		col = &cachedColumn{fresh: map[uint64]span{}}
		c.columns[id] = col
	}
	c.mu.Unlock()
	col.used.Store(c.clock.Add(1))
	col.mu.RLock()
	gen, changed := col.gen, col.changed
	col.mu.RUnlock()
	switch {
	case gen == now.gen && changed == now.changed:
		return col
	case gen == now.gen && changed > now.changed:
		return nil
	}
	col.mu.Lock()
	defer col.mu.Unlock()
	c.size.Add(col.empty(now))
	return col
}

// recall fills in what it knows of nums, which are ascending, at the mark, and lists the others.
func (col *cachedColumn) recall(at mark, nums []uint64, into []value) (unknown []int) {
	col.mu.RLock()
	defer col.mu.RUnlock()
	good := col.gen == at.gen && col.changed == at.changed
	from := 0
	for i, n := range nums {
		// What is asked for lies close to what was asked for before.
		width := 1
		for from+width < len(col.nums) && col.nums[from+width] < n {
			from, width = from+width, 2*width
		}
		k, has := slices.BinarySearch(col.nums[from:min(from+width+1, len(col.nums))], n)
		from += k
		var s span
		if has {
			s = col.spans[from]
		} else {
			s, has = col.fresh[n]
		}
		if has && good {
			into[i] = value{span: s}
		} else {
			unknown = append(unknown, i)
		}
	}
	return unknown
}

// remember takes what was read while the slot's mark was at. absences: also that there is no value.
func (c *cache) remember(col *cachedColumn, at mark, read map[uint64]value, absences bool) {
	col.mu.Lock()
	if col.gen == at.gen && col.changed == at.changed {
		before := len(col.fresh)
		for num, v := range read {
			if _, has := slices.BinarySearch(col.nums, num); !has && v.several == "" && !v.passing && (absences || !v.none()) {
				col.fresh[num] = v.span
			}
		}
		c.size.Add(valueSize * int64(len(col.fresh)-before))
		col.blend()
	}
	col.mu.Unlock()
	c.trim()
}

// set is what the set at key has, if size of it are remembered.
func (c *cache) set(key string, now mark, size int) (nums []uint64, has bool) {
	c.mu.Lock()
	s := c.sets[key]
	c.mu.Unlock()
	if s == nil || s.gen != now.gen || s.changed != now.changed || len(s.nums) != size {
		return nil, false
	}
	s.used.Store(c.clock.Add(1))
	return s.nums, true
}

// popular reports whether a set is asked for again and again, so that it is better read whole and remembered.
func (c *cache) popular(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.asked) > 100_000 {
		clear(c.asked)
	}
	c.asked[key]++
	if c.asked[key] < 4 {
		return false
	}
	delete(c.asked, key)
	return true
}

func (c *cache) rememberSet(key string, at mark, nums []uint64) {
	c.mu.Lock()
	if old := c.sets[key]; old != nil {
		c.size.Add(-memberSize * int64(len(old.nums)))
	}
	s := &cachedSet{gen: at.gen, changed: at.changed, nums: nums[:len(nums):len(nums)]}
	s.used.Store(c.clock.Add(1))
	c.sets[key] = s
	c.mu.Unlock()
	c.size.Add(memberSize * int64(len(nums)))
	c.trim()
}

// trim forgets what was not asked for longest until a quarter is free.
func (c *cache) trim() {
	if c.size.Load() <= c.most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Ages are looked at in rough classes: all of the oldest half of what there is, then again.
	for c.size.Load() > c.most/4*3 && len(c.columns)+len(c.sets) > 0 {
		first, last := int64(math.MaxInt64), int64(0)
		for _, col := range c.columns {
			first, last = min(first, col.used.Load()), max(last, col.used.Load())
		}
		for _, s := range c.sets {
			first, last = min(first, s.used.Load()), max(last, s.used.Load())
		}
		old := first + (last-first)/2
		for id, col := range c.columns {
			if col.used.Load() <= old {
				delete(c.columns, id)
				col.mu.Lock()
				c.size.Add(col.empty(mark{}))
				col.mu.Unlock()
			}
		}
		for key, s := range c.sets {
			if s.used.Load() <= old {
				delete(c.sets, key)
				c.size.Add(-memberSize * int64(len(s.nums)))
			}
		}
	}
}
