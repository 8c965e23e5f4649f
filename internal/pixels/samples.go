package pixels

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"concord/hub"
)

// of makes an empty native frame for the image.
func (img *Image) of(data []byte) *Native {
	return &Native{Photometric: img.Photometric, Rows: img.Rows, Columns: img.Columns, Samples: img.Samples, Allocated: img.Allocated,
		Stored: img.Stored, HighBit: img.HighBit, Signed: img.Signed, Data: data}
}

// native takes a frame as it is, low byte first and colour by pixel. Bytes beyond the frame are padding.
func (img *Image) native(frame []byte) (*Native, error) {
	if img.Photometric == "YBR_FULL_422" || img.Photometric == "YBR_PARTIAL_422" {
		return img.halved(frame)
	}
	n, _ := img.frameBits()
	size := int((n + 7) / 8)
	if len(frame) < size {
		return nil, invalid(fmt.Sprintf("the frame has %d bytes where its description says %d", len(frame), size))
	}
	if img.BigEndian && img.words && img.Allocated <= 8 && size%2 == 1 && len(frame) == size {
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "PixelData", Msg: "frames of an odd number of bytes in big endian words are not decoded", Hint: "retrieve it as stored"}
	}
	data := img.littleEndian(frame)[:size:size]
	if img.Planar && img.Samples > 1 {
		data = byPixel(data, img.Samples, max(img.Allocated/8, 1))
	}
	return img.of(data), nil
}

// halved widens samples of which two pixels share the colour: Y1 Y2 CB CR (PS3.3 C.7.6.3.1.2).
func (img *Image) halved(frame []byte) (*Native, error) {
	pixels := img.Rows * img.Columns
	if img.Samples != 3 || img.Allocated != 8 || pixels%2 != 0 {
		return nil, invalid(img.Photometric + " needs three samples of 8 bits and an even number of pixels")
	}
	if len(frame) < 2*pixels {
		return nil, invalid(fmt.Sprintf("the frame has %d bytes where its description says %d", len(frame), 2*pixels))
	}
	frame = img.littleEndian(frame)
	data := make([]byte, 0, 3*pixels)
	for i := 0; i < 2*pixels; i += 4 {
		p := frame[i : i+4]
		data = append(data, p[0], p[2], p[3], p[1], p[2], p[3])
	}
	n := img.of(data)
	if n.Photometric == "YBR_FULL_422" {
		n.Photometric = "YBR_FULL"
	}
	return n, nil
}

// littleEndian swaps the bytes of big endian samples, in a copy. Single bytes in words are swapped as the words are (PS3.5 D.1).
func (img *Image) littleEndian(frame []byte) []byte {
	width := img.Allocated / 8
	if width <= 1 && img.words {
		width = 2
	}
	if !img.BigEndian || width <= 1 {
		return frame
	}
	out := append([]byte(nil), frame...)
	swap(out, width)
	return out
}

// swap turns each group of width bytes round; what is over at the end stays.
func swap(b []byte, width int) {
	for ; len(b) >= width; b = b[width:] {
		for i, j := 0, width-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}

// byPixel turns colour by plane into colour by pixel.
func byPixel(planes []byte, samples, width int) []byte {
	out := make([]byte, len(planes))
	pixels := len(planes) / samples / width
	for s := range samples {
		plane := planes[s*pixels*width : (s+1)*pixels*width]
		at := s * width
		for i := 0; i < len(plane); i += width {
			copy(out[at:at+width], plane[i:])
			at += samples * width
		}
	}
	return out
}

// fromCodec fits what a codec decoded to what the header says of samples.
func (img *Image) fromCodec(d *decoded) (*Native, error) {
	if d.bits > img.Allocated {
		return nil, invalid(fmt.Sprintf("the frame was encoded with %d bits a sample, where Bits Allocated is %d", d.bits, img.Allocated))
	}
	width := img.Allocated / 8
	data := d.samples
	if d.planar {
		data = byPixel(data, img.Samples, d.bytes)
	}
	if d.columns != img.Columns || d.rows != img.Rows {
		if img.Samples != 3 {
			return nil, invalid(fmt.Sprintf("the encoded frame has %d × %d pixels where its description says %d × %d", d.columns, d.rows, img.Columns, img.Rows))
		}
		data = img.onWhite(data, d)
	}
	extend := img.Signed && d.bits < img.Allocated && (d.negative || d.bits == img.Stored)
	if width != d.bytes || extend {
		data = widened(data, d, width, extend)
	}
	n := img.of(data)
	switch {
	case d.rgb, n.Photometric == "YBR_RCT", n.Photometric == "YBR_ICT":
		n.Photometric = "RGB"
	case n.Photometric == "YBR_FULL_422", n.Photometric == "YBR_PARTIAL_422", n.Photometric == "YBR_PARTIAL_420":
		n.Photometric = "YBR_FULL" // no codec hands out samples that pixels share
	}
	return n, nil
}

// onWhite puts an encoded frame that is smaller than the image at its upper left. Tiles at the edges of whole slides are
// found so.
func (img *Image) onWhite(data []byte, d *decoded) []byte {
	pixel := img.Samples * d.bytes
	out := bytes.Repeat([]byte{0xFF}, img.Rows*img.Columns*pixel)
	for y := range d.rows {
		copy(out[y*img.Columns*pixel:], data[y*d.columns*pixel:(y+1)*d.columns*pixel])
	}
	return out
}

// widened copies samples of d.bytes to samples of width bytes; extend repeats the sign bit upwards.
func widened(from []byte, d *decoded, width int, extend bool) []byte {
	count := len(from) / d.bytes
	out := make([]byte, count*width)
	shift := 64 - d.bits
	for i := range count {
		var v uint64
		switch d.bytes {
		case 1:
			v = uint64(from[i])
		case 2:
			v = uint64(binary.LittleEndian.Uint16(from[2*i:]))
		case 4:
			v = uint64(binary.LittleEndian.Uint32(from[4*i:]))
		}
		if extend {
			v = uint64(int64(v<<shift) >> shift)
		} else if d.negative {
			v = v << shift >> shift
		}
		put(out[i*width:], v, width)
	}
	return out
}

func put(b []byte, v uint64, width int) {
	switch width {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	case 8:
		binary.LittleEndian.PutUint64(b, v)
	}
}
