package index

import (
	"math"
	"sync"
	"sync/atomic"
)

// valueCache remembers values of Range parameters that searches have read, so that an interval or an order costs a
// command a slot rather than one for each few numbers. What it says is true as long as nothing in the slot was rewritten or
// removed: a column is good for one value of the slot's mark "changed", and additions leave it alone.
type valueCache struct {
	most    int64 // values, all columns together
	values  atomic.Int64
	clock   atomic.Int64
	mu      sync.Mutex
	columns map[columnID]*cachedColumn
}

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
	values  map[uint64]span // Lo is NaN for none
	used    atomic.Int64
}

func newValueCache(most int) *valueCache {
	return &valueCache{most: int64(most), columns: map[columnID]*cachedColumn{}}
}

// column is nil when what is remembered is younger than now; what is older is forgotten.
func (vc *valueCache) column(id columnID, now mark) *cachedColumn {
	vc.mu.Lock()
	c := vc.columns[id]
	if c == nil {
		c = &cachedColumn{values: map[uint64]span{}}
		vc.columns[id] = c
	}
	vc.mu.Unlock()
	c.used.Store(vc.clock.Add(1))
	c.mu.RLock()
	gen, changed := c.gen, c.changed
	c.mu.RUnlock()
	switch {
	case gen == now.gen && changed == now.changed:
		return c
	case gen == now.gen && changed > now.changed:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	vc.values.Add(-int64(len(c.values)))
	c.gen, c.changed, c.values = now.gen, now.changed, map[uint64]span{}
	return c
}

// recall fills in what it knows of nums, at the mark, and lists the others.
func (c *cachedColumn) recall(at mark, nums []uint64, into []value) (unknown []int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	good := c.gen == at.gen && c.changed == at.changed
	for i, n := range nums {
		if s, has := c.values[n]; has && good {
			into[i] = value{span: s}
		} else {
			unknown = append(unknown, i)
		}
	}
	return unknown
}

// remember takes what was read while the slot's mark was at. absences: also that there is no value.
func (vc *valueCache) remember(c *cachedColumn, at mark, read map[uint64]value, absences bool) {
	c.mu.Lock()
	if c.gen == at.gen && c.changed == at.changed {
		before := len(c.values)
		for num, v := range read {
			if v.several == "" && (absences || !v.none()) {
				c.values[num] = v.span
			}
		}
		vc.values.Add(int64(len(c.values) - before))
	}
	c.mu.Unlock()
	if vc.values.Load() > vc.most {
		vc.forget()
	}
}

// forget empties the columns that were not asked for longest until a quarter is free.
func (vc *valueCache) forget() {
	vc.mu.Lock()
	defer vc.mu.Unlock()
	for vc.values.Load() > vc.most/4*3 {
		var oldest columnID
		least := int64(math.MaxInt64)
		for id, c := range vc.columns {
			if used := c.used.Load(); used < least {
				oldest, least = id, used
			}
		}
		c := vc.columns[oldest]
		if c == nil {
			return
		}
		delete(vc.columns, oldest)
		c.mu.Lock()
		vc.values.Add(-int64(len(c.values)))
		c.gen, c.values = "", nil
		c.mu.Unlock()
	}
}
