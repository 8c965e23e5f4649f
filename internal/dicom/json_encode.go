package dicom

import (
	"encoding/binary"
	"fmt"
	"io"

	"concord/internal/dicom/charset"
	"concord/internal/dicom/dict"
)

// Bulk is a value that metadata refer to by a BulkDataURI.
type Bulk struct {
	Reader io.Reader
	// Size is how many bytes Reader gives, in little endian (PS3.18 F.2.6).
	Size int64
	// Fragments, where there are any, say that the value is encapsulated (PS3.5 A.4): Reader gives fragments of these sizes
	// one after the other, one a frame. Size is then not looked at.
	Fragments []int64
}

// Encode writes one DICOM JSON object, as AppendJSON, Subset and ReadJSON give it, to w as a data set in Explicit VR Little
// Endian with its text in UTF-8. bulk is asked for each value that the object only refers to, in tag order; those at the
// root, such as pixels, are copied through, those inside items are held in memory and may have maxNestedBulk bytes.
//
// It fails with Invalid where a number does not fit its vr, with TooLarge where a value does not fit a data set, with what
// bulk, its readers and w give, and with io.ErrUnexpectedEOF when a reader has less than it should.
func Encode(w io.Writer, object []byte, bulk func(tag Tag, uri string) (Bulk, error)) error {
	e := encoder{order: binary.LittleEndian, set: charset.UTF8(), bulks: &bulkWriter{to: w, open: bulk}}
	if err := e.dataSet(object, true); err != nil {
		return err
	}
	_, err := w.Write(e.out)
	return err
}

// maxNestedBulk bounds bulk data inside items: icons, lookup tables, waveforms.
const maxNestedBulk = 16 << 20

// bulkWriter fetches bulk data, and takes what was encoded before it away.
type bulkWriter struct {
	to   io.Writer
	open func(tag Tag, uri string) (Bulk, error)
}

// bulk writes a value that is elsewhere.
func (w *encoder) bulk(tag Tag, vr VR, uri string) error {
	if w.bulks == nil {
		return nil
	}
	b, err := w.bulks.open(tag, uri)
	if err != nil {
		return err
	}
	if b.Fragments != nil {
		return w.fragments(tag, b)
	}
	at := w.begin(tag, vr)
	if w.depth > 0 || !vr.Long() {
		if b.Size > maxNestedBulk {
			return tooLarge(dict.Name(tag), "bulk data inside items may have %d bytes", maxNestedBulk)
		}
		value := make([]byte, b.Size)
		if _, err := io.ReadFull(b.Reader, value); err != nil {
			return shortBulk(tag, err)
		}
		w.out = append(w.out, value...)
		return w.end(at, vr)
	}
	if b.Size >= anyLength-1 {
		return tooLarge(dict.Name(tag), "a value may have 4 GiB")
	}
	w.order.PutUint32(w.out[at-4:], uint32(b.Size+b.Size%2))
	return w.copy(tag, vr, b.Reader, b.Size)
}

// copy passes on what was encoded so far, and then n bytes of r padded to an even number.
func (w *encoder) copy(tag Tag, vr VR, r io.Reader, n int64) error {
	if _, err := w.bulks.to.Write(w.out); err != nil {
		return err
	}
	w.out = w.out[:0]
	if _, err := io.CopyN(w.bulks.to, r, n); err != nil {
		return shortBulk(tag, err)
	}
	if n%2 == 1 {
		w.out = append(w.out, padding(vr))
	}
	return nil
}

func shortBulk(tag Tag, err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read the bulk data of %s: %w", dict.Name(tag), err)
}

// fragments writes encapsulated pixel data with an empty offset table.
func (w *encoder) fragments(tag Tag, b Bulk) error {
	if w.depth > 0 || !fragmented(tag) {
		return invalid(dict.Name(tag), "is no pixel data of the instance and cannot be encapsulated")
	}
	at := w.begin(tag, dict.OB)
	w.order.PutUint32(w.out[at-4:], anyLength)
	w.delimit(tagItem, 0)
	for _, n := range b.Fragments {
		if n < 0 || n >= anyLength-1 {
			return tooLarge(dict.Name(tag), "a fragment may have 4 GiB")
		}
		w.delimit(tagItem, uint32(n+n%2))
		if err := w.copy(tag, dict.OB, b.Reader, n); err != nil {
			return err
		}
	}
	w.delimit(tagSeqEnd, 0)
	return nil
}

func (w *encoder) delimit(tag Tag, length uint32) {
	w.tag(tag)
	w.out = w.order.AppendUint32(w.out, length)
}
