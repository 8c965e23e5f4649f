package keeper

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tidwall/redcon"
)

// session is what the keeper knows of one connection. Its methods are for one goroutine at a time, but for dirty.
type session struct {
	k       *Keeper
	id      int64
	name    string
	in      requests
	out     []byte
	closing bool // after QUIT or a protocol error

	multi   bool
	broken  bool // a command could not be queued
	queue   []queued
	queueOf []byte // the queued commands' words, one after the other
	queueAt []int  // where each word ends in queueOf

	watches []*watch
	dirty   atomic.Bool // a watched key changed
}

// queued is a command that waits for EXEC; its words are the next n of queueAt.
type queued struct {
	cmd *command
	n   int
}

// feed takes in bytes from the client, runs the commands they complete, and appends the replies to out.
func (s *session) feed(p []byte) {
	if s.closing {
		return
	}
	err := s.in.add(p)
	for err == nil && !s.closing {
		var args [][]byte
		var whole bool
		if args, whole, err = s.in.next(); !whole {
			break
		}
		if len(args) > 0 {
			s.do(args)
		}
	}
	if err != nil {
		s.out = redcon.AppendError(s.out, err.Error())
		s.closing = true
	}
}

// do runs or queues one command.
func (s *session) do(args [][]byte) {
	cmd := s.k.commands.find(args[0])
	var fault string
	switch {
	case cmd == nil:
		fault = unknownCommand(args)
	case cmd.arity > 0 && len(args) != cmd.arity || len(args) < -cmd.arity:
		fault = "ERR wrong number of arguments for '" + cmd.name + "' command"
	}
	if fault != "" {
		if s.broken = s.multi; cmd != nil && cmd.name == "exec" {
			s.endMulti()
			s.unwatch()
			fault = "EXECABORT Transaction discarded because of: " + strings.TrimPrefix(fault, "ERR ")
		}
		s.out = redcon.AppendError(s.out, fault)
		return
	}
	if s.multi && !cmd.outside {
		s.enqueue(cmd, args)
		s.out = redcon.AppendString(s.out, "QUEUED")
		return
	}
	c := call{s: s, k: s.k, args: args}
	if cmd.outside {
		cmd.run(&c)
		return
	}
	s.k.perform(cmd, &c)
}

func unknownCommand(args [][]byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ERR unknown command '%.128s', with args beginning with: ", args[0])
	start := b.Len()
	for _, a := range args[1:] {
		if b.Len()-start >= 128 {
			break
		}
		fmt.Fprintf(&b, "'%.*s' ", 128-(b.Len()-start), a)
	}
	return b.String()
}

func (s *session) enqueue(cmd *command, args [][]byte) {
	for _, a := range args {
		s.queueOf = append(s.queueOf, a...)
		s.queueAt = append(s.queueAt, len(s.queueOf))
	}
	s.queue = append(s.queue, queued{cmd, len(args)})
}

// eachQueued calls do for the queued commands in order; args are valid during the call.
func (s *session) eachQueued(do func(cmd *command, args [][]byte)) {
	var args [][]byte
	at, word := 0, 0
	for _, q := range s.queue {
		args = args[:0]
		for range q.n {
			end := s.queueAt[word]
			args = append(args, s.queueOf[at:end])
			at, word = end, word+1
		}
		do(q.cmd, args)
	}
}

// endMulti forgets the transaction.
func (s *session) endMulti() {
	s.multi, s.broken = false, false
	clear(s.queue)
	s.queue, s.queueOf, s.queueAt = s.queue[:0], s.queueOf[:0], s.queueAt[:0]
	if cap(s.queueOf) > 4*keepBuffer {
		s.queue, s.queueOf, s.queueAt = nil, nil, nil
	}
}

// exec runs the queue: nothing of it when a watched key changed, else all of it with no other command between.
func (s *session) exec(c *call) {
	defer s.endMulti()
	if s.broken {
		s.unwatch()
		c.fail("EXECABORT Transaction discarded because of previous errors.")
		return
	}
	var l locks
	for _, w := range s.watches {
		l.add(spaceOf([]byte(w.key)), true)
	}
	s.eachQueued(func(cmd *command, args [][]byte) { cmd.lock(&l, args) })
	l.lock(s.k)
	defer l.unlock(s.k)
	aborted := s.dirty.Load() || slices.ContainsFunc(s.watches, func(w *watch) bool { return w.ranOut(c) })
	for _, w := range s.watches {
		w.end()
	}
	s.watches = s.watches[:0]
	s.dirty.Store(false)
	if aborted {
		s.out = append(s.out, "*-1\r\n"...)
		return
	}
	c.array(len(s.queue))
	s.eachQueued(func(cmd *command, args [][]byte) {
		c.args = args
		cmd.run(c)
	})
}

// watch begins to watch key, whose space is locked for writing.
func (s *session) watch(c *call, key []byte) {
	if slices.ContainsFunc(s.watches, func(w *watch) bool { return w.key == string(key) }) {
		return
	}
	sp := c.space(key)
	w := &watch{s: s, key: string(key)}
	if i := sp.keys.find(key); i >= 0 {
		w.expired = sp.expiredAt(i, key, c.now)
	}
	if sp.watchers == nil {
		sp.watchers = make(map[string][]*watch)
	}
	sp.watchers[w.key] = append(sp.watchers[w.key], w)
	s.watches = append(s.watches, w)
}

// ranOut reports that the key's time came while it was watched.
func (w *watch) ranOut(c *call) bool {
	sp := c.space([]byte(w.key))
	i := sp.keys.find([]byte(w.key))
	return i >= 0 && !w.expired && sp.expiredAt(i, []byte(w.key), c.now)
}

// end takes the watch out of its space, which is locked for writing.
func (w *watch) end() {
	sp := &w.s.k.spaces[spaceOf([]byte(w.key))]
	others := slices.DeleteFunc(sp.watchers[w.key], func(o *watch) bool { return o == w })
	if len(others) == 0 {
		delete(sp.watchers, w.key)
	} else {
		sp.watchers[w.key] = others
	}
}

// unwatch ends all watches. No space may be locked by the caller, unless nothing is watched.
func (s *session) unwatch() {
	for _, w := range s.watches {
		sp := &s.k.spaces[spaceOf([]byte(w.key))]
		sp.mu.Lock()
		w.end()
		sp.mu.Unlock()
	}
	s.watches = s.watches[:0]
	s.dirty.Store(false)
}
