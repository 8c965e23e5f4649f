package hl7v2

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/messages"
	"concord/internal/hl7"
)

// shelf is an intake that keeps messages in memory, and answers as it is told.
type shelf struct {
	mu    sync.Mutex
	kept  map[string]messages.Message
	taken int
	fails error
	slow  chan struct{} // where not nil, Take waits for it
}

func (s *shelf) Take(_ context.Context, who access.Caller, in messages.Incoming) (messages.Outcome, error) {
	if s.slow != nil {
		<-s.slow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return messages.Outcome{}, s.fails
	}
	id := messages.ID(who.Member, in.Format, in.Sender, in.Control)
	if m, ok := s.kept[id]; ok {
		return messages.Outcome{Message: m, Again: true}, nil
	}
	m := messages.Message{Member: who.Member, Type: in.Type, Sender: in.Sender, Control: in.Control, Charset: in.Charset, Raw: in.Raw}
	m.Status = messages.Mapped
	switch {
	case in.Refused != nil:
		m.Status, m.Faults = messages.Refused, messages.FaultsOf(in.Refused, true)
	case strings.HasPrefix(in.Type, "DEAD"):
		m.Status = messages.Dead
		m.Faults = []messages.Fault{{Kind: hub.Invalid.String(), Place: "OBX[2]-5", Msg: "this is no number", Fatal: true}}
	}
	m.Answer = in.Answer(messages.Verdict{Status: m.Status, Faults: m.Faults})
	if s.kept == nil {
		s.kept = map[string]messages.Message{}
	}
	s.kept[id] = m
	s.taken++
	return messages.Outcome{Message: m}, nil
}

// consortium is two members: the county sends from 127.0.0.1, the clinic by certificate.
type consortium struct {
	disabled    bool
	certificate string
}

func (c *consortium) Active(id string, _ time.Time) (access.Member, error) {
	if c.disabled {
		return access.Member{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the credential's member is disabled"}
	}
	return access.Member{ID: id}, nil
}

func (c *consortium) ByCertificate(fingerprint string) (access.Member, bool) {
	return access.Member{ID: "clinic"}, fingerprint == c.certificate
}

func (c *consortium) BySender(application, _ string, from netip.Addr, trusted []netip.Prefix) []access.Member {
	switch {
	case !c.SendsFrom(from, trusted):
		return nil
	case application == "LIS":
		return []access.Member{{ID: "county"}}
	case application == "TWIN":
		return []access.Member{{ID: "county"}, {ID: "clinic"}}
	}
	return nil
}

func (c *consortium) SendsFrom(from netip.Addr, trusted []netip.Prefix) bool {
	return len(trusted) > 0 && trusted[0].Contains(from)
}

// log counts what is told of, and takes notes.
type log struct {
	mu     sync.Mutex
	events []string
	denied int
}

func (l *log) note(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, s)
}

func (l *log) Opened()            { l.note("opened") }
func (l *log) Closed(why string)  { l.note("closed " + why) }
func (l *log) Refused(why string) { l.note("refused " + why) }
func (l *log) Answered(via string, code hl7.Code, _ int, _ time.Duration) {
	l.note(via + " " + string(code))
}

func (l *log) Note(_ context.Context, e audit.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.denied += e.Count
	return nil
}

// within waits until something was told.
func (l *log) within(t *testing.T, want string) {
	t.Helper()
	var told []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		l.mu.Lock()
		told = slices.Clone(l.events)
		l.mu.Unlock()
		if slices.Contains(told, want) {
			return
		}
	}
	t.Errorf("told %v, want %s", told, want)
}

type world struct {
	*Server
	shelf   *shelf
	members *consortium
	log     *log
	address string
	stop    context.CancelFunc
	ended   chan error
}

// serve runs a Server on a port of loopback until the test ends.
func serve(t *testing.T, c Config, s *shelf) *world {
	t.Helper()
	w := &world{shelf: s, members: &consortium{}, log: &log{}, ended: make(chan error, 1)}
	if c.Trusted == nil {
		c.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	w.Server = New(c, Deps{Intake: s, Members: w.members, Trail: w.log, Observe: w.log})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go func() { w.ended <- w.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
		w.ended <- nil
	})
	return w
}

// sender is the other end of a connection.
type sender struct {
	net.Conn
	frames *hl7.Frames
}

func dial(t *testing.T, address string) *sender {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &sender{c, hl7.NewFrames(c, 1<<20)}
}

func (s *sender) send(t *testing.T, raw string) {
	t.Helper()
	if _, err := s.Write(hl7.AppendFrame(nil, []byte(raw))); err != nil {
		t.Fatal(err)
	}
}

// answer reads one answer.
func (s *sender) answer(t *testing.T) *hl7.Message {
	t.Helper()
	raw, err := s.frames.Next()
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	m, err := hl7.Parse(raw, hl7.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ended waits for the connection's end and fails if something else comes.
func (s *sender) end(t *testing.T) {
	t.Helper()
	if raw, err := s.frames.Next(); err == nil {
		t.Fatalf("another answer: %q", raw)
	}
}

// oru is a message with a control id; fields 15 and 16 of MSH are accept and reply.
func oru(control, accept, reply string) string {
	return "MSH|^~\\&|LIS|LAB|HUB|X|20260102030405||ORU^R01^ORU_R01|" + control + "|P|2.5.1|||" + accept + "|" + reply + "\rPID|1||7\rOBX|1|NM|x||5\r"
}
