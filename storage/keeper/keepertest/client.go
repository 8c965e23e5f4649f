package keepertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sort"
	"strconv"
	"strings"
)

// Dialer opens a new connection to a server.
type Dialer func() (net.Conn, error)

// client speaks RESP2 and keeps replies as they came.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

// reply is one decoded reply: kind is its first byte, '_' for the two nulls.
type reply struct {
	kind  byte
	text  string
	items []reply
}

func dial(d Dialer) (*client, error) {
	c, err := d()
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReader(c)}, nil
}

// do sends one command and waits for its reply.
func (c *client) do(args ...string) (reply, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c.conn, b.String()); err != nil {
		return reply{}, err
	}
	return c.read()
}

func (c *client) read() (reply, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return reply{}, err
	}
	r := reply{kind: line[0], text: strings.TrimSuffix(line[1:], "\r\n")}
	if r.kind != '$' && r.kind != '*' {
		return r, nil
	}
	n, err := strconv.Atoi(r.text)
	if err != nil {
		return r, err
	}
	if n < 0 {
		return reply{kind: '_', text: string(r.kind)}, nil
	}
	r.text = ""
	if r.kind == '$' {
		buf := make([]byte, n+2)
		_, err = io.ReadFull(c.r, buf)
		r.text = string(buf[:n])
		return r, err
	}
	for range n {
		item, err := c.read()
		if err != nil {
			return r, err
		}
		r.items = append(r.items, item)
	}
	return r, nil
}

func (r reply) String() string {
	switch r.kind {
	case '*':
		parts := make([]string, len(r.items))
		for i, item := range r.items {
			parts[i] = item.String()
		}
		return "[" + strings.Join(parts, " ") + "]"
	case '$':
		return strconv.Quote(r.text)
	case '_':
		return "nil" + r.text
	}
	return string(r.kind) + r.text
}

// scanAll walks SCAN, HSCAN, SSCAN or ZSCAN to the end and returns everything in one reply, or the first error.
func (c *client) scanAll(args []string) (reply, error) {
	at := 2
	if strings.EqualFold(args[0], "scan") {
		at = 1
	}
	all := reply{kind: '*'}
	args = append([]string(nil), args...)
	for range 10_000 {
		r, err := c.do(args...)
		if err != nil || r.kind != '*' {
			return r, err
		}
		all.items = append(all.items, r.items[1].items...)
		if r.items[0].text == "0" {
			return all, nil
		}
		args[at] = r.items[0].text
	}
	return all, fmt.Errorf("%s does not end", args[0])
}

// sameSpan tells that two replies to TTL may be of one moment to live until: the servers are told and asked one after the other,
// and half a second between them turns a rounded second.
func sameSpan(args []string, a, b reply) bool {
	if !strings.EqualFold(args[0], "ttl") || a.kind != ':' || b.kind != ':' {
		return false
	}
	x, errX := strconv.Atoi(a.text)
	y, errY := strconv.Atoi(b.text)
	return errX == nil && errY == nil && x > 0 && y > 0 && x-y >= -1 && x-y <= 1
}

// settle sorts what a command lists in no order.
func settle(args []string, r reply) reply {
	if r.kind != '*' {
		return r
	}
	switch strings.ToLower(args[0]) {
	case "smembers":
		return sorted(r, 1)
	case "sscan", "scan":
		return sorted(r, 1)
	case "hgetall", "hscan":
		return sorted(r, 2)
	case "zscan":
		// Redis writes a great score in two ways here, by the form of the set.
		for i := 1; i < len(r.items); i += 2 {
			if f, err := strconv.ParseFloat(r.items[i].text, 64); err == nil {
				r.items[i].text = strconv.FormatFloat(f, 'g', -1, 64)
			}
		}
		return sorted(r, 2)
	}
	return r
}

func sorted(r reply, group int) reply {
	var parts []reply
	for i := 0; i+group <= len(r.items); i += group {
		parts = append(parts, reply{kind: '*', items: r.items[i : i+group]})
	}
	sort.Slice(parts, func(i, j int) bool { return parts[i].String() < parts[j].String() })
	return reply{kind: '*', items: parts}
}
