package upperlayer

import (
	"context"
	"errors"
	"io"
	"net"
)

// Association is one association in force, whoever opened it. Its methods may be called from several goroutines.
type Association struct {
	peer     Peer
	contexts []Context
	user     UserInformation
}

// Peer says who is at the other end.
func (a *Association) Peer() Peer { return a.peer }

// Contexts are the accepted presentation contexts, by ID.
func (a *Association) Contexts() []Context { return a.contexts }

// Negotiated are the user items that the peer sent, without its identity.
func (a *Association) Negotiated() UserInformation { return a.user }

// ContextFor finds a context for an abstract syntax in which this side is SCU; transfer "" takes any.
func (a *Association) ContextFor(abstract, transfer string) (Context, bool) {
	for _, c := range a.contexts {
		if c.Abstract == abstract && c.SCU && (transfer == "" || c.Transfer == transfer) {
			return c, true
		}
	}
	return Context{}, false
}

// Call sends a request in a context and returns when it is sent; its message ID is given here. data may be nil. The call
// waits while as many are under way as the peer performs at a time.
func (a *Association) Call(ctx context.Context, in Context, c Command, data io.Reader) (*Call, error) {
	return nil, errors.ErrUnsupported
}

// Release ends an association in good order (PS3.8 7.2) and waits for the peer's consent.
func (a *Association) Release(ctx context.Context) error { return errors.ErrUnsupported }

// Abort ends it at once.
func (a *Association) Abort() {}

// Done is closed when the association has ended; Err then says why, nil for a release.
func (a *Association) Done() <-chan struct{} { return nil }

// Err says why the association ended.
func (a *Association) Err() error { return nil }

// Message is a command and its data set.
type Message struct {
	Context Context
	Command Command
	// Data is the data set as it arrives, nil for none. The association reads nothing else until it was read to its end or
	// the message is done with; it implements Take (hub/imaging.Taker).
	Data *DataSet
}

// DataSet is a data set that comes in by P-DATA.
type DataSet struct{}

// Read implements io.Reader.
func (d *DataSet) Read(p []byte) (int, error) { return 0, io.EOF }

// Take hands out the next bytes where they lie, at least one and at most max; they are good until the next call.
func (d *DataSet) Take(max int) ([]byte, error) { return nil, io.EOF }

// Request is a message that this side has to answer.
type Request struct {
	Message
	Association *Association
}

// Respond sends one response: with a pending status there may be more, any other ends the operation. Field, message ID and,
// where they are empty, SOP class and instance are taken from the request. data may be nil. What is left of the request's
// data set is passed over first.
func (r *Request) Respond(c Command, data io.Reader) error { return errors.ErrUnsupported }

// ErrCancelled is the cause of a handler's context when the peer sent C-CANCEL for the request.
var ErrCancelled = errors.New("the peer cancelled the operation")

// Handler answers one request. It runs in a goroutine of its own; ctx ends when the association does or, with cause
// ErrCancelled, when the peer cancels. A request that the handler leaves without a final response is answered with
// ProcessingFailure.
type Handler func(ctx context.Context, r *Request)

// Call is a request that was sent.
type Call struct{}

// ID is the call's message ID.
func (c *Call) ID() uint16 { return 0 }

// Next waits for the next response. The one before is done with. After the final one it returns io.EOF.
func (c *Call) Next(ctx context.Context) (*Message, error) { return nil, errors.ErrUnsupported }

// Cancel asks the peer to stop (C-CANCEL); responses still come, the last one with status Cancelled or another.
func (c *Call) Cancel() error { return errors.ErrUnsupported }

// Close forgets the call: responses that still come are passed over.
func (c *Call) Close() {}

// Dialer opens associations.
type Dialer struct {
	Options
	// Handle answers what the peer requests of this side (N-EVENT-REPORT, the C-STORE of a C-GET); nil: nothing.
	Handle Handler
}

// Dial connects to address and proposes an association. The error is a *Rejection when the peer said no.
func (d *Dialer) Dial(ctx context.Context, address string, p Proposal) (*Association, error) {
	return nil, errors.ErrUnsupported
}

// Server accepts associations.
type Server struct {
	Options
	Limits Limits
	// Admit decides about a proposal: an Agreement and the context that the requests' handlers get, or a *Rejection (another
	// error is told as RejectNoReason).
	Admit func(ctx context.Context, p Peer, q *Proposal) (context.Context, *Agreement, error)
	// Handle answers requests.
	Handle Handler
	// Observe is told how things go, for metrics; nil for nobody.
	Observe Observer
}

// Observer is told what happens. Its methods must return fast.
type Observer interface {
	Opened()                      // an association was accepted
	Closed(err error)             // it ended; nil for a release
	Refused(reason string)        // a connection did not become an association
	Message(f Field, bytes int64) // a request came in, with so many bytes of data set
}

// Serve accepts associations on l until ctx ends; then those that are idle are aborted, the others when their operations
// are done or Limits.Drain is over. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return errors.ErrUnsupported }
