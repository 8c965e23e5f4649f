package keeper

import "math"

func zsetCommands() []command {
	ranged := func(f rangeForm) func(*call) { return func(c *call) { c.zrange(f) } }
	return []command{
		writing("zadd", -4, zadd),
		writing("zrem", -3, zrem),
		keyed("zscore", 3, zscore),
		keyed("zmscore", -3, zmscore),
		keyed("zcard", 2, zcard),
		keyed("zcount", 4, zcount),
		keyed("zlexcount", 4, zlexcount),
		keyed("zrange", -4, ranged(rangeForm{open: true})),
		keyed("zrangebyscore", -4, ranged(rangeForm{by: byScore})),
		keyed("zrevrangebyscore", -4, ranged(rangeForm{by: byScore, reverse: true})),
		keyed("zrangebylex", -4, ranged(rangeForm{by: byLex})),
		keyed("zrevrangebylex", -4, ranged(rangeForm{by: byLex, reverse: true})),
		writing("zremrangebyscore", 4, zremrangebyscore),
		keyed("zscan", -3, zscan),
	}
}

// zset is the sorted set a value stands for.
func (v *value) zset() *zset { return v.object().(*zset) }

// zaddOptions are the options of ZADD.
type zaddOptions struct{ nx, xx, gt, lt, ch, incr bool }

func (c *call) zaddOptions() (o zaddOptions, pairs [][]byte, ok bool) {
	i := 2
options:
	for ; i < len(c.args); i++ {
		switch {
		case c.is(i, "NX"):
			o.nx = true
		case c.is(i, "XX"):
			o.xx = true
		case c.is(i, "GT"):
			o.gt = true
		case c.is(i, "LT"):
			o.lt = true
		case c.is(i, "CH"):
			o.ch = true
		case c.is(i, "INCR"):
			o.incr = true
		default:
			break options
		}
	}
	pairs = c.args[i:]
	var fault string
	switch {
	case len(pairs) == 0 || len(pairs)%2 == 1:
		fault = errSyntax
	case o.nx && o.xx:
		fault = "ERR XX and NX options at the same time are not compatible"
	case o.gt && o.nx || o.lt && o.nx || o.gt && o.lt:
		fault = "ERR GT, LT, and/or NX options at the same time are not compatible"
	case o.incr && len(pairs) > 2:
		fault = "ERR INCR option supports a single increment-element pair"
	default:
		for i := 0; i < len(pairs); i += 2 {
			if _, ok := parseScore(pairs[i]); !ok {
				fault = errNotFloat
			}
		}
	}
	if fault != "" {
		c.fail(fault)
	}
	return o, pairs, fault == ""
}

func zadd(c *call) {
	o, pairs, ok := c.zaddOptions()
	if !ok {
		return
	}
	key := c.args[1]
	v, ok := c.claim(key, "zset")
	if !ok {
		return
	}
	if v.kind == none {
		if o.xx {
			if o.incr {
				c.null()
			} else {
				c.int(0)
			}
			return
		}
		v = v.sp.createObject(key, newZset())
	}
	z := v.zset()
	added, updated := 0, 0
	var last float64
	done := false
	for i := 0; i < len(pairs); i += 2 {
		score, _ := parseScore(pairs[i])
		member := pairs[i+1]
		at := z.find(member)
		was, found := at.entry.score(), at.found
		if found && o.incr {
			if score += was; math.IsNaN(score) {
				c.fail("ERR resulting score is not a number (NaN)")
				return
			}
		}
		switch {
		case found && (o.nx || o.lt && score >= was || o.gt && score <= was), !found && o.xx:
			continue
		case !found:
			z.set(at, member, score)
			added++
		case score != was:
			z.set(at, member, score)
			updated++
		}
		last, done = score, true
	}
	if added+updated > 0 {
		v.sp.touch(key)
	}
	switch {
	case o.incr && done:
		c.score(last)
	case o.incr:
		c.null()
	case o.ch:
		c.int(added + updated)
	default:
		c.int(added)
	}
}

