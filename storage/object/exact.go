package object

import (
	"context"
	"fmt"
	"io"

	"concord/hub"
)

// Exact reads an upload of a known size. It gives out the last byte only when it knows that the source ends there,
// so that a store which counts bytes can never complete an upload whose source is longer, shorter or broken.
//
// The source must report io.EOF after its last byte; one that would block instead is wrapped in io.LimitReader.
type Exact struct {
	ctx    context.Context
	source io.Reader
	size   int64
	left   int64
	ended  bool // the source is known to end here
	err    error
}

// Exactly makes r deliver size bytes, no more and no less. Reading fails once ctx is done.
func Exactly(ctx context.Context, r io.Reader, size int64) *Exact {
	return &Exact{ctx: ctx, source: r, size: size, left: size}
}

// Err is what made reading fail: an Invalid error when the source is shorter or longer than announced, Unavailable
// when the context ended, else the source's own error. It is nil while all is well and after the end.
func (e *Exact) Err() error { return e.err }

// Read implements io.Reader.
func (e *Exact) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	if err := e.ctx.Err(); err != nil {
		return 0, e.fail(&hub.Error{Kind: hub.Unavailable, Msg: "upload interrupted", Err: err})
	}
	if e.left == 0 {
		return 0, e.end()
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.source.Read(p)
	e.left -= int64(n)
	switch {
	case err == io.EOF && e.left > 0:
		return n, e.fail(&hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("body ends after %d of %d bytes", e.size-e.left, e.size)})
	case err == io.EOF:
		e.ended = true
		return n, io.EOF
	case err != nil:
		return 0, e.fail(err)
	case e.left == 0:
		if err := e.end(); err != io.EOF {
			return 0, err
		}
	}
	return n, nil
}

// Verify reads nothing further but makes sure that a body of size 0 is empty; stores that do not read empty bodies
// call it.
func (e *Exact) Verify() error {
	if e.size > 0 {
		return e.err
	}
	if _, err := e.Read(nil); err != io.EOF {
		return err
	}
	return nil
}

// end returns io.EOF when the source ends here.
func (e *Exact) end() error {
	var extra [1]byte
	for tries := 0; !e.ended; tries++ {
		n, err := e.source.Read(extra[:])
		switch {
		case n > 0:
			return e.fail(&hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("body is longer than the %d bytes announced", e.size)})
		case err == io.EOF:
			e.ended = true
		case err != nil:
			return e.fail(err)
		case tries == 100:
			return e.fail(io.ErrNoProgress)
		}
	}
	return io.EOF
}

func (e *Exact) fail(err error) error {
	e.err = err
	return err
}
