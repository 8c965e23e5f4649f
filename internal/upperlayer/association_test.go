package upperlayer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	echoClass  = "1.2.840.10008.1.1"
	ctClass    = "1.2.840.10008.5.1.4.1.1.2"
	findClass  = "1.2.840.10008.5.1.4.1.2.2.1"
	explicitLE = "1.2.840.10008.1.2.1"
)

// asked proposes contexts 1, 3, 5 … for classes.
func asked(classes ...string) Proposal {
	p := Proposal{Called: "HUB", Calling: "TEST"}
	for i, c := range classes {
		p.Contexts = append(p.Contexts, ProposedContext{byte(2*i + 1), c, []string{explicitLE}})
	}
	return p
}

// admitAll accepts every context and role.
func admitAll(ctx context.Context, _ Peer, q *Proposal) (context.Context, *Agreement, error) {
	a := &Agreement{}
	for _, c := range q.Contexts {
		a.Contexts = append(a.Contexts, AnsweredContext{c.ID, Accepted, c.Transfer[0]})
	}
	a.Roles = q.Roles
	return ctx, a, nil
}

// serve runs a server for the test and returns its address and what stops it.
func serve(t *testing.T, s *Server) (address string, stop func()) {
	t.Helper()
	if s.Admit == nil {
		s.Admit = admitAll
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server does not end")
		}
	})
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func dial(t *testing.T, address string, p Proposal) *Association {
	t.Helper()
	a, err := (&Dialer{}).Dial(t.Context(), address, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Abort)
	return a
}

// ask makes a call and returns its final response.
func ask(t *testing.T, a *Association, class string, c Command, data io.Reader) Command {
	t.Helper()
	in, ok := a.ContextFor(class, "")
	if !ok {
		t.Fatalf("no context for %s", class)
	}
	c.SOPClass = class
	call, err := a.Call(t.Context(), in, c, data)
	if err != nil {
		t.Fatal(err)
	}
	defer call.Close()
	for {
		m, err := call.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !m.Command.Status.Pending() {
			return m.Command
		}
	}
}

