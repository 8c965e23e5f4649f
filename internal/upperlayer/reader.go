package upperlayer

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// reader reads PDUs. It has no more memory than its buffer.
type reader struct {
	link   *link
	buf    []byte
	lo, hi int
	rest   uint32 // of the P-DATA-TF that is being read
	late   bool   // it reads what comes after the link was stopped

	// inside is set from the first byte of a message to its last: bytes must flow then.
	inside  bool
	renewed time.Time     // when the deadline was set last
	waited  time.Duration // inside messages, in this window
	got     int64
	// quiet is asked when nothing came for Options.Idle between messages: true to wait on.
	quiet func() bool
	// arrived is told when a message begins; false if this side has ended meanwhile.
	arrived func() bool
}

const (
	firstBuffer = 2 << 10
	dataBuffer  = 64 << 10
)

// grow gives the reader the buffer that data needs, once an association is there.
func (r *reader) grow() {
	old := r.buf[r.lo:r.hi]
	r.buf = make([]byte, dataBuffer)
	r.lo, r.hi = 0, copy(r.buf, old)
}

// fill reads once, waiting no longer than the limits allow.
func (r *reader) fill() error {
	if r.buf == nil {
		r.buf = make([]byte, firstBuffer)
	}
	if r.lo == r.hi {
		r.lo, r.hi = 0, 0
	} else if r.hi == len(r.buf) {
		r.hi = copy(r.buf, r.buf[r.lo:r.hi])
		r.lo = 0
	}
	start := time.Now()
	artim, err := r.deadline(start)
	if err != nil {
		return err
	}
	n, err := r.link.conn.Read(r.buf[r.hi:])
	r.hi += n
	switch {
	case n > 0:
		return r.progress(n, time.Since(start))
	case errors.Is(err, os.ErrDeadlineExceeded) && artim:
		return errExpired
	case errors.Is(err, os.ErrDeadlineExceeded) && r.inside:
		return faulty(noReason, "the peer paused for %v inside a message", r.link.Pause)
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.renewed = time.Time{}
		if r.quiet != nil && r.quiet() {
			return r.fill()
		}
		return faulty(noReason, "nothing came for %v", r.link.Idle)
	case err == nil:
		return io.ErrNoProgress
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return ErrClosed
	}
	return errors.Join(ErrClosed, err)
}

// deadline sets how long the next read may wait; artim tells that it is the timer's.
func (r *reader) deadline(now time.Time) (artim bool, err error) {
	l := r.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped && !r.late {
		return false, ErrClosed
	}
	if !l.artim.IsZero() {
		l.conn.SetReadDeadline(l.artim)
		r.renewed = time.Time{}
		return true, nil
	}
	wait := l.Idle
	if r.inside {
		wait = l.Pause
	}
	if now.Sub(r.renewed) > wait/16 { // a timer for every read would cost more than the read
		l.conn.SetReadDeadline(now.Add(wait))
		r.renewed = now
	}
	return false, nil
}

// progress refuses a peer that sends so slowly that it must be on purpose.
func (r *reader) progress(n int, waited time.Duration) error {
	if !r.inside {
		return nil
	}
	o := &r.link.Options
	r.got += int64(n)
	if r.waited += waited; r.waited < o.Window {
		return nil
	}
	slow := r.got < int64(r.waited.Seconds()*float64(o.Rate))
	r.waited, r.got = 0, 0
	if slow {
		return faulty(noReason, "the peer sent less than %d bytes a second inside a message", o.Rate)
	}
	return nil
}

// enter and leave mark the first and the last byte of a message.
func (r *reader) enter() bool {
	if r.inside {
		return true
	}
	r.inside, r.renewed, r.waited, r.got = true, time.Time{}, 0, 0
	return r.arrived == nil || r.arrived()
}

func (r *reader) leave() { r.inside, r.renewed = r.rest > 0, time.Time{} }

