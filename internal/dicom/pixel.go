package dicom

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"concord/hub"
	"concord/internal/dicom/dict"
)

const (
	tagSamples     Tag = 0x00280002
	tagPhotometric Tag = 0x00280004
	tagFrameCount  Tag = 0x00280008
	tagRows        Tag = 0x00280010
	tagColumns     Tag = 0x00280011
	tagBits        Tag = 0x00280100

	// maxFragments bounds the table of fragments to 8 MB.
	maxFragments = 1 << 19
)

// pixelData is what the scan saw of the pixel data at the root.
type pixelData struct {
	found        bool
	native       bool
	words        bool // of 16 bits, even where samples have 8
	off, length  int64
	basic        []byte // Basic Offset Table
	firstItem    int64  // where offsets count from
	list         []fragment
	declaredRoot Tag
}

// fragment is one item of encapsulated pixel data (PS3.5 A.4).
type fragment struct {
	off  int64 // of its bytes, behind the item header
	size uint32
	head uint32 // its first four bytes, which tell where a codestream begins
}

// nativePixels notes pixel data of known length and skips it.
func (s *scanner) nativePixels(n node) error {
	length := int64(n.size)
	n.flags |= bulk
	i, err := s.add(n)
	if err != nil {
		return err
	}
	if got := s.src.skip(length); got < length {
		if !s.lim.Lenient || s.src.failure() != nil {
			return s.truncated(n.tag)
		}
		s.h.warn("the pixel data is truncated")
		length = got
		s.h.nodes[i].size = uint32(got)
	}
	if !s.pixel.found {
		s.pixel = pixelData{found: true, native: true, words: n.vr == dict.OW, off: n.off, length: length, declaredRoot: n.tag}
	}
	return nil
}

// fragments reads an encapsulated value: items up to a sequence delimiter, only at the root remembered one by one.
func (s *scanner) fragments(n node) error {
	n.flags |= bulk | encapsulated
	i, err := s.add(n)
	if err != nil {
		return err
	}
	remember := len(s.stack) == 1 && fragmented(n.tag) && !s.pixel.found
	order := s.stack[len(s.stack)-1].order()
	px := pixelData{found: true, declaredRoot: n.tag}
	for first := true; ; first = false {
		p := s.src.peek(8)
		if len(p) < 8 {
			s.src.take(len(p))
			return s.truncated(n.tag)
		}
		tag := Tag(order.Uint16(p))<<16 | Tag(order.Uint16(p[2:]))
		length := order.Uint32(p[4:])
		s.src.take(8)
		if tag == tagSeqEnd {
			break
		}
		if tag != tagItem || length == anyLength {
			return invalid(dict.Name(n.tag), "a fragment must begin at byte %d", s.src.pos()-8)
		}
		switch {
		case first && remember:
			if s.used += int(length); s.used > s.lim.Header {
				return s.full(n.tag)
			}
			var ok bool
			if px.basic, ok = s.src.appendTo(nil, int(length)); !ok {
				return s.truncated(n.tag)
			}
			px.firstItem = s.src.pos()
			continue
		case remember:
			if len(px.list) == maxFragments {
				return tooLarge(dict.Name(n.tag), "there are more than %d fragments", maxFragments)
			}
			f := fragment{off: s.src.pos(), size: length}
			if head := s.src.peek(min(4, int(length))); len(head) == 4 {
				f.head = binary.BigEndian.Uint32(head)
			}
			px.list = append(px.list, f)
		}
		if s.src.skip(int64(length)) < int64(length) {
			return s.truncated(n.tag)
		}
	}
	total := uint64(s.src.pos() - n.off)
	s.h.nodes[i].size, s.h.nodes[i].at = uint32(total), uint32(total>>32)
	if remember {
		s.pixel = px
	}
	return nil
}

// frames makes the frame table once the whole data set is known.
func (s *scanner) frames() error {
	if !s.pixel.found {
		return nil
	}
	count := int64(1)
	if e, ok := s.h.Find(tagFrameCount); ok && len(e.Value) > 0 {
		n, ok := e.Int()
		if !ok || n < 0 {
			s.h.warn("Number of Frames is not a count: read as 1")
		}
		count = max(n, 1)
	}
	if s.pixel.native {
		return s.nativeFrames(count)
	}
	return s.encapsulatedFrames(count)
}

