package index

import (
	"math"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// value is what one thing has of a Range parameter: hardly ever more than one span.
type value struct {
	span           // the least; Lo is NaN for none
	several string // all of them, packed, when there is more than one
	passing bool   // not to be remembered: the time of a thing that was updated before
}

var noValue = value{span: span{math.NaN(), math.NaN()}}

func (v value) none() bool { return math.IsNaN(v.lo) }

// unpackValue reads a column's field, "" for none.
func unpackValue(packed string) (v value, err error) {
	v = noValue
	n := 0
	err = unpackSpans(packed, func(s span) bool {
		if n == 0 {
			v.span = s
		}
		n++
		return true
	})
	if n > 1 {
		v.several = packed
	}
	return v, err
}

// column has the values of a Range parameter by number, as far as a shard has read them or the cache knows them. Those of LastUpdated are
// in the heads.
type column struct {
	sh   *shard
	id   columnID
	read map[uint64]value
	last *blocks
}

// column is made once a parameter.
func (sh *shard) column(param string) *column {
	c := sh.columns[param]
	if c == nil {
		c = &column{sh: sh, id: columnID{sh.p, param}, read: map[uint64]value{}}
		sh.columns[param] = c
	}
	return c
}

// known fills in what is known of nums, and lists those that are not. Both results lie in the search's own space: they are good until
// any column is asked again, so not across a trip.
func (c *column) known(nums []uint64) (spans []span, unknown []uint64) {
	s := c.sh.search
	if cap(s.spans) < len(nums) {
		s.spans = make([]span, len(nums)+len(nums)/4)
	}
	spans = s.spans[:len(nums)]
	unknown = c.sh.ix.cache.recall(c.id, c.sh.era, nums, spans, s.unknown[:0])
	s.unknown = unknown
	if len(c.read) == 0 || len(unknown) == 0 {
		return spans, unknown
	}
	at, left := 0, unknown[:0]
	for _, n := range unknown {
		for nums[at] != n {
			at++
		}
		if v, has := c.read[n]; has {
			spans[at] = v.span
		} else {
			left = append(left, n)
		}
	}
	return spans, left
}

// values are the least spans of nums, which are ascending; Lo is NaN for none. They are as known's. What is
// not known is read; of two tasks that want the same in one trip only the first asks.
func (c *column) values(await func() bool, nums []uint64) []span {
	if len(nums) == 0 {
		return nil
	}
	spans, unknown := c.known(nums)
	if len(unknown) == 0 {
		return spans
	}
	if b := c.last; b == nil || b.made != c.sh.made || len(b.wanted) != len(nums) || &b.wanted[0] != &nums[0] {
		unknown = slices.Clone(unknown)
		key := func(n uint64) string { return string(c.sh.p.columnKey(nil, c.sh.slot, c.id.param, n)) }
		switch {
		case c.id.param == hub.LastUpdated:
			key = func(n uint64) string { return string(c.sh.p.headKey(nil, c.sh.slot, n)) }
			c.last = c.sh.queueBlocks(unknown, key)
		case c.sh.era != 0 && len(unknown) >= crowd && c.sh.eager > 0:
			c.last = c.sh.queueWhole(unknown, key)
		default:
			c.last = c.sh.queueBlocks(unknown, key)
		}
		c.last.wanted = nums
	}
	b := c.last
	if !await() {
		return nil
	}
	b.each(func(num uint64, packed string) {
		v, err := noValue, error(nil)
		if c.id.param != hub.LastUpdated {
			v, err = unpackValue(packed)
		} else if h := c.sh.tell(num, packed); h.version > 0 {
			v = value{span: span{float64(h.ms), float64(h.ms)}, passing: h.version > 1}
		}
		if err != nil {
			c.sh.err = err
		}
		c.read[num] = v
	})
	spans, _ = c.known(nums)
	return spans
}

// matches reports whether a value of num, whose least is s, matches m.
func (c *column) matches(num uint64, s span, m *hub.Match) (is bool) {
	match := func(s span) bool {
		is = s.lo >= m.LoMin && s.lo <= m.LoMax && s.hi >= m.HiMin && s.hi <= m.HiMax
		return !is
	}
	if match(s); is || len(c.read) == 0 {
		return is
	}
	if v := c.read[num]; v.several != "" {
		_ = unpackSpans(v.several, match) // it was read before
	}
	return is
}

// isFirst: the value of LastUpdated that num has, which was asked for, is that of its first version, as are all that are remembered.
func (c *column) isFirst(num uint64) bool {
	v, read := c.read[num]
	return !read || !v.none() && !v.passing
}

// blocks is a reading of fields that lie in hashes by blocks of numbers.
type blocks struct {
	wanted []uint64
	made   int // trips when it was queued
	cmds   []*redis.StringSliceCmd
	parts  [][]uint64
	whole  []*redis.MapStringStringCmd // of blocks that are read whole, and what is wanted of them
	of     [][]uint64
}

// wholeBlocks is how many blocks a search reads whole, more than it wants, so that the cache has them: reading a number among its
// neighbours takes a tenth of what it takes by itself.
const wholeBlocks = 512

// queueWhole is queueBlocks for so many numbers of a slot that the rest of their blocks is worth reading, too.
func (sh *shard) queueWhole(nums []uint64, key func(uint64) string) *blocks {
	b := &blocks{made: sh.made}
	for len(nums) > 0 && sh.eager > 0 {
		n := 1
		for n < len(nums) && nums[n]/sh.p.block == nums[0]/sh.p.block {
			n++
		}
		b.whole, b.of = append(b.whole, sh.pipe.HGetAll(sh.ctx, key(nums[0]))), append(b.of, nums[:n])
		nums = nums[n:]
		sh.eager--
	}
	rest := sh.queueBlocks(nums, key)
	b.cmds, b.parts = rest.cmds, rest.parts
	return b
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

// each gives the replies out, once.
func (b *blocks) each(do func(num uint64, field string)) {
	for i, part := range b.parts {
		vals := b.cmds[i].Val()
		for j, num := range part[:min(len(part), len(vals))] {
			do(num, vals[j])
		}
	}
	for i, of := range b.of {
		all := b.whole[i].Val()
		for _, num := range of {
			if _, has := all[member(num)]; !has {
				do(num, "")
			}
		}
		for field, v := range all {
			if num, err := strconv.ParseUint(field, 10, 64); err == nil {
				do(num, v)
			}
		}
	}
	b.cmds, b.parts, b.whole, b.of = nil, nil, nil, nil
}
