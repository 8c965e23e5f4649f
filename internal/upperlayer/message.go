package upperlayer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Message is a command and its data set.
type Message struct {
	Context Context
	Command Command
	// Data is the data set as it arrives, nil for none. The association reads nothing else until it was read to its end or
	// the message is done with. It implements Take (hub/imaging.Taker).
	Data *DataSet
}

// pass reads over what is left of the data set.
func (m *Message) pass() error {
	if m.Data == nil {
		return nil
	}
	for {
		if _, err := m.Data.Take(dataBuffer); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// DataSet is a data set that comes in by P-DATA. It is for one goroutine.
type DataSet struct {
	reader  *reader
	context byte
	left    uint32 // of the fragment
	last    bool
	size    int64
	end     error
	fault   error // what ended it before its end; set before done is closed
	done    chan struct{}
}

// Size is how many bytes have been read.
func (d *DataSet) Size() int64 {
	if d == nil {
		return 0
	}
	return d.size
}

// Read implements io.Reader.
func (d *DataSet) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := d.Take(len(p))
	return copy(p, b), err
}

// Take hands out the next bytes where they lie, at least one and at most max; they are good until the next call.
func (d *DataSet) Take(max int) ([]byte, error) {
	if d.end != nil {
		return nil, d.end
	}
	for d.left == 0 {
		if d.last {
			return nil, d.finish(io.EOF, nil)
		}
		f, err := d.reader.next()
		switch {
		case errors.Is(err, errRelease) || errors.Is(err, errAnswered):
			err = faulty(unexpectedPDU, "a release came inside a message")
		case err == nil && (f.command || f.context != d.context):
			err = faulty(invalidPDU, "a data set is interrupted by a fragment of another message")
		}
		if err != nil {
			return nil, d.finish(err, err)
		}
		d.left, d.last = f.size, f.last
	}
	b, err := d.reader.take(int(min(uint32(max), d.left)))
	if err != nil {
		return nil, d.finish(err, err)
	}
	d.left -= uint32(len(b))
	d.size += int64(len(b))
	return b, nil
}

func (d *DataSet) finish(end, fault error) error {
	d.end, d.fault = end, fault
	close(d.done)
	return end
}

// Request is a message that this side has to answer.
type Request struct {
	Message
	Association *Association

	mu       sync.Mutex
	answered bool
}

// ErrCancelled is the cause of a handler's context when the peer sent C-CANCEL for the request.
var ErrCancelled = errors.New("the peer cancelled the operation")

// Handler answers one request. It runs in a goroutine of its own; ctx ends when the association does or, with cause
// ErrCancelled, when the peer cancels. A request that the handler leaves without a final response is answered with
// ProcessingFailure.
type Handler func(ctx context.Context, r *Request)

var errAnsweredTwice = errors.New("the request has its final response")

// Respond sends one response: with a pending status there may be more, any other ends the operation. Field, message ID and,
// where they are empty, SOP class and instance are taken from the request. data may be nil. What is left of the request's
// data set is passed over first.
func (r *Request) Respond(c Command, data io.Reader) error {
	if err := r.pass(); err != nil {
		return err
	}
	asked := &r.Command
	c.Field, c.MessageID = asked.Field.Response(), asked.MessageID
	if c.SOPClass == "" {
		c.SOPClass = asked.SOPClass
	}
	if c.SOPInstance == "" {
		c.SOPInstance = asked.SOPInstance
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered {
		return errAnsweredTwice
	}
	r.answered = !c.Status.Pending()
	return r.Association.send(r.Context, &c, data)
}

// close answers what the handler has left unanswered.
func (r *Request) close() {
	if err := r.Respond(Command{Status: ProcessingFailure}, nil); errors.Is(err, errAnsweredTwice) {
		return
	}
}

// fullest is how much of a data set goes into one P-DATA-TF, however large the peer takes them.
const fullest = 128 << 10

// message writes a command and its data set; maxPDU 0 is no limit. Small messages are one write. Every fragment has an even
// length (PS3.8 9.3.1): a data set of odd length, as a deflated stream may have, gets the null byte of PS3.5 A.5.
func (l *link) message(context byte, c *Command, data io.Reader, maxPDU int) error {
	room := fullest
	if maxPDU > 0 {
		room = min(room, (maxPDU-pdvHead)&^1)
	}
	buf := make([]byte, 0, 1024)
	set := c.append(nil, data != nil)
	for len(set) > 0 {
		n := min(room, len(set))
		buf = appendFragment(buf, context, true, n == len(set), set[:n])
		set = set[n:]
	}
	if data == nil {
		return l.data(buf)
	}
	piece := l.pieces.Get().(*[]byte)
	defer l.pieces.Put(piece)
	// One byte more than fits tells whether this is the last fragment.
	b := (*piece)[:room+1]
	have := 0
	for {
		n, err := io.ReadFull(data, b[have:])
		have += n
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return err
		}
		if last && have%2 == 1 {
			b[have] = 0
			have++
		}
		buf = appendFragment(buf, context, false, last, b[:min(have, room)])
		if err := l.data(buf); err != nil || last {
			return err
		}
		b[0], have = b[room], 1
		buf = buf[:0]
	}
}

// data sends P-DATA-TFs.
func (l *link) data(pdus []byte) error {
	_, err := l.on(evSendData, pdus)
	return err
}

func appendFragment(dst []byte, context byte, command, last bool, v []byte) []byte {
	control := flag(command)*commandBit | flag(last)*lastBit
	dst = append(dst, byte(dataTF), 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)+pdvHead))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)+2))
	return append(append(dst, context, control), v...)
}

