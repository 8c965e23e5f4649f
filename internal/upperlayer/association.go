package upperlayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Association is one association in force, whoever opened it. Its methods may be called from several goroutines.
type Association struct {
	link     *link
	peer     Peer
	contexts []Context
	user     UserInformation
	handle   Handler
	observe  Observer

	ctx    context.Context // of the handlers; ends with the association
	cancel context.CancelCauseFunc
	deaf   chan struct{} // closed when nothing is read any longer, so that no answer can come
	done   chan struct{}
	err    error // set before done is closed

	sending   sync.Mutex // a message is not mixed with another
	perform   chan struct{}
	invoke    chan struct{}
	operating sync.WaitGroup
	hands     chan func() // takes an operation where a goroutine that did one before is free

	mu        sync.Mutex
	running   map[uint16]context.CancelCauseFunc // operations of the peer, by message ID
	calls     map[uint16]*Call                   // operations of this side
	lastID    uint16
	receiving bool // a message is being read
	draining  bool
}

func newAssociation(ctx context.Context, l *link, p Peer, contexts []Context, theirs UserInformation, h Handler, o Observer) *Association {
	theirs.Identity = nil
	a := &Association{link: l, peer: p, contexts: contexts, user: theirs, handle: h, observe: o, deaf: make(chan struct{}), done: make(chan struct{}),
		hands: make(chan func()), running: map[uint16]context.CancelCauseFunc{}, calls: map[uint16]*Call{}}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	return a
}

// windows sets how many operations there may be at a time each way; 0 is no limit but our own.
func (a *Association) windows(performed, invoked uint16) {
	ours := func(n uint16) uint16 {
		if n == 0 || n > a.link.Operations {
			return a.link.Operations
		}
		return n
	}
	a.perform, a.invoke = make(chan struct{}, ours(performed)), make(chan struct{}, ours(invoked))
}

// Peer says who is at the other end.
func (a *Association) Peer() Peer { return a.peer }

// Contexts are the accepted presentation contexts, by ID.
func (a *Association) Contexts() []Context { return a.contexts }

// Negotiated are the user items that the peer sent, without its identity.
func (a *Association) Negotiated() UserInformation { return a.user }

// Context is that of the handlers but for C-CANCEL: it ends with the association alone.
func (a *Association) Context() context.Context { return a.ctx }

// ContextFor finds a context for an abstract syntax in which this side is SCU; transfer "" takes any.
func (a *Association) ContextFor(abstract, transfer string) (Context, bool) {
	for _, c := range a.contexts {
		if c.Abstract == abstract && c.SCU && (transfer == "" || c.Transfer == transfer) {
			return c, true
		}
	}
	return Context{}, false
}

func (a *Association) context(id byte) (Context, bool) {
	for _, c := range a.contexts {
		if c.ID == id {
			return c, true
		}
	}
	return Context{}, false
}

// Release ends an association in good order (PS3.8 7.2) and waits for the peer's consent, or until ctx ends, or ARTIM is
// over, and the association is aborted.
func (a *Association) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.link.ARTIM)
	defer cancel()
	if _, err := a.link.on(evSayRelease, shortPDU(releaseRQ, 0, 0, 0)); err != nil {
		select {
		case <-a.done:
			return a.Err()
		default:
			return err
		}
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		a.Abort()
		<-a.done
		return ctx.Err()
	}
	return a.Err()
}

// Abort ends it at once.
func (a *Association) Abort() { a.abort(errAbortedHere) }

var errAbortedHere = errors.New("the association was aborted on this side")

func (a *Association) abort(why error) {
	a.cancel(why)
	a.link.on(evSayAbort, shortPDU(abortPDU, 0, byUser, noReason)) // where it cannot happen, it has ended already
	a.link.stop()                                                  // wakes the reader, which ends the association
}

// Done is closed when the association has ended; Err then says why.
func (a *Association) Done() <-chan struct{} { return a.done }

// Err says why the association ended; nil for a release, and while it has not.
func (a *Association) Err() error {
	select {
	case <-a.done:
		if errors.Is(a.err, ErrReleased) {
			return nil
		}
		return a.err
	default:
		return nil
	}
}

