package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// Exec runs commands as a transaction, with no other command between, for a caller in this process: nothing is written to a
// connection and read from it again. It does nothing, and says so, if the fields of the hash at guard are not as they were:
// strings, nil for those it does not have. What the commands reply is not told, but the first error among them is; the
// others run all the same, as after EXEC.
//
// A command is its words: strings, bytes or integers.
func (k *Keeper) Exec(guard string, fields []string, were []any, commands [][]any) (done bool, err error) {
	if k.open.Err() != nil {
		return false, fmt.Errorf("run a transaction: %w", net.ErrClosed)
	}
	x := transactions.Get().(*transaction)
	defer x.free()
	x.s.k = k
	if err := x.read(k, commands); err != nil {
		return false, err
	}
	var l locks
	l.add(spaceOf(bytesOf(guard)), true)
	for at, i := 0, 0; i < len(x.commands); at, i = at+x.commands[i].n, i+1 {
		x.commands[i].cmd.lock(&l, x.words[at:at+x.commands[i].n])
	}
	l.lock(k)
	defer l.unlock(k)
	c := call{s: &x.s, k: k}
	if !c.unchanged(bytesOf(guard), fields, were) {
		return false, nil
	}
	at := 0
	for _, one := range x.commands {
		c.args = x.words[at : at+one.n]
		at += one.n
		one.cmd.run(&c)
		if err == nil && len(x.s.out) > 0 && x.s.out[0] == '-' {
			text, _, _ := bytes.Cut(x.s.out[1:], []byte("\r\n"))
			err = replyError(text)
		}
		x.s.out = x.s.out[:0]
	}
	return true, err
}

// Ask runs commands one after the other, as a pipeline on a connection does, and hands over what each replies (RESP2), which is
// valid until tell returns. asked is false, and nothing was run, where one of them is unknown, is not well formed or belongs
// to connections, and when k is closed: a connection tells what is wrong.
func (k *Keeper) Ask(commands [][]any, tell func(i int, reply []byte)) (asked bool) {
	if k.open.Err() != nil {
		return false
	}
	for _, words := range commands {
		if !k.takes(words) {
			return false
		}
	}
	x := transactions.Get().(*transaction)
	defer x.free()
	x.s.k = k
	for i := range commands {
		c := call{s: &x.s, k: k}
		x.words, x.numbers, x.s.out = x.words[:0], x.numbers[:0], x.s.out[:0]
		x.spell(commands[i])
		c.args = x.words
		k.perform(k.commands.find(c.args[0]), &c)
		tell(i, x.s.out)
	}
	return true
}

// takes tells whether Ask can run a command.
func (k *Keeper) takes(words []any) bool {
	if len(words) == 0 {
		return false
	}
	for _, w := range words {
		switch w.(type) {
		case string, []byte, int, int64, uint64, float64:
		default:
			return false
		}
	}
	name, _ := words[0].(string)
	cmd := k.commands.find(bytesOf(name))
	return cmd != nil && !cmd.outside && (cmd.arity <= 0 || len(words) == cmd.arity) && len(words) >= -cmd.arity
}

// unchanged tells whether the fields of a hash are as they were.
func (c *call) unchanged(key []byte, fields []string, were []any) bool {
	v, ok := c.look(key, "hash")
	if !ok {
		return false
	}
	for i, name := range fields {
		val, has := v.field(bytesOf(name))
		if was, had := were[i].(string); has != had || text(val) != was {
			return false
		}
	}
	return true
}

// replyError is an error that a command replied. It is one of Redis' to go-redis.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError marks it.
func (replyError) RedisError() {}

// transaction is the commands of one Exec as the keeper reads them.
type transaction struct {
	s        session
	commands []queued
	words    [][]byte
	numbers  []byte
}

var transactions = sync.Pool{New: func() any { return new(transaction) }}

func (x *transaction) free() {
	if cap(x.words) > 1<<16 || cap(x.s.out) > keepBuffer {
		return
	}
	clear(x.commands)
	clear(x.words)
	x.s.k, x.s.out, x.commands, x.words, x.numbers = nil, x.s.out[:0], x.commands[:0], x.words[:0], x.numbers[:0]
	transactions.Put(x)
}

func (x *transaction) read(k *Keeper, commands [][]any) error {
	for _, words := range commands {
		from := len(x.words)
		if err := x.spell(words); err != nil {
			return err
		}
		args := x.words[from:]
		if len(args) == 0 {
			return errors.New("run a transaction: a command without words")
		}
		cmd := k.commands.find(args[0])
		switch {
		case cmd == nil:
			return replyError(unknownCommand(args))
		case cmd.outside || cmd.arity > 0 && len(args) != cmd.arity || len(args) < -cmd.arity:
			return replyError("ERR wrong number of arguments for '" + cmd.name + "' command")
		}
		x.commands = append(x.commands, queued{cmd, len(args)})
	}
	return nil
}

// spell adds the words of a command.
func (x *transaction) spell(words []any) error {
	for _, w := range words {
		switch w := w.(type) {
		case string:
			x.words = append(x.words, bytesOf(w))
		case []byte:
			x.words = append(x.words, w)
		case int:
			x.number(int64(w))
		case int64:
			x.number(w)
		case uint64:
			at := len(x.numbers)
			x.numbers = strconv.AppendUint(x.numbers, w, 10)
			x.words = append(x.words, x.numbers[at:len(x.numbers):len(x.numbers)])
		case float64:
			at := len(x.numbers)
			x.numbers = appendScore(x.numbers, w)
			x.words = append(x.words, x.numbers[at:len(x.numbers):len(x.numbers)])
		default:
			return fmt.Errorf("run a transaction: a word of type %T", w)
		}
	}
	return nil
}

func (x *transaction) number(n int64) {
	at := len(x.numbers)
	x.numbers = strconv.AppendInt(x.numbers, n, 10)
	x.words = append(x.words, x.numbers[at:len(x.numbers):len(x.numbers)])
}
