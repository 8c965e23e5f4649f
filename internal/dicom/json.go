package dicom

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"

	"concord/internal/dicom/charset"
	"concord/internal/dicom/dict"
)

// JSONOptions says how a header is written.
type JSONOptions struct {
	// BulkPrefix comes before the tag path of a bulk value in its BulkDataURI: "bulk/" by default, relative to the
	// instance. The path is "7FE00010", or "00081140/1/00420011" inside items, counted from 1.
	BulkPrefix string
}

// AppendJSON appends the data set as one DICOM JSON object (PS3.18 annex F) on one line: attributes in tag order, the
// first of repeated ones, text as UTF-8 and therefore (0008,0005) as ISO_IR 192 wherever it has a value or text is beyond
// ASCII. Group 2, group lengths and padding are left out. The output is valid JSON whatever the header holds:
//
//   - IS and DS are numbers with the digits as sent; what is not a number is a string (F.2.3 allows both).
//   - FL and FD that JSON cannot write are the strings "NaN", "Infinity", "-Infinity"; SV and UV beyond ±2^53 are strings.
//   - Empty values among others are null, and an attribute without any value has its vr only (F.2.5).
//   - Small binary values are InlineBinary, in little endian (F.2.7); values not kept are BulkDataURI (F.2.6).
func AppendJSON(dst []byte, h *Header, o JSONOptions) []byte {
	return h.appendJSON(dst, o, nil)
}

func (h *Header) appendJSON(dst []byte, o JSONOptions, keep []Tag) []byte {
	if o.BulkPrefix == "" {
		o.BulkPrefix = "bulk/"
	}
	set := h.charset()
	w := jsonWriter{out: slices.Grow(dst, 2*len(h.values)+40*len(h.nodes)), h: h, path: []byte(o.BulkPrefix), keep: keep}
	if len(h.Charset) == 0 {
		w.utf8 = h.beyondASCII()
	}
	w.object(uint32(h.meta), uint32(len(h.nodes)), &set, true)
	return w.out
}

// beyondASCII reports whether any text of the data set, items included, has bytes above 127.
func (h *Header) beyondASCII() bool {
	for i := h.meta; i < len(h.nodes); i++ {
		n := &h.nodes[i]
		if n.vr.Text() && n.flags&bulk == 0 && !charset.Plain(h.values[n.at:n.at+n.size]) {
			return true
		}
	}
	return false
}

type jsonWriter struct {
	out  []byte
	h    *Header
	path []byte
	keep []Tag // at the root, sorted; nil keeps all
	utf8 bool  // (0008,0005) is added though the data set has none
	text []byte
}

func skipped(t Tag) bool {
	return t.Element() == 0 || t.Group() <= 2 || t.Group() >= 0xFFFC
}

func (w *jsonWriter) object(from, to uint32, set *charset.Set, root bool) {
	if e, ok := w.h.find(from, to, tagCharset); ok && !root {
		own, _ := charset.New(texts(e, nil))
		own = own.Given(w.h.evidence)
		set = &own
	}
	w.out = append(w.out, '{')
	start := len(w.out)
	charsetDue := root && w.utf8 && (w.keep == nil || slices.Contains(w.keep, tagCharset))
	each := func(i uint32) {
		n := &w.h.nodes[i]
		if root && w.keep != nil {
			if _, ok := slices.BinarySearch(w.keep, n.tag); !ok {
				return
			}
		}
		if charsetDue && n.tag >= tagCharset {
			charsetDue = false
			w.comma(start)
			w.out = append(w.out, charsetUTF8...)
			if n.tag == tagCharset {
				return
			}
		}
		w.comma(start)
		w.attribute(i, set)
	}
	if w.ascending(from, to) {
		for i := from; i < to; i = w.h.nodes[i].next {
			if !skipped(w.h.nodes[i].tag) {
				each(i)
			}
		}
	} else {
		for _, i := range w.sorted(from, to) {
			each(i)
		}
	}
	if charsetDue {
		w.comma(start)
		w.out = append(w.out, charsetUTF8...)
	}
	w.out = append(w.out, '}')
}

const charsetUTF8 = `"00080005":{"vr":"CS","Value":["ISO_IR 192"]}`

func (w *jsonWriter) comma(start int) {
	if len(w.out) > start {
		w.out = append(w.out, ',')
	}
}

func (w *jsonWriter) ascending(from, to uint32) bool {
	last := int64(-1)
	for i := from; i < to; i = w.h.nodes[i].next {
		if int64(w.h.nodes[i].tag) <= last {
			return false
		}
		last = int64(w.h.nodes[i].tag)
	}
	return true
}

func (w *jsonWriter) sorted(from, to uint32) []uint32 {
	var order []uint32
	for i := from; i < to; i = w.h.nodes[i].next {
		if !skipped(w.h.nodes[i].tag) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return int(int64(w.h.nodes[a].tag) - int64(w.h.nodes[b].tag)) })
	return slices.CompactFunc(order, func(a, b uint32) bool { return w.h.nodes[a].tag == w.h.nodes[b].tag })
}

