package dicom

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"concord/hub"
	"concord/internal/dicom/charset"
	"concord/internal/dicom/dict"
)

// AppendDataSet appends one DICOM JSON object (PS3.18 annex F) as a data set in syntax, one of the three without
// compression (PS3.5 A.1 to A.3). Attributes must be in tag order, as AppendJSON and Subset leave them. Sequences and items
// get explicit lengths. What is only named by a BulkDataURI is left out.
//
// Text is written in the character set of terms, values of (0008,0005), where that can express all of it, else in UTF-8;
// (0008,0005) says which, whatever body says, and is absent where ASCII was enough and nothing else was asked for.
func AppendDataSet(dst, body []byte, syntax string, terms []string) ([]byte, error) {
	w := encoder{implicit: syntax == implicitLittle, order: binary.LittleEndian}
	switch syntax {
	case implicitLittle, explicitLittle:
	case explicitBig:
		w.order = binary.BigEndian
	default:
		return dst, &hub.Error{Kind: hub.Unsupported, Path: "TransferSyntaxUID", Msg: "a data set cannot be written in " + syntax}
	}
	preferred, ok := charset.NewEncoder(terms)
	if !ok {
		preferred = charset.Encoder{}
	}
	for _, set := range []charset.Encoder{preferred, charset.UTF8()} {
		w.set, w.misfit, w.out = set, false, dst
		if err := w.dataSet(body, true); err != nil || !w.misfit {
			return w.out, err
		}
	}
	return w.out, nil
}

// Writable says whether AppendDataSet can write in a transfer syntax.
func Writable(syntax string) bool {
	return syntax == implicitLittle || syntax == explicitLittle || syntax == explicitBig
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// encoder writes elements behind out.
type encoder struct {
	out      []byte
	implicit bool
	order    byteOrder
	set      charset.Encoder
	misfit   bool        // some text has characters beyond set
	depth    int         // of items
	bulks    *bulkWriter // nil leaves bulk data out
}

func (w *encoder) dataSet(body []byte, root bool) error {
	due := root && w.set.Terms() != ""
	for a := range Attributes(body) {
		if due && a.Tag >= tagCharset {
			due = false
			w.charset()
		}
		if a.Tag == tagCharset {
			continue
		}
		if err := w.attribute(a); err != nil {
			return err
		}
	}
	if due {
		w.charset()
	}
	return nil
}

func (w *encoder) charset() {
	at := w.begin(tagCharset, dict.CS)
	w.out = append(w.out, w.set.Terms()...)
	w.end(at, dict.CS)
}

func (w *encoder) attribute(a Attribute) error {
	vr := a.VR()
	if !vr.Known() {
		return &hub.Error{Kind: hub.Invalid, Path: dict.Name(a.Tag), Msg: "has no known value representation"}
	}
	if uri := a.BulkDataURI(); uri != "" {
		return w.bulk(a.Tag, vr, uri)
	}
	at := w.begin(a.Tag, vr)
	switch {
	case vr == dict.SQ:
		for item := range a.Items() {
			from := len(w.out) + 8
			w.tag(0xFFFEE000)
			w.out = append(w.out, 0, 0, 0, 0)
			w.depth++
			if err := w.dataSet(item, false); err != nil {
				return err
			}
			w.depth--
			w.order.PutUint32(w.out[from-4:], uint32(len(w.out)-from))
		}
	case vr.Binary():
		if err := w.inline(a, vr); err != nil {
			return err
		}
	default:
		if err := w.values(a, vr); err != nil {
			return err
		}
	}
	return w.end(at, vr)
}

func (w *encoder) tag(t Tag) {
	w.out = w.order.AppendUint16(w.out, t.Group())
	w.out = w.order.AppendUint16(w.out, t.Element())
}

// begin writes tag and VR and leaves room for the length; the value begins where it returns.
func (w *encoder) begin(t Tag, vr VR) int {
	w.tag(t)
	switch {
	case w.implicit:
		w.out = append(w.out, 0, 0, 0, 0)
	case vr.Long():
		w.out = append(w.out, byte(vr>>8), byte(vr), 0, 0, 0, 0, 0, 0)
	default:
		w.out = append(w.out, byte(vr>>8), byte(vr), 0, 0)
	}
	return len(w.out)
}

// end pads the value that began at `at` to an even length and fills the length in.
func (w *encoder) end(at int, vr VR) error {
	if (len(w.out)-at)%2 == 1 {
		w.out = append(w.out, padding(vr))
	}
	n := len(w.out) - at
	switch {
	case w.implicit || vr.Long():
		w.order.PutUint32(w.out[at-4:], uint32(n))
	case n > math.MaxUint16:
		return &hub.Error{Kind: hub.TooLarge, Msg: "a value of VR " + vr.String() + " has more than 65,535 bytes"}
	default:
		w.order.PutUint16(w.out[at-2:], uint16(n))
	}
	return nil
}

// padding is what makes a value's length even (PS3.5 6.2).
func padding(vr VR) byte {
	if vr == dict.UI || vr.Binary() {
		return 0
	}
	return ' '
}

// inline writes an InlineBinary value, which is in little endian (F.2.7).
func (w *encoder) inline(a Attribute, vr VR) error {
	text, ok := unquote(a.member(`"InlineBinary"`))
	if !ok {
		return nil
	}
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return &hub.Error{Kind: hub.Invalid, Path: dict.Name(a.Tag), Msg: "its InlineBinary is no base64"}
	}
	if width := vr.Width(); w.order == byteOrder(binary.BigEndian) && width > 1 {
		for i := 0; i+width <= len(value); i += width {
			slices.Reverse(value[i : i+width])
		}
	}
	w.out = append(w.out, value...)
	return nil
}

