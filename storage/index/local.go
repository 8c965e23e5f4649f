package index

import (
	"context"
	"net"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Local is a keeper in this process: its connections, and ways in that need none.
type Local interface {
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
	// Exec runs commands as one, with no other between, if the fields of the hash at guard are as they were. It tells whether it
	// did, and the first error that a command replied.
	Exec(guard string, fields []string, were []any, commands [][]any) (done bool, err error)
	// Ask runs commands one after the other and tells what each replies (RESP2). asked is false where nothing was run and a
	// connection must be asked.
	Ask(commands [][]any, tell func(i int, reply []byte)) (asked bool)
}

// ConnectLocal makes a client of a keeper in this process.
func ConnectLocal(l Local) redis.UniversalClient {
	client := redis.NewClient(plain(&redis.Options{Addr: "keeper:0", Dialer: l.Dial}))
	client.AddHook(shortcut{l})
	return localClient{client, l}
}

// localClient is a client that Open knows by what else it can do.
type localClient struct {
	*redis.Client
	local Local
}

// shortcut is a hook that asks the keeper without a connection wherever it can read the replies.
type shortcut struct{ Local }

func (s shortcut) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s shortcut) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !readable(cmd) || ctx.Err() != nil || !s.Ask([][]any{cmd.Args()}, func(_ int, reply []byte) { settle(cmd, reply) }) {
			return next(ctx, cmd)
		}
		return cmd.Err()
	}
}

func (s shortcut) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		words := make([][]any, len(cmds))
		for i, cmd := range cmds {
			if words[i] = cmd.Args(); !readable(cmd) {
				return next(ctx, cmds)
			}
		}
		var first error
		asked := ctx.Err() == nil && s.Ask(words, func(i int, reply []byte) {
			settle(cmds[i], reply)
			if first == nil {
				first = cmds[i].Err()
			}
		})
		if !asked {
			return next(ctx, cmds)
		}
		return first
	}
}

// readable tells whether settle knows the kind of a command.
func readable(cmd redis.Cmder) bool {
	switch cmd.(type) {
	case *redis.IntCmd, *redis.StringCmd, *redis.StringSliceCmd, *redis.SliceCmd, *redis.BoolSliceCmd, *redis.MapStringStringCmd, *redis.ScanCmd:
		return true
	}
	return false
}

// settle gives a command its reply, in the form that go-redis reads it in.
func settle(cmd redis.Cmder, reply []byte) {
	r := replies{text: string(reply)}
	if r.text[0] == '-' {
		cmd.SetErr(refusal(r.line()))
		return
	}
	switch cmd := cmd.(type) {
	case *redis.IntCmd:
		if n, ok := r.any().(int64); ok {
			cmd.SetVal(n)
		} else {
			cmd.SetErr(redis.Nil)
		}
	case *redis.StringCmd:
		if s, ok := r.any().(string); ok {
			cmd.SetVal(s)
		} else {
			cmd.SetErr(redis.Nil)
		}
	case *redis.StringSliceCmd:
		cmd.SetVal(r.strings())
	case *redis.SliceCmd:
		list := make([]any, r.length())
		for i := range list {
			list[i] = r.any()
		}
		cmd.SetVal(list)
	case *redis.BoolSliceCmd:
		list := make([]bool, r.length())
		for i := range list {
			list[i] = r.int() == 1
		}
		cmd.SetVal(list)
	case *redis.MapStringStringCmd:
		n := r.length() / 2
		pairs := make(map[string]string, n)
		for range n {
			field, _ := r.bulk()
			pairs[field], _ = r.bulk()
		}
		cmd.SetVal(pairs)
	case *redis.ScanCmd:
		r.length()
		at, _ := r.bulk()
		cursor, _ := strconv.ParseUint(at, 10, 64)
		cmd.SetVal(r.strings(), cursor)
	}
}

// refusal is an error that the keeper replied. It is one of Redis' to go-redis.
type refusal string

func (e refusal) Error() string { return string(e) }

// RedisError marks it.
func (refusal) RedisError() {}

// replies reads a reply of RESP2. The keeper wrote it, so its form is not in doubt.
type replies struct {
	text string
	at   int
}

// line is the rest of the line behind its first byte.
func (r *replies) line() string {
	from := r.at + 1
	for r.at = from; r.text[r.at] != '\r'; r.at++ {
	}
	line := r.text[from:r.at]
	r.at += 2
	return line
}

func (r *replies) int() int64 {
	n, _ := strconv.ParseInt(r.line(), 10, 64)
	return n
}

// length is that of an array; none has no items.
func (r *replies) length() int { return int(max(r.int(), 0)) }

// bulk is a string; ok is false for none.
func (r *replies) bulk() (s string, ok bool) {
	n := int(r.int())
	if n < 0 {
		return "", false
	}
	s = r.text[r.at : r.at+n]
	r.at += n + 2
	return s, true
}

// any is a number or a string; nil for none.
func (r *replies) any() any {
	switch r.text[r.at] {
	case ':':
		return r.int()
	case '+':
		return r.line()
	}
	if s, ok := r.bulk(); ok {
		return s
	}
	return nil
}

func (r *replies) strings() []string {
	list := make([]string, r.length())
	for i := range list {
		list[i], _ = r.bulk()
	}
	return list
}