// nativeFrames divides uncompressed pixel data (PS3.5 8.1.1, PS3.3 C.7.6.3).
func (s *scanner) nativeFrames(count int64) error {
	px := &s.pixel
	if e := s.h.encapsulatedSyntax(); e && count == 1 {
		s.h.warn("the pixel data is not encapsulated as the transfer syntax demands")
		s.h.Frames = &hub.Parts{First: px.off, Size: px.length, Count: 1}
		return nil
	}
	rows, _ := s.h.Int(tagRows)
	columns, _ := s.h.Int(tagColumns)
	samples, ok := s.h.Int(tagSamples)
	if !ok {
		samples = 1
	}
	depth, _ := s.h.Int(tagBits)
	pixel := uint64(samples * depth) // four 16-bit numbers at most: nothing overflows below 64 bits
	if strings.HasSuffix(s.h.Text(tagPhotometric), "_422") && samples == 3 {
		pixel = uint64(2 * depth)
	}
	frame := uint64(rows) * uint64(columns) // ≤ 2^32
	over, frameBits := bits.Mul64(frame, pixel)
	if frameBits == 0 && over == 0 || px.length == 0 {
		return nil
	}
	over, total := bits.Mul64(frameBits, uint64(count))
	need := total/8 + min(total%8, 1)
	if over == 0 && need <= uint64(px.length) {
		s.divide(frameBits, count)
		return nil
	}
	if !s.lim.Lenient {
		return &hub.Error{Kind: hub.Invalid, Path: dict.Name(px.declaredRoot),
			Msg:  "holds less than Rows, Columns, bits and frames say",
			Hint: "the pixel data is cut off, or one of these attributes is wrong"}
	}
	s.h.warn("the pixel data is shorter than its description")
	s.divide(frameBits, int64(uint64(px.length)*8/frameBits))
	return nil
}

func (s *scanner) divide(frameBits uint64, count int64) {
	size := int64(frameBits+7) / 8
	torn := s.h.BigEndian && s.pixel.words && size%2 == 1 // its last byte is the second of a word, whose bytes are swapped
	if torn && count == 1 && size < s.pixel.length {
		size, torn = size+1, false
	}
	switch {
	case count == 0:
	case torn:
		s.h.warn("frames do not begin at whole words")
	case frameBits%8 != 0 && count > 1:
		s.h.warn("frames do not begin at whole bytes")
	default:
		s.h.Frames = &hub.Parts{First: s.pixel.off, Size: size, Count: int(count)}
	}
}

// encapsulatedFrames finds which fragments make which frame, by the first of these that fits: the Extended Offset
// Table, the Basic Offset Table, one frame only, one fragment a frame, the starts of codestreams (PS3.5 A.4).
func (s *scanner) encapsulatedFrames(count int64) error {
	px := &s.pixel
	list := px.list
	if len(list) == 0 {
		return nil
	}
	if video(s.h.TransferSyntax) {
		s.h.Frames = partsOf(list, []int{0})
		return nil
	}
	if int64(len(list)) < count {
		if !s.lim.Lenient {
			return invalid(dict.Name(px.declaredRoot), "has %d fragments for %d frames", len(list), count)
		}
		s.h.warn("there are fewer fragments than frames")
		count = int64(len(list))
	}
	n := int(count)
	if starts, ok := s.extendedTable(n); ok {
		s.h.Frames = partsOf(list, starts)
		s.trimToLengths()
		return nil
	}
	if starts, ok := px.basicTable(n); ok {
		s.h.Frames = partsOf(list, starts)
		return nil
	}
	if len(px.basic) > 0 {
		s.h.warn("the Basic Offset Table does not fit the fragments")
	}
	starts := make([]int, 0, n)
	switch {
	case n == 1:
		starts = append(starts, 0)
	case n == len(list):
		for i := range list {
			starts = append(starts, i)
		}
	default:
		for i, f := range list {
			if codestream(f.head) || i == 0 {
				starts = append(starts, i)
			}
		}
	}
	if len(starts) != n {
		s.h.warn("frames cannot be told apart: no offset table, and not one codestream a frame")
		return nil
	}
	s.h.Frames = partsOf(list, starts)
	return nil
}

