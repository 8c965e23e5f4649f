package keeper

import (
	"bytes"
	"strconv"

	"github.com/tidwall/redcon"
)

func setCommands() []command {
	return []command{
		writing("sadd", -3, sadd),
		writing("srem", -3, srem),
		keyed("smembers", 2, smembers),
		keyed("scard", 2, scard),
		keyed("sismember", 3, sismember),
		keyed("smismember", -3, smismember),
		keyed("sscan", -3, sscan),
	}
}

func sadd(c *call) {
	key := c.args[1]
	v, ok := c.claim(key, "set")
	if !ok {
		return
	}
	if v.kind == none {
		v = v.sp.create(key, smallIDs, 0)
	}
	n := 0
	for _, m := range c.args[2:] {
		if v.setAdd(m) {
			n++
		}
	}
	if n > 0 {
		v.sp.touch(key)
	}
	c.int(n)
}

func srem(c *call) {
	key := c.args[1]
	v, ok := c.claim(key, "set")
	if !ok {
		return
	}
	n := 0
	for _, m := range c.args[2:] {
		if v.kind == none {
			break
		}
		if v.setRemove(m) {
			n++
			if v.setLen() == 0 {
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

func smembers(c *call) {
	v, ok := c.look(c.args[1], "set")
	if !ok {
		return
	}
	if v.kind == none {
		c.array(0)
		return
	}
	c.array(v.setLen())
	if v.kind == bigNames {
		v.setEach(func(m []byte) bool {
			c.bulk(m)
			return true
		})
		return
	}
	var digits [20]byte
	v.eachInt(func(n int64) bool {
		c.s.out = redcon.AppendBulk(c.s.out, strconv.AppendInt(digits[:0], n, 10))
		return true
	})
}

func scard(c *call) {
	switch v, ok := c.look(c.args[1], "set"); {
	case !ok:
	case v.kind == none:
		c.int(0)
	default:
		c.int(v.setLen())
	}
}

func sismember(c *call) {
	if v, ok := c.look(c.args[1], "set"); ok {
		c.bool(v.setHas(c.args[2]))
	}
}

func smismember(c *call) {
	v, ok := c.look(c.args[1], "set")
	if !ok {
		return
	}
	c.array(len(c.args) - 2)
	for _, m := range c.args[2:] {
		c.bool(v.setHas(m))
	}
}

func sscan(c *call) {
	v, o, ok := c.scanOf("set")
	if !ok {
		return
	}
	var found [][]byte
	next := v.setScan(o.cursor, o.count, func(m []byte) {
		if o.fits(m) {
			found = append(found, bytes.Clone(m))
		}
	})
	c.scanReply(next, found)
}