// run reads messages until the association ends, and then waits for the transport to close.
func (a *Association) run() {
	r := &a.link.reader
	r.grow()
	r.quiet, r.arrived = a.busy, a.arrives
	err := a.read()
	close(a.deaf) // before finish: an operation may wait for an answer of the peer that has released
	if cause := context.Cause(a.ctx); cause != nil && a.ctx.Err() != nil && !errors.Is(err, ErrAborted) {
		err = cause
	}
	switch {
	case errors.Is(err, errRelease):
		a.finish()
		err = ErrReleased
		if _, werr := a.link.on(evAnswerRelease, shortPDU(releaseRP, 0, 0, 0)); werr != nil {
			err = werr
		}
	case errors.Is(err, errAnswered):
		err = ErrReleased
	case errors.Is(err, ErrClosed):
		a.link.on(evClosed, nil)
	default:
		var f *fault
		if errors.As(err, &f) && !a.ending() {
			a.link.on(evInvalid, abortPDUFor(f.reason))
		}
	}
	a.link.stop()
	a.end(err)
	if a.ending() {
		a.link.linger()
	}
	a.link.conn.Close()
}

// ending reports that only the transport is left to be closed.
func (a *Association) ending() bool {
	a.link.mu.Lock()
	defer a.link.mu.Unlock()
	return a.link.state == awaitClose
}

// finish lets the operations that are under way come to their ends when the peer releases before it has the answers.
func (a *Association) finish() {
	ended := make(chan struct{})
	go func() { a.operating.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(a.link.Pause):
		a.cancel(ErrReleased)
		<-ended
	case <-a.ctx.Done():
		<-ended
	}
}

func (a *Association) end(err error) {
	a.cancel(err)
	a.mu.Lock()
	calls := a.calls
	a.calls = map[uint16]*Call{}
	a.mu.Unlock()
	a.err = err
	close(a.done)
	for _, c := range calls {
		c.forget()
	}
	a.operating.Wait()
}

// busy reports that something is under way, so that silence is no fault.
func (a *Association) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ctx.Err() == nil && (len(a.running) > 0 || len(a.calls) > 0)
}

// arrives notes that a message begins; false when the association is being closed for lack of any.
func (a *Association) arrives() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.receiving = true
	return a.ctx.Err() == nil
}

// rests notes that nothing is being received.
func (a *Association) rests() {
	a.mu.Lock()
	a.receiving = false
	stop := a.draining && len(a.running) == 0
	a.mu.Unlock()
	if stop {
		a.abort(errDraining)
	}
}

var errDraining = errors.New("this side is shutting down")

// drain ends the association as soon as nothing is under way.
func (a *Association) drain() {
	a.mu.Lock()
	a.draining = true
	stop := !a.receiving && len(a.running) == 0
	a.mu.Unlock()
	if stop {
		a.abort(errDraining)
	}
}

// read takes messages in until one of the errors that end an association.
func (a *Association) read() error {
	r := &a.link.reader
	for {
		c, in, err := a.command()
		if err != nil {
			return err
		}
		a.arrives()
		m := Message{Context: in, Command: *c}
		if c.dataFollows {
			m.Data = &DataSet{reader: r, context: in.ID, done: make(chan struct{})}
		}
		if err := a.dispatch(m); err != nil {
			return err
		}
		if m.Data != nil {
			select {
			case <-m.Data.done:
			case <-a.ctx.Done():
				return context.Cause(a.ctx)
			}
			if err := m.Data.fault; err != nil {
				return err
			}
		}
		if a.observe != nil {
			a.observe.Message(c.Field, m.Data.Size())
		}
		r.leave()
		a.rests()
	}
}

