package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"concord/hub"
)

const (
	defaultParallel = 4
	defaultRetries  = 6
	firstPause      = 500 * time.Millisecond
	longestPause    = 30 * time.Second
	longestAsked    = 5 * time.Minute // how long a Retry-After is obeyed at most
	answerTimeout   = 5 * time.Minute
	largestAnswer   = 64 << 20
	expectFrom      = 1 << 20
)

// client talks to one hub as one member.
type client struct {
	http    *http.Client
	base    string
	token   string
	retries int
	stop    <-chan struct{}
	journal *journal
	moved   func(int64) // hears of file bytes sent, negative when they must be sent again
	sleep   func(ctx context.Context, d time.Duration)
}

func newClient(o Options, base string) *client {
	c := &client{http: o.Client, base: base, token: o.Token, retries: o.Retries, stop: o.Stop, sleep: o.sleep, moved: func(int64) {}}
	if c.http == nil {
		c.http = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: o.Parallel, IdleConnTimeout: time.Minute,
			ResponseHeaderTimeout: answerTimeout, ExpectContinueTimeout: time.Second, ForceAttemptHTTP2: true,
			WriteBufferSize: 256 << 10,
		}}
	}
	if c.retries <= 0 {
		c.retries = defaultRetries
	}
	if c.sleep == nil {
		c.sleep = c.reallySleep
	}
	return c
}

// request is one exchange, which do may repeat.
type request struct {
	method, path  string
	media, accept string
	prefer        string
	size          int64
	open          func() io.ReadCloser
	// repeatable says that sending it twice has one effect. What is not is repeated only when the hub
	// cannot have acted on it: it refused for now, or never had the whole body.
	repeatable bool
	// local tells of a fault on this side while the body was read; nil when there can be none.
	local func() error
}

// answer is the hub's response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

var errStopped = errors.New("stopped between two attempts")

// do sends q until the hub answers with anything but "later", at most c.retries times more after the
// first. An error means that the run should end: no credential, or a hub that cannot be reached. When
// the connection breaks again and again, or once if q must not be repeated, the answer has status 0.
func (c *client) do(ctx context.Context, q request) (*answer, error) {
	for n := 1; ; n++ {
		var went atomic.Int64
		ans, err := c.once(ctx, q, &went)
		switch {
		case err == nil && ans.status == http.StatusUnauthorized:
			return nil, &hub.Error{Kind: hub.Unauthenticated, Path: c.base, Msg: "the hub does not accept the token (" + ans.line() + ")",
				Hint: "make one with `concord token --member ID`"}
		case err == nil && !passing(ans.status):
			return ans, nil
		case ctx.Err() != nil:
			return nil, errStopped
		case q.local != nil && q.local() != nil:
			return nil, q.local()
		case err != nil && !q.repeatable && went.Load() >= q.size:
			return &answer{body: []byte("the connection broke before the answer: it may be stored or not; " + err.Error())}, nil
		case c.stopping():
			return nil, errStopped
		case n <= c.retries:
			c.sleep(ctx, pauseAfter(ans, n))
		case err == nil:
			return nil, &hub.Error{Kind: hub.Unavailable, Path: c.base, Msg: fmt.Sprintf("after %d attempts still %s", n, ans.line()), Hint: goOn}
		case unreachable(err):
			return nil, &hub.Error{Kind: hub.Unavailable, Path: c.base, Msg: fmt.Sprintf("no hub after %d attempts", n), Err: err, Hint: goOn}
		default:
			return &answer{body: fmt.Appendf(nil, "no answer after %d attempts; %v", n, err)}, nil
		}
	}
}

const goOn = "run the same command again to go on from here"

// unreachable: no connection came about, so no other request will do better.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// passing: the hub, or a proxy before it, says "later".
func passing(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusBadGateway ||
		status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

func (c *client) once(ctx context.Context, q request, went *atomic.Int64) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, &counted{q.open(), went})
	if err != nil {
		return nil, err
	}
	req.ContentLength = q.size
	req.Header.Set("Content-Type", q.media)
	req.Header.Set("Accept", q.accept)
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("User-Agent", "concord-upload")
	if q.prefer != "" {
		req.Header.Set("Prefer", q.prefer)
	}
	if q.size >= expectFrom {
		// The hub may say 401 or 503 before it takes the body.
		req.Header.Set("Expect", "100-continue")
	}
	resp, err := c.noRedirect().Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // method and URL are told elsewhere
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &answer{resp.StatusCode, resp.Header, body}, nil
}

// counted tells how much of a body the transport took.
type counted struct {
	io.ReadCloser
	went *atomic.Int64
}

func (r *counted) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.went.Add(int64(n))
	return n, err
}

// noRedirect is the client that hands 3xx back: a token must not wander to another host.
func (c *client) noRedirect() *http.Client {
	h := *c.http
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

// pauseAfter is how long to wait before attempt n+1: what the hub asks for, else twice as long each time.
func pauseAfter(ans *answer, n int) time.Duration {
	if ans != nil {
		if d, ok := retryAfter(ans.header.Get("Retry-After"), time.Now()); ok {
			return min(d, longestAsked)
		}
	}
	d := min(firstPause<<min(n-1, 10), longestPause)
	return d/2 + rand.N(d)
}

// retryAfter reads the header's two forms (RFC 9110 section 10.2.3).
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// pause waits between rounds.
func (c *client) pause(ctx context.Context, n int) { c.sleep(ctx, pauseAfter(nil, n)) }

func (c *client) stopping() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

func (c *client) reallySleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.stop:
	case <-ctx.Done():
	}
}

// code is the status as the closing table shows it.
func (a *answer) code() string {
	if a.status == 0 {
		return "unknown"
	}
	return strconv.Itoa(a.status)
}

// line is the status with the reason, for messages.
func (a *answer) line() string {
	if r := a.reason(); r != "" {
		return a.code() + " " + r
	}
	return a.code() + " " + http.StatusText(a.status)
}

// refusal is the outcome of a file whose request got this answer.
func (a *answer) refusal() outcome { return refused(a.code(), a.reason()) }

// reason finds the hub's words: a FHIR OperationOutcome, the text of another answer's first line, or nothing.
func (a *answer) reason() string {
	if a.status >= 300 && a.status < 400 {
		return "moved to " + a.header.Get("Location")
	}
	if r := outcomeReason(a.body); r != "" {
		return r
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(a.body)), "\n")
	if first == "" || first[0] == '<' || first[0] == '{' {
		return http.StatusText(a.status)
	}
	return first
}

// outcomeReason reads the first error of an OperationOutcome; "" when data is none.
func outcomeReason(data []byte) string {
	var oo struct {
		ResourceType string
		Issue        []struct {
			Severity, Code, Diagnostics string
			Details                     struct{ Text string }
			Expression                  []string
		}
	}
	if json.Unmarshal(data, &oo) != nil || oo.ResourceType != "OperationOutcome" {
		return ""
	}
	for _, i := range oo.Issue {
		if i.Severity != "error" && i.Severity != "fatal" {
			continue
		}
		text := i.Diagnostics
		if text == "" {
			text = i.Details.Text
		}
		if text == "" {
			text = i.Code
		}
		if len(i.Expression) > 0 && !strings.HasPrefix(text, i.Expression[0]) {
			text = i.Expression[0] + ": " + text
		}
		return text
	}
	return ""
}
