package pixels

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
)

// Source opens a stored file at an offset, as hub.Objects does; length −1 reads to the end.
type Source func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// Form is how Transcode writes.
type Form struct {
	// Implicit asks for Implicit VR Little Endian in place of Explicit.
	Implicit bool
	// Bare leaves out preamble and group 2, as C-STORE sends a data set.
	Bare bool
	// Implementation is the Implementation Class UID that group 2 names.
	Implementation string
}

// Syntax is the transfer syntax of the form.
func (f Form) Syntax() string {
	if f.Implicit {
		return "1.2.840.10008.1.2"
	}
	return "1.2.840.10008.1.2.1"
}

// Transcode writes a stored instance, whose header h is a scan of the whole file, anew in Explicit (or Implicit) VR Little
// Endian with native pixel data: every element of the data set with its value as sent, bytes swapped where they must be, and
// the attributes that decoding changes. Group lengths and offset tables are left out; sequences have undefined length; an
// icon whose pixels are encoded is left out. One frame at a time is in memory.
//
// An error before the first byte was written (an encoding without decoder, a first frame that is broken) leaves w untouched.
func (d *Decoder) Transcode(ctx context.Context, w io.Writer, h *dicom.Header, src Source, form Form) error {
	if h.Deflated {
		src = inflated(src, h.DataSet)
	}
	t := &transcoder{ctx: ctx, decoder: d, h: h, src: &forward{open: src}, form: form}
	defer t.src.close()
	if err := t.prepare(); err != nil {
		return err
	}
	t.w = bufio.NewWriterSize(w, 64<<10)
	if !form.Bare {
		meta := dicom.AppendMeta(nil, form.Syntax(), h.SOPClassUID, h.SOPInstanceUID, form.Implementation)
		if _, err := t.w.Write(meta); err != nil {
			return err
		}
	}
	if err := t.dataSet(); err != nil {
		return fmt.Errorf("transcode instance %s: %w", h.SOPInstanceUID, err)
	}
	return t.w.Flush()
}

type transcoder struct {
	ctx     context.Context
	decoder *Decoder
	h       *dicom.Header
	src     *forward
	form    Form
	w       *bufio.Writer

	img    *Image  // where pixel data is encoded
	first  *Native // its first frame, decoded before anything is written
	pixels dicom.Element
}

// prepare decodes the first frame of encoded pixel data, which tells what attributes become.
func (t *transcoder) prepare() error {
	for _, tag := range []dicom.Tag{tagPixels, tagFloatPixels, tagDoublePixels} {
		if e, ok := t.h.Find(tag); ok {
			t.pixels = e
		}
	}
	if !t.pixels.Encapsulated {
		return nil // native, whatever the transfer syntax says
	}
	if !Decodable(t.h.TransferSyntax) {
		return noDecoder(t.h.TransferSyntax)
	}
	img, err := Of(t.h)
	if err != nil {
		return err
	}
	if t.h.Frames.Len() == 0 {
		return &hub.Error{Kind: hub.Invalid, Path: "PixelData", Msg: "its frames cannot be told apart", Hint: "retrieve it as stored"}
	}
	t.img = img
	if size, _ := img.frameBits(); int64(size/8)*int64(t.h.Frames.Len()) >= 1<<32-2 {
		return &hub.Error{Kind: hub.TooLarge, Path: "PixelData", Msg: "native pixel data cannot have 4 GiB (PS3.5 A.1)", Hint: "retrieve it as stored, or by frames"}
	}
	t.first, err = t.frame(0)
	return err
}

// frame reads and decodes one frame.
func (t *transcoder) frame(i int) (*Native, error) {
	spans := t.h.Frames.Spans(i)
	total := int64(0)
	for k := 1; k < len(spans); k += 2 {
		total += spans[k]
	}
	if total > t.decoder.limits.Memory {
		return nil, &hub.Error{Kind: hub.TooLarge, Path: "PixelData", Msg: "an encoded frame is larger than the limit"}
	}
	frame := make([]byte, 0, total)
	for k := 0; k+1 < len(spans); k += 2 {
		r, err := t.src.at(t.ctx, spans[k], spans[k+1])
		if err != nil {
			return nil, err
		}
		at := len(frame)
		frame = frame[:at+int(spans[k+1])]
		if _, err := io.ReadFull(r, frame[at:]); err != nil {
			return nil, short(err)
		}
	}
	n, err := t.decoder.Frame(t.ctx, t.img, frame)
	if err != nil {
		return nil, fmt.Errorf("frame %d: %w", i+1, err)
	}
	return n, nil
}

// short turns the end of a stored file into a fault of the file.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &hub.Error{Kind: hub.Corrupt, Msg: "the stored file is shorter than its header says", Err: err}
	}
	return err
}

// dataSet writes the elements of the root.
func (t *transcoder) dataSet() error {
	for e := range t.h.Elements() {
		var err error
		switch value, ok := t.changed(e); {
		case t.dropped(e):
		case ok:
			err = t.plain(e.Tag, e.VR, value)
		case e.Bulk && e.Tag == t.pixels.Tag && t.img != nil:
			err = t.decodedPixels()
		default:
			err = t.element(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	tagOffsets dicom.Tag = 0x7FE00001
	tagLengths dicom.Tag = 0x7FE00002
	tagIcons   dicom.Tag = 0x00880200
)

// dropped are elements that say something of the encoding alone, and icons that are encoded themselves.
func (t *transcoder) dropped(e dicom.Element) bool {
	switch {
	case e.Tag.Element() == 0, e.Tag == tagOffsets, e.Tag == tagLengths, e.Tag == 0xFFFCFFFC:
		return true
	case e.Tag == tagIcons:
		for item := range t.h.Items(e) {
			for inner := range item {
				if inner.Encapsulated {
					return true
				}
			}
		}
	}
	return false
}

// changed are the values of attributes that decoding changes (PS3.3 C.7.6.3).
func (t *transcoder) changed(e dicom.Element) ([]byte, bool) {
	if t.img == nil {
		return nil, false
	}
	switch e.Tag {
	case tagPhotometric:
		return padded([]byte(t.first.Photometric), ' '), t.first.Photometric != t.img.Photometric
	case tagPlanar:
		return []byte{0, 0}, true
	}
	return nil, false
}

func padded(b []byte, with byte) []byte {
	if len(b)%2 == 1 {
		b = append(b, with)
	}
	return b
}

// decodedPixels writes native pixel data frame by frame (PS3.5 8.1.1, A.2).
func (t *transcoder) decodedPixels() error {
	count := t.h.Frames.Len()
	size := len(t.first.Data)
	total := size * count
	vr := dict.OW
	if t.first.Allocated <= 8 && !t.form.Implicit {
		vr = dict.OB
	}
	if err := t.header(tagPixels, vr, uint32(total+total%2)); err != nil {
		return err
	}
	for i := range count {
		n := t.first
		if i > 0 {
			var err error
			if n, err = t.frame(i); err != nil {
				return err
			}
			if len(n.Data) != size || n.Photometric != t.first.Photometric {
				return invalid(fmt.Sprintf("frame %d is encoded otherwise than the first", i+1))
			}
		}
		if _, err := t.w.Write(n.Data); err != nil {
			return err
		}
		n.Data = nil
	}
	if total%2 == 1 {
		return t.w.WriteByte(0)
	}
	return nil
}
