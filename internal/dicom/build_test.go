package dicom

import (
	"bytes"
	"encoding/binary"

	"concord/internal/dicom/dict"
)

// builder writes small instances for tests, as right or as wrong as a test needs them.
type builder struct {
	bytes.Buffer
	order    binary.AppendByteOrder
	implicit bool
}

func newBuilder(syntax string) *builder {
	b := &builder{order: binary.LittleEndian, implicit: syntax == implicitLittle}
	if syntax == explicitBig {
		b.order = binary.BigEndian
	}
	b.Write(AppendMeta(nil, syntax, "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5", "1.2.3"))
	return b
}

// header writes tag, VR and length; length may lie.
func (b *builder) header(tag Tag, vr string, length uint32) {
	var h []byte
	h = b.order.AppendUint16(h, tag.Group())
	h = b.order.AppendUint16(h, tag.Element())
	v := VR(vr[0])<<8 | VR(vr[1])
	switch {
	case b.implicit || tag.Group() == 0xFFFE:
		h = b.order.AppendUint32(h, length)
	case v.Long():
		h = append(h, vr[0], vr[1], 0, 0)
		h = b.order.AppendUint32(h, length)
	default:
		h = append(h, vr[0], vr[1])
		h = b.order.AppendUint16(h, uint16(length))
	}
	b.Write(h)
}

func (b *builder) put(tag Tag, vr string, value []byte) *builder {
	if len(value)%2 == 1 {
		pad := byte(' ')
		if v := VR(vr[0])<<8 | VR(vr[1]); v == dict.UI || v.Binary() {
			pad = 0
		}
		value = append(bytes.Clone(value), pad)
	}
	b.header(tag, vr, uint32(len(value)))
	b.Write(value)
	return b
}

func (b *builder) text(tag Tag, vr, value string) *builder { return b.put(tag, vr, []byte(value)) }

func (b *builder) number(tag Tag, n uint16) *builder {
	return b.put(tag, "US", b.order.AppendUint16(nil, n))
}

// item and the delimiters have no VR.
func (b *builder) item(length uint32) *builder { b.header(tagItem, "  ", length); return b }
func (b *builder) endItem() *builder           { b.header(tagItemEnd, "  ", 0); return b }
func (b *builder) endSequence() *builder       { b.header(tagSeqEnd, "  ", 0); return b }

func (b *builder) fragment(data []byte) *builder {
	b.item(uint32(len(data)))
	b.Write(data)
	return b
}

// identity writes the UIDs that every instance needs, and a patient.
func (b *builder) identity(study, series, instance string) *builder {
	b.text(tagSOPClass, "UI", "1.2.840.10008.5.1.4.1.1.2")
	b.text(tagSOPInstance, "UI", instance)
	b.text(0x00080020, "DA", "20240229").text(0x00080060, "CS", "CT")
	b.text(0x00100010, "PN", "Wang^XiaoDong").text(0x00100020, "LO", "P-1")
	return b.text(tagStudy, "UI", study).text(tagSeries, "UI", series)
}

// image writes what describes monochrome pixels.
func (b *builder) image(rows, columns, depth uint16) *builder {
	return b.number(tagSamples, 1).number(tagRows, rows).number(tagColumns, columns).number(tagBits, depth)
}

// instance is a builder with identity written.
func instance(syntax string) *builder {
	return newBuilder(syntax).identity("1.2.3", "1.2.3.4", "1.2.3.4.5")
}