// Call is a request that was sent.
type Call struct {
	association *Association
	id          uint16
	in          Context
	answers     chan Message
	forgotten   chan struct{}
	once        sync.Once
	current     *Message
	final       atomic.Bool
}

// answersAhead is how many responses without a data set may wait for Next.
const answersAhead = 64

// Call sends a request in a context and returns when it is sent; its message ID is given here. data may be nil. The call
// waits while as many are under way as the peer performs at a time. Next or Close must follow.
func (a *Association) Call(ctx context.Context, in Context, c Command, data io.Reader) (*Call, error) {
	select {
	case <-a.deaf:
		return nil, a.over()
	default:
	}
	select {
	case a.invoke <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-a.deaf:
		return nil, a.over()
	}
	call := &Call{association: a, in: in, answers: make(chan Message, answersAhead), forgotten: make(chan struct{})}
	a.mu.Lock()
	for call.id == 0 || a.calls[call.id] != nil {
		a.lastID++
		call.id = a.lastID
	}
	a.calls[call.id] = call
	a.mu.Unlock()
	c.MessageID = call.id
	if err := a.send(in, &c, data); err != nil {
		call.ended()
		return nil, err
	}
	return call, nil
}

// over is why nothing can be called any longer.
func (a *Association) over() error {
	select {
	case <-a.done:
		if a.err != nil {
			return a.err
		}
	default: // the operations that are under way come to their ends
		if cause := context.Cause(a.ctx); cause != nil {
			return cause
		}
	}
	return ErrReleased
}

// ended gives the call's place in the window back, once.
func (c *Call) ended() {
	if !c.final.Swap(true) {
		a := c.association
		a.mu.Lock()
		if a.calls[c.id] == c {
			delete(a.calls, c.id)
		}
		a.mu.Unlock()
		<-a.invoke
	}
}

// ID is the call's message ID.
func (c *Call) ID() uint16 { return c.id }

// deliver is called by the goroutine that reads.
func (c *Call) deliver(m Message) error {
	if !m.Command.Status.Pending() {
		defer c.ended()
	}
	select {
	case <-c.forgotten:
		return m.pass()
	default:
	}
	select {
	case c.answers <- m:
		if m.Data == nil {
			return nil
		}
	case <-c.forgotten:
		return m.pass()
	case <-c.association.ctx.Done():
		return context.Cause(c.association.ctx)
	}
	select {
	case <-m.Data.done:
	case <-c.association.ctx.Done():
		return context.Cause(c.association.ctx)
	}
	return m.Data.fault
}

// Next waits for the next response; what is left of the one before is passed over. After the final one it returns io.EOF.
// A peer that keeps silent for Options.Answer is aborted: whether it has done what it was asked cannot be known, and nothing
// else may be asked of it meanwhile.
func (c *Call) Next(ctx context.Context) (*Message, error) {
	if c.current != nil {
		if err := c.current.pass(); err != nil {
			return nil, err
		}
		if !c.current.Command.Status.Pending() {
			return nil, io.EOF
		}
		c.current = nil
	}
	var m Message
	select {
	case m = <-c.answers:
	default:
		silence := time.NewTimer(c.association.link.Answer)
		defer silence.Stop()
		select {
		case m = <-c.answers:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-silence.C:
			c.association.abort(ErrUnanswered)
			return nil, ErrUnanswered
		case <-c.association.deaf:
			select {
			case m = <-c.answers: // it came with the end
			default:
				return nil, c.association.over()
			}
		}
	}
	c.current = &m
	return &m, nil
}

// Cancel asks the peer to stop (C-CANCEL); responses still come, the last one with status Cancelled or another.
func (c *Call) Cancel() error {
	return c.association.send(c.in, &Command{Field: CCancelRQ, MessageID: c.id}, nil)
}

// Close ends the reading of responses: what still comes is passed over. It may be called at any time, also twice.
func (c *Call) Close() {
	if c.current != nil {
		c.current.pass() // what is wrong with it ends the association
		c.current = nil
	}
	c.forget()
	for {
		select {
		case m := <-c.answers:
			m.pass()
		default:
			return
		}
	}
}

func (c *Call) forget() { c.once.Do(func() { close(c.forgotten) }) }
