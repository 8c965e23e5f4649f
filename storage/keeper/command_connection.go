package keeper

import (
	"fmt"
	"strings"
)

// redisVersion is the version whose replies the keeper gives.
const redisVersion = "7.0.15"

func connectionCommands() []command {
	return []command{
		{name: "ping", arity: -1, run: ping},
		{name: "echo", arity: 2, run: func(c *call) { c.bulk(c.args[1]) }},
		{name: "select", arity: 2, run: selectDB},
		{name: "hello", arity: -1, run: hello},
		{name: "client", arity: -2, run: client},
		{name: "quit", arity: -1, outside: true, run: func(c *call) { c.ok(); c.s.closing = true }},
		{name: "multi", arity: 1, outside: true, run: multi},
		{name: "exec", arity: 1, outside: true, run: exec},
		{name: "discard", arity: 1, outside: true, run: discard},
		{name: "watch", arity: -2, outside: true, run: watchKeys},
		{name: "unwatch", arity: 1, run: func(c *call) { c.s.unwatch(); c.ok() }},
	}
}

func ping(c *call) {
	switch len(c.args) {
	case 1:
		c.simple("PONG")
	case 2:
		c.bulk(c.args[1])
	default:
		c.fail("ERR wrong number of arguments for 'ping' command")
	}
}

// selectDB knows database 0 alone, like a Redis Cluster.
func selectDB(c *call) {
	switch n, ok := c.number(1); {
	case !ok:
	case n != 0:
		c.fail("ERR DB index is out of range")
	default:
		c.ok()
	}
}

// hello speaks protocol 2 only.
func hello(c *call) {
	i := 1
	if len(c.args) > 1 {
		n, ok := parseInt(c.args[1])
		switch {
		case !ok:
			c.fail("ERR Protocol version is not an integer or out of range")
			return
		case n != 2:
			c.fail("NOPROTO unsupported protocol version")
			return
		}
		i = 2
	}
	name := c.s.name
	for ; i < len(c.args); i++ {
		switch left := len(c.args) - i - 1; {
		case c.is(i, "SETNAME") && left >= 1:
			name = string(c.args[i+1])
			i++
		case c.is(i, "AUTH") && left >= 2:
			i += 2 // there are no passwords, so any is right
		default:
			c.fail(fmt.Sprintf("ERR Syntax error in HELLO option '%s'", c.args[i]))
			return
		}
	}
	c.s.name = name
	c.array(14)
	c.bulkText("server")
	c.bulkText("redis")
	c.bulkText("version")
	c.bulkText(redisVersion)
	c.bulkText("proto")
	c.int(2)
	c.bulkText("id")
	c.int(int(c.s.id))
	c.bulkText("mode")
	c.bulkText("standalone")
	c.bulkText("role")
	c.bulkText("master")
	c.bulkText("modules")
	c.array(0)
}

func client(c *call) {
	n := len(c.args)
	switch {
	case c.is(1, "ID") && n == 2:
		c.int(int(c.s.id))
	case c.is(1, "GETNAME") && n == 2:
		if c.s.name == "" {
			c.null()
			return
		}
		c.bulkText(c.s.name)
	case c.is(1, "SETNAME") && n == 3:
		if strings.IndexFunc(string(c.args[2]), func(r rune) bool { return r < '!' || r > '~' }) >= 0 {
			c.fail("ERR Client names cannot contain spaces, newlines or special characters.")
			return
		}
		c.s.name = string(c.args[2])
		c.ok()
	case c.is(1, "SETINFO") && n == 4, c.is(1, "NO-EVICT") && n == 3:
		c.ok()
	default:
		c.unknownSubcommand()
	}
}

func (c *call) unknownSubcommand() {
	c.fail(fmt.Sprintf("ERR unknown subcommand '%.128s'. Try %s HELP.", c.args[1], strings.ToUpper(string(c.args[0]))))
}

func multi(c *call) {
	if c.s.multi {
		c.fail("ERR MULTI calls can not be nested")
		return
	}
	c.s.multi = true
	c.ok()
}

func exec(c *call) {
	if !c.s.multi {
		c.fail("ERR EXEC without MULTI")
		return
	}
	c.s.exec(c)
}

func discard(c *call) {
	if !c.s.multi {
		c.fail("ERR DISCARD without MULTI")
		return
	}
	c.s.endMulti()
	c.s.unwatch()
	c.ok()
}

func watchKeys(c *call) {
	if c.s.multi {
		c.fail("ERR WATCH inside MULTI is not allowed")
		return
	}
	var l locks
	for _, key := range c.args[1:] {
		l.add(spaceOf(key), true)
	}
	l.lock(c.k)
	defer l.unlock(c.k)
	for _, key := range c.args[1:] {
		c.s.watch(c, key)
	}
	c.ok()
}
