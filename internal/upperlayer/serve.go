package upperlayer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Server accepts associations.
type Server struct {
	Options
	Limits Limits
	// Admit decides about a proposal: an Agreement and the context that the requests' handlers get, or a *Rejection (another
	// error is told as RejectNoReason). It counts as part of the association request.
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
	Refused(err error)            // a connection did not become an association
	Message(f Field, bytes int64) // a message came in, with so many bytes of data set
}

// ErrCrowded is why a connection was closed unheard.
var ErrCrowded = errors.New("too many connections wait for an association")

// Serve accepts associations on l until ctx ends; then those that are idle are aborted, the others when their operations
// are done or Limits.Drain is over. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	a := &acceptor{Server: s, engine: newEngine(s.Options), crowd: crowd{limits: s.Limits}}
	a.crowd.limits.fill()
	a.crowd.init()
	if s.TLS != nil && len(s.TLS.Certificates) == 0 && s.TLS.GetCertificate == nil {
		return errors.New("serve DICOM over TLS: there is no certificate")
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
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
				return fmt.Errorf("accept DICOM connections: %w", err)
			}
			time.Sleep(10 * time.Millisecond) // out of files, most likely
			continue
		}
		if !a.crowd.wait(addressOf(conn), conn) {
			conn.Close()
			a.refused(ErrCrowded)
			continue
		}
		all.Go(func() { a.serve(inner, conn) })
	}
	a.crowd.drain()
	a.crowd.closeAll()
	all.Wait()
	return nil
}

// acceptor is a Server at work.
type acceptor struct {
	*Server
	engine *engine
	crowd  crowd
}

func (a *acceptor) refused(err error) {
	if a.Observe != nil {
		a.Observe.Refused(err)
	}
}

// serve is the life of one connection.
func (a *acceptor) serve(ctx context.Context, conn net.Conn) {
	address := addressOf(conn)
	l := a.engine.link(newPrompt(conn), false)
	defer a.crowd.gone(address, conn)
	defer conn.Close()
	l.on(evOpened, nil)
	peer, err := a.secure(ctx, l, Peer{Address: address, Inbound: true})
	if err == nil {
		var q *Proposal
		if q, err = l.proposal(); err == nil {
			err = a.associate(ctx, l, peer, q)
		}
	}
	if err != nil {
		a.refused(err)
	}
	l.mu.Lock()
	over := l.state == awaitClose
	l.mu.Unlock()
	if over {
		l.linger()
	}
}

// secure does the TLS handshake, within ARTIM.
func (a *acceptor) secure(ctx context.Context, l *link, p Peer) (Peer, error) {
	if a.TLS == nil {
		return p, nil
	}
	conn := tls.Server(l.conn, a.TLS)
	ctx, cancel := context.WithTimeout(ctx, l.ARTIM)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return p, fmt.Errorf("TLS handshake: %w", err)
	}
	state := conn.ConnectionState()
	l.conn, p.TLS = conn, &state
	return p, nil
}

// proposal reads an A-ASSOCIATE-RQ.
func (l *link) proposal() (*Proposal, error) {
	b, err := l.expect(associateRQ)
	if err != nil {
		return nil, err
	}
	r, err := decodeAssociate(b)
	if err == nil && len(r.proposed) > maxContexts {
		err = malformed("has more presentation contexts than there are numbers")
	}
	if err != nil {
		l.on(evInvalid, abortPDUFor(invalidPDU))
		return nil, err
	}
	l.on(evRequest, nil)
	q := &Proposal{r.called, r.calling, r.proposed, r.user}
	switch {
	case r.version&1 == 0:
		return nil, l.reject(RejectVersion)
	case r.application != applicationContextUID:
		return nil, l.reject(RejectApplicationContext)
	case r.user.MaxPDU > 0 && r.user.MaxPDU < 16:
		return nil, l.reject(RejectNoReason)
	}
	return q, nil
}

