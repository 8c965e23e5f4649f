package upperlayer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// raw is a connection on which anything can be said.
type raw struct {
	net.Conn
	t *testing.T
}

func connect(t *testing.T, address string) raw {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return raw{c, t}
}

// associated is a raw connection with an association, in whose contexts anything can be said.
func associated(t *testing.T, address string, classes ...string) raw {
	t.Helper()
	c := connect(t, address)
	p := asked(classes...)
	c.Write(p.pdu())
	if k, _ := c.pdu(); k != associateAC {
		t.Fatalf("PDU %d instead of an acceptance", k)
	}
	return c
}

// pdu reads one; 0 at the end of the connection.
func (c raw) pdu() (kind, []byte) {
	c.t.Helper()
	var head [pduHead]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, nil
	}
	b := make([]byte, binary.BigEndian.Uint32(head[2:]))
	io.ReadFull(c, b)
	return kind(head[0]), b
}

// ends says how the server ended it: an A-ABORT's source and reason, and then the connection's end.
func (c raw) aborted() (reason byte, ok bool) {
	c.t.Helper()
	k, b := c.pdu()
	if k != abortPDU || len(b) != 4 || b[2] != byProvider {
		return 0, false
	}
	return b[3], true
}

func head(k byte, size uint32) []byte { return binary.BigEndian.AppendUint32([]byte{k, 0}, size) }

func echoServer(t *testing.T, o Options) string {
	address, _ := serve(t, &Server{Options: o, Handle: func(_ context.Context, r *Request) {
		if r.Data != nil {
			io.Copy(io.Discard, r.Data)
		}
		r.Respond(Command{}, nil)
	}})
	return address
}

func TestWhatIsNoAssociationRequestIsAborted(t *testing.T) {
	address := echoServer(t, Options{})
	short := asked(echoClass)
	lying := short.pdu()
	lying[70+pduHead], lying[71+pduHead] = 0xFF, 0xFF
	for name, b := range map[string][]byte{
		"a PDU of 4 GiB in 6 bytes":       head(1, 0xFFFFFFFF),
		"an HTTP request":                 []byte("GET / HTTP/1.1\r\n\r\n"),
		"a PDU type that is none":         head(0x2A, 4),
		"data before an association":      head(4, 10),
		"a release before an association": shortPDU(releaseRQ, 0, 0, 0),
		"an item that lies":               lying,
	} {
		c := connect(t, address)
		c.Write(b)
		if _, ok := c.aborted(); !ok {
			t.Errorf("%s: not aborted", name)
		}
	}
}

func TestWhatBreaksTheRulesOfAnAssociationIsAbortedWithItsReason(t *testing.T) {
	address := echoServer(t, Options{})
	set := (&Command{Field: CStoreRQ, MessageID: 1, SOPClass: ctClass}).append(nil, true)
	command := appendFragment(nil, 1, true, true, set)
	for name, c := range map[string]struct {
		say    []byte
		reason byte
	}{
		"a P-DATA-TF of 4 GiB":                 {head(4, 0xFFFFFFFF), invalidPDU},
		"a fragment longer than its PDU":       {append(head(4, 8), 0xFF, 0xFF, 0xFF, 0xFF, 1, 3, 0, 0), invalidPDU},
		"a fragment of no length":              {append(head(4, 6), 0, 0, 0, 0, 1, 3), invalidPDU},
		"a P-DATA-TF that ends in its head":    {append(head(4, 3), 0, 0, 0), invalidPDU},
		"a fragment in a context not in force": {appendFragment(nil, 99, true, true, set), invalidPDU},
		"a data set without a command":         {appendFragment(nil, 1, false, true, []byte("x")), invalidPDU},
		"a data set in another context":        {append(bytes.Clone(command), appendFragment(nil, 3, false, true, []byte("x"))...), invalidPDU},
		"a command where its data set is due":  {append(bytes.Clone(command), command...), invalidPDU},
		"a release inside a message":           {append(bytes.Clone(command), shortPDU(releaseRQ, 0, 0, 0)...), unexpectedPDU},
		"a command set that cannot be read":    {appendFragment(nil, 1, true, true, []byte("nonsense")), invalidPDU},
		"a command set without end":            {bytes.Repeat(appendFragment(nil, 1, true, false, make([]byte, 4000)), 20), invalidPDU},
		"a second association request":         {head(1, 0), unexpectedPDU},
		"a PDU type that is none":              {head(0x2A, 4), unrecognised},
		"an abort of the wrong size":           {head(7, 5), invalidPDU},
		"a response to a release never asked":  {shortPDU(releaseRP, 0, 0, 0), unexpectedPDU},
	} {
		conn := associated(t, address, echoClass, ctClass)
		conn.Write(c.say)
		if reason, ok := conn.aborted(); !ok || reason != c.reason {
			t.Errorf("%s: aborted %v, reason %d, want %d", name, ok, reason, c.reason)
		}
	}
	// The others are unharmed.
	if got := ask(t, dial(t, address, asked(echoClass)), echoClass, Command{Field: CEchoRQ}, nil); got.Status != Success {
		t.Error(got)
	}
}

