package pixels

import (
	"image"
	"io"

	"concord/hub"
)

// Function is how a window maps values to grey (PS3.3 C.11.2.1.3).
type Function uint8

const (
	Linear Function = iota
	LinearExact
	Sigmoid
)

// Window is a range of values shown from black to white.
type Window struct {
	Center, Width float64
	Function      Function
}

// Viewport is where an image is shown (PS3.18 8.3.5.1.3): it is scaled to fit Width × Height with its aspect ratio kept.
// Both zero mean the image's own size.
type Viewport struct {
	Width, Height int
	// Source is the part of the image to show, in its pixels; the zero value is all of it. A negative width or height
	// flips it.
	X, Y, W, H float64
}

// View is what is asked of a rendering; its zero value is the image as its header wants it shown.
type View struct {
	// Window replaces what the header says of values of interest, nil leaves it.
	Window   *Window
	Viewport Viewport
	// Deep asks for 16 bits of grey where the image has more than 8.
	Deep bool
}

// Render makes of a decoded frame (counted from 0) what a viewer would show: values through the modality's and the VOI
// transformations (PS3.4 N.2), colour as RGB. The result is *image.Gray, *image.Gray16 (only with Deep) or *image.RGBA.
func Render(img *Image, frame int, n *Native, v View) (image.Image, error) {
	return nil, &hub.Error{Kind: hub.Unsupported, Msg: "pixels are not rendered yet"}
}

// WriteJPEG writes an image as image/jpeg; quality is 1 to 100, 0 means 90.
func WriteJPEG(w io.Writer, im image.Image, quality int) error { return nil }

// WritePNG writes an image as image/png.
func WritePNG(w io.Writer, im image.Image) error { return nil }