func TestDataSetsOfEverySizeArriveAsTheyWereSent(t *testing.T) {
	var sum [32]byte
	address, _ := serve(t, &Server{Handle: func(_ context.Context, r *Request) {
		h := sha256.New()
		io.Copy(h, r.Data)
		sum = [32]byte(h.Sum(nil))
		r.Respond(Command{}, nil)
	}})
	a := dial(t, address, asked(ctClass))
	for _, size := range []int{0, 1, fullest - 1, fullest, fullest + 1, 3*fullest + 7, 5 << 20} {
		data := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		if got := ask(t, a, ctClass, Command{Field: CStoreRQ, SOPInstance: "1.2"}, bytes.NewReader(data)); got.Status != Success || got.SOPInstance != "1.2" {
			t.Fatalf("%d bytes: %+v", size, got)
		}
		if size%2 == 1 {
			data = append(data, 0)
		}
		if sum != sha256.Sum256(data) {
			t.Errorf("%d bytes arrived as others", size)
		}
	}
	if err := a.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEveryFragmentIsEven(t *testing.T) {
	for _, most := range []int{64, 65, 0} {
		here, there := net.Pipe()
		go func() {
			l := newEngine(Options{}).link(here, false)
			l.state = established
			l.message(1, &Command{Field: CStoreRQ, SOPInstance: "1.2"}, bytes.NewReader(make([]byte, 999)), most)
			here.Close()
		}()
		wire, _ := io.ReadAll(there)
		fragments := 0
		for ; len(wire) > 0; fragments++ {
			size := binary.BigEndian.Uint32(wire[6:]) - 2
			if size%2 == 1 {
				t.Errorf("PDUs of %d bytes: a fragment of %d", most, size)
			}
			wire = wire[12+size:]
		}
		if fragments < 2 {
			t.Errorf("%d fragments", fragments)
		}
	}
}

func TestAPeerThatTakesSmallPDUsOnlyGetsThem(t *testing.T) {
	address, _ := serve(t, &Server{Options: Options{MaxPDU: 64}, Handle: func(_ context.Context, r *Request) {
		data, err := io.ReadAll(r.Data)
		if err != nil || len(data) != 1000 {
			t.Errorf("%d bytes, %v", len(data), err)
		}
		r.Respond(Command{}, nil)
	}})
	a := dial(t, address, asked(ctClass))
	if n := a.Negotiated().MaxPDU; n != 64 {
		t.Fatalf("the peer asks for %d", n)
	}
	ask(t, a, ctClass, Command{Field: CStoreRQ}, bytes.NewReader(make([]byte, 1000)))
}

func TestADataSetThatNobodyReadsIsPassedOver(t *testing.T) {
	address, _ := serve(t, &Server{Handle: func(_ context.Context, r *Request) { r.Respond(Command{Status: 0xA700}, nil) }})
	a := dial(t, address, asked(ctClass))
	for range 3 {
		if got := ask(t, a, ctClass, Command{Field: CStoreRQ}, bytes.NewReader(make([]byte, 300_000))); got.Status != 0xA700 {
			t.Fatalf("%+v", got)
		}
	}
}

func TestARequestLeftUnansweredAndOneThatPanicsAreProcessingFailures(t *testing.T) {
	address, _ := serve(t, &Server{Handle: func(_ context.Context, r *Request) {
		if r.Command.Field == CStoreRQ {
			panic("a decoder went wrong")
		}
	}})
	a := dial(t, address, asked(ctClass, echoClass))
	for _, c := range []Field{CStoreRQ, CEchoRQ} {
		if got := ask(t, a, ctClass, Command{Field: c}, nil); got.Status != ProcessingFailure {
			t.Errorf("%v: %+v", c, got)
		}
	}
}

func TestACancelReachesTheHandlerWhileItAnswers(t *testing.T) {
	address, _ := serve(t, &Server{Handle: func(ctx context.Context, r *Request) {
		for ctx.Err() == nil {
			if r.Respond(Command{Status: Pending}, bytes.NewReader([]byte("a match "))) != nil {
				return
			}
		}
		if context.Cause(ctx) == ErrCancelled {
			r.Respond(Command{Status: Cancelled}, nil)
		}
	}})
	a := dial(t, address, asked(findClass))
	in, _ := a.ContextFor(findClass, "")
	call, err := a.Call(t.Context(), in, Command{Field: CFindRQ, SOPClass: findClass}, bytes.NewReader([]byte("keys")))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		m, err := call.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 10 {
			if err := call.Cancel(); err != nil {
				t.Fatal(err)
			}
		}
		if m.Command.Status == Cancelled {
			break
		}
		if b, err := io.ReadAll(m.Data); string(b) != "a match " {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if _, err := call.Next(t.Context()); err != io.EOF {
		t.Errorf("after the final response: %v", err)
	}
}

func TestTheCalledSideMayCallBackWithinARequest(t *testing.T) {
	address, _ := serve(t, &Server{Handle: func(ctx context.Context, r *Request) {
		in, ok := r.Association.ContextFor(ctClass, "")
		if !ok {
			t.Error("the role selection gives no context")
			return
		}
		io.Copy(io.Discard, r.Data) // before calling: nothing else is read until then
		for range 20 {
			call, err := r.Association.Call(ctx, in, Command{Field: CStoreRQ, SOPClass: ctClass, SOPInstance: "1.2"}, bytes.NewReader(make([]byte, 200_000)))
			if err != nil {
				t.Error(err)
				return
			}
			if m, err := call.Next(ctx); err != nil || m.Command.Status != Success {
				t.Error(m, err)
			}
			call.Close()
		}
		r.Respond(Command{Sub: &SubOperations{Completed: 20, Final: true}}, nil)
	}})
	var stored atomic.Int64
	d := Dialer{Handle: func(_ context.Context, r *Request) {
		n, _ := io.Copy(io.Discard, r.Data)
		stored.Add(n)
		r.Respond(Command{}, nil)
	}}
	p := asked(findClass, ctClass)
	p.Roles = []Role{{ctClass, false, true}}
	a, err := d.Dial(t.Context(), address, p)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, a, findClass, Command{Field: CGetRQ}, bytes.NewReader([]byte("keys"))); got.Sub == nil || got.Sub.Completed != 20 || stored.Load() != 20*200_000 {
		t.Errorf("%+v, %d bytes", got.Sub, stored.Load())
	}
	if err := a.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPeerThatReleasesInsteadOfAnsweringEndsTheCall(t *testing.T) {
	ended := make(chan error, 2)
	address, stop := serve(t, &Server{Handle: func(ctx context.Context, r *Request) {
		in, _ := r.Association.ContextFor(ctClass, "")
		for range 2 { // like a C-GET, which brings what is under way to its end whatever becomes of ctx
			call, err := r.Association.Call(context.WithoutCancel(ctx), in, Command{Field: CStoreRQ, SOPClass: ctClass}, bytes.NewReader(make([]byte, 10)))
			if err == nil {
				_, err = call.Next(context.WithoutCancel(ctx))
				call.Close()
			}
			ended <- err
		}
		r.Respond(Command{}, nil)
	}})
	p := asked(findClass, ctClass)
	p.Roles = []Role{{SOPClass: ctClass, SCP: true}}
	asking, leave := make(chan struct{}), make(chan struct{})
	a, err := (&Dialer{Handle: func(context.Context, *Request) { close(asking); <-leave }}).Dial(t.Context(), address, p)
	if err != nil {
		t.Fatal(err)
	}
	in, _ := a.ContextFor(findClass, "")
	if _, err := a.Call(t.Context(), in, Command{Field: CGetRQ, SOPClass: findClass}, nil); err != nil {
		t.Fatal(err)
	}
	<-asking
	go a.Release(t.Context())
	for range 2 {
		select {
		case err := <-ended:
			if !errors.Is(err, ErrReleased) {
				t.Errorf("the call ends with %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the call does not end")
		}
	}
	close(leave)
	stop()
}

// silent is the handler of a peer that answers nothing as long as the association lasts.
func silent(ctx context.Context, r *Request) {
	r.pass()
	<-ctx.Done()
}

func TestAPeerThatNeverAnswersEndsTheCallAndTheAssociation(t *testing.T) {
	address, _ := serve(t, &Server{Handle: silent})
	a, err := (&Dialer{Options: Options{Answer: 50 * time.Millisecond}}).Dial(t.Context(), address, asked(ctClass))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	for range 2 { // the second waits for the first: one may be under way
		go func() {
			call, err := a.Call(context.Background(), a.Contexts()[0], Command{Field: CStoreRQ, SOPClass: ctClass}, bytes.NewReader(make([]byte, 10)))
			if err == nil {
				_, err = call.Next(context.Background())
				call.Close()
			}
			ended <- err
		}()
	}
	for range 2 {
		select {
		case err := <-ended:
			if !errors.Is(err, ErrUnanswered) {
				t.Errorf("the call ends with %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the call does not end")
		}
	}
	select {
	case <-a.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the association does not end")
	}
}

func TestAReleaseThatIsNotAnsweredIsAnAbort(t *testing.T) {
	address, _ := serve(t, &Server{Options: Options{Pause: 500 * time.Millisecond}, Handle: silent})
	a, err := (&Dialer{Options: Options{ARTIM: 100 * time.Millisecond}}).Dial(t.Context(), address, asked(ctClass))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Call(t.Context(), a.Contexts()[0], Command{Field: CStoreRQ, SOPClass: ctClass}, bytes.NewReader(make([]byte, 10))); err != nil {
		t.Fatal(err)
	}
	released := make(chan error, 1)
	go func() { released <- a.Release(context.Background()) }()
	select {
	case err := <-released:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it does not end")
	}
}

func TestOperationsOverlapAsFarAsTheWindowAllowsAndNotWithoutOne(t *testing.T) {
	for _, c := range []struct {
		window *Window
		want   int64
	}{{nil, 1}, {&Window{3, 1}, 3}, {&Window{0, 1}, 16}} {
		var now, most atomic.Int64
		release := make(chan struct{})
		address, stop := serve(t, &Server{Handle: func(_ context.Context, r *Request) {
			most.Store(max(most.Load(), now.Add(1)))
			<-release
			now.Add(-1)
			r.Respond(Command{}, nil)
		}})
		p := asked(echoClass)
		p.Window = c.window
		a := dial(t, address, p)
		in, _ := a.ContextFor(echoClass, "")
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				call, err := a.Call(t.Context(), in, Command{Field: CEchoRQ}, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer call.Close()
				if m, err := call.Next(t.Context()); err != nil || m.Command.Status != Success {
					t.Error(m, err)
				}
			})
		}
		for deadline := time.Now().Add(5 * time.Second); now.Load() < c.want && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		close(release)
		all.Wait()
		if most.Load() != c.want {
			t.Errorf("window %v: %d operations at a time, want %d", c.window, most.Load(), c.want)
		}
		a.Abort()
		stop()
	}
}

func TestRejectionsSayWhy(t *testing.T) {
	address, _ := serve(t, &Server{Admit: func(ctx context.Context, p Peer, q *Proposal) (context.Context, *Agreement, error) {
		if p.Calling != "TEST" {
			return ctx, nil, errors.Join(RejectCalling, errors.New("who is this?"))
		}
		return admitAll(ctx, p, q)
	}, Limits: Limits{PerAE: 2}})
	p := asked(echoClass)
	p.Calling = "NOBODY"
	_, err := (&Dialer{}).Dial(t.Context(), address, p)
	if r := (*Rejection)(nil); !errors.As(err, &r) || *r != *RejectCalling {
		t.Errorf("an unknown caller: %v", err)
	}
	dial(t, address, asked(echoClass))
	second := dial(t, address, asked(echoClass))
	_, err = (&Dialer{}).Dial(t.Context(), address, asked(echoClass))
	if r := (*Rejection)(nil); !errors.As(err, &r) || *r != *RejectLimit {
		t.Errorf("beyond the limit: %v", err)
	}
	if err := second.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if a, err := (&Dialer{}).Dial(t.Context(), address, asked(echoClass)); err == nil {
			a.Abort()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a released association's place is not given back")
		}
	}
}

func TestAServerThatStopsLetsOperationsEndAndAbortsWhoIsIdle(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	address, stop := serve(t, &Server{Handle: func(_ context.Context, r *Request) {
		close(begun)
		<-release
		r.Respond(Command{}, nil)
	}})
	idle, busy := dial(t, address, asked(echoClass)), dial(t, address, asked(echoClass))
	in, _ := busy.ContextFor(echoClass, "")
	call, err := busy.Call(t.Context(), in, Command{Field: CEchoRQ}, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	go stop()
	<-idle.Done()
	if !errors.Is(idle.Err(), ErrAborted) {
		t.Errorf("the idle association ended with %v", idle.Err())
	}
	close(release)
	if m, err := call.Next(t.Context()); err != nil || m.Command.Status != Success {
		t.Errorf("what was under way: %+v, %v", m, err)
	}
	stop()
}
