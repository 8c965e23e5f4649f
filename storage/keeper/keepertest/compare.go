package keepertest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Compare runs the scripts of this package on both servers, each in a subtest, and fails where replies differ.
// What the servers hold is lost.
func Compare(t *testing.T, got, want Dialer) {
	for _, s := range scripts() {
		t.Run(s.name, func(t *testing.T) {
			p := open(t, got, want)
			p.flush(t)
			for _, line := range strings.Split(strings.TrimSpace(s.lines), "\n") {
				p.step(t, strings.TrimSpace(line))
			}
		})
	}
}

// script is a list of commands with a sentence for a name.
type script struct{ name, lines string }

// pair is two connections to each of two servers.
type pair struct {
	got, want [2]*client
	form      *client       // to the real server: asks for the form of a key
	queued    [2][][]string // what waits for EXEC on each connection
	multi     [2]bool
	told      []string // the commands so far
}

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func open(t testing.TB, got, want Dialer) *pair {
	t.Helper()
	p := &pair{}
	for i := range 2 {
		for _, side := range []struct {
			c *[2]*client
			d Dialer
		}{{&p.got, got}, {&p.want, want}} {
			c, err := dial(side.d)
			if err != nil {
				t.Fatalf("open a connection: %v", err)
			}
			t.Cleanup(func() { _ = c.conn.Close() })
			side.c[i] = c
		}
	}
	form, err := dial(want)
	if err != nil {
		t.Fatalf("open a connection: %v", err)
	}
	t.Cleanup(func() { _ = form.conn.Close() })
	p.form = form
	return p
}

// ordered reports that Redis gives the members of this set in order: it has held nothing but numbers, few enough.
func (p *pair) ordered(args []string) bool {
	if !strings.EqualFold(args[0], "smembers") || len(args) != 2 {
		return false
	}
	r, err := p.form.do("OBJECT", "ENCODING", args[1])
	return err == nil && r.text == "intset"
}

// flush empties both servers and ends what a script before has begun.
func (p *pair) flush(t fataler) {
	t.Helper()
	p.told = nil
	for i := range 2 {
		if p.multi[i] {
			p.do(t, i, []string{"DISCARD"})
		}
		p.do(t, i, []string{"UNWATCH"})
	}
	p.do(t, 0, []string{"FLUSHALL"})
	p.told = nil
}

// step runs one line: "2> " sends it over the second connection, "sleep 5" waits milliseconds.
func (p *pair) step(t fataler, line string) {
	t.Helper()
	if ms, ok := strings.CutPrefix(line, "sleep "); ok {
		n, _ := strconv.Atoi(ms)
		time.Sleep(time.Duration(n) * time.Millisecond)
		return
	}
	if line == "" || strings.HasPrefix(line, "//") {
		return
	}
	rest, second := strings.CutPrefix(line, "2> ")
	conn := 0
	if second {
		conn = 1
	}
	p.do(t, conn, words(rest))
}

// do sends one command to both servers and compares the replies.
func (p *pair) do(t fataler, conn int, args []string) {
	t.Helper()
	p.told = append(p.told, fmt.Sprintf("%d> %q", conn+1, args))
	name := strings.ToLower(args[0])
	send := func(c *client) reply {
		var r reply
		var err error
		if strings.HasSuffix(name, "scan") && !p.multi[conn] && len(args) > 1 {
			r, err = c.scanAll(args)
		} else {
			r, err = c.do(args...)
		}
		if err != nil {
			t.Fatalf("%s: %v", p.told[len(p.told)-1], err)
		}
		return r
	}
	got, want := send(p.got[conn]), send(p.want[conn])
	if name == "exec" && got.kind == '*' && want.kind == '*' && len(got.items) == len(want.items) && len(got.items) == len(p.queued[conn]) {
		for i, args := range p.queued[conn] {
			got.items[i], want.items[i] = settle(args, got.items[i]), settle(args, want.items[i])
			if sameSpan(args, got.items[i], want.items[i]) {
				got.items[i] = want.items[i]
			}
		}
	} else if !p.ordered(args) {
		got, want = settle(args, got), settle(args, want)
	}
	if got.String() != want.String() && !sameSpan(args, got, want) {
		t.Fatalf("replies differ after\n%s\n got %s\nwant %s", strings.Join(p.told, "\n"), got, want)
	}
	switch {
	case want.text == "QUEUED":
		p.queued[conn] = append(p.queued[conn], slices.Clone(args))
	case name == "multi" && want.kind == '+':
		p.multi[conn], p.queued[conn] = true, nil
	case name == "exec" || name == "discard" && len(args) == 1:
		p.multi[conn], p.queued[conn] = false, nil
	}
}

// words splits a line at spaces; a word may be a quoted Go string.
func words(line string) (out []string) {
	for {
		line = strings.TrimLeft(line, " ")
		if line == "" {
			return out
		}
		if quoted, err := strconv.QuotedPrefix(line); err == nil && line[0] == '"' {
			word, _ := strconv.Unquote(quoted)
			out, line = append(out, word), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		out, line = append(out, word), rest
	}
}
