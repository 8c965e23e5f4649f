package bench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serving is a site with handlers of the standard library behind it.
func serving(t *testing.T, h http.HandlerFunc) *Site {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &Site{Name: "test", Address: s.Listener.Addr().String(), Root: "/root", Token: "secret"}
}

func ask(t *testing.T, c *conn, q *request) answer {
	t.Helper()
	a, err := c.do(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestARequestArrivesWholeAndItsAnswerIsRead(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	site := serving(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer secret" || !strings.HasPrefix(r.URL.Path, "/root/") {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		switch r.URL.Path {
		case "/root/echo":
			w.Header().Set("Location", "http://x/"+r.Header.Get("X-Name"))
			w.WriteHeader(http.StatusCreated)
			w.Write(body)
		case "/root/chunks":
			for i := 0; i < len(long); i += 30_000 {
				io.WriteString(w, long[i:min(i+30_000, len(long))])
				w.(http.Flusher).Flush()
			}
		case "/root/close":
			w.Header().Set("Connection", "close")
			io.WriteString(w, "last")
		case "/root/none":
			w.WriteHeader(http.StatusNoContent)
		}
	})
	c := &conn{site: site, until: time.Now().Add(time.Minute)}
	defer c.close()
	for range 2 { // each also on a connection that was used before, and the buffer with it
		a := ask(t, c, site.request("POST", "/echo", []string{"X-Name", "me"}, []byte("one "), []byte(long), []byte(" two")))
		if a.Status != 201 || a.Location != "http://x/me" || string(a.Body) != "one "+long+" two" {
			t.Errorf("echo: %d, location %q, %d bytes", a.Status, a.Location, len(a.Body))
		}
		if a = ask(t, c, site.get("/chunks", "*/*")); string(a.Body) != long {
			t.Errorf("chunks: %d bytes of %d", len(a.Body), len(long))
		}
		if a = ask(t, c, site.get("/none", "*/*")); a.Status != 204 || len(a.Body) != 0 {
			t.Errorf("no content: %d, %d bytes", a.Status, len(a.Body))
		}
		if a = ask(t, c, site.get("/close", "*/*")); string(a.Body) != "last" || c.net != nil {
			t.Errorf("close: %q, connection kept: %v", a.Body, c.net != nil)
		}
	}
}

func TestABrokenAnswerIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"not HTTP":              "220 smtp ready\r\n\r\n",
		"no status":             "HTTP/1.1 abc OK\r\n\r\n",
		"a header without name": "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
		"a negative length":     "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"a length beyond all":   "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
		"a body cut short":      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
		"chunks cut short":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
		"nothing":               "",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			n, err := l.Accept()
			if err != nil {
				return
			}
			n.Read(make([]byte, 1000))
			io.WriteString(n, text)
			n.Close()
		}()
		site := &Site{Name: "test", Address: l.Addr().String()}
		c := &conn{site: site, until: time.Now().Add(10 * time.Second)}
		if a, err := c.do(t.Context(), site.get("/", "*/*")); err == nil {
			t.Errorf("%s: taken as %d with %d bytes", name, a.Status, len(a.Body))
		}
		c.close()
		l.Close()
	}
}

func TestAWrongAnswerEndsTheLoad(t *testing.T) {
	var asked atomic.Int64
	site := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 50 {
			io.WriteString(w, "wrong")
			return
		}
		io.WriteString(w, "right")
	})
	q := site.get("/", "*/*")
	wrong := errors.New("wrong")
	run := func(count int) (Sample, error) {
		return load(t.Context(), site, 4, bounds{count: count, time: 10 * time.Second}, func(int) call {
			return call{q, 2, func(a answer) error {
				if !bytes.Equal(a.Body, []byte("right")) {
					return wrong
				}
				return nil
			}}
		})
	}
	if s, err := run(40); err != nil || s.Units != 80 || s.P50 <= 0 || s.P99 < s.P50 {
		t.Errorf("40 requests of 2 units: %+v, %v", s, err)
	}
	if _, err := run(40); !errors.Is(err, wrong) {
		t.Errorf("a wrong answer among them: %v", err)
	}
}

func TestALoadEndsInTime(t *testing.T) {
	site := serving(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	q := site.get("/", "*/*")
	started := time.Now()
	s, err := load(t.Context(), site, 2, bounds{count: 1 << 40, time: 200 * time.Millisecond}, func(int) call {
		return call{q, 1, func(answer) error { return nil }}
	})
	if took := time.Since(started); err != nil || s.Units == 0 || took > 5*time.Second {
		t.Errorf("%+v after %v, %v", s, took, err)
	}
}

func TestALoadThatIsCancelledDoesNotWaitForAnswers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	never := make(chan struct{})
	site := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		select {
		case <-never:
		case <-r.Context().Done():
		}
	})
	defer close(never)
	q := site.get("/", "*/*")
	_, err := load(ctx, site, 1, bounds{count: 1, time: time.Minute}, func(int) call { return call{q, 1, func(answer) error { return nil }} })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
