package hl7v2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/hl7"
)

// Why a connection ended, for Observer.Closed.
const (
	EndClosed     = "closed"     // by the sender, between messages
	EndBroken     = "broken"     // by the sender or the network, within a message
	EndIdle       = "idle"       // silent for longer than Limits.Idle
	EndSlow       = "slow"       // a message took longer than Limits.Pause
	EndTooLarge   = "too-large"  // a message had no end within Limits.Message
	EndNoise      = "noise"      // what came was not in frames
	EndMemory     = "memory"     // all messages on their way in were more than Limits.Memory
	EndUnanswered = "unanswered" // the sender did not take an answer
	EndDrained    = "drained"    // the hub stops
)

// Why a connection was not accepted, for Observer.Refused.
const (
	RefusedCrowded   = "crowded"   // more than Limits allows
	RefusedHandshake = "handshake" // TLS
	RefusedStranger  = "stranger"  // no member sends from there
)

// listener is a Server at work on one listener.
type listener struct {
	*Server
	tls  *tls.Config
	held atomic.Int64 // bytes of messages on their way in
	logs *rate.Limiter

	mu        sync.Mutex
	open      map[*connection]bool
	byAddress map[netip.Addr]int
	draining  bool
}

// Serve takes messages on l until ctx ends; then connections end that wait for a message, and the others when theirs is
// answered or Limits.Drain is over. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	w := &listener{Server: s, tls: serverTLS(s.TLS), logs: rate.NewLimiter(1, 20), open: map[*connection]bool{}, byAddress: map[netip.Addr]int{}}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var all sync.WaitGroup
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			break
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accept MLLP connections: %w", err)
			}
			time.Sleep(10 * time.Millisecond) // out of files, most likely
			continue
		}
		c := &connection{listener: w, Conn: conn, raw: conn, address: addressOf(conn)}
		if !w.enter(c) {
			conn.Close()
			w.refused(c, RefusedCrowded, nil)
			continue
		}
		all.Go(func() {
			defer w.leave(c)
			defer conn.Close()
			c.run(context.WithoutCancel(ctx))
		})
	}
	w.drain()
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(s.Limits.Drain):
		w.closeAll()
		<-ended
	}
	return nil
}

// serverTLS asks senders for a certificate. None is demanded, since an address may do, and none is checked against
// authorities: members register the very certificates they call with.
func serverTLS(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if c.ClientAuth == tls.NoClientCert {
		c.ClientAuth = tls.RequestClientCert
	}
	return c
}

func (w *listener) enter(c *connection) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining || len(w.open) >= w.Limits.Connections || w.byAddress[c.address] >= w.Limits.PerAddress {
		return false
	}
	w.open[c] = true
	w.byAddress[c.address]++
	return true
}

func (w *listener) leave(c *connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, c)
	if w.byAddress[c.address]--; w.byAddress[c.address] == 0 {
		delete(w.byAddress, c.address)
	}
}

// drain ends the connections that wait.
func (w *listener) drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = true
	for c := range w.open {
		c.drain()
	}
}

func (w *listener) closeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		c.raw.Close()
	}
}

func (w *listener) refused(c *connection, why string, err error) {
	if w.Observe != nil {
		w.Observe.Refused(why)
	}
	w.log("a connection for HL7 v2 was refused", c, why, err)
}

// log tells of what senders do wrong, some a minute at most.
func (w *listener) log(msg string, c *connection, why string, err error) {
	if w.logs.Allow() {
		slog.Warn(msg, "address", c.address.String(), "why", why, "err", err)
	}
}

// connection is one sender's.
type connection struct {
	*listener
	net.Conn // TLS on raw, where there is TLS; replaced under mu
	raw      net.Conn
	address  netip.Addr
	frames   *hl7.Frames
	peer     peer
	kept     int64 // bytes that it has of listener.held

	mu      sync.Mutex
	busy    bool // a message is on its way in or its answer out
	stopped bool
}

// run is the life of a connection.
func (c *connection) run(ctx context.Context) {
	ctx = audit.WithAddress(ctx, c.address.String())
	state, err := c.secure(ctx)
	if err != nil {
		c.refused(c, RefusedHandshake, err)
		return
	}
	if c.peer, err = c.greet(c.address, state); err != nil {
		c.failures.note(ctx)
		c.refused(c, RefusedStranger, err)
		return
	}
	if c.Observe != nil {
		c.Observe.Opened()
	}
	c.frames = hl7.NewFrames(c.Conn, c.Limits.Message)
	c.frames.Began, c.frames.Room = c.begin, c.room
	why, err := c.serve(ctx)
	if c.Observe != nil {
		c.Observe.Closed(why)
	}
	if why != EndClosed && why != EndDrained && why != EndIdle {
		c.log("a connection for HL7 v2 ended", c, why, err)
	}
	if t, ok := c.Conn.(*tls.Conn); ok {
		t.Close()
	}
}