func zrem(c *call) {
	key := c.args[1]
	v, ok := c.claim(key, "zset")
	if !ok {
		return
	}
	n := 0
	for _, m := range c.args[2:] {
		if v.kind == none {
			break
		}
		if v.zset().remove(m) {
			n++
			if v.zset().len() == 0 {
				v.sp.remove(key)
				v.kind = none
			}
		}
	}
	if n > 0 {
		v.sp.touch(key)
	}
	c.int(n)
}

func (c *call) scoreOf(v value, member []byte) {
	if v.kind != none {
		if f, found := v.zset().score(member); found {
			c.score(f)
			return
		}
	}
	c.null()
}

func zscore(c *call) {
	if v, ok := c.look(c.args[1], "zset"); ok {
		c.scoreOf(v, c.args[2])
	}
}

func zmscore(c *call) {
	v, ok := c.look(c.args[1], "zset")
	if !ok {
		return
	}
	c.array(len(c.args) - 2)
	for _, m := range c.args[2:] {
		c.scoreOf(v, m)
	}
}

func zcard(c *call) {
	switch v, ok := c.look(c.args[1], "zset"); {
	case !ok:
	case v.kind == none:
		c.int(0)
	default:
		c.int(v.zset().len())
	}
}

// scoreSpan reads two words as the ends of a range of scores, or replies why not.
func (c *call) scoreSpan(lo, hi int) (s span, ok bool) {
	min, minOpen, okMin := parseBound(c.args[lo])
	max, maxOpen, okMax := parseBound(c.args[hi])
	if !okMin || !okMax {
		c.fail("ERR min or max is not a float")
		return s, false
	}
	return scoreSpan(min, minOpen, max, maxOpen), true
}

// textBounds reads two words as the ends of a lexical range, or replies why not.
func (c *call) textBounds(lo, hi int) (min, max textBound, ok bool) {
	min, okMin := parseTextBound(c.args[lo])
	max, okMax := parseTextBound(c.args[hi])
	if !okMin || !okMax {
		c.fail("ERR min or max not valid string range item")
		return min, max, false
	}
	return min, max, true
}

func parseTextBound(b []byte) (t textBound, ok bool) {
	switch {
	case len(b) == 0:
		return t, false
	case b[0] == '(' || b[0] == '[':
		return textBound{text: b[1:], open: b[0] == '('}, true
	case b[0] == '-' && len(b) == 1:
		return textBound{inf: -1}, true
	case b[0] == '+' && len(b) == 1:
		return textBound{inf: 1}, true
	}
	return t, false
}

func zcount(c *call) {
	s, ok := c.scoreSpan(2, 3)
	if !ok {
		return
	}
	switch v, ok := c.look(c.args[1], "zset"); {
	case !ok:
	case v.kind == none:
		c.int(0)
	default:
		c.int(v.zset().count(s))
	}
}

func zlexcount(c *call) {
	lo, hi, ok := c.textBounds(2, 3)
	if !ok {
		return
	}
	switch v, ok := c.look(c.args[1], "zset"); {
	case !ok:
	case v.kind == none:
		c.int(0)
	default:
		c.int(v.zset().count(v.zset().textSpan(lo, hi)))
	}
}

func zremrangebyscore(c *call) {
	s, ok := c.scoreSpan(2, 3)
	if !ok {
		return
	}
	key := c.args[1]
	v, ok := c.claim(key, "zset")
	if !ok {
		return
	}
	if v.kind == none {
		c.int(0)
		return
	}
	z := v.zset()
	var gone [][]byte
	for e := range z.within(s, false) {
		gone = append(gone, z.appendMember(nil, e))
	}
	for _, m := range gone {
		z.remove(m)
	}
	if len(gone) > 0 {
		if z.len() == 0 {
			v.sp.remove(key)
		}
		v.sp.touch(key)
	}
	c.int(len(gone))
}

func zscan(c *call) {
	v, o, ok := c.scanOf("zset")
	if !ok {
		return
	}
	z := v.zset()
	var found [][]byte
	next := z.scan(o.cursor, o.count, func(e entry) {
		if m := z.appendMember(nil, e); o.fits(m) {
			found = append(found, m, appendScore(nil, e.score()))
		}
	})
	c.scanReply(next, found)
}
