package hl7v2

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/hl7"
)

func TestAMessageIsAnsweredWhenItIsKeptAndAgainAsBefore(t *testing.T) {
	w := serve(t, Config{}, &shelf{})
	s := dial(t, w.address)
	s.send(t, oru("C1", "", ""))
	first := s.answer(t)
	if first.Text("MSA-1") != "AA" || first.Text("MSA-2") != "C1" || first.Text("MSH-5") != "LIS" || first.Text("MSH-3") != "HUB" {
		t.Fatalf("answered %v", first.Segments)
	}
	s.send(t, oru("C1", "", ""))
	if again := s.answer(t); again.Text("MSH-10") != first.Text("MSH-10") || w.shelf.taken != 1 {
		t.Errorf("repeated: answer %s after %s, %d messages taken", again.Text("MSH-10"), first.Text("MSH-10"), w.shelf.taken)
	}
	for _, m := range w.shelf.kept {
		if m.Member != "county" || m.Type != "ORU^R01" || m.Sender != "LIS|LAB" || string(m.Raw) != oru("C1", "", "") {
			t.Errorf("kept as %+v", m)
		}
	}
}

func TestAnswersComeInTheOrderOfMessagesSentAtOnce(t *testing.T) {
	w := serve(t, Config{}, &shelf{})
	s := dial(t, w.address)
	for i := range 50 {
		s.send(t, oru(strconv.Itoa(i), "", ""))
	}
	for i := range 50 {
		if got := s.answer(t).Text("MSA-2"); got != strconv.Itoa(i) {
			t.Fatalf("answer %d is to %s", i, got)
		}
	}
}

