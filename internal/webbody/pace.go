package webbody

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"concord/hub"
)

// Pace is how slowly a body may arrive. Only the time spent waiting for the sender counts, so that an upload of many
// gigabytes may take hours and a store that is slow to take it is no fault of the sender.
type Pace struct {
	// Idle is the longest wait for a next byte.
	Idle time.Duration
	// Rate is the least average over every Window of waiting, in bytes a second; it keeps senders of one byte per
	// almost-Idle out.
	Rate   int64
	Window time.Duration
}

// The default pace lets through what a village line sends on a bad day.
const (
	defaultIdle   = 30 * time.Second
	defaultRate   = 512
	defaultWindow = 20 * time.Second
)

// Paced makes r's body obey p (zero fields mean the defaults: 30 s, 512 bytes/s over 20 s), by read deadlines on the
// connection that are renewed while bytes flow. The func it returns is to be called when the handler is done: it
// bounds what the server then spends on a rest that nobody read.
func Paced(w http.ResponseWriter, r *http.Request, p Pace) (done func()) {
	if r.Body == nil || r.Body == http.NoBody {
		return func() {}
	}
	if p.Idle == 0 {
		p.Idle = defaultIdle
	}
	if p.Rate == 0 {
		p.Rate = defaultRate
	}
	if p.Window == 0 {
		p.Window = defaultWindow
	}
	b := &paced{ReadCloser: r.Body, pace: p, conn: http.NewResponseController(w)}
	r.Body = b
	return b.finish
}

type paced struct {
	io.ReadCloser
	pace Pace
	conn *http.ResponseController

	mu      sync.Mutex // net/http allows Read in another goroutine than the handler's
	renewed time.Time  // when the deadline was set last
	waited  time.Duration
	got     int64 // bytes in this window
	ended   bool
}

func (b *paced) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	start := time.Now()
	if start.Sub(b.renewed) > b.pace.Idle/16 { // setting a timer for every small read would cost more than the read
		b.conn.SetReadDeadline(start.Add(b.pace.Idle)) // not supported only by test recorders
		b.renewed = start
	}
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(start)
	b.got += int64(n)
	switch {
	case err == io.EOF:
		// The server now watches the connection for its end; a deadline left behind would look like one.
		b.ended = true
		b.conn.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = b.tooSlow()
	case err == nil && b.waited >= b.pace.Window:
		if b.got < int64(b.waited.Seconds()*float64(b.pace.Rate)) {
			return n, b.tooSlow()
		}
		b.waited, b.got = 0, 0
	}
	return n, err
}

func (b *paced) tooSlow() error {
	return &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("the body arrived too slowly: a pause of %v, or fewer than %d bytes a second", b.pace.Idle, b.pace.Rate), Hint: "send it again"}
}

func (b *paced) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.conn.SetReadDeadline(time.Now().Add(time.Second))
	}
}