// basicTable reads 32-bit offsets; behind 4 GiB they wrap, which is undone since they ascend.
func (px *pixelData) basicTable(n int) ([]int, bool) {
	if len(px.basic) != 4*n {
		return nil, false
	}
	base, high := int64(0), int64(0)
	return px.match(n, func(i int) int64 {
		low := int64(binary.LittleEndian.Uint32(px.basic[4*i:]))
		if high+low < base {
			high += 1 << 32
		}
		base = high + low
		return base
	})
}

func (s *scanner) extendedTable(n int) ([]int, bool) {
	e, ok := s.h.Find(tagEOT)
	if !ok || len(e.Value) != 8*n {
		return nil, false
	}
	return s.pixel.match(n, func(i int) int64 { return int64(binary.LittleEndian.Uint64(e.Value[8*i:])) })
}

// match finds for each offset of a table the fragment that begins there; a table that misses one is of no use.
func (px *pixelData) match(n int, offset func(i int) int64) ([]int, bool) {
	starts := make([]int, 0, n)
	k := 0
	for i := range n {
		want := offset(i) + px.firstItem + 8
		for k < len(px.list) && px.list[k].off < want {
			k++
		}
		if k == len(px.list) || px.list[k].off != want || i == 0 && k != 0 {
			return nil, false
		}
		starts = append(starts, k)
		k++
	}
	return starts, true
}

// trimToLengths applies (7FE0,0002): the bytes of each frame without padding, where frames have one fragment.
func (s *scanner) trimToLengths() {
	e, ok := s.h.Find(tagEOTLen)
	list := s.h.Frames.List
	if !ok || len(e.Value) != 8*len(list) {
		return
	}
	for i, spans := range list {
		if n := binary.LittleEndian.Uint64(e.Value[8*i:]); len(spans) == 2 && n > 0 && n <= uint64(spans[1]) {
			spans[1] = int64(n)
		}
	}
}

// partsOf builds the table for frames that begin at the fragments starts; one backing array serves all spans.
func partsOf(list []fragment, starts []int) *hub.Parts {
	spans := make([]int64, 0, 2*len(list))
	for _, f := range list {
		spans = append(spans, f.off, int64(f.size))
	}
	parts := make([][]int64, len(starts))
	for i, from := range starts {
		to := len(list)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		parts[i] = spans[2*from : 2*to : 2*to]
	}
	return &hub.Parts{List: parts}
}

// codestream reports whether a fragment begins an image: JPEG and JPEG-LS SOI, JPEG 2000 and HTJ2K SOC, JP2 signature
// box, JPEG XL codestream and container, RLE header (up to 15 segments, low byte first).
func codestream(head uint32) bool {
	switch {
	case head>>8 == 0xFFD8FF, head == 0xFF4FFF51, head == 0x0000000C, head>>16 == 0xFF0A:
		return true
	}
	return head&0x00FFFFFF == 0 && head>>24 >= 1 && head>>24 <= 15
}

// video reports the MPEG and HEVC syntaxes, whose fragments are one stream (PS3.5 8.2.5 to 8.2.8).
func video(syntax string) bool {
	n, ok := strings.CutPrefix(syntax, "1.2.840.10008.1.2.4.10")
	return ok && len(n) >= 1 && n[0] <= '8' && (len(n) == 1 || n[1] == '.')
}

// encapsulatedSyntax reports whether the transfer syntax is one of those that compress frames.
func (h *Header) encapsulatedSyntax() bool {
	switch {
	case h.TransferSyntax == "1.2.840.10008.1.2.5", h.TransferSyntax == "1.2.840.10008.1.2.1.98", h.TransferSyntax == "1.2.840.10008.1.2.8.1":
		return true
	case h.TransferSyntax == "1.2.840.10008.1.2.4.94", h.Deflated:
		return false
	}
	return strings.HasPrefix(h.TransferSyntax, "1.2.840.10008.1.2.4.")
}
