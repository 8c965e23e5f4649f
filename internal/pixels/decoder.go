package pixels

import (
	"context"

	"concord/hub"
)

// Limits bounds what decoding takes. The zero value of each field means its default.
type Limits struct {
	// Frame is the greatest size of one decoded frame: 1 GiB.
	Frame int64
	// Running is how many codecs may run at once: one a processor. Others wait.
	Running int
}

// Decoder decodes frames. It may be used by goroutines at once, and costs nothing until the first frame that needs a codec.
type Decoder struct{}

// NewDecoder makes a decoder. cache is a folder in which compiled codecs are kept between starts of the process; with an
// empty one each process compiles what it uses anew.
func NewDecoder(cache string, limits Limits) *Decoder { return &Decoder{} }

// Close frees the sandboxes; no frame may be on its way.
func (d *Decoder) Close(ctx context.Context) error { return nil }

// Native is one frame decoded. Samples are in little endian, colour by pixel (Planar Configuration 0).
type Native struct {
	Photometric string // as the samples are now: JPEG's colour transforms are undone
	Rows        int
	Columns     int
	Samples     int
	Allocated   int // 1 (bits packed, the first in the lowest), 8, 16 or 32
	Stored      int
	HighBit     int
	Signed      bool
	Data        []byte
}

// Frame decodes one frame of an image: the bytes of its part, fragments joined. The result may alias frame where that was
// native. Bytes that are not what the header says are an Invalid error, an encoding without decoder is Unsupported, and a
// frame beyond the limits TooLarge; a context that ends ends the decoding.
func (d *Decoder) Frame(ctx context.Context, img *Image, frame []byte) (*Native, error) {
	return nil, &hub.Error{Kind: hub.Unsupported, Msg: "pixels are not decoded yet"}
}

// Decodable reports whether frames of a transfer syntax can be decoded.
func Decodable(syntax string) bool { return false }
