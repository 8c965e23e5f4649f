package keeper

import (
	"github.com/tidwall/redcon"
)

// command is one row of the table of commands.
type command struct {
	name  string
	arity int // number of words with the name; −n: n or more
	// first, last and step say which words are keys, as COMMAND does; first 0 is none, last −1 the last word.
	first, last, step int
	write             bool
	all               bool // needs every space
	outside           bool // is never queued and takes its locks itself
	run               func(*call)
}

// commands is the table by name.
type commands map[string]*command

// find looks a name up in any case.
func (t commands) find(name []byte) *command {
	var low [16]byte
	if len(name) > len(low) {
		return nil
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	return t[string(low[:len(name)])]
}

func newCommands() commands {
	t := make(commands)
	for _, rows := range [][]command{connectionCommands(), serverCommands(), keyCommands(), stringCommands(),
		hashCommands(), setCommands(), zsetCommands()} {
		for _, c := range rows {
			t[c.name] = &c
		}
	}
	return t
}

// keyed makes the row of a command on one key.
func keyed(name string, arity int, run func(*call)) command {
	return command{name: name, arity: arity, first: 1, last: 1, step: 1, run: run}
}

// writing makes the row of a command that changes one key.
func writing(name string, arity int, run func(*call)) command {
	c := keyed(name, arity, run)
	c.write = true
	return c
}

// call is one run of a command.
type call struct {
	s     *session
	k     *Keeper
	args  [][]byte
	clock int64
}

const (
	errWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
	errSyntax    = "ERR syntax error"
	errNotInt    = "ERR value is not an integer or out of range"
	errNotFloat  = "ERR value is not a valid float"
	errFull      = "OOM command not allowed when used memory > 'maxmemory'."
)

func (c *call) fail(text string)   { c.s.out = redcon.AppendError(c.s.out, text) }
func (c *call) ok()                { c.s.out = redcon.AppendOK(c.s.out) }
func (c *call) simple(text string) { c.s.out = redcon.AppendString(c.s.out, text) }
func (c *call) int(n int)          { c.s.out = redcon.AppendInt(c.s.out, int64(n)) }
func (c *call) bulk(b []byte)      { c.s.out = redcon.AppendBulk(c.s.out, b) }
func (c *call) array(n int)        { c.s.out = redcon.AppendArray(c.s.out, n) }
func (c *call) null()              { c.s.out = redcon.AppendNull(c.s.out) }

func (c *call) bulkText(s string) { c.s.out = redcon.AppendBulkString(c.s.out, s) }

func (c *call) bool(b bool) {
	n := 0
	if b {
		n = 1
	}
	c.int(n)
}

func (c *call) score(f float64) {
	var buf [32]byte
	c.bulk(appendScore(buf[:0], f))
}

// now is the time in Unix milliseconds, the same during the whole call.
func (c *call) now() int64 {
	if c.clock == 0 {
		c.clock = c.k.now()
	}
	return c.clock
}

func (c *call) space(key []byte) *space { return &c.k.spaces[spaceOf(key)] }

// look finds a key for reading. A value with kind none is a missing key. ok is false when the key holds another
// type; the reply is written then.
func (c *call) look(key []byte, typ string) (v value, ok bool) {
	v, found := c.space(key).get(key, c.now)
	return v, c.typed(v, found, typ)
}

// claim is look for writing: a key past its time is removed, and a full arena refused.
func (c *call) claim(key []byte, typ string) (v value, ok bool) {
	sp := c.space(key)
	v, found := sp.claim(key, c.now)
	if sp.keys.mem.full() {
		c.fail(errFull)
		return v, false
	}
	return v, c.typed(v, found, typ)
}

func (c *call) typed(v value, found bool, typ string) bool {
	if found && v.kind.String() != typ {
		c.fail(errWrongType)
		return false
	}
	return true
}

// number reads word i as an integer, or replies why not.
func (c *call) number(i int) (n int64, ok bool) {
	if n, ok = parseInt(c.args[i]); !ok {
		c.fail(errNotInt)
	}
	return n, ok
}

// is reports whether word i is the option name (upper case) in any case.
func (c *call) is(i int, name string) bool {
	w := c.args[i]
	if len(w) != len(name) {
		return false
	}
	for j := range w {
		b := w[j]
		if 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		if b != name[j] {
			return false
		}
	}
	return true
}