func TestAPeerThatDiesInsideAMessageEndsItsHandler(t *testing.T) {
	ended := make(chan error, 1)
	address, _ := serve(t, &Server{Handle: func(ctx context.Context, r *Request) {
		_, err := io.Copy(io.Discard, r.Data)
		ended <- err
	}})
	for name, rest := range map[string][]byte{"between PDUs": nil, "inside a PDU": append(head(4, 1000), 0, 0, 1, 0, 1)} {
		c := associated(t, address, ctClass)
		set := (&Command{Field: CStoreRQ, MessageID: 1, SOPClass: ctClass}).append(nil, true)
		c.Write(appendFragment(nil, 1, true, true, set))
		c.Write(append(appendFragment(nil, 1, false, false, make([]byte, 5000)), rest...))
		c.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("%s: the data set ended with %v", name, err)
		}
	}
}

func TestNobodyHoldsAConnectionWithoutProgress(t *testing.T) {
	o := Options{ARTIM: 300 * time.Millisecond, Idle: 300 * time.Millisecond, Pause: 300 * time.Millisecond, Window: 300 * time.Millisecond, Rate: 10_000}
	address := echoServer(t, o)
	drip := func(c raw, b []byte) {
		for i := 0; ; i = (i + 1) % len(b) {
			if _, err := c.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	set := (&Command{Field: CStoreRQ, MessageID: 1, SOPClass: ctClass}).append(nil, true)
	for name, begin := range map[string]func() raw{
		"says nothing": func() raw { return connect(t, address) },
		"requests a byte at a time": func() raw {
			c := connect(t, address)
			go drip(c, append(head(1, 60000), make([]byte, 60000)...))
			return c
		},
		"associates and is silent": func() raw { return associated(t, address, ctClass) },
		"stops inside a message":   func() raw { c := associated(t, address, ctClass); c.Write(head(4, 500)); return c },
		"sends a message a byte at a time": func() raw {
			c := associated(t, address, ctClass)
			go drip(c, append(head(4, 60000), make([]byte, 60000)...))
			return c
		},
		"sends a data set in tiny PDUs": func() raw {
			c := associated(t, address, ctClass)
			c.Write(appendFragment(nil, 1, true, true, set))
			go func() {
				for {
					if _, err := c.Write(appendFragment(nil, 1, false, false, []byte{0})); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			return c
		},
	} {
		c := begin()
		started := time.Now()
		io.Copy(io.Discard, c)
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("a peer that %s is kept for %v", name, took)
		}
	}
}

func TestFiveThousandAssociationsBeyondTheLimitAreRejectedAndTheOthersWorkOn(t *testing.T) {
	const many = 5000
	address, _ := serve(t, &Server{Limits: Limits{Associations: 4}, Handle: func(_ context.Context, r *Request) { r.Respond(Command{}, nil) }})
	var inside []*Association
	for range 4 {
		inside = append(inside, dial(t, address, asked(echoClass)))
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	rejected := 0
	p := asked(echoClass)
	request := p.pdu()
	turns := make(chan struct{}, 500) // files of this process
	for range many {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			c := connect(t, address)
			defer c.Close()
			c.Write(request)
			k, b := c.pdu()
			mu.Lock()
			defer mu.Unlock()
			if k == associateRJ && b[1] == 2 && b[2] == RejectLimit.Source && b[3] == RejectLimit.Reason {
				rejected++
			}
		})
	}
	all.Wait()
	if rejected != many {
		t.Errorf("%d of %d were rejected for the limit", rejected, many)
	}
	for _, a := range inside {
		if got := ask(t, a, echoClass, Command{Field: CEchoRQ}, nil); got.Status != Success {
			t.Error(got)
		}
	}
}

func TestClaimsOfLargePDUsCostNoMemory(t *testing.T) {
	address := echoServer(t, Options{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 200 {
		c := connect(t, address)
		c.Write(append(head(1, maxAssociate), 0))
	}
	time.Sleep(100 * time.Millisecond)
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 20<<20 {
		t.Errorf("200 claims of a megabyte take %d MB", grown>>20)
	}
}

func FuzzReader(f *testing.F) {
	set := (&Command{Field: CStoreRQ, MessageID: 1, SOPClass: ctClass}).append(nil, true)
	f.Add(append(appendFragment(nil, 1, true, true, set), appendFragment(nil, 1, false, true, []byte("data"))...))
	f.Add(shortPDU(releaseRQ, 0, 0, 0))
	f.Add(head(4, 0xFFFFFFFF))
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		go func() {
			theirs.Write(b)
			theirs.Close()
		}()
		go io.Copy(io.Discard, theirs)
		l := newEngine(Options{}).link(ours, false)
		l.state = established
		a := newAssociation(context.Background(), l, Peer{}, []Context{{ID: 1, Abstract: ctClass}}, UserInformation{}, func(_ context.Context, r *Request) {
			if r.Data != nil {
				io.Copy(io.Discard, r.Data)
			}
			r.Respond(Command{}, nil)
		}, nil)
		a.windows(1, 1)
		a.run()
	})
}
