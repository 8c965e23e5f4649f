package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// conn is the client's end of a connection inside the process. Write runs the commands it completes before it
// returns, on the caller's goroutine; Read takes what they replied. So a round trip costs no system call, no copy
// between buffers and no change of goroutine.
//
// Replies that are not read stay in memory: a client must read what it asked for.
type conn struct {
	mu       sync.Mutex
	s        *session
	read     int // how much of s.out has been read
	closed   bool
	deadline time.Time     // of Read
	wake     chan struct{} // tells a waiting Read to look again
}

// Dial opens a connection to k. Its signature is that of go-redis' Options.Dialer; network and addr are ignored.
func (k *Keeper) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, fmt.Errorf("dial the keeper: %w", net.ErrClosed)
	}
	k.lastID++
	c := &conn{s: &session{k: k, id: k.lastID, in: newRequests()}, wake: make(chan struct{}, 1)}
	k.conns[c] = struct{}{}
	return c, nil
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.s.closing {
		return 0, fmt.Errorf("write to the keeper: %w", net.ErrClosed)
	}
	c.s.feed(p)
	c.notify()
	return len(p), nil
}

// Read waits for replies until the deadline; after QUIT and after Close it ends with io.EOF.
func (c *conn) Read(p []byte) (int, error) {
	for {
		c.mu.Lock()
		n := copy(p, c.s.out[c.read:])
		c.read += n
		if c.read == len(c.s.out) {
			c.read = 0
			if c.s.out = c.s.out[:0]; cap(c.s.out) > keepBuffer {
				c.s.out = nil
			}
		}
		ended := c.closed || c.s.closing
		deadline := c.deadline
		c.mu.Unlock()
		switch {
		case n > 0 || len(p) == 0:
			return n, nil
		case ended:
			return 0, io.EOF
		case deadline.IsZero():
			<-c.wake
		default:
			left := time.Until(deadline)
			if left <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(left)
			select {
			case <-c.wake:
			case <-timer.C:
			}
			timer.Stop()
		}
	}
}

func (c *conn) notify() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close ends the session: its transaction is discarded and its watches end.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.s.unwatch()
	c.s.endMulti()
	c.s.out, c.read = nil, 0
	c.notify()
	k := c.s.k
	k.mu.Lock()
	delete(k.conns, c)
	k.mu.Unlock()
	return nil
}

// SetDeadline sets the read deadline; a Write waits for no one but the locks of running commands.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	c.notify()
	return nil
}

func (c *conn) SetWriteDeadline(time.Time) error { return nil }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "keeper" }

func (c *conn) LocalAddr() net.Addr  { return memoryAddr{} }
func (c *conn) RemoteAddr() net.Addr { return memoryAddr{} }

// Serve lets other processes in through l until l fails or k is closed; then it closes l and all connections made
// through it. The error is nil when k was closed. There are no passwords: l must be one that only the right
// processes can reach, such as that of ListenUnix.
func (k *Keeper) Serve(l net.Listener) error {
	defer l.Close()
	stop := context.AfterFunc(k.open, func() { l.Close() })
	defer stop()
	var guests sync.WaitGroup
	defer guests.Wait()
	ctx, cancel := context.WithCancel(k.open)
	defer cancel()
	for {
		guest, err := l.Accept()
		if err != nil {
			if k.open.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept a connection to the keeper: %w", err)
		}
		guests.Go(func() { k.host(ctx, guest) })
	}
}

// host joins a connection from outside to one of k until either ends or ctx does. Reading and replying are two
// goroutines: a client that sends a long pipeline before it reads must not make the keeper wait.
func (k *Keeper) host(ctx context.Context, guest net.Conn) {
	defer guest.Close()
	own, err := k.Dial(ctx, "", "")
	if err != nil {
		return
	}
	defer own.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = guest.Close()
		_ = own.Close()
	})
	defer stop()
	replies := make(chan struct{})
	go func() {
		defer close(replies)
		_, _ = io.Copy(guest, own)
		_ = guest.Close()
	}()
	_, _ = io.Copy(own, guest)
	_ = own.Close()
	<-replies
}

// ListenUnix listens on a socket at path that only this user may connect to. What an earlier process left at path
// is replaced. The socket becomes visible only after its mode is set.
func ListenUnix(path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".k")
	if err != nil {
		return nil, fmt.Errorf("make the keeper's socket: %w", err)
	}
	defer os.RemoveAll(dir)
	hidden := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the keeper's socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err = errors.Join(os.Chmod(hidden, 0o600), os.Rename(hidden, path)); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("make the keeper's socket: %w", err)
	}
	return &unixListener{l, path}, nil
}

// unixListener removes its socket when it closes.
type unixListener struct {
	*net.UnixListener
	path string
}

func (l *unixListener) Close() error {
	_ = os.Remove(l.path)
	return l.UnixListener.Close()
}
