package pixels

import (
	"fmt"
	"io"
	"math/bits"
	"strings"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
)

// Image is the Image Pixel Module of an instance (PS3.3 C.7.6.3), checked: its numbers are such as the standard has. It may
// be shared by goroutines.
type Image struct {
	Syntax      string // Transfer Syntax UID
	Class       string // SOP Class UID
	Photometric string // Photometric Interpretation
	Rows        int
	Columns     int
	Samples     int // Samples per Pixel
	Allocated   int // Bits Allocated
	Stored      int // Bits Stored
	HighBit     int
	Signed      bool // Pixel Representation is 1
	Planar      bool // Planar Configuration is 1
	BigEndian   bool
	Frames      int // Number of Frames, 1 when absent

	words bool // single bytes lie in words (OW), which matters in big endian
	shown shown
}

const (
	tagFrameCount     dicom.Tag = 0x00280008
	tagSamples        dicom.Tag = 0x00280002
	tagPhotometric    dicom.Tag = 0x00280004
	tagPlanar         dicom.Tag = 0x00280006
	tagRows           dicom.Tag = 0x00280010
	tagColumns        dicom.Tag = 0x00280011
	tagAllocated      dicom.Tag = 0x00280100
	tagStored         dicom.Tag = 0x00280101
	tagHighBit        dicom.Tag = 0x00280102
	tagRepresentation dicom.Tag = 0x00280103
	tagFloatPixels    dicom.Tag = 0x7FE00008
	tagDoublePixels   dicom.Tag = 0x7FE00009
	tagPixels         dicom.Tag = 0x7FE00010
)

// Read reads an instance from its first byte as far as its pixel data, and no further.
func Read(r io.Reader) (*Image, error) {
	h, err := dicom.ScanFile(r, dicom.Limits{Lenient: true, Inline: 1 << 18, HeaderOnly: true})
	if err != nil {
		return nil, err
	}
	return Of(h)
}

// Of finds the image of an instance whose header was scanned. What has no image is an Unsupported error that says what it
// is: a document, a waveform, a video. Tables that the scan left in the stream are not found: Read keeps them.
func Of(h *dicom.Header) (*Image, error) {
	pixels, ok := h.Find(tagPixels)
	if !ok {
		return nil, noImage(h)
	}
	if video(h.TransferSyntax) {
		return nil, noDecoder(h.TransferSyntax)
	}
	img := &Image{Syntax: h.TransferSyntax, Class: h.SOPClassUID, Photometric: strings.ToUpper(h.Text(tagPhotometric)),
		BigEndian: h.BigEndian || h.TransferSyntax == gePrivate, words: pixels.VR == dict.OW}
	for _, n := range []struct {
		tag       dicom.Tag
		to        *int
		least     int64
		otherwise int64 // when absent; −1 where it must be there
	}{
		{tagRows, &img.Rows, 1, -1},
		{tagColumns, &img.Columns, 1, -1},
		{tagSamples, &img.Samples, 1, 1},
		{tagAllocated, &img.Allocated, 1, -1},
		{tagFrameCount, &img.Frames, 1, 1},
	} {
		v, ok := h.Int(n.tag)
		if !ok {
			v = n.otherwise
		}
		if n.tag == tagFrameCount {
			v = max(v, 1)
		}
		if v < n.least || v > 1<<31-1 {
			return nil, attribute(n.tag, "is missing or has a value that cannot be")
		}
		*n.to = int(v)
	}
	img.Stored, img.HighBit = img.Allocated, img.Allocated-1
	if v, ok := h.Int(tagStored); ok {
		img.Stored = int(v)
	}
	img.HighBit = img.Stored - 1
	if v, ok := h.Int(tagHighBit); ok {
		img.HighBit = int(v)
	}
	signed, _ := h.Int(tagRepresentation)
	planar, _ := h.Int(tagPlanar)
	img.Signed, img.Planar = signed == 1, planar == 1
	if err := img.check(); err != nil {
		return nil, err
	}
	img.shown = readShown(h, img)
	return img, nil
}

func attribute(tag dicom.Tag, msg string) error {
	return &hub.Error{Kind: hub.Invalid, Path: dict.Name(tag), Msg: msg}
}

// check refuses numbers that PS3.5 8.1.1 and PS3.3 C.7.6.3 do not have.
func (img *Image) check() error {
	switch img.Allocated {
	case 1, 8, 16, 32, 64:
	default:
		return attribute(tagAllocated, fmt.Sprintf("%d is not a number of bits that is decoded", img.Allocated))
	}
	if img.Rows > 1<<16 || img.Columns > 1<<16 {
		return attribute(tagRows, "the image is too large to be one")
	}
	if img.Samples > 4 {
		return attribute(tagSamples, fmt.Sprintf("%d samples a pixel are not a colour", img.Samples))
	}
	if img.Stored < 1 || img.Stored > img.Allocated {
		return attribute(tagStored, "does not fit Bits Allocated")
	}
	if img.HighBit < img.Stored-1 || img.HighBit >= img.Allocated {
		return attribute(tagHighBit, "does not fit Bits Stored and Bits Allocated")
	}
	if img.Photometric == "" {
		img.Photometric = "MONOCHROME2"
		if img.Samples == 3 {
			img.Photometric = "RGB"
		}
	}
	return nil
}

// frameBits is the size of a native frame, samples by pixel.
func (img *Image) frameBits() (uint64, bool) {
	high, n := bits.Mul64(uint64(img.Rows)*uint64(img.Columns), uint64(img.Samples*img.Allocated))
	return n, high == 0
}

// fits refuses a frame that is larger than limit once decoded.
func (img *Image) fits(limit int64) error {
	if n, ok := img.frameBits(); ok && n/8 <= uint64(limit) {
		return nil
	}
	return &hub.Error{Kind: hub.TooLarge, Path: "PixelData", Msg: fmt.Sprintf("a frame of %d × %d pixels is over the limit of %d MiB",
		img.Columns, img.Rows, limit>>20)}
}

// noImage says what an instance without pixels is.
func noImage(h *dicom.Header) error {
	what := "the instance"
	if class, ok := dict.LookupUID(h.SOPClassUID); ok {
		what = strings.TrimSuffix(class.Name, " Storage")
	}
	if _, ok := h.Find(tagFloatPixels); ok {
		return &hub.Error{Kind: hub.Unsupported, Path: "FloatPixelData", Msg: what + " has pixels of floating point, which are not decoded"}
	}
	if _, ok := h.Find(tagDoublePixels); ok {
		return &hub.Error{Kind: hub.Unsupported, Path: "DoubleFloatPixelData", Msg: what + " has pixels of floating point, which are not decoded"}
	}
	return &hub.Error{Kind: hub.Unsupported, Path: "PixelData", Msg: what + " has no image", Hint: "retrieve it as stored"}
}