// command reads a command set.
func (a *Association) command() (*Command, Context, error) {
	r := &a.link.reader
	var whole []byte
	var in Context
	for {
		f, err := r.next()
		if err != nil {
			return nil, in, err
		}
		switch c, ok := a.context(f.context); {
		case !ok:
			return nil, in, faulty(invalidPDU, "a fragment came in presentation context %d, which is not in force", f.context)
		case !f.command:
			return nil, in, faulty(invalidPDU, "a data set came where a command is due")
		case whole != nil && c.ID != in.ID:
			return nil, in, faulty(invalidPDU, "a command changes its presentation context")
		case uint64(len(whole))+uint64(f.size) > maxCommand:
			return nil, in, faulty(invalidPDU, "a command set is larger than %d bytes", maxCommand)
		default:
			in = c
		}
		piece, err := r.content(f.size)
		if err != nil {
			return nil, in, err
		}
		if whole = append(whole, piece...); whole == nil {
			whole = []byte{}
		}
		if f.last {
			break
		}
	}
	c, err := decodeCommand(whole)
	if err != nil {
		return nil, in, &fault{invalidPDU, err}
	}
	return c, in, nil
}

// dispatch hands a message to whom it is for.
func (a *Association) dispatch(m Message) error {
	switch c := &m.Command; {
	case c.Field == CCancelRQ:
		a.mu.Lock()
		cancel := a.running[c.MessageID]
		a.mu.Unlock()
		if cancel != nil {
			cancel(ErrCancelled)
		}
		return m.pass()
	case c.Field.IsResponse():
		a.mu.Lock()
		call := a.calls[c.MessageID]
		if call != nil && !c.Status.Pending() {
			delete(a.calls, c.MessageID)
		}
		a.mu.Unlock()
		if call == nil {
			return m.pass() // an answer to what nobody waits for any longer
		}
		return call.deliver(m)
	}
	return a.performs(m)
}

// performs starts the handler of a request as soon as the window allows.
func (a *Association) performs(m Message) error {
	r := &Request{Message: m, Association: a}
	wait := time.NewTimer(a.link.Pause)
	defer wait.Stop()
	select {
	case a.perform <- struct{}{}:
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	case <-wait.C:
		return faulty(noReason, "the peer has more operations under way than was agreed")
	}
	ctx, cancel := context.WithCancelCause(a.ctx)
	a.mu.Lock()
	_, twice := a.running[m.Command.MessageID]
	if !twice {
		a.running[m.Command.MessageID] = cancel
	}
	a.mu.Unlock()
	a.operate(func() {
		defer func() { <-a.perform }()
		if twice {
			cancel(nil)
			r.Respond(Command{Status: DuplicateInvocation}, nil)
			return
		}
		defer a.performed(m.Command.MessageID, cancel)
		if a.handle == nil {
			r.Respond(Command{Status: UnrecognizedOperation}, nil)
			return
		}
		a.answer(ctx, r)
	})
	return nil
}

// operate runs do beside the goroutine that reads, by one that did so before if it is free: its stack has grown already.
func (a *Association) operate(do func()) {
	a.operating.Add(1)
	select {
	case a.hands <- do:
		return
	default:
	}
	go func() {
		for {
			do()
			a.operating.Done()
			select {
			case do = <-a.hands:
			case <-a.ctx.Done():
				return
			}
		}
	}()
}

// answer runs the handler. One that panics costs its request, not the hub.
func (a *Association) answer(ctx context.Context, r *Request) {
	defer r.close()
	defer func() {
		if p := recover(); p != nil {
			slog.Error("handler panics", "command", r.Command.Field.String(), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	a.handle(ctx, r)
}

func (a *Association) performed(id uint16, cancel context.CancelCauseFunc) {
	cancel(nil)
	a.mu.Lock()
	delete(a.running, id)
	stop := a.draining && !a.receiving && len(a.running) == 0
	a.mu.Unlock()
	if stop {
		a.abort(errDraining)
	}
}

// send writes one message: the command and, in P-DATA-TFs as large as the peer takes, the data set.
func (a *Association) send(in Context, c *Command, data io.Reader) error {
	a.sending.Lock()
	defer a.sending.Unlock()
	err := a.link.message(in.ID, c, data, int(a.user.MaxPDU))
	if err != nil {
		err = fmt.Errorf("send %v: %w", c.Field, err)
		a.abort(err)
	}
	return err
}
