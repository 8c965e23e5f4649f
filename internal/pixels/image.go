package pixels

import (
	"io"

	"concord/hub"
	"concord/internal/dicom"
)

// Image is the Image Pixel Module of an instance (PS3.3 C.7.6.3), checked: its numbers fit each other and the limits.
// It may be shared by goroutines.
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

	shown shown
}

// Read reads an instance from its first byte as far as its pixel data, and no further.
func Read(r io.Reader) (*Image, error) {
	h, err := dicom.ScanFile(r, dicom.Limits{Lenient: true, Inline: 1 << 18})
	if err != nil {
		return nil, err
	}
	return Of(h)
}

// Of finds the image of an instance whose header was scanned. What has no image is an Unsupported error that says what it
// is: a document, a waveform, a video. Tables that the scan left in the stream are not found: Read keeps them.
func Of(h *dicom.Header) (*Image, error) {
	return nil, &hub.Error{Kind: hub.Unsupported, Msg: "pixels are not decoded yet"}
}

type shown struct{}
