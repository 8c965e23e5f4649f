package dicom

import (
	"encoding/binary"
	"iter"
	"math"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/dicom/charset"
	"concord/internal/dicom/dict"
)

// Header is what a scan knows of an instance. It is complete and unchanging once the scan returns it.
type Header struct {
	TransferSyntax    string
	SOPClassUID       string
	SOPInstanceUID    string
	StudyInstanceUID  string
	SeriesInstanceUID string
	// Charset are the values of Specific Character Set; empty for the default repertoire.
	Charset []string
	// Bare is set when the stream has no File Meta Information: it is a data set only, whose syntax was inferred.
	Bare bool
	// DataSet is the position where the data set begins: the length of preamble and group 2.
	DataSet int64
	// Deflated is set when positions behind DataSet count inflated bytes, see Inflated.
	Deflated bool
	// BigEndian is set when numbers and words, pixel data among them, have their high byte first.
	BigEndian bool
	// Size is the number of bytes of the stream as received.
	Size int64
	// Frames are the byte ranges of the frames of the pixel data; nil without pixel data, and where frames cannot be told
	// apart or do not begin at whole bytes. A video is one part. Positions are those of the stream, see Deflated.
	Frames *hub.Parts
	// Warnings are sentences about what was tolerated; they never hold values.
	Warnings []string

	nodes  []node
	values []byte
	meta   int // nodes of group 2, at the front
	// evidence is how text that does not fit Charset is to be read.
	evidence charset.Repair
	// repair is how text was read that does not fit Charset.
	repair charset.Repair
}

// Remark says, for those who look at the instance later, that its text is read otherwise than it declares and how; empty for
// none. It is printable ASCII and holds no values but terms of Specific Character Set.
func (h *Header) Remark() string {
	if h.repair == charset.AsDeclared {
		return ""
	}
	declared := strings.Join(h.Charset, "/")
	switch {
	case declared == "":
		declared = "nothing"
	case strings.ContainsFunc(declared, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) || len(declared) > 128:
		declared = "something else"
	}
	return "text " + h.repair.String() + ", Specific Character Set says " + declared
}

func (h *Header) charset() charset.Set {
	set, _ := charset.New(h.Charset)
	return set.Given(h.evidence)
}

// node is one place of the tape: an element, or an item of a sequence as element (FFFE,E000).
// A sequence or item is followed by its content up to next.
type node struct {
	tag   Tag
	vr    VR
	flags uint8
	off   int64  // position of the value in the stream
	size  uint32 // bytes of the value; of Bulk values the lower half
	at    uint32 // where in values; of Bulk values the upper half of the size
	next  uint32 // the node behind this one's content
}

const (
	bulk         = 1 << iota // not kept
	big                      // high byte first
	encapsulated             // the value is a sequence of fragments
	undefined                // the length was undefined
	nodeSize     = 48        // what a node is charged: its 32 bytes and a share of what growing the tape leaves behind
)

// Element is a view of one data element.
type Element struct {
	Tag Tag
	VR  VR
	// Offset and Length say where the value lies in the stream. The length of an encapsulated value counts its items and
	// delimiters, that of a sequence is 0.
	Offset, Length int64
	// Value are the bytes as sent, nil when Bulk. They must not be changed.
	Value []byte
	// Bulk is set when the value was left in the stream; Encapsulated when it consists of fragments.
	Bulk, Encapsulated bool

	big   bool
	index uint32
}

func (h *Header) element(i uint32) Element {
	n := &h.nodes[i]
	e := Element{Tag: n.tag, VR: n.vr, Offset: n.off, Length: int64(n.size), big: n.flags&big != 0, index: i}
	switch {
	case n.flags&bulk != 0:
		e.Bulk, e.Encapsulated = true, n.flags&encapsulated != 0
		e.Length |= int64(n.at) << 32
	case n.vr == dict.SQ:
		e.Length = 0
	default:
		e.Value = h.values[n.at : n.at+n.size : n.at+n.size]
	}
	return e
}

// Elements yields the elements of the data set in stream order, without group 2.
func (h *Header) Elements() iter.Seq[Element] {
	return h.between(uint32(h.meta), uint32(len(h.nodes)))
}

// Meta yields the elements of group 2.
func (h *Header) Meta() iter.Seq[Element] { return h.between(0, uint32(h.meta)) }

func (h *Header) between(from, to uint32) iter.Seq[Element] {
	return func(yield func(Element) bool) {
		for i := from; i < to; i = h.nodes[i].next {
			if !yield(h.element(i)) {
				return
			}
		}
	}
}

