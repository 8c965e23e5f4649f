// Package related reads multipart/related bodies (RFC 2046 5.1, RFC 2387) of large binary parts.
//
// It differs from mime/multipart in what uploads of images need: it reads from the connection in large pieces and hands
// out a part's bytes where they lie (Part.Take) instead of copying them 4 kB at a time; and only the closing delimiter
// ends a body, so that one that breaks off is never taken for whole.
package related

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strings"
)

const (
	bufferSize = 64 << 10
	// maxHeader bounds the header of a part, maxBoundary what New takes; both must fit into the buffer.
	maxHeader   = 16 << 10
	maxBoundary = 200
)

// ErrMalformed is wrapped by the errors about the body's form. A body that ends early is io.ErrUnexpectedEOF; other errors are
// those of the reader.
var ErrMalformed = errors.New("malformed multipart body")

// ErrNoDelimiter is wrapped, too, where the body ends and the boundary was never in it.
var ErrNoDelimiter = errors.New("no delimiter in a multipart body")

// Reader walks the parts of one body.
type Reader struct {
	r      io.Reader
	buf    []byte
	lo, hi int
	err    error  // of r; sticky
	delim  []byte // line end and "--boundary"
	part   *Part
	ended  bool
}

// NewReader reads a body from r. The boundary is that of its Content-Type, 1 to 200 bytes long.
func NewReader(r io.Reader, boundary string) (*Reader, error) {
	if boundary == "" || len(boundary) > maxBoundary {
		return nil, fmt.Errorf("%w: a boundary has 1 to %d bytes", ErrMalformed, maxBoundary)
	}
	return &Reader{r: r, buf: make([]byte, bufferSize), delim: []byte("\r\n--" + boundary)}, nil
}

// Part is one part. It is good until the next call of Reader.Next.
type Part struct {
	ContentType string // as sent, without white space around it
	Location    string // Content-Location, likewise
	of          *Reader
	clear       int // bytes from of.lo on that are known to be the part's
	ended       bool
}

// Next returns the next part, passing over what is left of the one before. At the closing delimiter it returns io.EOF.
func (m *Reader) Next() (*Part, error) {
	if m.ended {
		return nil, io.EOF
	}
	if err := m.toDelimiter(); err != nil {
		return nil, err
	}
	end, err := m.delimiterLine()
	if err != nil {
		return nil, err
	}
	if end {
		m.ended = true
		return nil, io.EOF
	}
	p := &Part{of: m}
	if err := p.header(); err != nil {
		return nil, err
	}
	m.part = p
	return p, nil
}

// toDelimiter moves behind the next delimiter.
func (m *Reader) toDelimiter() error {
	p := m.part
	if p == nil { // what comes before the first delimiter is to be ignored; the delimiter may stand at the very beginning
		n := len(m.delim) - 2
		if m.need(n+1) && bytes.HasPrefix(m.buf[m.lo:m.hi], m.delim[2:]) && endsBoundary(m.buf[m.lo+n]) {
			m.lo += n
			return nil
		}
		p = &Part{of: m}
	}
	for {
		_, err := p.Take(bufferSize)
		switch {
		case err == io.EOF:
			m.lo += len(m.delim)
			return nil
		case err == io.ErrUnexpectedEOF && m.part == nil:
			return fmt.Errorf("%w: %w", ErrNoDelimiter, err)
		case err != nil:
			return err
		}
	}
}

// delimiterLine reads the rest of a delimiter's line and says whether it was the closing one.
func (m *Reader) delimiterLine() (end bool, err error) {
	if m.need(2) && m.buf[m.lo] == '-' && m.buf[m.lo+1] == '-' {
		return true, nil
	}
	line, err := m.line(maxHeader)
	if err != nil {
		return false, err
	}
	if len(bytes.Trim(line, " \t")) > 0 {
		return false, fmt.Errorf("%w: a delimiter's line goes on", ErrMalformed)
	}
	return false, nil
}

