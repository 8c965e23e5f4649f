package dicom

import (
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Discarder is what a reader may implement to skip bytes without copying them, as *bufio.Reader does.
// It discards n bytes, or fewer with an error.
type Discarder interface{ Discard(n int) (int, error) }

const sourceBuffer = 32 << 10

var sourceBuffers = sync.Pool{New: func() any { b := make([]byte, sourceBuffer); return &b }}

// source reads forward through a small buffer and counts positions.
type source struct {
	r      io.Reader
	buf    []byte
	lent   *[]byte // buf, of sourceBuffers
	lo, hi int
	end    int64 // stream position of buf[hi]
	err    error // sticky; io.EOF at the end
}

func newSource(r io.Reader, at int64) *source {
	lent := sourceBuffers.Get().(*[]byte)
	return &source{r: r, buf: *lent, lent: lent, end: at}
}

// release gives the buffer back; the source cannot be read any more.
func (s *source) release() {
	sourceBuffers.Put(s.lent)
	*s = source{err: io.ErrClosedPipe}
}

func (s *source) pos() int64 { return s.end - int64(s.hi-s.lo) }

// fill reads once more into the buffer.
func (s *source) fill() {
	if s.lo > 0 {
		s.hi = copy(s.buf, s.buf[s.lo:s.hi])
		s.lo = 0
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.hi:])
		s.hi += n
		s.end += int64(n)
		if err != nil {
			s.err = err
			return
		}
		if n > 0 {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// peek shows up to n ≤ sourceBuffer bytes without taking them; fewer only where the stream ends.
func (s *source) peek(n int) []byte {
	for s.hi-s.lo < n && s.err == nil {
		s.fill()
	}
	return s.buf[s.lo:min(s.lo+n, s.hi)]
}

// take advances over bytes that peek has shown.
func (s *source) take(n int) { s.lo += n }

// appendTo moves n bytes to dst, growing it as they come. ok is false when the stream ends before.
func (s *source) appendTo(dst []byte, n int) (out []byte, ok bool) {
	for n > 0 {
		p := s.peek(min(n, sourceBuffer))
		if len(p) == 0 {
			return dst, false
		}
		dst = append(dst, p...)
		s.take(len(p))
		n -= len(p)
	}
	return dst, true
}

// skip passes over n bytes and reports how many there were.
func (s *source) skip(n int64) int64 {
	k := min(n, int64(s.hi-s.lo))
	s.lo += int(k)
	if d, ok := s.r.(Discarder); ok && s.err == nil {
		for k < n && s.err == nil {
			m, err := d.Discard(int(min(n-k, 1<<30)))
			k += int64(m)
			s.end += int64(m)
			s.err = err
		}
		return k
	}
	for k < n && s.err == nil {
		s.fill()
		m := min(n-k, int64(s.hi-s.lo))
		s.lo += int(m)
		k += m
	}
	return k
}

// drain reads to the end and reports how many bytes were left.
func (s *source) drain() int64 { return s.skip(1<<63 - 1) }

// errDeflateCut is the end of a deflated data set whose stream ends before its last block.
var errDeflateCut = errors.New("the deflated data set ends early")

// failure is the reason the stream stopped, nil for its plain end. A connection that broke off (io.ErrUnexpectedEOF of an
// HTTP body) is no plain end: what came may be whole to the last element and still not be all that was sent.
func (s *source) failure() error {
	if s.err == nil || errors.Is(s.err, io.EOF) || errors.Is(s.err, errDeflateCut) {
		return nil
	}
	return s.err
}

// Read and ReadByte let the inflater take from the source exactly the bytes it needs.
func (s *source) Read(p []byte) (int, error) {
	b := s.peek(min(max(len(p), 1), 1))
	if len(b) == 0 {
		return 0, s.err
	}
	n := copy(p, s.buf[s.lo:s.hi])
	s.lo += n
	return n, nil
}

func (s *source) ReadByte() (byte, error) {
	if s.lo == s.hi {
		if len(s.peek(1)) == 0 {
			return 0, s.err
		}
	}
	c := s.buf[s.lo]
	s.lo++
	return c, nil
}

// inflater bounds what a deflated data set may grow to (PS3.5 A.5).
type inflater struct {
	from  *source
	start int64
	z     io.ReadCloser
	out   int64
	limit int64
}

func newInflater(from *source, limit int64) *inflater {
	return &inflater{from: from, start: from.pos(), z: flate.NewReader(from), limit: limit}
}

const (
	ratioFrom = 64 << 20
	ratioMax  = 200
)

func (f *inflater) Read(p []byte) (int, error) {
	n, err := f.z.Read(p)
	f.out += int64(n)
	in := f.from.pos() - f.start
	var corrupt flate.CorruptInputError
	switch {
	case f.out > f.limit:
		return 0, tooLarge("", "the data set inflates to more than %d bytes", f.limit)
	case f.out > ratioFrom && f.out/ratioMax > in:
		return 0, tooLarge("", "the data set inflates to more than %d times its size", ratioMax)
	case errors.As(err, &corrupt):
		return n, invalid("", "the deflated data set is corrupt at byte %d", f.start+int64(corrupt))
	case err != nil && f.from.failure() != nil:
		return n, fmt.Errorf("read deflated data set: %w", f.from.failure())
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, errDeflateCut
	}
	return n, err
}

// Inflated turns the stream of an instance in a deflated transfer syntax into the one that a Header's offsets count in:
// the first dataSet bytes (Header.DataSet) as they are, the rest inflated. The caller bounds what it reads.
func Inflated(r io.Reader, dataSet int64) io.Reader {
	return io.MultiReader(io.LimitReader(r, dataSet), flate.NewReader(r))
}