// need makes n bytes lie in the buffer, n being small.
func (r *reader) need(n int) error {
	for r.hi-r.lo < n {
		if len(r.buf)-r.lo < n {
			r.hi = copy(r.buf, r.buf[r.lo:r.hi])
			r.lo = 0
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
	return nil
}

// head reads the head of the next PDU.
func (r *reader) head() (kind, uint32, error) {
	if err := r.need(1); err != nil {
		return 0, 0, err
	}
	if kind(r.buf[r.lo]) == dataTF && !r.enter() {
		return 0, 0, ErrClosed
	}
	if err := r.need(pduHead); err != nil {
		return 0, 0, err
	}
	h := r.buf[r.lo : r.lo+pduHead]
	r.lo += pduHead
	return kind(h[0]), binary.BigEndian.Uint32(h[2:]), nil
}

// take shows the next bytes, at least one and at most n; they are good until the next call.
func (r *reader) take(n int) ([]byte, error) {
	if r.lo == r.hi {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	b := r.buf[r.lo:min(r.hi, r.lo+n)]
	r.lo += len(b)
	return b, nil
}

// content reads n bytes into memory that grows as they come.
func (r *reader) content(n uint32) ([]byte, error) {
	b := make([]byte, 0, min(n, firstBuffer))
	for uint32(len(b)) < n {
		piece, err := r.take(int(n) - len(b))
		if err != nil {
			return nil, err
		}
		b = append(b, piece...)
	}
	return b, nil
}

func (r *reader) skip(n uint32) error {
	for n > 0 {
		piece, err := r.take(int(n))
		if err != nil {
			return err
		}
		n -= uint32(len(piece))
	}
	return nil
}

// fragment is the head of a presentation data value (PS3.8 9.3.5.1).
type fragment struct {
	context byte
	command bool
	last    bool
	size    uint32
}

// next finds the next fragment of a message. Other PDUs end it: with errRelease, or as what they are.
func (r *reader) next() (fragment, error) {
	for r.rest == 0 {
		k, size, err := r.head()
		if err != nil {
			return fragment{}, err
		}
		if k.event() == evInvalid {
			return fragment{}, faulty(unrecognised, "a PDU of type %02X is none", byte(k))
		}
		if size > k.limit() {
			return fragment{}, faulty(invalidPDU, "a PDU of type %02X claims %d bytes, more than the %d it may have", byte(k), size, k.limit())
		}
		if k != dataTF {
			return fragment{}, r.other(k, size)
		}
		if a, err := r.link.on(evData, abortPDUFor(unexpectedPDU)); err != nil || a.does&indicates == 0 {
			return fragment{}, &fault{unexpectedPDU, errUnexpected}
		}
		r.rest = size
	}
	if r.rest < pdvHead {
		return fragment{}, faulty(invalidPDU, "a P-DATA-TF ends inside the head of a fragment")
	}
	if err := r.need(pdvHead); err != nil {
		return fragment{}, err
	}
	h := r.buf[r.lo : r.lo+pdvHead]
	size := binary.BigEndian.Uint32(h)
	f := fragment{h[4], h[5]&commandBit != 0, h[5]&lastBit != 0, size - 2}
	r.lo += pdvHead
	if size < 2 || size-2 > r.rest-pdvHead {
		return f, faulty(invalidPDU, "a fragment claims %d bytes, its PDU has %d left", size, r.rest-4)
	}
	r.rest -= pdvHead + f.size
	return f, nil
}

var (
	errUnexpected = errors.New("the peer sent a PDU that was not due")
	// errRelease is the end of reading when the peer asks for a release.
	errRelease = errors.New("the peer asks for a release")
	// errAnswered is the end of reading when the peer consents to a release.
	errAnswered = errors.New("the peer consents to the release")
)

// other deals with a PDU that is no data.
func (r *reader) other(k kind, size uint32) error {
	if err := r.skip(size); err != nil {
		return err
	}
	if size != 4 && k.limit() == 4 {
		return faulty(invalidPDU, "a PDU of type %02X has %d bytes, not 4", byte(k), size)
	}
	if r.inside && k != abortPDU {
		return faulty(unexpectedPDU, "a PDU of type %02X came inside a message", byte(k))
	}
	a, err := r.link.on(k.event(), abortPDUFor(unexpectedPDU))
	switch {
	case err != nil:
		return err
	case k == abortPDU:
		return ErrAborted
	case a.does&fails != 0:
		return &fault{unexpectedPDU, errUnexpected}
	case k == releaseRQ:
		return errRelease
	}
	return errAnswered
}

func abortPDUFor(reason byte) []byte { return shortPDU(abortPDU, 0, byProvider, reason) }
