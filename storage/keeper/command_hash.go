package keeper

func hashCommands() []command {
	return []command{
		writing("hset", -4, hset),
		keyed("hget", 3, hget),
		keyed("hmget", -3, hmget),
		keyed("hgetall", 2, hgetall),
		writing("hdel", -3, hdel),
		keyed("hlen", 2, hlen),
		keyed("hexists", 3, hexists),
		keyed("hscan", -3, hscan),
	}
}

// field is the value of a field; a missing hash has none.
func (v *value) field(name []byte) (val []byte, ok bool) {
	if v.kind == none {
		return nil, false
	}
	return v.hashGet(name)
}

func hset(c *call) {
	if len(c.args)%2 == 1 {
		c.fail("ERR wrong number of arguments for 'hset' command")
		return
	}
	key := c.args[1]
	v, ok := c.claim(key, "hash")
	if !ok {
		return
	}
	if v.kind == none {
		v = v.sp.create(key, smallMap, 0)
	}
	n := 0
	for i := 2; i < len(c.args); i += 2 {
		if v.hashSet(c.args[i], c.args[i+1]) {
			n++
		}
	}
	v.sp.touch(key)
	c.int(n)
}

func hget(c *call) {
	v, ok := c.look(c.args[1], "hash")
	if !ok {
		return
	}
	if val, ok := v.field(c.args[2]); ok {
		c.bulk(val)
	} else {
		c.null()
	}
}

func hmget(c *call) {
	v, ok := c.look(c.args[1], "hash")
	if !ok {
		return
	}
	c.array(len(c.args) - 2)
	at := 0
	for _, name := range c.args[2:] {
		var val []byte
		if ok = v.kind != none; ok {
			val, ok, at = v.hashGetFrom(at, name)
		}
		if ok {
			c.bulk(val)
		} else {
			c.null()
		}
	}
}

func hgetall(c *call) {
	v, ok := c.look(c.args[1], "hash")
	if !ok {
		return
	}
	if v.kind == none {
		c.array(0)
		return
	}
	c.array(2 * v.hashLen())
	v.hashEach(func(field, val []byte) bool {
		c.bulk(field)
		c.bulk(val)
		return true
	})
}

func hdel(c *call) {
	key := c.args[1]
	v, ok := c.claim(key, "hash")
	if !ok {
		return
	}
	n := 0
	for _, name := range c.args[2:] {
		if v.kind == none {
			break
		}
		if v.hashRemove(name) {
			n++
			if v.kind == smallMap && len(v.data) == 0 || v.kind == bigMap && v.hashLen() == 0 {
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

func hlen(c *call) {
	switch v, ok := c.look(c.args[1], "hash"); {
	case !ok:
	case v.kind == none:
		c.int(0)
	default:
		c.int(v.hashLen())
	}
}

func hexists(c *call) {
	if v, ok := c.look(c.args[1], "hash"); ok {
		_, found := v.field(c.args[2])
		c.bool(found)
	}
}

func hscan(c *call) {
	v, o, ok := c.scanOf("hash")
	if !ok {
		return
	}
	var found [][]byte
	next := v.hashScan(o.cursor, o.count, func(field, val []byte) {
		if o.fits(field) {
			found = append(found, field, val)
		}
	})
	c.scanReply(next, found)
}

// scanOf begins HSCAN, SSCAN and ZSCAN; ok is false when the reply is written.
func (c *call) scanOf(typ string) (v value, o scanOptions, ok bool) {
	cursor, ok := c.cursorOf(2)
	if !ok {
		return v, o, false
	}
	if v, ok = c.look(c.args[1], typ); !ok {
		return v, o, false
	}
	if v.kind == none {
		c.scanReply(0, nil)
		return v, o, false
	}
	o, ok = c.scanOptions(3, cursor, false)
	return v, o, ok
}
