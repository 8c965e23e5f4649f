package keeper

import "iter"

// rangeBy is what the ends of a range are.
type rangeBy byte

const (
	byRank rangeBy = iota
	byScore
	byLex
)

// rangeForm is one command of the ZRANGE family; an open form takes BYSCORE, BYLEX and REV as options.
type rangeForm struct {
	by      rangeBy
	reverse bool
	open    bool
}

// rangeOptions are the options of the ZRANGE family.
type rangeOptions struct {
	rangeForm
	scores        bool
	offset, limit int64
}

func (c *call) rangeOptions(f rangeForm) (o rangeOptions, ok bool) {
	o = rangeOptions{rangeForm: f, limit: -1}
	chosen := !f.open
	for i := 4; i < len(c.args); i++ {
		switch {
		case c.is(i, "WITHSCORES"):
			o.scores = true
		case c.is(i, "LIMIT") && i+2 < len(c.args):
			if o.offset, ok = c.number(i + 1); !ok {
				return o, false
			}
			if o.limit, ok = c.number(i + 2); !ok {
				return o, false
			}
			i += 2
		case f.open && !o.reverse && c.is(i, "REV"):
			o.reverse = true
		case !chosen && c.is(i, "BYLEX"):
			o.by, chosen = byLex, true
		case !chosen && c.is(i, "BYSCORE"):
			o.by, chosen = byScore, true
		default:
			c.fail(errSyntax)
			return o, false
		}
	}
	switch {
	case o.limit != -1 && o.by == byRank:
		c.fail("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
		return o, false
	case o.scores && o.by == byLex:
		c.fail("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
		return o, false
	}
	return o, true
}

func (c *call) zrange(f rangeForm) {
	o, ok := c.rangeOptions(f)
	if !ok {
		return
	}
	if o.by == byRank {
		c.zrangeByRank(o)
		return
	}
	lo, hi := 2, 3
	if o.reverse {
		lo, hi = hi, lo
	}
	var s span
	var from, to textBound
	if o.by == byScore {
		s, ok = c.scoreSpan(lo, hi)
	} else {
		from, to, ok = c.textBounds(lo, hi)
	}
	if !ok {
		return
	}
	v, ok := c.look(c.args[1], "zset")
	if !ok {
		return
	}
	if v.kind == none || o.offset < 0 {
		c.array(0)
		return
	}
	if o.by == byLex {
		s = v.zset().textSpan(from, to)
	}
	c.entries(v.zset(), limited(v.zset().within(s, o.reverse), o.offset, o.limit), o.scores)
}

func (c *call) zrangeByRank(o rangeOptions) {
	start, ok := c.number(2)
	if !ok {
		return
	}
	stop, ok := c.number(3)
	if !ok {
		return
	}
	v, ok := c.look(c.args[1], "zset")
	if !ok {
		return
	}
	if v.kind == none {
		c.array(0)
		return
	}
	n := int64(v.zset().len())
	if start < 0 {
		start = max(0, start+n)
	}
	if stop < 0 {
		stop += n
	}
	stop = min(stop, n-1)
	if start > stop {
		c.array(0)
		return
	}
	c.entries(v.zset(), v.zset().ranks(int(start), int(stop-start+1), o.reverse), o.scores)
}

// limited leaves out the first items and ends after limit; a negative limit is none.
func limited(items iter.Seq[entry], offset, limit int64) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		if limit == 0 {
			return
		}
		for e := range items {
			if offset > 0 {
				offset--
				continue
			}
			if !yield(e) {
				return
			}
			if limit--; limit == 0 {
				return
			}
		}
	}
}

// entries writes members, with their scores when asked. How many they are is known at the end, so the array's head
// is put before them then.
func (c *call) entries(z *zset, items iter.Seq[entry], scores bool) {
	const head = 16
	start := len(c.s.out)
	c.s.out = append(c.s.out, make([]byte, head)...)
	n := 0
	var member []byte
	for e := range items {
		member = z.appendMember(member[:0], e)
		c.bulk(member)
		n++
		if scores {
			c.score(e.score())
			n++
		}
	}
	body := c.s.out[start+head:]
	c.s.out = c.s.out[:start]
	c.array(n)
	c.s.out = append(c.s.out, body...)
}
