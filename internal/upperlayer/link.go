package upperlayer

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"concord/hub"
)

// Why an association ended, or a call on it.
var (
	// ErrAborted: the peer sent A-ABORT.
	ErrAborted = errors.New("the peer aborted the association")
	// ErrClosed: the transport was closed without a release.
	ErrClosed = errors.New("the peer closed the connection without releasing the association")
	// ErrReleased: it was released in good order.
	ErrReleased = errors.New("the association was released")
	// ErrUnanswered: the peer did not answer a request within Options.Answer, so this side aborted.
	ErrUnanswered = errors.New("the peer does not answer what it was sent")
	// errExpired: ARTIM.
	errExpired = errors.New("the association request took too long")
)

// A-ABORT sources and reasons (PS3.8 9.3.8).
const (
	byUser         = 0
	byProvider     = 2
	noReason       = 0
	unrecognised   = 1
	unexpectedPDU  = 2
	invalidPDU     = 6
	lingerAtMost   = 5 * time.Second
	abortWriteTime = 2 * time.Second
)

// engine is what the links of a Server or Dialer share.
type engine struct {
	Options
	table  [events]row
	pieces sync.Pool // *[]byte of fullest+1: data sets on their way out
}

func newEngine(o Options) *engine {
	o.fill()
	return &engine{Options: o, table: transitions(), pieces: sync.Pool{New: func() any {
		b := make([]byte, fullest+1)
		return &b
	}}}
}

// link is one connection in its state. One goroutine reads from it at a time; any may write.
type link struct {
	*engine
	conn      net.Conn
	requestor bool
	reader    reader

	mu      sync.Mutex
	state   state
	artim   time.Time // when the timer expires; zero: not running
	stopped bool      // nothing more is read

	writing sync.Mutex
}

func (e *engine) link(conn net.Conn, requestor bool) *link {
	l := &link{engine: e, conn: conn, requestor: requestor, state: idle}
	l.reader.link = l
	return l
}

// on lets an event happen: it makes the transition and does the action's work on the transport. pdu is what a sending
// action sends. The returned action tells the caller what to do further; nil where the event has no cell.
func (l *link) on(e event, pdu []byte) (*action, error) {
	l.mu.Lock()
	c, ok := step(&l.table, e, l.state, l.requestor)
	if !ok {
		s := l.state
		l.mu.Unlock()
		return nil, fmt.Errorf("event %d cannot happen in state %d", e, s)
	}
	l.state = c.next
	switch {
	case c.does.does&startsTimer != 0:
		l.artim = time.Now().Add(l.ARTIM)
		if c.next == awaitClose {
			l.artim = time.Now().Add(min(l.ARTIM, lingerAtMost))
		}
	case c.does.does&stopsTimer != 0:
		l.artim = time.Time{}
	}
	l.mu.Unlock()
	var err error
	switch {
	case c.does.does&sends != 0:
		err = l.write(pdu)
	case c.does.does&sendsAbort != 0:
		l.writeAbort(pdu)
	}
	if c.does.does&closes != 0 {
		l.conn.Close()
	}
	return c.does, err
}

// stop wakes whoever reads and lets nobody read again.
func (l *link) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.conn.SetReadDeadline(time.Now())
}

func (l *link) write(pdu []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.conn.SetWriteDeadline(time.Now().Add(l.Write))
	if _, err := l.conn.Write(pdu); err != nil {
		return fmt.Errorf("write to the peer: %w", err)
	}
	return nil
}

// writeAbort sends A-ABORT unless a PDU is on its way that the peer does not take: then only closing helps.
func (l *link) writeAbort(pdu []byte) {
	if !l.writing.TryLock() {
		l.conn.Close()
		return
	}
	defer l.writing.Unlock()
	l.conn.SetWriteDeadline(time.Now().Add(abortWriteTime))
	l.conn.Write(pdu) // the association is over either way
}

// linger waits for the peer to close the transport, or to abort as well, after the last word was said (Sta13), until ARTIM
// expires. What still comes is passed over.
func (l *link) linger() {
	defer l.conn.Close()
	left := &l.reader
	r := &reader{link: l, late: true, buf: make([]byte, firstBuffer)}
	if left.inside {
		r.rest = 1 // where the next PDU begins is not known
	} else {
		r.buf = append(r.buf[:0], left.buf[left.lo:left.hi]...)
		r.hi = len(r.buf)
		r.buf = append(r.buf, make([]byte, firstBuffer)...)
	}
	for {
		k, size := dataTF, uint32(dataBuffer)
		var err error
		if r.rest == 0 {
			k, size, err = r.head()
		}
		if err == nil {
			err = r.skip(size)
		}
		if err != nil {
			l.lost(err)
			return
		}
		if a, err := l.on(k.event(), abortPDUFor(unexpectedPDU)); err != nil || a.does&closes != 0 {
			return
		}
	}
}

// fault is what was wrong with what the peer sent, and how it is told in A-ABORT.
type fault struct {
	reason byte
	err    error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func faulty(reason byte, format string, args ...any) error {
	return &fault{reason, &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf(format, args...)}}
}
