package keeper

import (
	"bytes"
	"fmt"

	"github.com/tidwall/redcon"
)

// requests cuts a stream of bytes into commands (RESP2 arrays of bulk strings, or lines of words). It goes on where
// it stopped when a command comes in pieces. Lengths are checked here, before any is used: redcon's readers, made
// for peers of good will, end in a panic at a negative length and spin at a huge count.
type requests struct {
	buf   []byte
	start int // where the command being read begins
	pos   int // where reading goes on, from start
	args  int // bulk strings still to come; −1 when the array's head is not read
	bulk  int // length of the bulk string being read; −1 when its head is not read
	cuts  []int
	out   [][]byte
}

const (
	mostArgs       = 1<<31 - 1
	mostBulk       = 512 << 20
	mostLine       = 64 << 10
	mostUnfinished = 1 << 30
	keepBuffer     = 1 << 20
)

// protocolError ends a connection; its text is the reply.
type protocolError string

func (e protocolError) Error() string { return "ERR Protocol error: " + string(e) }

func newRequests() requests { return requests{args: -1, bulk: -1} }

// add takes in bytes. What next returned before is no longer valid.
func (r *requests) add(p []byte) error {
	switch {
	case r.start == len(r.buf):
		r.buf = r.buf[:0]
		if cap(r.buf) > keepBuffer && len(p) < keepBuffer {
			r.buf = nil
		}
		r.start = 0
	case r.start > 0 && len(r.buf)+len(p) > cap(r.buf):
		r.buf = r.buf[:copy(r.buf, r.buf[r.start:])]
		r.start = 0
	}
	if len(r.buf)+len(p) > mostUnfinished {
		return protocolError("too big request")
	}
	r.buf = append(r.buf, p...)
	return nil
}

// next returns the next whole command, nil when there is none yet. The command may have no words.
func (r *requests) next() (args [][]byte, whole bool, err error) {
	if r.args < 0 {
		if r.start == len(r.buf) {
			return nil, false, nil
		}
		if r.buf[r.start] != '*' {
			return r.line()
		}
		n, ok, err := r.length("too big mbulk count string", "invalid multibulk length")
		if !ok {
			return nil, false, err
		}
		if n > mostArgs {
			return nil, false, protocolError("invalid multibulk length")
		}
		r.args = max(n, 0)
		r.cuts = r.cuts[:0]
	}
	for r.args > 0 {
		if r.bulk < 0 {
			rest := r.buf[r.start+r.pos:]
			if len(rest) == 0 {
				return nil, false, nil
			}
			if rest[0] != '$' {
				return nil, false, protocolError(fmt.Sprintf("expected '$', got '%c'", rest[0]))
			}
			n, ok, err := r.length("too big bulk count string", "invalid bulk length")
			if !ok {
				return nil, false, err
			}
			if n < 0 || n > mostBulk {
				return nil, false, protocolError("invalid bulk length")
			}
			r.bulk = n
		}
		if len(r.buf)-r.start-r.pos < r.bulk+2 {
			return nil, false, nil
		}
		r.cuts = append(r.cuts, r.pos, r.pos+r.bulk)
		r.pos += r.bulk + 2
		r.bulk = -1
		r.args--
	}
	r.out = r.out[:0]
	whole = true
	for i := 0; i < len(r.cuts); i += 2 {
		r.out = append(r.out, r.buf[r.start+r.cuts[i]:r.start+r.cuts[i+1]])
	}
	r.start += r.pos
	r.pos, r.args = 0, -1
	return r.out, true, nil
}

// length reads the number of a line "*3\r\n" or "$3\r\n" at pos.
func (r *requests) length(long, bad protocolError) (n int, ok bool, err error) {
	rest := r.buf[r.start+r.pos:]
	end := bytes.IndexByte(rest, '\r')
	if end < 0 || end+1 >= len(rest) {
		if len(rest) > mostLine {
			return 0, false, long
		}
		return 0, false, nil
	}
	v, ok := parseInt(rest[1:end])
	if !ok {
		return 0, false, bad
	}
	r.pos += end + 2
	return int(v), true, nil
}

// line reads a command typed as words on a line.
func (r *requests) line() (args [][]byte, whole bool, err error) {
	rest := r.buf[r.start:]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		if len(rest) > mostLine {
			return nil, false, protocolError("too big inline request")
		}
		return nil, false, nil
	}
	r.start += end + 1
	// The space keeps redcon from reading a line that begins with $ in another way.
	_, args, _, _, err = redcon.ReadNextCommand(append([]byte{' '}, rest[:end+1]...), nil)
	if err != nil {
		return nil, false, protocolError("unbalanced quotes in request")
	}
	return args, true, nil
}
