package pixels

import (
	"encoding/binary"
	"fmt"
)

// rleHeader is the number of segments and where each begins (PS3.5 G.5).
const rleHeader = 64

// runLengths decodes RLE Lossless (PS3.5 annex G): one segment for each byte of each sample, the high bytes first.
func (img *Image) runLengths(frame []byte) (*Native, error) {
	width := img.Allocated / 8
	if width == 0 {
		return nil, invalid("single bits cannot be compressed so")
	}
	segments := width * img.Samples
	if len(frame) < rleHeader {
		return nil, invalid("the RLE frame is shorter than its header")
	}
	if n := binary.LittleEndian.Uint32(frame); n != uint32(segments) {
		return nil, invalid(fmt.Sprintf("the RLE frame has %d segments where its description says %d", n, segments))
	}
	pixels := img.Rows * img.Columns
	// A replicate run makes at most 128 bytes of two: less than that cannot be a whole frame.
	if len(frame)-rleHeader < segments*(pixels/128) {
		return nil, invalid("the RLE frame is too short for its image")
	}
	out := make([]byte, pixels*segments)
	for i := range segments {
		from := int64(binary.LittleEndian.Uint32(frame[4+4*i:]))
		to := int64(len(frame))
		if i+1 < segments {
			to = int64(binary.LittleEndian.Uint32(frame[8+4*i:]))
		}
		if from < rleHeader || to < from || to > int64(len(frame)) {
			return nil, invalid("the RLE frame has segments that lie outside of it")
		}
		sample, low := i/width, width-1-i%width
		if !unpack(out[sample*width+low:], frame[from:to], segments, pixels) {
			return nil, invalid("a segment of the RLE frame ends early")
		}
	}
	return img.of(out), nil
}

// unpack writes count bytes of a PackBits segment (PS3.5 G.3.2), each step bytes behind the one before.
func unpack(out, segment []byte, step, count int) bool {
	at, end := 0, count*step
	for at < end {
		if len(segment) < 2 {
			return false
		}
		switch n := int(int8(segment[0])); {
		case n >= 0:
			run := segment[1:]
			if len(run) < n+1 && at+len(run)*step < end {
				return false
			}
			run = run[:min(n+1, len(run))]
			segment = segment[1+len(run):]
			for _, b := range run {
				if at >= end {
					break
				}
				out[at] = b
				at += step
			}
		case n > -128:
			b := segment[1]
			segment = segment[2:]
			for range 1 - n {
				if at >= end {
					break
				}
				out[at] = b
				at += step
			}
		default: // −128 does nothing
			segment = segment[1:]
		}
	}
	return true
}
