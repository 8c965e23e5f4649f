package fhir

import (
	"encoding/base64"
	"io"
	"strconv"
	"strings"

	"concord/hub"
)

// A stored resource may keep the bytes of its large base64Binary elements (Attachment.data, Binary.data) elsewhere. In
// their place stands "@0", "@1", …, which no base64 can be.

// Detached is a resource without its large attachments.
type Detached struct {
	Doc *Doc
	// Data are the attachments' bytes, in the order of their numbers.
	Data [][]byte
}

// Detach takes out the base64Binary elements of at least least bytes, decoded. An element whose text would not come
// back to the letter (line breaks, escapes, bits left over) stays; so does everything when there is none to take out,
// and Data is empty.
func (d *Doc) Detach(least int) (Detached, error) {
	out := Detached{Doc: d}
	var text []byte
	from := d.nodes[0].start
	for v, typ := range d.texts() {
		n := v.node()
		if typ != "base64Binary" || n.escaped || base64.StdEncoding.DecodedLen(int(n.end-n.start)) < least {
			continue
		}
		data, ok := exactBase64(d.text[n.start+1 : n.end-1])
		if !ok || len(data) < least {
			continue
		}
		text = append(append(text, d.data[from:n.start]...), `"@`+strconv.Itoa(len(out.Data))+`"`...)
		from = n.end
		out.Data = append(out.Data, data)
	}
	if len(out.Data) == 0 {
		return out, nil
	}
	var err error
	out.Doc, err = Parse(append(text, d.data[from:d.nodes[0].end]...), Limits{})
	return out, err
}

// exactBase64 decodes what encoding writes just so again.
func exactBase64(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	return data, err == nil
}

// Attach writes a stored resource with its attachments back in their places, as sent. part opens one by its number.
// Nothing of an attachment is held in memory.
func (d *Doc) Attach(w io.Writer, part func(i int) (io.ReadCloser, error)) error {
	from := d.nodes[0].start
	for v, typ := range d.texts() {
		i, detached := v.detached(typ)
		if !detached {
			continue
		}
		n := v.node()
		if _, err := w.Write(d.data[from : n.start+1]); err != nil {
			return err
		}
		from = n.end - 1
		if err := encode(w, i, part); err != nil {
			return err
		}
	}
	_, err := w.Write(d.data[from:d.nodes[0].end])
	return err
}

// detached is the number of the attachment that stands elsewhere.
func (v Value) detached(typ string) (int, bool) {
	n := v.node()
	if typ != "base64Binary" || n.end-n.start < 4 || v.d.data[n.start+1] != '@' {
		return 0, false
	}
	i, err := strconv.Atoi(v.d.text[n.start+2 : n.end-1])
	return i, err == nil
}

func encode(w io.Writer, i int, part func(i int) (io.ReadCloser, error)) error {
	r, err := part(i)
	if err != nil {
		return err
	}
	defer r.Close()
	out := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(out, r); err != nil {
		return &hub.Error{Kind: hub.KindOf(err), Msg: "read attachment " + strconv.Itoa(i), Err: err}
	}
	return out.Close()
}
