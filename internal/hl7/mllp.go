package hl7

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"concord/hub"
)

// The bytes of a frame (MLLP Release 1): VT, the message, FS, CR.
const (
	frameStart = 0x0b
	frameEnd   = 0x1c
	frameCR    = 0x0d
)

// AppendFrame appends a message in its frame to dst.
func AppendFrame(dst, message []byte) []byte {
	dst = append(dst, frameStart)
	dst = append(dst, message...)
	return append(dst, frameEnd, frameCR)
}

// Frames reads messages from a stream. It is for one reader at a time.
type Frames struct {
	// Limit is the greatest message in bytes; Noise is how much that is no frame may stand before one.
	Limit, Noise int
	// Began, where not nil, is called when a frame's first byte has come, before the rest is waited for.
	Began func()
	// Room, where not nil, is asked before so many more bytes of a message are kept; its error ends the reading.
	Room func(bytes int) error
	// Broken counts frames that another one began in the middle of; they are dropped, since no answer to them was waited for.
	Broken int

	r *bufio.Reader
}

// NewFrames reads messages of at most limit bytes from r, with at most 1 KB of noise between them.
func NewFrames(r io.Reader, limit int) *Frames {
	return &Frames{Limit: limit, Noise: 1 << 10, r: bufio.NewReaderSize(r, 4<<10)}
}

// Next is the next message. It is io.EOF when the stream ends between frames, io.ErrUnexpectedEOF when it ends within one,
// TooLarge when a frame has more than Limit bytes before its end, with its beginning; Invalid when there is more noise than
// there may be.
// After an error other than io.EOF the stream cannot be read further.
//
// What was read is kept as it comes: a frame of which no more than a start has come takes no more than that.
func (f *Frames) Next() ([]byte, error) {
	if err := f.start(); err != nil {
		return nil, err
	}
	if f.Began != nil {
		f.Began()
	}
	var message []byte
	for {
		piece, err := f.r.ReadSlice(frameEnd)
		if f.Room != nil {
			if err := f.Room(len(piece)); err != nil {
				return message, err
			}
		}
		message = append(message, piece...)
		if i := bytes.LastIndexByte(message[len(message)-len(piece):], frameStart); i >= 0 { // its sender began anew
			f.Broken++
			message = append(message[:0], message[len(message)-len(piece)+i+1:]...)
		}
		if len(message) > f.Limit+1 {
			return message, tooLarge("", "the message has more than %d bytes", f.Limit)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, fmt.Errorf("read a frame: %w", err)
		}
		next, err := f.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return message[:len(message)-1], nil // the end's CR alone is missing
		case err != nil:
			return nil, fmt.Errorf("read a frame's end: %w", err)
		case next == frameCR:
			return message[:len(message)-1], nil
		case next == frameStart: // the CR left out, and the next frame
			return message[:len(message)-1], f.r.UnreadByte()
		}
		if err := f.r.UnreadByte(); err != nil { // FS is part of the message
			return nil, fmt.Errorf("read a frame: %w", err)
		}
	}
}

// start reads up to a frame's first byte.
func (f *Frames) start() error {
	for noise := 0; ; {
		c, err := f.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil:
			return fmt.Errorf("wait for a frame: %w", err)
		case c == frameStart:
			return nil
		case c == '\r' || c == '\n':
			continue
		}
		if noise++; noise > f.Noise {
			return &hub.Error{Kind: hub.Invalid, Msg: "what was sent is not in frames", Hint: "a message begins with 0x0B and ends with 0x1C 0x0D (MLLP)"}
		}
	}
}

// Buffered tells whether more has come already than was read.
func (f *Frames) Buffered() bool { return f.r.Buffered() > 0 }
