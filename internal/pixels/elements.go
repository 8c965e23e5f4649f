package pixels

import (
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
)

const (
	itemStart = 0xFFFEE000
	itemEnd   = 0xFFFEE00D
	listEnd   = 0xFFFEE0DD
	openEnded = 0xFFFFFFFF
)

// element writes one element, sequences with all they hold.
func (t *transcoder) element(e dicom.Element) error {
	switch {
	case e.VR == dict.SQ && !e.Bulk:
		return t.sequence(e)
	case e.Encapsulated:
		return &hub.Error{Kind: hub.Unsupported, Path: dict.Name(e.Tag), Msg: "encoded pixel data inside a sequence cannot be transcoded", Hint: "retrieve it as stored"}
	case e.Bulk:
		return t.streamed(e)
	}
	value := e.Value
	if width := Turned(t.h, e.Tag, e.VR); width > 1 {
		value = append([]byte(nil), value...)
		swap(value, width)
	}
	return t.plain(e.Tag, e.VR, value)
}

// sequence writes items of undefined length (PS3.5 7.5).
func (t *transcoder) sequence(e dicom.Element) error {
	if err := t.header(e.Tag, dict.SQ, openEnded); err != nil {
		return err
	}
	for item := range t.h.Items(e) {
		if err := t.mark(itemStart, openEnded); err != nil {
			return err
		}
		for inner := range item {
			if inner.Tag.Element() == 0 {
				continue
			}
			if err := t.element(inner); err != nil {
				return err
			}
		}
		if err := t.mark(itemEnd, 0); err != nil {
			return err
		}
	}
	return t.mark(listEnd, 0)
}

// plain writes an element whose value is at hand.
func (t *transcoder) plain(tag dicom.Tag, vr dicom.VR, value []byte) error {
	odd := len(value) % 2
	if !vr.Long() && len(value)+odd > 0xFFFF {
		vr = dict.UN // what came with an implicit VR may be longer than its VR has room for (PS3.5 6.2.2 note 7)
	}
	if err := t.header(tag, vr, uint32(len(value)+odd)); err != nil {
		return err
	}
	if _, err := t.w.Write(value); err != nil || odd == 0 {
		return err
	}
	if vr.Characters() && vr != dict.UI {
		return t.w.WriteByte(' ')
	}
	return t.w.WriteByte(0)
}

// streamed copies a value that the scan left in the stream.
func (t *transcoder) streamed(e dicom.Element) error {
	length := e.Length + e.Length%2
	if length >= openEnded {
		return &hub.Error{Kind: hub.TooLarge, Path: dict.Name(e.Tag), Msg: "a value of 4 GiB cannot be written natively"}
	}
	vr := e.VR
	if !vr.Long() && length > 0xFFFF {
		vr = dict.UN
	}
	if err := t.header(e.Tag, vr, uint32(length)); err != nil {
		return err
	}
	r, err := t.src.at(t.ctx, e.Offset, e.Length)
	if err != nil {
		return err
	}
	if err := CopyTurned(t.w, r, e.Length, Turned(t.h, e.Tag, e.VR)); err != nil {
		return err
	}
	if e.Length%2 == 1 {
		return t.w.WriteByte(0)
	}
	return nil
}

// CopyTurned copies n bytes with each group of width bytes turned round.
func CopyTurned(w io.Writer, r io.Reader, n int64, width int) error {
	buf := make([]byte, 32<<10) // a multiple of every width
	for n > 0 {
		part := buf[:min(n, int64(len(buf)))]
		if _, err := io.ReadFull(r, part); err != nil {
			return short(err)
		}
		if width > 1 {
			swap(part, width)
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}

// Turned is the width of the numbers of a value that have their high byte first in the file, 1 for none (PS3.5 7.3). Pixel data of
// more than 16 bits is still made of words.
func Turned(h *dicom.Header, tag dicom.Tag, vr dicom.VR) int {
	if !h.BigEndian && !(h.TransferSyntax == gePrivate && tag == tagPixels) {
		return 1
	}
	switch vr {
	case dict.US, dict.SS, dict.OW, dict.AT:
		if allocated, _ := h.Int(tagAllocated); tag == tagPixels && (allocated == 32 || allocated == 64) {
			return int(allocated / 8)
		}
		return 2
	case dict.UL, dict.SL, dict.FL, dict.OL, dict.OF:
		return 4
	case dict.FD, dict.OD, dict.OV, dict.SV, dict.UV:
		return 8
	}
	return 1
}

// header writes tag, VR and length (PS3.5 7.1.2, 7.1.3).
func (t *transcoder) header(tag dicom.Tag, vr dicom.VR, length uint32) error {
	b := binary.LittleEndian.AppendUint16(make([]byte, 0, 12), tag.Group())
	b = binary.LittleEndian.AppendUint16(b, tag.Element())
	switch {
	case t.form.Implicit:
		b = binary.LittleEndian.AppendUint32(b, length)
	case vr.Long():
		b = append(b, byte(vr>>8), byte(vr), 0, 0)
		b = binary.LittleEndian.AppendUint32(b, length)
	default:
		b = append(b, byte(vr>>8), byte(vr))
		b = binary.LittleEndian.AppendUint16(b, uint16(length))
	}
	_, err := t.w.Write(b)
	return err
}

// mark writes an item or delimiter, which have no VR.
func (t *transcoder) mark(tag, length uint32) error {
	b := binary.LittleEndian.AppendUint16(make([]byte, 0, 8), uint16(tag>>16))
	b = binary.LittleEndian.AppendUint16(b, uint16(tag))
	_, err := t.w.Write(binary.LittleEndian.AppendUint32(b, length))
	return err
}

// forward reads ranges of a source; neighbours with one opening.
type forward struct {
	open Source
	r    io.ReadCloser
	pos  int64
}

// near is how much is read over rather than opened anew.
const near = 64 << 10

// at gives a reader of the range, good until the next call.
func (f *forward) at(ctx context.Context, offset, length int64) (io.Reader, error) {
	if f.r == nil || offset < f.pos || offset-f.pos > near {
		f.close()
		r, err := f.open(ctx, offset, -1)
		if err != nil {
			return nil, fmt.Errorf("open stored instance at byte %d: %w", offset, err)
		}
		f.r, f.pos = r, offset
	}
	if n, err := io.CopyN(io.Discard, f.r, offset-f.pos); err != nil {
		f.pos += n
		return nil, short(err)
	}
	f.pos = offset
	return io.LimitReader(counted{f}, length), nil
}

func (f *forward) close() {
	if f.r != nil {
		f.r.Close()
		f.r = nil
	}
}

type counted struct{ f *forward }

func (c counted) Read(p []byte) (int, error) {
	n, err := c.f.r.Read(p)
	c.f.pos += int64(n)
	return n, err
}

// inflated makes a source of which positions count inflated bytes. Each opening inflates from the beginning.
func inflated(src Source, dataSet int64) Source {
	return func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		file, err := src(ctx, 0, -1)
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, file, dataSet); err != nil {
			file.Close()
			return nil, short(err)
		}
		z := flate.NewReader(file)
		if _, err := io.CopyN(io.Discard, z, offset-dataSet); err != nil {
			file.Close()
			return nil, short(err)
		}
		return struct {
			io.Reader
			io.Closer
		}{z, file}, nil
	}
}