func TestAcknowledgementIsAsTheSenderAsksFor(t *testing.T) {
	dead := func(s string) string { return strings.ReplaceAll(s, "ORU^R01^ORU_R01", "DEAD^R01^ORU_R01") }
	for name, c := range map[string]struct{ sent, want string }{
		"original":                          {oru("1", "", ""), "AA"},
		"original, cannot be mapped":        {dead(oru("2", "", "")), "AE"},
		"original, another version":         {strings.Replace(oru("3", "", ""), "|2.5.1|", "|3.0|", 1), "AR"},
		"commit alone":                      {oru("4", "AL", "NE"), "CA"},
		"commit alone, cannot be mapped":    {dead(oru("5", "AL", "NE")), "CA"},
		"application alone":                 {oru("6", "NE", "AL"), "AA"},
		"both":                              {oru("7", "AL", "AL"), "CA AA"},
		"both, cannot be mapped":            {dead(oru("8", "AL", "AL")), "CA AE"},
		"both, refused":                     {strings.Replace(oru("9", "AL", "AL"), "|2.5.1|", "|3.0|", 1), "CR"},
		"none":                              {oru("10", "NE", "NE"), ""},
		"errors only, and there is none":    {oru("11", "ER", "ER"), ""},
		"errors only, and there is one":     {dead(oru("12", "ER", "ER")), "AE"},
		"success only, and it is":           {oru("13", "SU", "SU"), "CA AA"},
		"application on error, refused":     {strings.Replace(oru("14", "", "ER"), "|2.5.1|", "|3.0|", 1), "AR"},
		"words that are no conditions":      {oru("19", " EVN", "A01"), "AA"},
		"an acknowledgement":                {strings.Replace(oru("15", "", ""), "ORU^R01^ORU_R01", "ACK", 1), ""},
		"no type":                           {strings.Replace(oru("16", "", ""), "ORU^R01^ORU_R01", "", 1), "AR"},
		"two components that are delimiter": {"MSH|^^\\&|LIS\r", "AR"},
		"not a member's":                    {strings.Replace(oru("17", "", ""), "|LIS|", "|OTHER|", 1), "AR"},
		"two members'":                      {strings.Replace(oru("18", "", ""), "|LIS|", "|TWIN|", 1), "AR"},
	} {
		w := serve(t, Config{}, &shelf{})
		s := dial(t, w.address)
		s.send(t, c.sent)
		s.send(t, oru("last", "", "")) // what comes before its answer is the answer to the first
		var got []string
		for {
			a := s.answer(t)
			if a.Text("MSA-2") == "last" {
				break
			}
			got = append(got, a.Text("MSA-1"))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAFaultIsNamedByItsPlace(t *testing.T) {
	w := serve(t, Config{}, &shelf{})
	s := dial(t, w.address)
	s.send(t, strings.ReplaceAll(oru("1", "", ""), "ORU^R01^ORU_R01", "DEAD^R01"))
	a := s.answer(t)
	if a.First("ERR").Raw(2) != "OBX^2^5^1" || a.Text("ERR-4") != "E" || a.Text("ERR-8") != "this is no number" {
		t.Errorf("ERR is %q %q %q", a.First("ERR").Raw(2), a.Text("ERR-4"), a.Text("ERR-8"))
	}
}

func TestWhatTheHubCannotDoNowMayBeSentAgain(t *testing.T) {
	shelf := &shelf{fails: &hub.Error{Kind: hub.Unavailable, Msg: "the store does not answer", Retry: time.Second}}
	w := serve(t, Config{}, shelf)
	s := dial(t, w.address)
	s.send(t, oru("1", "", ""))
	if a := s.answer(t); a.Text("MSA-1") != "AR" || !strings.Contains(a.Text("ERR-8"), "send it again") {
		t.Errorf("answered %s %q", a.Text("MSA-1"), a.Text("ERR-8"))
	}
	s.send(t, oru("1", "AL", "AL"))
	if a := s.answer(t); a.Text("MSA-1") != "CE" {
		t.Errorf("in enhanced mode answered %s", a.Text("MSA-1"))
	}
	shelf.mu.Lock()
	shelf.fails = &hub.Error{Kind: hub.Internal, Msg: "secret of the hub"}
	shelf.mu.Unlock()
	s.send(t, oru("1", "", ""))
	if a := s.answer(t); a.Text("MSA-1") != "AR" || strings.Contains(a.Text("ERR-8"), "secret") {
		t.Errorf("a fault of the hub's is answered %q", a.Text("ERR-8"))
	}
}

func TestABatchIsAnsweredWithABatch(t *testing.T) {
	w := serve(t, Config{}, &shelf{})
	s := dial(t, w.address)
	s.send(t, "BHS|^~\\&|LIS|LAB|HUB|X|||||B1\r"+oru("1", "", "")+oru("2", "", "")+"BTS|2\r")
	raw, err := s.frames.Next()
	if err != nil {
		t.Fatal(err)
	}
	b, err := hl7.Split(raw, 10)
	if err != nil || len(b.Messages) != 2 || !b.IsBatch() || len(b.Warnings) != 0 || w.shelf.taken != 2 {
		t.Errorf("%q, %v, %d taken", raw, err, w.shelf.taken)
	}
}

func TestStrangersAreNotListenedTo(t *testing.T) {
	w := serve(t, Config{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, &shelf{})
	s := dial(t, w.address)
	s.Write(hl7.AppendFrame(nil, []byte(oru("1", "", ""))))
	s.end(t)
	w.log.within(t, "refused stranger")
	if w.log.denied != 1 || w.shelf.taken != 0 {
		t.Errorf("%d denied, %d taken", w.log.denied, w.shelf.taken)
	}
}

func TestADisabledMemberIsRefusedOnAnOpenConnection(t *testing.T) {
	w := serve(t, Config{}, &shelf{})
	s := dial(t, w.address)
	s.send(t, oru("1", "", ""))
	s.answer(t)
	w.members.disabled = true
	s.send(t, oru("2", "", ""))
	if a := s.answer(t); a.Text("MSA-1") != "AR" || w.shelf.taken != 1 {
		t.Errorf("answered %s", a.Text("MSA-1"))
	}
}

func TestHostilePeersAreCut(t *testing.T) {
	config := Config{Limits: Limits{Message: 1 << 20, Pause: 300 * time.Millisecond, Idle: 300 * time.Millisecond}}
	for name, c := range map[string]struct {
		do     func(s *sender)
		answer string
		end    string
	}{
		"1 GB without an end": {func(s *sender) {
			s.Write([]byte("\x0b" + oru("1", "", "") + "OBX|2|TX|||"))
			s.Write([]byte(strings.Repeat("x", 2<<20)))
		}, "AR", EndTooLarge},
		"half a frame and goodbye": {func(s *sender) { s.Write([]byte("\x0bMSH|^~\\&|LIS")); s.Close() }, "", EndBroken},
		"half a frame and silence": {func(s *sender) { s.Write([]byte("\x0bMSH|^~\\&|LIS")) }, "", EndSlow},
		"a byte now and then": {func(s *sender) {
			for _, b := range []byte("\x0bMSH|^~\\&|LIS|LAB|") {
				if _, err := s.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(30 * time.Millisecond)
			}
		}, "", EndSlow},
		"silence":   {func(*sender) {}, "", EndIdle},
		"no frames": {func(s *sender) { s.Write([]byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", 1000))) }, "", EndNoise},
		"goodbye":   {func(s *sender) { s.Close() }, "", EndClosed},
		"wrong delimiters": {func(s *sender) {
			s.send(t, "MSH||||||\rPID|1")
			time.Sleep(50 * time.Millisecond)
			s.Conn.(interface{ CloseWrite() error }).CloseWrite()
		}, "AR", EndClosed},
		"zeros in a frame": {func(s *sender) {
			s.send(t, strings.Repeat("\x00", 1000))
			s.Conn.(interface{ CloseWrite() error }).CloseWrite()
		}, "AR", EndClosed},
		"answers never taken": {func(s *sender) { s.send(t, oru("1", "", "")); s.Conn.(interface{ CloseWrite() error }).CloseWrite() }, "AA", EndClosed},
	} {
		t.Log(name)
		w := serve(t, config, &shelf{})
		s := dial(t, w.address)
		go c.do(s)
		if c.answer != "" {
			if a := s.answer(t); a.Text("MSA-1") != c.answer {
				t.Errorf("%s: answered %s, want %s", name, a.Text("MSA-1"), c.answer)
			}
		}
		w.log.within(t, "closed "+c.end)
		if n := w.shelf.taken; n > 1 {
			t.Errorf("%s: %d taken", name, n)
		}
	}
}

func TestLimitsHoldOverAllConnections(t *testing.T) {
	w := serve(t, Config{Limits: Limits{PerAddress: 2, Message: 1 << 20, Memory: 1 << 20}}, &shelf{})
	one, two := dial(t, w.address), dial(t, w.address)
	for i, s := range []*sender{one, two} {
		s.send(t, oru(strconv.Itoa(i), "", ""))
		s.answer(t)
	}
	dial(t, w.address).end(t)
	w.log.within(t, "refused crowded")
	one.Write([]byte("\x0b" + oru("3", "", "") + strings.Repeat("x", 800<<10)))
	time.Sleep(50 * time.Millisecond)
	two.Write([]byte("\x0b" + oru("4", "", "") + strings.Repeat("x", 800<<10)))
	if a := two.answer(t); a.Text("MSA-1") != "AR" {
		t.Errorf("beyond the memory: %s", a.Text("MSA-1"))
	}
	one.Write([]byte("\x1c\r"))
	if a := one.answer(t); a.Text("MSA-1") != "AA" {
		t.Errorf("within the memory: %s", a.Text("MSA-1"))
	}
}

func TestAStoppingHubAnswersWhatIsUnderWay(t *testing.T) {
	shelf := &shelf{slow: make(chan struct{})}
	w := serve(t, Config{}, shelf)
	busy, idle := dial(t, w.address), dial(t, w.address)
	busy.send(t, oru("1", "", ""))
	w.log.within(t, "opened")
	time.Sleep(50 * time.Millisecond)
	w.stop()
	idle.end(t)
	close(shelf.slow)
	if a := busy.answer(t); a.Text("MSA-1") != "AA" {
		t.Errorf("answered %s", a.Text("MSA-1"))
	}
	busy.end(t)
}

func TestACertificateSpeaksForItsMemberWhateverTheHeaderSays(t *testing.T) {
	cert, leaf := certificate(t)
	w := serve(t, Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, &shelf{})
	w.members.certificate = access.Fingerprint(leaf)
	for name, c := range map[string]struct {
		certificates []tls.Certificate
		taken        int
	}{"its own": {[]tls.Certificate{cert}, 1}, "none": {nil, 1}} {
		conn, err := tls.Dial("tcp", w.address, &tls.Config{InsecureSkipVerify: true, Certificates: c.certificates})
		if err != nil {
			t.Fatal(err)
		}
		s := &sender{conn, hl7.NewFrames(conn, 1<<20)}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		conn.Write(hl7.AppendFrame(nil, []byte(strings.Replace(oru("1", "", ""), "|LIS|", "|ANY|", 1))))
		if name == "none" {
			s.end(t)
		} else if a := s.answer(t); a.Text("MSA-1") != "AA" {
			t.Errorf("%s: %s", name, a.Text("MSA-1"))
		}
		conn.Close()
	}
	if w.shelf.taken != 1 {
		t.Errorf("%d taken", w.shelf.taken)
	}
	for _, m := range w.shelf.kept {
		if m.Member != "clinic" {
			t.Errorf("the message is %s's", m.Member)
		}
	}
}

func certificate(t *testing.T) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"hub"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, leaf
}

func TestAnotherVersionIsToldAsThat(t *testing.T) {
	w := serve(t, Config{}, &shelf{})
	s := dial(t, w.address)
	s.send(t, strings.Replace(oru("1", "", ""), "|2.5.1|", "|3.0|", 1))
	if a := s.answer(t); a.Text("ERR-2.1") != "MSH" || a.Text("ERR-3.1") != "203" {
		t.Errorf("told as %s at %s", a.Text("ERR-3"), a.Text("ERR-2"))
	}
}
