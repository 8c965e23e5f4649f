package webbody_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"concord/internal/webbody"
)

// paced answers with how the reading of the body ended.
func paced(t *testing.T, p webbody.Pace, then func(*http.Request)) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done := webbody.Paced(w, r, p)
		defer done()
		n, err := io.Copy(io.Discard, r.Body)
		if then != nil {
			then(r)
		}
		if ctxErr := r.Context().Err(); err == nil && ctxErr != nil {
			err = ctxErr
		}
		fmt.Fprintf(w, "%d bytes, %v", n, err)
	}))
	t.Cleanup(s.Close)
	return s
}

// drip sends one byte every pause and returns the answer.
func drip(t *testing.T, s *httptest.Server, bytes int, pause time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", bytes)
	go func() {
		for range bytes {
			if _, err := conn.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}()
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

func TestABodyThatPausesOrDripsIsCutAndASteadyOneIsNot(t *testing.T) {
	slow := webbody.Pace{Idle: 200 * time.Millisecond, Rate: 100, Window: 400 * time.Millisecond}
	s := paced(t, slow, nil)
	if got := drip(t, s, 100, 5*time.Millisecond); got != "100 bytes, <nil>" {
		t.Errorf("200 bytes a second: %s", got)
	}
	if got := drip(t, s, 100, 300*time.Millisecond); got == "100 bytes, <nil>" || got[:8] != "1 bytes," {
		t.Errorf("a pause longer than Idle: %s", got)
	}
	started := time.Now()
	if got := drip(t, s, 1000, 50*time.Millisecond); got == "1000 bytes, <nil>" || time.Since(started) > 2*time.Second {
		t.Errorf("20 bytes a second: %s after %v", got, time.Since(started))
	}
}

func TestAnAnswerThatTakesLongerThanTheBodysDeadlineIsNotCancelled(t *testing.T) {
	s := paced(t, webbody.Pace{Idle: 100 * time.Millisecond}, func(*http.Request) { time.Sleep(400 * time.Millisecond) })
	if got := drip(t, s, 3, time.Millisecond); got != "3 bytes, <nil>" {
		t.Errorf("slow handler: %s", got)
	}
}

func TestASlowHandlerIsNotTheSendersFault(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done := webbody.Paced(w, r, webbody.Pace{Idle: 100 * time.Millisecond, Rate: 1 << 20, Window: 200 * time.Millisecond})
		defer done()
		buf, total := make([]byte, 256<<10), 0
		for {
			n, err := io.ReadFull(r.Body, buf)
			total += n
			if err != nil {
				break
			}
			time.Sleep(150 * time.Millisecond) // longer than Idle
		}
		fmt.Fprint(w, total)
	}))
	defer s.Close()
	res, err := http.Post(s.URL, "", io.LimitReader(zeros{}, 2<<20))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	if string(body) != fmt.Sprint(2<<20) {
		t.Fatalf("%s bytes arrived", body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
