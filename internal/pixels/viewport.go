package pixels

import (
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"image/png"
	"io"
	"math"

	"concord/hub"
)

// Viewport is where an image is shown (PS3.18 8.3.5.1.3): it is scaled to fit Width × Height with its aspect ratio kept. A
// side that is 0 follows the other; both 0 mean the image's own size.
type Viewport struct {
	Width, Height int
	// X, Y, W and H are the part of the image to show, in its pixels; a W or H of 0 reaches to the edge, a negative one
	// flips the image.
	X, Y, W, H float64
}

// maxSide and maxPixels bound what is rendered.
const (
	maxSide   = 16384
	maxPixels = 64 << 20
)

// show cuts, scales and flips an image whose pixels are aspect times as tall as wide.
func (p Viewport) show(im image.Image, aspect float64) (image.Image, error) {
	if p.Width < 0 || p.Height < 0 || p.Width > maxSide || p.Height > maxSide {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "viewport", Msg: fmt.Sprintf("a side is 1 to %d pixels", maxSide)}
	}
	whole := im.Bounds()
	part, err := p.part(whole)
	if err != nil {
		return nil, err
	}
	width, height := float64(part.Dx()), float64(part.Dy())
	switch { // square pixels: the coarse direction is refined
	case aspect > 1:
		height *= aspect
	case aspect < 1:
		width /= aspect
	}
	scale := 1.0
	switch {
	case p.Width > 0 && p.Height > 0:
		scale = min(float64(p.Width)/width, float64(p.Height)/height)
	case p.Width > 0:
		scale = float64(p.Width) / width
	case p.Height > 0:
		scale = float64(p.Height) / height
	}
	w, h := max(int(math.Round(width*scale)), 1), max(int(math.Round(height*scale)), 1)
	if resized := w != whole.Dx() || h != whole.Dy(); resized && (w > maxSide || h > maxSide || w*h > maxPixels) {
		return nil, &hub.Error{Kind: hub.TooLarge, Path: "viewport", Msg: "the image would be too large", Hint: "ask for a smaller viewport"}
	}
	if w != whole.Dx() || h != whole.Dy() || part != whole {
		im = scaled(im, part, w, h)
	}
	if p.W < 0 || p.H < 0 {
		im = flipped(im, p.W < 0, p.H < 0)
	}
	return im, nil
}

// part is what of an image is to be shown.
func (p Viewport) part(whole image.Rectangle) (image.Rectangle, error) {
	wrong := &hub.Error{Kind: hub.Invalid, Path: "viewport", Msg: "the part to show lies outside of the image"}
	for _, v := range []float64{p.X, p.Y, p.W, p.H} {
		if math.IsNaN(v) || math.Abs(v) > 1<<20 {
			return whole, wrong
		}
	}
	x, y, w, h := p.X, p.Y, math.Abs(p.W), math.Abs(p.H)
	if w == 0 {
		w = float64(whole.Dx()) - x
	}
	if h == 0 {
		h = float64(whole.Dy()) - y
	}
	r := image.Rect(int(math.Round(x)), int(math.Round(y)), int(math.Round(x+w)), int(math.Round(y+h))).Intersect(whole)
	if r.Empty() || w <= 0 || h <= 0 {
		return whole, wrong
	}
	return r, nil
}

// flipped mirrors an image.
func flipped(im image.Image, across, down bool) image.Image {
	b := im.Bounds()
	var out interface {
		image.Image
		Set(x, y int, c color.Color)
	} = image.NewRGBA(b)
	switch im.(type) {
	case *image.Gray:
		out = image.NewGray(b)
	case *image.Gray16:
		out = image.NewGray16(b)
	}
	for y := range b.Dy() {
		for x := range b.Dx() {
			fromX, fromY := x, y
			if across {
				fromX = b.Dx() - 1 - x
			}
			if down {
				fromY = b.Dy() - 1 - y
			}
			out.Set(x, y, im.At(fromX, fromY))
		}
	}
	return out
}

// WriteJPEG writes an image as image/jpeg; quality is 1 to 100, 0 means 90.
func WriteJPEG(w io.Writer, im image.Image, quality int) error {
	if quality == 0 {
		quality = 90
	}
	return stdjpeg.Encode(w, im, &stdjpeg.Options{Quality: min(max(quality, 1), 100)})
}

// WritePNG writes an image as image/png.
func WritePNG(w io.Writer, im image.Image) error {
	return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, im)
}
