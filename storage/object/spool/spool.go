// Package spool keeps a body of unknown size until its size is known: the first bytes in memory, the rest of a larger
// one in an anonymous temporary file.
package spool

import (
	"errors"
	"io"
	"os"
	"sync/atomic"

	"concord/hub"
)

// chunk is the unit in which memory is taken.
const chunk = 64 << 10

// Spooler hands out Bodies and bounds the memory that all of them hold together.
type Spooler struct {
	dir    string
	each   int64
	budget int64
	held   atomic.Int64
}

// New makes a Spooler. A body goes to a file in dir ("" for the system's) once it exceeds each bytes, or as soon as
// all bodies together hold budget bytes of memory.
func New(dir string, each, budget int64) *Spooler {
	return &Spooler{dir: dir, each: each, budget: budget}
}

// Held is how much memory all bodies hold now.
func (s *Spooler) Held() int64 { return s.held.Load() }

// Body begins an empty body. It must be closed.
func (s *Spooler) Body() *Body { return &Body{spooler: s} }

// Body is one body. It is written first and read afterwards; it is not safe for concurrent use.
type Body struct {
	spooler *Spooler
	chunks  [][]byte
	file    *os.File
	size    int64
	err     error
}

// Size is how many bytes were written.
func (b *Body) Size() int64 { return b.size }

// Write implements io.Writer. After an error the body is unusable.
func (b *Body) Write(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.file == nil && b.size+int64(len(p)) > b.spooler.each {
		b.err = b.spill()
	}
	written := 0
	for b.err == nil && written < len(p) {
		n := 0
		switch {
		case b.file != nil:
			n, b.err = b.file.Write(p[written:])
		case !b.room():
			b.err = b.spill()
		default:
			last := &b.chunks[len(b.chunks)-1]
			n = min(len(p)-written, chunk-len(*last))
			*last = append(*last, p[written:written+n]...)
		}
		written += n
		b.size += int64(n)
	}
	if b.err != nil {
		b.err = &hub.Error{Kind: hub.Unavailable, Msg: "spool an upload", Hint: "the folder for temporary files may be full", Err: b.err}
	}
	return written, b.err
}

// Reader reads the body from a byte on. Several readers may follow each other, not overlap.
func (b *Body) Reader(from int64) io.Reader {
	from = min(from, b.size)
	if b.file != nil {
		return io.NewSectionReader(b.file, from, b.size-from)
	}
	var readers []io.Reader
	for i := int(from / chunk); i < len(b.chunks); i++ {
		readers = append(readers, &chunkReader{b.chunks[i][max(0, from-int64(i)*chunk):]})
	}
	return io.MultiReader(readers...)
}

// Truncate takes back what was written behind the first size bytes.
func (b *Body) Truncate(size int64) error {
	if b.err != nil || size >= b.size {
		return b.err
	}
	if b.file != nil {
		if b.err = b.file.Truncate(size); b.err == nil {
			_, b.err = b.file.Seek(size, io.SeekStart)
		}
	} else {
		n := int((size + chunk - 1) / chunk)
		b.spooler.held.Add(-int64(len(b.chunks)-n) * chunk)
		b.chunks = b.chunks[:n]
		if n > 0 {
			b.chunks[n-1] = b.chunks[n-1][:size-int64(n-1)*chunk]
		}
	}
	b.size = size
	return b.err
}

// Err is the error of the first Write that had one.
func (b *Body) Err() error { return b.err }

// Close gives memory and file back. It may be called more than once.
func (b *Body) Close() {
	b.spooler.held.Add(-int64(len(b.chunks)) * chunk)
	b.chunks = nil
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
	b.size, b.err = 0, os.ErrClosed
}

// room makes sure that the last chunk takes another byte; false means that the budget is spent.
func (b *Body) room() bool {
	if n := len(b.chunks); n > 0 && len(b.chunks[n-1]) < chunk {
		return true
	}
	if b.spooler.held.Add(chunk) > b.spooler.budget {
		b.spooler.held.Add(-chunk)
		return false
	}
	b.chunks = append(b.chunks, make([]byte, 0, chunk))
	return true
}

// spill moves what is in memory to a file that has no name, so that nothing is left of it after a crash.
func (b *Body) spill() error {
	file, err := os.CreateTemp(b.spooler.dir, "concord-spool-*")
	if err != nil {
		return err
	}
	if err := os.Remove(file.Name()); err != nil {
		return errors.Join(err, file.Close())
	}
	for _, c := range b.chunks {
		if _, err := file.Write(c); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	b.spooler.held.Add(-int64(len(b.chunks)) * chunk)
	b.chunks, b.file = nil, file
	return nil
}

// chunkReader is bytes.Reader without its Seek.
type chunkReader struct{ rest []byte }

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