func (c *connection) secure(ctx context.Context) (*tls.ConnectionState, error) {
	if c.tls == nil {
		return nil, nil
	}
	conn := tls.Server(c.Conn, c.tls)
	ctx, cancel := context.WithTimeout(ctx, c.Limits.Handshake)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	state := conn.ConnectionState()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Conn = conn
	return &state, nil
}

// serve takes messages until the connection ends, and says why it did.
func (c *connection) serve(ctx context.Context) (why string, err error) {
	from := origin{ViaMLLP, func(h hl7.Header) (access.Caller, error) { return c.sender(c.peer, h) }}
	var out []byte
	for c.wait() {
		raw, err := c.frames.Next()
		if err != nil {
			return c.lost(ctx, from, raw, err), err
		}
		answers, _ := c.receiveAll(ctx, from, raw)
		out = out[:0]
		for _, a := range answers {
			out = hl7.AppendFrame(out, a)
		}
		if err := c.answer(out); err != nil {
			return EndUnanswered, err
		}
		if cap(out) > 64<<10 {
			out = nil
		}
		c.release()
	}
	return EndDrained, nil
}

// answer writes what is to be said, if anything.
func (c *connection) answer(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	if err := c.SetWriteDeadline(time.Now().Add(c.Limits.Pause)); err != nil {
		return err
	}
	_, err := c.Write(out)
	return err
}

// lost says why no message could be read, to the sender too where that may help.
func (c *connection) lost(ctx context.Context, from origin, raw []byte, err error) string {
	defer c.release()
	c.mu.Lock()
	busy, stopped := c.busy, c.stopped
	c.mu.Unlock()
	switch {
	case errors.Is(err, io.EOF):
		return EndClosed
	case errors.Is(err, os.ErrDeadlineExceeded) && !busy && stopped:
		return EndDrained
	case errors.Is(err, os.ErrDeadlineExceeded) && !busy:
		return EndIdle
	case errors.Is(err, os.ErrDeadlineExceeded):
		return EndSlow
	case hub.Is(err, hub.Invalid):
		return EndNoise
	case hub.Is(err, hub.TooLarge), hub.Is(err, hub.TooMany):
		r := c.refuse(ctx, from, raw, err)
		if c.Observe != nil {
			c.Observe.Answered(ViaMLLP, r.code, len(raw), 0)
		}
		var out []byte
		for _, a := range pieces(r.answer) {
			out = hl7.AppendFrame(out, a)
		}
		c.release()
		if c.answer(out) == nil {
			c.linger()
		}
		if hub.Is(err, hub.TooMany) {
			return EndMemory
		}
		return EndTooLarge
	}
	return EndBroken
}

// linger takes what the sender still sends for a moment, so that it can read the answer: a connection that is closed with
// bytes unread is reset.
func (c *connection) linger() {
	if t, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		t.CloseWrite()
	}
	c.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, c.Conn)
}

// wait prepares for the next message; false if the hub stops.
func (c *connection) wait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	return !c.stopped && c.SetReadDeadline(time.Now().Add(c.Limits.Idle)) == nil
}

// begin notes that a message is on its way: from here on it has its time, and is not interrupted when the hub stops.
func (c *connection) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = true
	c.SetReadDeadline(time.Now().Add(c.Limits.Pause))
}

func (c *connection) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if !c.busy {
		c.SetReadDeadline(time.Unix(1, 0))
	}
}

// room counts bytes that are kept, over all connections.
func (c *connection) room(bytes int) error {
	n := int64(bytes)
	if c.held.Add(n) > int64(c.Limits.Memory) {
		c.held.Add(-n)
		return &hub.Error{Kind: hub.TooMany, Msg: "the hub has more messages on their way in than it has memory for", Retry: time.Second}
	}
	c.kept += n
	return nil
}

func (c *connection) release() {
	c.held.Add(-c.kept)
	c.kept = 0
}

func addressOf(c net.Conn) netip.Addr {
	a, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	return a.Addr().Unmap()
}
