package dicom

import (
	"encoding/binary"
	"io"

	"concord/internal/dicom/dict"
)

// scanner walks a data set with an explicit stack of open sequences and items, so that nesting costs no Go stack.
type scanner struct {
	src   *source
	lim   Limits
	h     *Header
	stack []level
	pixel pixelData
	used  int // of Limits.Header
}

// level is a data set, sequence or item that is open.
type level struct {
	node     uint32 // its place on the tape; of no meaning at the root
	end      int64  // where it ends, −1 when a delimiter or the end of the stream ends it
	sequence bool
	implicit bool
	big      bool
	meta     bool // group 2: ends before the first element of another group
}

func (l level) order() binary.ByteOrder {
	if l.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

const (
	tagItem      Tag = 0xFFFEE000
	tagItemEnd   Tag = 0xFFFEE00D
	tagSeqEnd    Tag = 0xFFFEE0DD
	tagEOT       Tag = 0x7FE00001 // Extended Offset Table
	tagEOTLen    Tag = 0x7FE00002
	tagPixel     Tag = 0x7FE00010
	tagFloat     Tag = 0x7FE00008
	tagDouble    Tag = 0x7FE00009
	tagPixelSign Tag = 0x00280103

	anyLength = 0xFFFFFFFF
)

// dataSet reads elements until the stream ends, or group 2 does.
func (s *scanner) dataSet(root level) error {
	s.stack = append(s.stack[:0], root)
	for {
		pos := s.src.pos()
		top := s.stack[len(s.stack)-1]
		switch {
		case top.end >= 0 && pos == top.end:
			s.pop()
			continue
		case top.end >= 0 && pos > top.end:
			return invalid(s.path(), "content runs past the end of its item at byte %d", top.end)
		}
		p := s.src.peek(12)
		if len(p) < 8 {
			return s.ends(top, p)
		}
		if top.meta && (p[0] != 2 || p[1] != 0) {
			return nil
		}
		order := top.order()
		tag := Tag(order.Uint16(p))<<16 | Tag(order.Uint16(p[2:]))
		var err error
		switch {
		case tag == tagItem || tag == tagItemEnd || tag == tagSeqEnd:
			err = s.delimiter(tag, order.Uint32(p[4:]))
		case top.sequence:
			err = invalid(s.path(), "a sequence holds %v at byte %d where an item must begin", tag, pos)
		case len(s.stack) == 1 && s.padding(p):
			s.h.warn("bytes follow the data set")
			s.src.drain()
			return nil
		case len(s.stack) == 1 && s.lim.HeaderOnly && fragmented(tag):
			return s.stopAt(tag, p, top)
		default:
			err = s.element(tag, p, top)
		}
		if err != nil {
			return err
		}
	}
}

// ends decides what it means that the stream is over, or has less than an element header left.
func (s *scanner) ends(top level, p []byte) error {
	switch {
	case s.src.failure() != nil:
		return s.src.failure()
	case len(s.stack) == 1 && len(p) == 0:
		return nil
	case len(s.stack) == 1 && !top.meta && (s.pixel.found || zero(p)):
		s.src.take(len(p))
		s.h.warn("bytes follow the data set")
		return nil
	case len(p) == 0:
		return s.truncated(s.h.nodes[top.node].tag)
	}
	s.src.take(len(p))
	return invalid(s.path(), "the file ends inside the header of an element at byte %d", s.src.pos())
}

func zero(p []byte) bool {
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}

// padding recognises what is behind a data set that writers filled up: an element cannot be (0000,0000) there.
func (s *scanner) padding(p []byte) bool { return zero(p[:4]) && len(s.h.nodes) > s.h.meta }

// truncated is the error of a stream that ends inside tag.
func (s *scanner) truncated(tag Tag) error {
	if f := s.src.failure(); f != nil {
		return f
	}
	return invalid(dict.Name(tag), "the file ends inside %v at byte %d", tag, s.src.pos())
}

// path names the innermost open sequence.
func (s *scanner) path() string {
	for i := len(s.stack) - 1; i > 0; i-- {
		if s.stack[i].sequence {
			return dict.Name(s.h.nodes[s.stack[i].node].tag)
		}
	}
	return ""
}

func (s *scanner) pop() {
	top := s.stack[len(s.stack)-1]
	s.h.nodes[top.node].next = uint32(len(s.h.nodes))
	s.stack = s.stack[:len(s.stack)-1]
}

// push opens a sequence or item whose node is the last one.
func (s *scanner) push(l level) error {
	if len(s.stack) > 2*s.lim.Depth {
		return tooLarge(s.path(), "sequences nest deeper than %d", s.lim.Depth)
	}
	if parent := s.stack[len(s.stack)-1].end; parent >= 0 && l.end > parent {
		return invalid(dict.Name(s.h.nodes[l.node].tag), "declares %d bytes more than its parent has", l.end-parent)
	}
	s.stack = append(s.stack, l)
	return nil
}

// add puts a node on the tape. size and at of kept values are set by the caller.
func (s *scanner) add(n node) (uint32, error) {
	if s.used += nodeSize; s.used > s.lim.Header {
		return 0, s.full(n.tag)
	}
	i := uint32(len(s.h.nodes))
	n.next = i + 1
	s.h.nodes = append(s.h.nodes, n)
	return i, nil
}

func (s *scanner) full(tag Tag) error {
	return tooLarge(dict.Name(tag), "the header is larger than %d bytes", s.lim.Header)
}

// stopAt notes pixel data that is not read.
func (s *scanner) stopAt(tag Tag, p []byte, top level) error {
	vr := dict.OW
	if given := VR(p[4])<<8 | VR(p[5]); !top.implicit && given.Known() {
		vr = given
	}
	_, err := s.add(node{tag: tag, vr: vr, flags: bulk, off: s.src.pos()})
	return err
}

// delimiter handles the three tags without VR (PS3.5 7.5).
func (s *scanner) delimiter(tag Tag, length uint32) error {
	top := s.stack[len(s.stack)-1]
	s.src.take(8)
	switch {
	case tag == tagItem && top.sequence:
		i, err := s.add(node{tag: tagItem, vr: dict.SQ, off: s.src.pos()})
		if err != nil {
			return err
		}
		item := level{node: i, end: -1, implicit: top.implicit, big: top.big}
		if length != anyLength {
			item.end = s.src.pos() + int64(length)
		}
		return s.push(item)
	case tag == tagItemEnd && len(s.stack) > 1 && !top.sequence && top.end < 0:
		s.pop()
	case tag == tagSeqEnd && top.sequence && top.end < 0:
		s.pop()
	case tag == tagSeqEnd && len(s.stack) > 2 && top.end < 0 && s.stack[len(s.stack)-2].end < 0:
		s.h.warn("an item delimiter is missing")
		s.pop()
		s.pop()
	case tag != tagItem:
		s.h.warn("a delimiter stands where nothing ends")
	default:
		return invalid(s.path(), "an item begins at byte %d outside a sequence", s.src.pos()-8)
	}
	return nil
}

// element reads one element whose header's first bytes are p.
func (s *scanner) element(tag Tag, p []byte, top level) error {
	order := top.order()
	vr, length, size := VR(p[4])<<8|VR(p[5]), order.Uint32(p[4:]), 8
	switch {
	case top.implicit:
		vr = s.implicitVR(tag, length)
	case vr.Known() && !vr.Long():
		length = uint32(order.Uint16(p[6:]))
	case vr.Letters() && p[6] == 0 && p[7] == 0: // known and long, or one that PS3.5 7.1.2 reserves for the future
		if len(p) < 12 {
			return s.truncated(tag)
		}
		if !vr.Known() {
			s.h.warn("an element has a VR that is not defined: read as UN")
			vr = dict.UN
		}
		length, size = order.Uint32(p[8:]), 12
	case vr.Letters() && !vr.Long():
		s.h.warn("an element has a VR that is not defined: read as UN")
		vr, length = dict.UN, uint32(order.Uint16(p[6:]))
	case vr.Known():
		return invalid(dict.Name(tag), "the length of %v at byte %d is malformed", tag, s.src.pos())
	default:
		s.h.warn("an element has no VR: read as Implicit VR")
		vr = s.implicitVR(tag, length)
	}
	s.src.take(size)
	n := node{tag: tag, vr: vr, off: s.src.pos(), size: length}
	if top.big && vr != dict.UN {
		n.flags = big
	}
	if length == anyLength {
		return s.open(n, top)
	}
	if vr == dict.SQ {
		return s.sequence(n, top, n.off+int64(length))
	}
	if vr == dict.UN {
		n.vr = s.knownVR(tag)
	}
	return s.value(n, top)
}

// implicitVR finds the VR that implicit encoding leaves out (PS3.5 6.2.2, 7.1.3).
func (s *scanner) implicitVR(tag Tag, length uint32) VR {
	vr := dict.UN
	switch a, ok := dict.Lookup(tag); {
	case tag.Element() == 0:
		return dict.UL
	case ok && !tag.Private():
		vr = s.resolve(a)
	case tag.Private() && tag.Element() >= 0x10 && tag.Element() <= 0xFF:
		vr = dict.LO // private creator (7.8.1)
	}
	if length == anyLength && !vr.Binary() {
		return dict.SQ
	}
	return vr
}

// knownVR replaces UN of a public attribute by its VR, sequences excepted.
func (s *scanner) knownVR(tag Tag) VR {
	a, ok := dict.Lookup(tag)
	if !ok || tag.Private() || a.VR == dict.SQ {
		return dict.UN
	}
	return s.resolve(a)
}

func (s *scanner) resolve(a *dict.Attribute) VR {
	if a.Rule == dict.ByPixelRepresentation {
		if signed, _ := s.h.Int(tagPixelSign); signed == 1 {
			return dict.SS
		}
	}
	return a.VR
}

// open begins a value of undefined length: a sequence, or fragments.
func (s *scanner) open(n node, top level) error {
	n.flags |= undefined
	switch {
	case n.vr == dict.SQ:
		return s.sequence(n, top, -1)
	case n.vr == dict.UN && !fragmented(n.tag):
		top.implicit, top.big = true, false // PS3.5 6.2.2 note 4
		n.vr, n.flags = dict.SQ, undefined
		return s.sequence(n, top, -1)
	case n.vr.Binary():
		return s.fragments(n)
	}
	return invalid(dict.Name(n.tag), "%v of VR %v has an undefined length", n.tag, n.vr)
}

func fragmented(tag Tag) bool { return tag == tagPixel || tag == tagFloat || tag == tagDouble }

func (s *scanner) sequence(n node, top level, end int64) error {
	n.vr, n.size = dict.SQ, 0
	i, err := s.add(n)
	if err != nil {
		return err
	}
	return s.push(level{node: i, end: end, sequence: true, implicit: top.implicit, big: top.big})
}

// value keeps or skips a value of known length.
func (s *scanner) value(n node, top level) error {
	length := int64(n.size)
	if top.end >= 0 && n.off+length > top.end {
		return invalid(dict.Name(n.tag), "%v declares %d bytes, its item has %d left", n.tag, length, top.end-n.off)
	}
	root := len(s.stack) == 1
	if root && fragmented(n.tag) {
		return s.nativePixels(n)
	}
	table := root && (n.tag == tagEOT || n.tag == tagEOTLen)
	if !table && s.leave(n.vr, int(length)) {
		n.flags |= bulk
		n.at = 0
		i, err := s.add(n)
		if err == nil && s.lim.Bulk != nil {
			err = s.offer(i, length)
		}
		if err != nil {
			return err
		}
		if left := n.off + length - s.src.pos(); s.src.skip(left) < left {
			return s.truncated(n.tag)
		}
		return nil
	}
	if s.used += int(length); s.used > s.lim.Header {
		return s.full(n.tag)
	}
	n.at = uint32(len(s.h.values))
	if _, err := s.add(n); err != nil {
		return err
	}
	var ok bool
	if s.h.values, ok = s.src.appendTo(s.h.values, int(length)); !ok {
		return s.truncated(n.tag)
	}
	return nil
}

// offer shows Limits.Bulk the value of node i, which is next in the stream.
func (s *scanner) offer(i uint32, length int64) error {
	first := uint32(s.h.meta)
	if len(s.stack) > 1 {
		first = s.stack[len(s.stack)-1].node + 1
	}
	return s.lim.Bulk(s.h.between(first, i), s.h.element(i), io.LimitReader(s.src, length))
}

// leave decides which values stay in the stream. DICOM JSON allows BulkDataURI for all VRs but the short strings and
// PN (PS3.18 F.2.2).
func (s *scanner) leave(vr VR, length int) bool {
	switch vr {
	case dict.AE, dict.AS, dict.AT, dict.CS, dict.DA, dict.DT, dict.LO, dict.PN, dict.SH, dict.TM, dict.UI, dict.UR:
		return false
	}
	switch {
	case length > 16*s.lim.Inline:
		return true
	case length > s.lim.Inline:
		return vr.Binary() || s.used > s.lim.Header/2
	}
	return length > 256 && s.used > s.lim.Header/2
}
