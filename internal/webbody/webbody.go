// Package webbody reads HTTP request bodies within bounds: how long they may be, how far gzip may inflate, and how
// slowly they may arrive.
package webbody

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"

	"concord/hub"
)

// A gzip body may inflate to this many times its own length, once it has given freeInflation bytes. Clinical JSON
// and XML stay below 60; a bomb reaches 1,000.
const (
	maxRatio      = 200
	freeInflation = 1 << 20
)

// Reader gives the request's body as its sender meant it, at most limit bytes of it (limit ≤ 0: any number), with a
// Content-Encoding of gzip undone (RFC 9110 §8.4). What is too long fails with TooLarge, at once where the length is
// announced, else while reading; other encodings are Unsupported; gzip that cannot be read is Invalid. It reads
// nothing itself and holds a fixed amount of memory.
func Reader(r *http.Request, limit int64) (io.Reader, error) {
	switch coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ","))); coding {
	case "", "identity":
		if limit > 0 && r.ContentLength > limit {
			return nil, tooLarge(limit)
		}
		return capped(r.Body, limit), nil
	case "gzip", "x-gzip":
		return capped(&inflater{in: &counter{r: r.Body}}, limit), nil
	default:
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Encoding", Msg: fmt.Sprintf("the hub does not undo Content-Encoding %.32q", coding), Hint: "send gzip or identity"}
	}
}

func tooLarge(limit int64) error {
	return &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the body is longer than %d bytes", limit)}
}

func capped(r io.Reader, limit int64) io.Reader {
	if limit <= 0 {
		return r
	}
	return &bounded{r: r, limit: limit, left: limit}
}

// bounded fails at the first byte beyond its limit, where an io.LimitReader would pretend an end.
type bounded struct {
	r           io.Reader
	limit, left int64
}

func (c *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if int64(n) > c.left {
		n = int(c.left)
		c.left = 0
		return n, tooLarge(c.limit)
	}
	c.left -= int64(n)
	return n, err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// inflater opens the gzip stream with the first Read, so that nothing is read before someone asks.
type inflater struct {
	in  *counter
	z   *gzip.Reader
	out int64
	err error
}

func (f *inflater) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.read(p)
	f.out += int64(n)
	if f.out > freeInflation && f.out > maxRatio*f.in.n {
		n, err = 0, &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the gzip body inflates to more than %d times its length", maxRatio)}
	}
	f.err = err
	return n, err
}

func (f *inflater) read(p []byte) (int, error) {
	if f.z == nil {
		z, err := gzip.NewReader(f.in)
		if err != nil {
			return 0, gzipFault(err)
		}
		f.z = z
	}
	n, err := f.z.Read(p)
	if err != nil && err != io.EOF {
		err = gzipFault(err)
	}
	return n, err
}

// gzipFault keeps what the connection says and words what the compression says.
func gzipFault(err error) error {
	var known *hub.Error
	if errors.As(err, &known) {
		return err
	}
	return &hub.Error{Kind: hub.Invalid, Path: "Content-Encoding", Msg: "the gzip body cannot be read", Err: err}
}