// Items yields the items of sequence e, each as the elements it holds; nothing for other elements.
func (h *Header) Items(e Element) iter.Seq[iter.Seq[Element]] {
	return func(yield func(iter.Seq[Element]) bool) {
		if e.VR != dict.SQ || e.Bulk {
			return
		}
		for i := e.index + 1; i < h.nodes[e.index].next; i = h.nodes[i].next {
			if !yield(h.between(i+1, h.nodes[i].next)) {
				return
			}
		}
	}
}

// Find returns the first element of the data set (not of its items) with the tag.
func (h *Header) Find(tag Tag) (Element, bool) {
	return h.find(uint32(h.meta), uint32(len(h.nodes)), tag)
}

func (h *Header) find(from, to uint32, tag Tag) (Element, bool) {
	for i := from; i < to; i = h.nodes[i].next {
		if h.nodes[i].tag == tag {
			return h.element(i), true
		}
	}
	return Element{}, false
}

// Texts are the values of a character element, decoded and trimmed; nil when it is absent, empty or not of characters.
func (h *Header) Texts(tag Tag) []string {
	e, _ := h.Find(tag)
	return h.Values(e)
}

// Text is the first of Texts, or empty.
func (h *Header) Text(tag Tag) string {
	if all := h.Texts(tag); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Int reads the first value of a whole number: IS, US, SS, UL, SL, UV or SV.
func (h *Header) Int(tag Tag) (int64, bool) {
	e, ok := h.Find(tag)
	if !ok {
		return 0, false
	}
	return e.Int()
}

// Values are the values of a character element wherever it stands, decoded and trimmed; nil when it is empty or not of characters.
func (h *Header) Values(e Element) []string {
	if !e.VR.Characters() || len(e.Value) == 0 {
		return nil
	}
	set := h.charset()
	return texts(e, &set)
}

// Ints reads all whole numbers of a binary element: US, SS, UL, SL, UV or SV.
func (e Element) Ints() (all []int64) {
	width := e.VR.Width()
	for ; e.VR != dict.IS && width > 0 && len(e.Value) >= width; e.Value = e.Value[width:] {
		n, ok := e.Int()
		if !ok {
			break
		}
		all = append(all, n)
	}
	return all
}

// Order is how the numbers of a binary element are written.
func (e Element) Order() binary.ByteOrder { return e.order() }

// Int reads the first value of a whole number: IS, US, SS, UL, SL, UV or SV.
func (e Element) Int() (int64, bool) {
	if e.VR == dict.IS {
		v, _, _ := strings.Cut(string(e.Value), `\`)
		n, err := strconv.ParseInt(strings.Trim(v, " \x00"), 10, 64)
		return n, err == nil
	}
	if len(e.Value) < e.VR.Width() {
		return 0, false
	}
	switch order := e.order(); e.VR {
	case dict.US:
		return int64(order.Uint16(e.Value)), true
	case dict.SS:
		return int64(int16(order.Uint16(e.Value))), true
	case dict.UL:
		return int64(order.Uint32(e.Value)), true
	case dict.SL:
		return int64(int32(order.Uint32(e.Value))), true
	case dict.UV:
		n := order.Uint64(e.Value)
		return int64(n), n <= math.MaxInt64
	case dict.SV:
		return int64(order.Uint64(e.Value)), true
	}
	return 0, false
}

func (e Element) order() binary.ByteOrder {
	if e.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// texts decodes, splits and trims (PS3.5 6.2: padding and leading spaces are not significant, but leading ones of
// LT, ST, UT and UR are). Without a set, as of the element that names the sets, whatever VR it claims, the text is ASCII.
func texts(e Element, set *charset.Set) []string {
	var s string
	if e.VR.Text() && set != nil {
		out, _ := set.Append(nil, e.Value)
		s = string(out)
	} else {
		s = strings.ToValidUTF8(string(e.Value), "\uFFFD")
	}
	if e.VR.Single() {
		return []string{strings.TrimRight(s, " \x00")}
	}
	all := strings.Split(s, `\`)
	for i := range all {
		all[i] = strings.Trim(all[i], " \x00")
	}
	return all
}

// warn adds a sentence, once, and not more than a reader would want.
func (h *Header) warn(sentence string) {
	for _, w := range h.Warnings {
		if w == sentence {
			return
		}
	}
	if len(h.Warnings) < 16 {
		h.Warnings = append(h.Warnings, sentence)
	}
}
