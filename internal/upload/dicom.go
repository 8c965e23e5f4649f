package upload

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"slices"
	"strings"
)

// tag is a DICOM tag, group in the upper half.
type tag uint32

const (
	tagMediaClass     tag = 0x0002_0002
	tagMediaInstance  tag = 0x0002_0003
	tagTransferSyntax tag = 0x0002_0010
	tagInstance       tag = 0x0008_0018

	classDICOMDIR     = "1.2.840.10008.1.3.10"
	syntaxImplicit    = "1.2.840.10008.1.2"
	syntaxBigEndian   = "1.2.840.10008.1.2.2"
	syntaxDeflated    = "1.2.840.10008.1.2.1.99"
	preambleSize      = 128
	undefinedLength   = 0xFFFF_FFFF
	longestUID        = 64
	firstDataSetGroup = 0x0008
)

// knowsDICOM recognises a Part 10 file (PS3.10 section 7.1) by its magic, and one without preamble
// by a first element that can only begin a file meta group or a data set. The identity is the SOP
// Instance UID of the data set, which is what a STOW answer names. A DICOMDIR is not an instance and
// is left out: the files it lists are sent themselves.
func knowsDICOM(_ string, head []byte) (id string, ok bool) {
	magic := len(head) >= preambleSize+4 && string(head[preambleSize:preambleSize+4]) == "DICM"
	var body []byte
	switch {
	case magic:
		body = head[preambleSize+4:]
	case beginsDataSet(head):
		body = head
	default:
		return "", false
	}
	meta, rest := readMeta(body)
	if meta[tagMediaClass] == classDICOMDIR {
		return "", false
	}
	id = instanceUID(meta, rest, magic)
	if id == "" {
		id = meta[tagMediaInstance]
	}
	return id, true
}

// beginsDataSet tries the two byte orders and VR encodings on the first element: group 0002 or 0008,
// an element number as low as real files begin with, and a length that is small and even.
func beginsDataSet(head []byte) bool {
	if len(head) < 16 {
		return false
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		group, element := order.Uint16(head), order.Uint16(head[2:])
		if (group != 0x0002 && group != firstDataSetGroup) || element > 0x0018 {
			continue
		}
		length := uint32(order.Uint16(head[6:]))
		if !isVR(head[4:6]) {
			length = order.Uint32(head[4:])
		}
		if length <= 128 && length%2 == 0 {
			return true
		}
	}
	return false
}

// readMeta reads the group 0002 elements, which are explicit little endian whatever follows.
func readMeta(body []byte) (map[tag]string, []byte) {
	meta := map[tag]string{}
	for {
		e, rest, ok := nextElement(body, binary.LittleEndian, true)
		if !ok || e.tag>>16 != 0x0002 {
			return meta, body
		}
		meta[e.tag], body = uid(e.value), rest
	}
}

// instanceUID walks the data set's first elements to (0008,0018), or returns "" if it is not among them.
func instanceUID(meta map[tag]string, body []byte, magic bool) string {
	var order binary.ByteOrder = binary.LittleEndian
	explicit := len(body) >= 6 && isVR(body[4:6])
	switch syntax := meta[tagTransferSyntax]; {
	case syntax == syntaxImplicit:
		explicit = false
	case syntax == syntaxBigEndian, syntax == "" && !magic && len(body) > 0 && body[0] == 0:
		order = binary.BigEndian
	case syntax == syntaxDeflated:
		inflated := make([]byte, headSize)
		n, _ := io.ReadFull(flate.NewReader(bytes.NewReader(body)), inflated)
		body, explicit = inflated[:n], true
	}
	for {
		e, rest, ok := nextElement(body, order, explicit)
		if !ok || e.tag > tagInstance {
			return ""
		}
		if e.tag == tagInstance {
			return uid(e.value)
		}
		body = rest
	}
}

type element struct {
	tag   tag
	value []byte
}

// nextElement reads one element that lies wholly in b and has a defined length.
func nextElement(b []byte, order binary.ByteOrder, explicit bool) (e element, rest []byte, ok bool) {
	if len(b) < 8 {
		return e, nil, false
	}
	e.tag = tag(order.Uint16(b))<<16 | tag(order.Uint16(b[2:]))
	length, start := order.Uint32(b[4:]), 8
	if explicit {
		if length = uint32(order.Uint16(b[6:])); isLongVR(string(b[4:6])) {
			if len(b) < 12 {
				return e, nil, false
			}
			length, start = order.Uint32(b[8:]), 12
		}
	}
	if length == undefinedLength || uint64(length) > uint64(len(b)-start) {
		return e, nil, false
	}
	end := start + int(length)
	e.value = b[start:end]
	return e, b[end:], true
}

// isVR: two capital letters, as every VR of PS3.5 Table 6.2-1.
func isVR(b []byte) bool {
	return b[0] >= 'A' && b[0] <= 'Z' && b[1] >= 'A' && b[1] <= 'Z'
}

// isLongVR lists the VRs with a 32-bit length (PS3.5 Table 7.1-1).
func isLongVR(vr string) bool {
	return slices.Contains([]string{"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}, vr)
}

// uid takes the padding away; what is not a UID (PS3.5 section 9.1) is "".
func uid(value []byte) string {
	s := strings.TrimRight(string(value), "\x00 ")
	if len(s) > longestUID || strings.Trim(s, "0123456789.") != "" {
		return ""
	}
	return s
}
