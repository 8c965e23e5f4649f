package index

import (
	"math"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// column has the values of a Range parameter by number, as far as a shard has read them. Those of LastUpdated are
// in the heads.
type column struct {
	sh    *shard
	param string
	got   map[uint64]string // packed spans or heads, "" for none
	last  *blocks
}

// column is made once a parameter.
func (sh *shard) column(param string) *column {
	c := sh.columns[param]
	if c == nil {
		c = &column{sh: sh, param: param, got: map[uint64]string{}}
		if param == hub.LastUpdated {
			c.got = sh.heads
		}
		sh.columns[param] = c
	}
	return c
}

// read reads the values of nums, which are ascending, unless it has them. Of two tasks that want the same in one trip
// only the first asks.
func (c *column) read(await func() bool, nums []uint64) {
	if len(nums) == 0 {
		return
	}
	if b := c.last; b == nil || b.made != c.sh.made || len(b.wanted) != len(nums) || &b.wanted[0] != &nums[0] {
		var missing []uint64
		for _, n := range nums {
			if _, has := c.got[n]; !has {
				missing = append(missing, n)
			}
		}
		if len(missing) == 0 {
			return
		}
		key := func(n uint64) string { return c.sh.p.columnKey(c.sh.slot, c.param, n) }
		if c.param == hub.LastUpdated {
			key = func(n uint64) string { return c.sh.p.headKey(c.sh.slot, n) }
		}
		c.last = c.sh.queueBlocks(missing, key)
		c.last.wanted = nums
	}
	if b := c.last; await() {
		b.read(c.got)
	}
}

// spans gives each of the values of num that were read.
func (c *column) spans(num uint64, each func(span) bool) {
	packed := c.got[num]
	if packed == "" {
		return
	}
	var err error
	if c.param == hub.LastUpdated {
		var h head
		if h, err = unpackHead(packed); err == nil {
			each(span{float64(h.ms), float64(h.ms)})
		}
	} else {
		err = unpackSpans(packed, each)
	}
	if err != nil {
		c.sh.err = err
	}
}

// least is the value by which num is sorted, NaN when it has none.
func (c *column) least(num uint64) float64 {
	least := math.NaN()
	c.spans(num, func(s span) bool { least = s.lo; return false })
	return least
}

// matches reports whether a value of num matches m.
func (c *column) matches(num uint64, m *hub.Match) (is bool) {
	c.spans(num, func(s span) bool {
		is = m.Matches(&hub.Term{Kind: hub.Range, Lo: s.lo, Hi: s.hi})
		return !is
	})
	return is
}

// blocks is a reading of fields that lie in hashes by blocks of numbers.
type blocks struct {
	wanted []uint64
	made   int // trips when it was queued
	cmds   []*redis.StringSliceCmd
	parts  [][]uint64
}

// queueBlocks queues the fields of nums, which are ascending, from the hashes that key names.
func (sh *shard) queueBlocks(nums []uint64, key func(uint64) string) *blocks {
	b := &blocks{made: sh.made}
	for len(nums) > 0 {
		n := 1
		for n < len(nums) && nums[n]/sh.p.block == nums[0]/sh.p.block {
			n++
		}
		args := make([]any, 2, n+2)
		args[0], args[1] = "hmget", key(nums[0])
		for _, num := range nums[:n] {
			args = append(args, num)
		}
		cmd := redis.NewStringSliceCmd(sh.ctx, args...) // "" for what is not there
		_ = sh.pipe.Process(sh.ctx, cmd)
		b.cmds, b.parts, nums = append(b.cmds, cmd), append(b.parts, nums[:n]), nums[n:]
	}
	return b
}

func (b *blocks) read(into map[uint64]string) {
	for i, part := range b.parts {
		vals := b.cmds[i].Val()
		for j, num := range part[:min(len(part), len(vals))] {
			into[num] = vals[j]
		}
	}
	b.cmds, b.parts = nil, nil
}