// header reads the part's header up to its empty line.
func (p *Part) header() error {
	for left := maxHeader; ; {
		line, err := p.of.line(left)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		if left -= len(line); left < 0 {
			return tooLong()
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		switch {
		case line[0] == ' ' || line[0] == '\t': // a folded line continues one that nobody here looks at, or this one
			p.ContentType = strings.TrimSpace(p.ContentType)
		case !ok:
			return fmt.Errorf("%w: a line of a part's header has no colon", ErrMalformed)
		case bytes.EqualFold(name, []byte("Content-Type")):
			p.ContentType = string(textproto.TrimBytes(value))
		case bytes.EqualFold(name, []byte("Content-Location")):
			p.Location = string(textproto.TrimBytes(value))
		}
	}
}

// line reads one line without its end, of at most limit bytes. What it returns is good until the next read.
func (m *Reader) line(limit int) ([]byte, error) {
	for n := 0; ; {
		if i := bytes.IndexByte(m.buf[m.lo+n:m.hi], '\n'); i >= 0 {
			line := m.buf[m.lo : m.lo+n+i]
			m.lo += n + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		if m.hi-m.lo > limit {
			return nil, tooLong()
		}
		n = m.hi - m.lo
		if !m.fill() {
			return nil, m.broken()
		}
	}
}

func tooLong() error {
	return fmt.Errorf("%w: a part's header has more than %d bytes", ErrMalformed, maxHeader)
}

// Read implements io.Reader.
func (p *Part) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	piece, err := p.Take(len(b))
	return copy(b, piece), err
}

// Take returns the next bytes of the part, at least one and at most max, where they lie: they are good until the next call on
// the part or its Reader. At the part's end it returns io.EOF.
func (p *Part) Take(max int) ([]byte, error) {
	m := p.of
	for p.clear == 0 {
		if p.ended {
			return nil, io.EOF
		}
		p.look()
		if p.clear == 0 && !p.ended && !m.fill() {
			return nil, m.broken()
		}
	}
	n := min(max, p.clear)
	piece := m.buf[m.lo : m.lo+n]
	m.lo += n
	p.clear -= n
	return piece, nil
}

// look finds how many of the buffered bytes are the part's: all up to the next delimiter, or up to where one might begin.
func (p *Part) look() {
	m := p.of
	data := m.buf[m.lo:m.hi]
	for at := 0; ; {
		i := bytes.Index(data[at:], m.delim)
		if i < 0 {
			p.clear = max(at, len(data)-len(m.delim)) // the delimiter and the byte after it are looked at together
			return
		}
		i += at
		after := i + len(m.delim)
		if after == len(data) {
			p.clear = i
			return
		}
		if endsBoundary(data[after]) {
			p.clear, p.ended = i, true
			return
		}
		at = i + 1
	}
}

// endsBoundary says whether a byte may follow the boundary; others make it that of another body, of which ours is a prefix.
func endsBoundary(c byte) bool {
	return c == '\r' || c == '\n' || c == ' ' || c == '\t' || c == '-'
}

// need makes n bytes lie in the buffer; false: the body ends before.
func (m *Reader) need(n int) bool {
	for m.hi-m.lo < n {
		if !m.fill() {
			return false
		}
	}
	return true
}

// fill reads once more into the buffer; false: nothing came.
func (m *Reader) fill() bool {
	if m.lo > 0 {
		m.hi = copy(m.buf, m.buf[m.lo:m.hi])
		m.lo = 0
	}
	for range 100 {
		if m.err != nil || m.hi == len(m.buf) {
			return false
		}
		var n int
		n, m.err = m.r.Read(m.buf[m.hi:])
		m.hi += n
		if n > 0 {
			return true
		}
	}
	m.err = io.ErrNoProgress
	return false
}

// broken is why no more bytes come.
func (m *Reader) broken() error {
	if m.err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return m.err
}
