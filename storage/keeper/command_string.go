package keeper

import (
	"fmt"
	"math"
)

func stringCommands() []command {
	return []command{
		keyed("get", 2, get),
		writing("set", -3, set),
		{name: "mget", arity: -2, first: 1, last: -1, step: 1, run: mget},
		{name: "mset", arity: -3, first: 1, last: -1, step: 2, write: true, run: mset},
	}
}

func get(c *call) {
	switch v, ok := c.look(c.args[1], "string"); {
	case !ok:
	case v.kind == none:
		c.null()
	default:
		c.bulk(v.data)
	}
}

func mget(c *call) {
	c.array(len(c.args) - 1)
	for _, key := range c.args[1:] {
		if v, _ := c.space(key).get(key, c.now); v.kind == rawText {
			c.bulk(v.data)
		} else {
			c.null()
		}
	}
}

func mset(c *call) {
	if len(c.args)%2 == 0 {
		c.fail("ERR wrong number of arguments for 'mset' command")
		return
	}
	for i := 1; i < len(c.args); i += 2 {
		if c.space(c.args[i]).keys.mem.full() {
			c.fail(errFull)
			return
		}
	}
	for i := 1; i < len(c.args); i += 2 {
		c.setText(c.args[i], c.args[i+1], -1)
	}
	c.ok()
}

// setText makes key hold text until the deadline, whatever it held.
func (c *call) setText(key, text []byte, deadline int64) {
	sp := c.space(key)
	v, found := sp.claim(key, c.now)
	if found && v.kind == rawText {
		v.resize(len(text))
		v.setDeadline(key, -1)
	} else {
		if found {
			sp.remove(key)
		}
		v = sp.create(key, rawText, len(text))
	}
	copy(v.data, text)
	if deadline >= 0 {
		v.setDeadline(key, deadline)
	}
	sp.touch(key)
}

// setOptions are the options of SET.
type setOptions struct {
	nx, xx, get, keep bool
	time              *setTime // nil: no time is given
	word              int      // where the time stands
}

// setTime is one way to give a time.
type setTime struct {
	option string
	unit   int64
	moment bool // not a span from now on
}

func setTimes() []setTime {
	return []setTime{{"EX", 1000, false}, {"PX", 1, false}, {"EXAT", 1000, true}, {"PXAT", 1, true}}
}

func (c *call) setOptions() (o setOptions, ok bool) {
	for i := 3; i < len(c.args); i++ {
		switch {
		case c.is(i, "NX") && !o.xx:
			o.nx = true
		case c.is(i, "XX") && !o.nx:
			o.xx = true
		case c.is(i, "GET"):
			o.get = true
		case c.is(i, "KEEPTTL") && o.time == nil:
			o.keep = true
		case i+1 < len(c.args) && !o.keep && c.setTime(&o, i):
			i++
		default:
			c.fail(errSyntax)
			return o, false
		}
	}
	return o, true
}

// setTime takes word i as the name of a time option; the same one may come again, another may not.
func (c *call) setTime(o *setOptions, i int) bool {
	for _, t := range setTimes() {
		if c.is(i, t.option) && (o.time == nil || o.time.option == t.option) {
			o.time, o.word = &t, i+1
			return true
		}
	}
	return false
}

// deadlineOf is when a SET with these options expires, −1 for never.
func (c *call) deadlineOf(o setOptions) (at int64, ok bool) {
	if o.time == nil {
		return -1, true
	}
	n, ok := c.number(o.word)
	if !ok {
		return 0, false
	}
	base := c.now()
	if o.time.moment {
		base = 0
	}
	if n <= 0 || n > math.MaxInt64/o.time.unit || n*o.time.unit > math.MaxInt64-base {
		c.fail(fmt.Sprintf("ERR invalid expire time in '%s' command", c.k.commands.find(c.args[0]).name))
		return 0, false
	}
	return n*o.time.unit + base, true
}

func set(c *call) {
	o, ok := c.setOptions()
	if !ok {
		return
	}
	deadline, ok := c.deadlineOf(o)
	if !ok {
		return
	}
	key := c.args[1]
	sp := c.space(key)
	v, found := sp.claim(key, c.now)
	switch {
	case sp.keys.mem.full():
		c.fail(errFull)
		return
	case o.get && !c.typed(v, found, "string"):
		return
	case o.get && found:
		c.bulk(v.data)
	case o.get:
		c.null()
	}
	if o.nx && found || o.xx && !found {
		if !o.get {
			c.null()
		}
		return
	}
	if o.keep && found {
		deadline = v.deadline(key)
	}
	c.setText(key, c.args[2], deadline)
	if !o.get {
		c.ok()
	}
}
