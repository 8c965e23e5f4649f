package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"time"
)

// Site is a server under load.
type Site struct {
	Name    string
	Address string // host:port, plain HTTP
	Root    string // path before /fhir and /dicom-web; empty or beginning with a slash
	Token   string // bearer token; empty: none is sent
	DICOM   string // host:port of its DICOM network; empty: none is known
	MLLP    string // host:port where it takes HL7 v2; likewise
	title   string // its AE title there
	pid     int    // where it was started
}

// request is an HTTP/1.1 request made ready: its head and the pieces of its body. It may be sent many times and by many
// clients at once.
type request struct {
	head []byte
	body [][]byte
}

// request makes a request ready. fields are header lines as name and value.
func (s *Site) request(method, path string, fields []string, body ...[]byte) *request {
	b := fmt.Appendf(nil, "%s %s%s HTTP/1.1\r\nHost: %s\r\n", method, s.Root, path, s.Address)
	if s.Token != "" {
		b = fmt.Appendf(b, "Authorization: Bearer %s\r\n", s.Token)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		b = fmt.Appendf(b, "%s: %s\r\n", fields[i], fields[i+1])
	}
	if method == "POST" || method == "PUT" {
		size := 0
		for _, piece := range body {
			size += len(piece)
		}
		b = fmt.Appendf(b, "Content-Length: %d\r\n", size)
	}
	return &request{append(b, "\r\n"...), body}
}

// get makes a GET ready that accepts a media type.
func (s *Site) get(path, accept string) *request {
	return s.request("GET", path, []string{"Accept", accept})
}

// answer is what came back. Its Body is good until the connection's next request.
type answer struct {
	Status   int
	Location string
	Body     []byte
}

// conn is one client's connection. It is dialled when it is needed and kept as long as the server does.
type conn struct {
	site  *Site
	net   net.Conn
	r     *bufio.Reader
	out   net.Buffers
	body  []byte
	until time.Time // answers that come later are errors
	leave func() bool
}

func (c *conn) close() {
	if c.net != nil {
		c.leave()
		c.net.Close()
		c.net = nil
	}
}

func (c *conn) dial(ctx context.Context) error {
	if c.net != nil {
		return nil
	}
	var d net.Dialer
	n, err := d.DialContext(ctx, "tcp", c.site.Address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", c.site.Name, err)
	}
	c.net = n
	if c.r == nil {
		c.r = bufio.NewReaderSize(nil, 32<<10)
	}
	c.r.Reset(n)
	if err := n.SetDeadline(c.until); err != nil {
		return err
	}
	c.leave = context.AfterFunc(ctx, func() { n.SetDeadline(time.Unix(1, 0)) })
	return nil
}

// do sends a request and reads the whole answer.
func (c *conn) do(ctx context.Context, q *request) (answer, error) {
	if err := c.dial(ctx); err != nil {
		return answer{}, err
	}
	c.out = append(append(c.out[:0], q.head), q.body...)
	rest := c.out // WriteTo eats what it writes
	_, err := rest.WriteTo(c.net)
	var a answer
	if err == nil {
		a, err = c.read()
	}
	if err != nil {
		c.close()
		if cause := ctx.Err(); cause != nil {
			err = cause
		}
		return a, fmt.Errorf("ask %s: %w", c.site.Name, err)
	}
	return a, nil
}

var errNoHTTP = errors.New("the answer is no HTTP/1.1")

func (c *conn) read() (answer, error) {
	line, err := c.line()
	if err != nil {
		return answer{}, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return answer{}, errNoHTTP
	}
	var a answer
	if a.Status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, errNoHTTP
	}
	length, chunked, ends := int64(-1), false, false
	for {
		if line, err = c.line(); err != nil {
			return a, err
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			return a, errNoHTTP
		}
		value = textproto.TrimBytes(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return a, errNoHTTP
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			ends = bytes.EqualFold(value, []byte("close"))
		case bytes.EqualFold(name, []byte("Location")):
			a.Location = string(value)
		}
	}
	switch {
	case a.Status == 204 || a.Status == 304:
		c.body = c.body[:0]
	case chunked:
		err = c.readChunks()
	case length >= 0:
		err = c.readExactly(length)
	default:
		ends = true
		err = c.readAll(c.r)
	}
	if ends {
		c.close()
	}
	a.Body = c.body
	return a, err
}

// line reads one header line without its end.
func (c *conn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

const greatestBody = 256 << 20

func (c *conn) readExactly(n int64) error {
	if n > greatestBody {
		return fmt.Errorf("the answer has %d bytes", n)
	}
	if int64(cap(c.body)) < n {
		c.body = make([]byte, n)
	}
	c.body = c.body[:n]
	_, err := io.ReadFull(c.r, c.body)
	return err
}

func (c *conn) readChunks() error {
	if err := c.readAll(httputil.NewChunkedReader(c.r)); err != nil {
		return err
	}
	for { // the trailer, up to its empty line
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return err
		}
	}
}

func (c *conn) readAll(r io.Reader) error {
	buf := bytes.NewBuffer(c.body[:0])
	n, err := buf.ReadFrom(io.LimitReader(r, greatestBody+1))
	c.body = buf.Bytes()
	if err == nil && n > greatestBody {
		err = fmt.Errorf("the answer has more than %d bytes", greatestBody)
	}
	return err
}