// values writes what is neither a sequence nor binary.
func (w *encoder) values(a Attribute, vr VR) error {
	first := true
	for raw := range a.Items() {
		if vr.Characters() || vr == dict.IS || vr == dict.DS {
			if !first {
				w.out = append(w.out, '\\')
			}
			w.text(raw, vr)
		} else if !w.number(raw, vr) {
			return &hub.Error{Kind: hub.Invalid, Path: dict.Name(a.Tag), Msg: "has a value that is no " + vr.String()}
		}
		first = false
	}
	return nil
}

func (w *encoder) text(raw []byte, vr VR) {
	var s string
	switch raw[0] {
	case '"':
		s, _ = unquote(raw)
	case '{':
		s = joinGroups(raw)
	case 'n':
		return
	default:
		s = string(raw)
	}
	if !vr.Text() {
		w.out = append(w.out, s...)
		return
	}
	out, ok := w.set.Append(w.out, s)
	w.out, w.misfit = out, w.misfit || !ok
}

func (w *encoder) number(raw []byte, vr VR) bool {
	if s, ok := unquote(raw); ok {
		raw = []byte(s)
	}
	s := string(bytes.TrimSpace(raw))
	var err error
	var n uint64
	var i int64
	var f float64
	switch vr {
	case dict.AT:
		n, err = strconv.ParseUint(s, 16, 32)
		w.tag(Tag(n))
	case dict.US:
		n, err = strconv.ParseUint(s, 10, 16)
		w.out = w.order.AppendUint16(w.out, uint16(n))
	case dict.SS:
		i, err = strconv.ParseInt(s, 10, 16)
		w.out = w.order.AppendUint16(w.out, uint16(i))
	case dict.UL:
		n, err = strconv.ParseUint(s, 10, 32)
		w.out = w.order.AppendUint32(w.out, uint32(n))
	case dict.SL:
		i, err = strconv.ParseInt(s, 10, 32)
		w.out = w.order.AppendUint32(w.out, uint32(i))
	case dict.UV:
		n, err = strconv.ParseUint(s, 10, 64)
		w.out = w.order.AppendUint64(w.out, n)
	case dict.SV:
		i, err = strconv.ParseInt(s, 10, 64)
		w.out = w.order.AppendUint64(w.out, uint64(i))
	case dict.FL:
		f, err = strconv.ParseFloat(s, 32)
		w.out = w.order.AppendUint32(w.out, math.Float32bits(float32(f)))
	case dict.FD:
		f, err = strconv.ParseFloat(s, 64)
		w.out = w.order.AppendUint64(w.out, math.Float64bits(f))
	default:
		return false
	}
	return err == nil
}