// expect reads one PDU that has to be of a kind; what else comes is answered as the table says.
func (l *link) expect(kinds ...kind) ([]byte, error) {
	k, size, err := l.reader.head()
	if err != nil {
		l.lost(err)
		return nil, err
	}
	due := slices.Contains(kinds, k)
	if k.event() == evInvalid || size > k.limit() || due && k.limit() == 4 && size != 4 {
		l.on(evInvalid, abortPDUFor(invalidPDU))
		return nil, malformed("of type %02X with %d bytes is none that is taken", byte(k), size)
	}
	if !due {
		l.on(k.event(), abortPDUFor(unexpectedPDU))
		if k == abortPDU {
			return nil, ErrAborted
		}
		return nil, errUnexpected
	}
	b, err := l.reader.content(size)
	if err != nil {
		l.lost(err)
	}
	return b, err
}

// lost notes the end of the transport or of the peer's time.
func (l *link) lost(err error) {
	e := evClosed
	if errors.Is(err, errExpired) {
		e = evExpired
	}
	l.on(e, nil)
}

func (l *link) reject(r *Rejection) error {
	l.on(evSayReject, r.pdu())
	return r
}

// associate answers a proposal and, if there is agreement, does what follows from it until the association ends.
func (a *acceptor) associate(ctx context.Context, l *link, p Peer, q *Proposal) error {
	p.Called, p.Calling = q.Called, q.Calling
	p.ImplementationUID, p.ImplementationVersion = q.ImplementationUID, q.ImplementationVersion
	if !a.crowd.admit(p) {
		return l.reject(RejectLimit)
	}
	defer a.crowd.leave(p)
	admitting, cancel := context.WithTimeout(ctx, l.ARTIM)
	of, agreed, err := a.Admit(admitting, p, q)
	cancel()
	if err != nil {
		r := RejectNoReason
		errors.As(err, &r)
		l.reject(r)
		return err
	}
	agreed.MaxPDU, agreed.ImplementationUID, agreed.ImplementationVersion = l.MaxPDU, l.ImplementationUID, l.ImplementationVersion
	window := Window{1, 1}
	if q.Window != nil {
		window = Window{ours(q.Window.Invoked, l.Operations), ours(q.Window.Performed, l.Operations)}
		agreed.Window = &window
	}
	as := newAssociation(context.WithoutCancel(of), l, p, contextsOf(q, agreed, false), q.UserInformation, a.Handle, a.Observe)
	as.windows(window.Invoked, window.Performed)
	if !a.crowd.opened(as) {
		return l.reject(RejectCongestion)
	}
	defer a.crowd.ended(as)
	if _, err := l.on(evSayAccept, agreed.pdu(q)); err != nil {
		as.cancel(err)
		l.lost(ErrClosed)
		return err
	}
	if a.Observe != nil {
		a.Observe.Opened()
		defer func() { a.Observe.Closed(as.Err()) }()
	}
	as.run()
	return nil
}

// ours is the lesser of what a peer asks for, 0 being any number, and our own limit.
func ours(asked, limit uint16) uint16 {
	if asked == 0 {
		return limit
	}
	return min(asked, limit)
}

// contextsOf are the contexts in force. Without a role selection the requestor is SCU and the acceptor SCP
// (PS3.7 D.3.3.4).
func contextsOf(q *Proposal, agreed *Agreement, requestor bool) []Context {
	var in []Context
	for _, answer := range agreed.Contexts {
		i := slices.IndexFunc(q.Contexts, func(c ProposedContext) bool { return c.ID == answer.ID })
		if answer.Result != Accepted || i < 0 {
			continue
		}
		c := Context{ID: answer.ID, Abstract: q.Contexts[i].Abstract, Transfer: answer.Transfer, SCU: requestor, SCP: !requestor}
		for _, r := range agreed.Roles {
			if r.SOPClass == c.Abstract {
				c.SCU, c.SCP = r.SCU, r.SCP
				if !requestor {
					c.SCU, c.SCP = r.SCP, r.SCU
				}
			}
		}
		in = append(in, c)
	}
	return in
}

func addressOf(c net.Conn) netip.Addr {
	a, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	return a.Addr().Unmap()
}
