package pixels

import (
	"encoding/binary"

	"concord/internal/dicom"
)

// palette has the colour of each stored value (PS3.3 C.7.9), in 8 bits a channel.
type palette struct {
	first int64
	rgb   [3][]uint8
}

func (p *palette) at(v int64) (r, g, b uint8) {
	i := max(v-p.first, 0)
	of := func(c []uint8) uint8 { return c[min(i, int64(len(c)-1))] }
	return of(p.rgb[0]), of(p.rgb[1]), of(p.rgb[2])
}

// palette reads the three tables, plain or segmented; nil when they are not there or cannot be read.
func (r reader) palette(m map[dicom.Tag]dicom.Element) *palette {
	p := &palette{}
	for i := range p.rgb {
		descriptor := m[dicom.Tag(0x00281101+i)]
		if len(descriptor.Value) < 6 {
			return nil
		}
		order := r.order(descriptor)
		entries, bits := int(order.Uint16(descriptor.Value)), int(order.Uint16(descriptor.Value[4:]))
		if entries == 0 {
			entries = greatestTableWidth
		}
		p.first = int64(order.Uint16(descriptor.Value[2:]))
		if r.img.Signed {
			p.first = int64(int16(order.Uint16(descriptor.Value[2:])))
		}
		plain, segmented := m[dicom.Tag(0x00281201+i)], m[dicom.Tag(0x00281221+i)]
		var values []uint16
		if len(plain.Value) > 0 {
			values = words(plain.Value, entries, bits, r.order(plain))
		} else {
			values = segments(segmented.Value, entries, bits, r.order(segmented))
		}
		if values == nil {
			return nil
		}
		p.rgb[i] = eightBits(values, bits)
	}
	return p
}

// eightBits scales entries to 8 bits. Some writers say 16 bits and write 8.
func eightBits(values []uint16, bits int) []uint8 {
	shift := 0
	if bits > 8 {
		for _, v := range values {
			if v > 255 {
				shift = 8
			}
		}
	}
	out := make([]uint8, len(values))
	for i, v := range values {
		out[i] = uint8(v >> shift)
	}
	return out
}

// segments expands a segmented table (PS3.3 C.7.9.2): discrete and linear segments, and indirect ones that repeat some of
// those before. Its fields have 8 bits when the entries have, else 16. A table that is not whole gives nil.
func segments(b []byte, entries, bits int, order binary.ByteOrder) []uint16 {
	fields := words(b, len(b)/2, 16, order)
	width := 2
	if bits <= 8 {
		fields, width = words(b, len(b), 8, order), 1
	}
	offsets := 4 / width // fields that an offset takes
	out := make([]uint16, 0, entries)
	// one expands the segment at field i and says where the next is; −1 when it is broken.
	one := func(i int) int {
		if i+2 > len(fields) {
			return -1
		}
		length, rest := int(fields[i+1]), fields[i+2:]
		switch {
		case fields[i] == 0 && length <= len(rest):
			out = append(out, rest[:length]...)
			return i + 2 + length
		case fields[i] == 1 && len(rest) > 0 && len(out) > 0:
			from, to := int(out[len(out)-1]), int(rest[0])
			for k := 1; k <= length; k++ {
				out = append(out, uint16(from+(to-from)*k/length))
			}
			return i + 3
		}
		return -1
	}
	for i := 0; i < len(fields) && len(out) < entries; {
		if fields[i] != 2 {
			if i = one(i); i < 0 {
				return nil
			}
			continue
		}
		if i+2+offsets > len(fields) {
			return nil
		}
		at := 0
		for k := range offsets {
			at |= int(fields[i+2+k]) << (8 * width * k)
		}
		at /= width
		for range fields[i+1] {
			if len(out) >= entries {
				break
			}
			if at >= i {
				return nil
			}
			if at = one(at); at < 0 {
				return nil
			}
		}
		i += 2 + offsets
	}
	if len(out) < entries {
		return nil
	}
	return out[:entries]
}
