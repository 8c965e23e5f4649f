package keeper

import (
	"fmt"
	"math"
)

func keyCommands() []command {
	many := func(name string, write bool, run func(*call)) command {
		return command{name: name, arity: -2, first: 1, last: -1, step: 1, write: write, run: run}
	}
	expire := func(unit int64) func(*call) { return func(c *call) { c.expire(unit) } }
	left := func(unit int64) func(*call) { return func(c *call) { c.left(unit) } }
	return []command{
		many("del", true, del),
		many("unlink", true, del),
		many("exists", false, exists),
		keyed("type", 2, typeOf),
		writing("expire", -3, expire(1000)),
		writing("pexpire", -3, expire(1)),
		keyed("ttl", 2, left(1000)),
		keyed("pttl", 2, left(1)),
		writing("persist", 2, persist),
		{name: "scan", arity: -2, all: true, run: scan},
	}
}

func del(c *call) {
	n := 0
	for _, key := range c.args[1:] {
		sp := c.space(key)
		if _, found := sp.claim(key, c.now); found {
			sp.remove(key)
			sp.touch(key)
			n++
		}
	}
	c.int(n)
}

func exists(c *call) {
	n := 0
	for _, key := range c.args[1:] {
		if _, found := c.space(key).get(key, c.now); found {
			n++
		}
	}
	c.int(n)
}

func typeOf(c *call) {
	v, _ := c.space(c.args[1]).get(c.args[1], c.now)
	c.simple(v.kind.String())
}

// deadline turns a time span in word i into Unix milliseconds, or replies why it cannot.
func (c *call) deadline(i int, unit int64) (at int64, ok bool) {
	n, ok := c.number(i)
	if !ok {
		return 0, false
	}
	if n > math.MaxInt64/unit || n < math.MinInt64/unit || n*unit > math.MaxInt64-c.now() {
		c.fail(fmt.Sprintf("ERR invalid expire time in '%s' command", c.k.commands.find(c.args[0]).name))
		return 0, false
	}
	return n*unit + c.now(), true
}

func (c *call) expire(unit int64) {
	var nx, xx, gt, lt bool
	for i := 3; i < len(c.args); i++ {
		switch {
		case c.is(i, "NX"):
			nx = true
		case c.is(i, "XX"):
			xx = true
		case c.is(i, "GT"):
			gt = true
		case c.is(i, "LT"):
			lt = true
		default:
			c.fail(fmt.Sprintf("ERR Unsupported option %s", c.args[i]))
			return
		}
	}
	switch {
	case nx && (xx || gt || lt):
		c.fail("ERR NX and XX, GT or LT options at the same time are not compatible")
		return
	case gt && lt:
		c.fail("ERR GT and LT options at the same time are not compatible")
		return
	}
	at, ok := c.deadline(2, unit)
	if !ok {
		return
	}
	key := c.args[1]
	sp := c.space(key)
	v, found := sp.claim(key, c.now)
	if !found {
		c.int(0)
		return
	}
	was := v.deadline(key)
	if nx && was >= 0 || xx && was < 0 || gt && (was < 0 || at <= was) || lt && was >= 0 && at >= was {
		c.int(0)
		return
	}
	if at <= c.now() {
		sp.remove(key)
	} else {
		v.setDeadline(key, at)
	}
	sp.touch(key)
	c.int(1)
}

func (c *call) left(unit int64) {
	v, found := c.space(c.args[1]).get(c.args[1], c.now)
	if !found {
		c.int(-2)
		return
	}
	at := v.deadline(c.args[1])
	if at < 0 {
		c.int(-1)
		return
	}
	c.int(int((at - c.now() + unit/2) / unit))
}

func persist(c *call) {
	key := c.args[1]
	sp := c.space(key)
	v, found := sp.claim(key, c.now)
	if !found || v.deadline(key) < 0 {
		c.int(0)
		return
	}
	v.setDeadline(key, -1)
	sp.touch(key)
	c.int(1)
}

// scanOptions are the options of SCAN, HSCAN, SSCAN and ZSCAN.
type scanOptions struct {
	cursor uint64
	count  int
	match  string
	any    bool // no MATCH
	typ    string
	typed  bool
}

// cursorOf reads word i as a cursor, or replies why not.
func (c *call) cursorOf(i int) (cursor uint64, ok bool) {
	if cursor, ok = parseCursor(c.args[i]); !ok {
		c.fail("ERR invalid cursor")
	}
	return cursor, ok
}

// scanOptions reads the options from word i on, or replies why not.
func (c *call) scanOptions(i int, cursor uint64, types bool) (o scanOptions, ok bool) {
	o = scanOptions{cursor: cursor, count: 10, any: true}
	for ; i < len(c.args); i += 2 {
		switch more := i+1 < len(c.args); {
		case c.is(i, "COUNT") && more:
			n, ok := c.number(i + 1)
			if !ok {
				return o, false
			}
			if n < 1 {
				c.fail(errSyntax)
				return o, false
			}
			o.count = int(min(n, math.MaxInt32))
		case c.is(i, "MATCH") && more:
			o.match = string(c.args[i+1])
			o.any = o.match == "*"
		case types && c.is(i, "TYPE") && more:
			o.typ, o.typed = string(c.args[i+1]), true
		default:
			c.fail(errSyntax)
			return o, false
		}
	}
	return o, true
}

func (o *scanOptions) fits(b []byte) bool { return o.any || glob(o.match, text(b)) }

// scanReply writes the cursor and what was found.
func (c *call) scanReply(cursor uint64, items [][]byte) {
	c.array(2)
	c.bulk(fmt.Append(nil, cursor))
	c.array(len(items))
	for _, b := range items {
		c.bulk(b)
	}
}

// scan walks the spaces one after the other, and in each the hashes upwards. A cursor is the number of the space in
// its low digits and the hash above.
func scan(c *call) {
	cursor, ok := c.cursorOf(1)
	if !ok {
		return
	}
	o, ok := c.scanOptions(2, cursor, true)
	if !ok {
		return
	}
	at, hash := cursor%spaceCount, cursor/spaceCount
	looked := 0
	var found [][]byte
	for at < spaceCount && looked < o.count {
		sp := &c.k.spaces[at]
		hash = sp.keys.scan(hash, o.count-looked, func(key, val []byte) {
			looked++
			k := kind(val[0])
			if !o.fits(key) || o.typed && k.String() != o.typ || k&expiring != 0 && sp.expires[string(key)] <= c.now() {
				return
			}
			found = append(found, key)
		})
		if hash == 0 {
			at++
		}
	}
	next := hash*spaceCount + at
	if at == spaceCount {
		next = 0
	}
	c.scanReply(next, found)
}
