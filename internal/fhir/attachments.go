package fhir

import (
	"encoding/base64"
	"iter"
	"strconv"
	"strings"
)

// A stored resource may keep the bytes of its large base64Binary elements (Attachment.data, Binary.data) elsewhere. In
// their place stands "@0", "@1", …, which no base64 can be.

// Detached is a resource without its large attachments.
type Detached struct {
	Doc *Doc
	// Data are the attachments, in the order of their numbers.
	Data []Attachment
}

// Attachment is one that was taken out of a resource: its bytes, or what it was told to be known as.
type Attachment struct {
	Bytes []byte
	Known int // where Bytes is nil
}

// Detach takes out the base64Binary elements of at least least bytes, decoded, and those whose text is among known. An
// element whose text would not come back to the letter (line breaks, escapes, bits left over) stays; so does everything
// when there is none to take out, and Data is empty.
func (d *Doc) Detach(least int, known map[string]int) (Detached, error) {
	out := Detached{Doc: d}
	var text []byte
	from := d.nodes[0].start
	for v, typ := range d.texts() {
		n := v.node()
		if typ != "base64Binary" || n.escaped {
			continue
		}
		sent := d.text[n.start+1 : n.end-1]
		one := Attachment{}
		if k, ok := known[sent]; ok {
			one.Known = k
		} else if one.Bytes, ok = exactBase64(sent, least); !ok {
			continue
		}
		text = append(append(text, d.data[from:n.start]...), `"@`+strconv.Itoa(len(out.Data))+`"`...)
		from = n.end
		out.Data = append(out.Data, one)
	}
	if len(out.Data) == 0 {
		return out, nil
	}
	var err error
	out.Doc, err = Parse(append(text, d.data[from:d.nodes[0].end]...), Limits{})
	return out, err
}

// exactBase64 decodes what encoding writes just so again, when it is at least least bytes.
func exactBase64(text string, least int) ([]byte, bool) {
	if base64.StdEncoding.DecodedLen(len(text)) < least || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	return data, err == nil && len(data) >= least
}

// HasLargeBase64 reports whether a string in v, of whatever type, is base64 that Detach would take out of a resource.
func (v Value) HasLargeBase64(least int) bool {
	switch v.Kind() {
	case String:
		_, ok := exactBase64(v.Text(), least)
		return ok
	case Object, Array:
		for m := range v.children() {
			if m.HasLargeBase64(least) {
				return true
			}
		}
	}
	return false
}

// Pieces yields a stored resource as it was sent, piece by piece: text, and the number of the attachment whose base64
// belongs behind it, −1 at the end.
func (d *Doc) Pieces() iter.Seq2[[]byte, int] {
	return func(yield func([]byte, int) bool) {
		from := d.nodes[0].start
		for v, typ := range d.texts() {
			i, detached := v.detached(typ)
			if !detached {
				continue
			}
			n := v.node()
			if !yield(d.data[from:n.start+1], i) {
				return
			}
			from = n.end - 1
		}
		yield(d.data[from:d.nodes[0].end], -1)
	}
}

// detached is the number of the attachment that stands elsewhere.
func (v Value) detached(typ string) (int, bool) {
	n := v.node()
	if typ != "base64Binary" || n.end-n.start < 4 || v.d.data[n.start+1] != '@' {
		return 0, false
	}
	i, err := strconv.Atoi(v.d.text[n.start+2 : n.end-1])
	return i, err == nil && i >= 0
}