func (w *jsonWriter) attribute(i uint32, set *charset.Set) {
	e := w.h.element(i)
	if e.Tag == tagCharset && len(e.Value) > 0 {
		w.out = append(w.out, charsetUTF8...)
		return
	}
	w.out = append(e.Tag.AppendHex(append(w.out, '"')), `":{"vr":"`...)
	w.out = append(w.out, byte(e.VR>>8), byte(e.VR), '"')
	switch {
	case e.Bulk && e.Length == 0 && !e.Encapsulated: // no value (F.2.5)
	case e.Bulk:
		w.out = append(w.out, `,"BulkDataURI":`...)
		w.out = appendString(w.out, e.Tag.AppendHex(w.path))
	case e.VR == dict.SQ:
		w.items(i, set)
	case len(e.Value) == 0:
	case e.VR.Binary():
		w.out = append(w.out, `,"InlineBinary":"`...)
		w.out = base64.StdEncoding.AppendEncode(w.out, littleEndian(e))
		w.out = append(w.out, '"')
	default:
		w.values(e, set)
	}
	w.out = append(w.out, '}')
}

func (w *jsonWriter) items(i uint32, set *charset.Set) {
	end := w.h.nodes[i].next
	if i+1 == end {
		return
	}
	w.out = append(w.out, `,"Value":[`...)
	path := len(w.path)
	w.path = append(w.h.nodes[i].tag.AppendHex(w.path), '/')
	inner := len(w.path)
	start := len(w.out)
	for item, n := i+1, int64(1); item < end; item, n = w.h.nodes[item].next, n+1 {
		w.comma(start)
		w.path = append(strconv.AppendInt(w.path[:inner], n, 10), '/')
		w.object(item+1, w.h.nodes[item].next, set, false)
	}
	w.path = w.path[:path]
	w.out = append(w.out, ']')
}

// values writes ,"Value":[…], or nothing when no value is there.
func (w *jsonWriter) values(e Element, set *charset.Set) {
	back := len(w.out)
	w.out = append(w.out, `,"Value":[`...)
	var any bool
	if e.VR.Characters() || e.VR == dict.IS || e.VR == dict.DS {
		any = w.strings(e, set)
	} else {
		w.out, any = appendBinaryNumbers(w.out, e)
	}
	if !any {
		w.out = w.out[:back]
		return
	}
	w.out = append(w.out, ']')
}

// strings writes the values of a character VR and reports whether any is not empty.
func (w *jsonWriter) strings(e Element, set *charset.Set) bool {
	text := e.Value
	if !charset.Plain(text) {
		if e.VR.Text() {
			w.text, _ = set.Append(w.text[:0], text)
		} else {
			w.text = append(w.text[:0], bytes.ToValidUTF8(text, []byte("\uFFFD"))...)
		}
		text = w.text
	}
	if e.VR.Single() {
		text = bytes.TrimRight(text, " \x00")
		w.out = appendString(w.out, text)
		return len(text) > 0
	}
	found := false
	for more := true; more; {
		var one []byte
		one, text, more = bytes.Cut(text, []byte{'\\'})
		one = bytes.Trim(one, " \x00")
		if e.VR == dict.PN {
			one = bytes.TrimRight(one, "^= \x00") // empty trailing components say nothing (PS3.5 6.2.1.1)
		}
		found = found || len(one) > 0
		switch {
		case len(one) == 0:
			w.out = append(w.out, "null"...)
		case e.VR == dict.PN:
			w.out = appendName(w.out, one)
		case e.VR == dict.IS || e.VR == dict.DS:
			w.out = appendDecimal(w.out, one)
		default:
			w.out = appendString(w.out, one)
		}
		if more {
			w.out = append(w.out, ',')
		}
	}
	return found
}

// appendName writes the component groups of a person name (F.2.2, PS3.5 6.2.1.2).
func appendName(dst, name []byte) []byte {
	keys := [...]string{`"Alphabetic":`, `"Ideographic":`, `"Phonetic":`}
	dst = append(dst, '{')
	start := len(dst)
	for _, key := range keys {
		var group []byte
		group, name, _ = bytes.Cut(name, []byte{'='})
		if group = bytes.TrimRight(group, "^ \x00"); len(group) == 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, key...), group)
	}
	return append(dst, '}')
}

// littleEndian turns the words of a big endian value round; other values are returned as they are.
func littleEndian(e Element) []byte {
	width := e.VR.Width()
	if !e.big || width == 1 {
		return e.Value
	}
	out := bytes.Clone(e.Value)
	for i := 0; i+width <= len(out); i += width {
		slices.Reverse(out[i : i+width])
	}
	return out
}
