package pixels

import (
	"image"
	"image/color"
	"math"

	"concord/hub"
)

// Function is how a window maps values to grey (PS3.3 C.11.2.1.3).
type Function uint8

const (
	Linear Function = iota
	LinearExact
	Sigmoid
)

// Window is a range of values shown from black to white, in the units of the modality's transformation.
type Window struct {
	Center, Width float64
	Function      Function
}

// valid tells windows that can be shown from those that cannot: Linear needs a width of 1 or more, the others one above 0.
func (w *Window) valid() bool {
	return w.Width >= 1 || w.Function != Linear && w.Width > 0
}

// grey maps a value to 0, black, up to 1.
func (w *Window) grey(x float64) float64 {
	switch w.Function {
	case Sigmoid:
		return 1 / (1 + math.Exp(-4*(x-w.Center)/w.Width))
	case LinearExact:
		return min(max((x-w.Center)/w.Width+0.5, 0), 1)
	}
	if w.Width == 1 {
		if x > w.Center-0.5 {
			return 1
		}
		return 0
	}
	return min(max((x-(w.Center-0.5))/(w.Width-1)+0.5, 0), 1)
}

// View is what is asked of a rendering; its zero value is the image as its header wants it shown.
type View struct {
	// Window replaces what the header says of values of interest; nil leaves it.
	Window   *Window
	Viewport Viewport
	// Deep asks for 16 bits of grey where the image has more than 8.
	Deep bool
}

// Render makes of a decoded frame (counted from 0) what a viewer would show: values through the modality's and the VOI
// transformations (PS3.4 N.2), colour as RGB, pixels square. Without a window the header's is taken, its table else, and else
// the range of the frame's values, padding left out. The result is *image.Gray, *image.Gray16 (only with Deep) or *image.RGBA.
func Render(img *Image, frame int, n *Native, v View) (image.Image, error) {
	if v.Window != nil && !v.Window.valid() {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "window", Msg: "a window's width must be above 0, and 1 or more where it is linear"}
	}
	var out image.Image
	var err error
	switch {
	case n.Samples == 1 && n.Photometric == "PALETTE COLOR" && img.shown.palette != nil:
		out = img.paletted(n)
	case n.Samples == 1:
		out = img.grey(frame, n, v)
	case n.Samples == 3 && n.Allocated >= 8:
		out, err = coloured(n)
	default:
		err = &hub.Error{Kind: hub.Unsupported, Path: "PhotometricInterpretation", Msg: "the image's colours cannot be rendered", Hint: "retrieve it as stored"}
	}
	if err != nil {
		return nil, err
	}
	return v.Viewport.show(out, img.shown.aspect)
}

// value is stored value i of a frame with one sample a pixel: Bits Stored up to High Bit, with a sign where it has one.
func (n *Native) value(i int) int64 {
	var v uint64
	switch n.Allocated {
	case 1:
		return int64(n.Data[i/8] >> (i % 8) & 1)
	case 8:
		v = uint64(n.Data[i])
	case 16:
		v = uint64(n.Data[2*i]) | uint64(n.Data[2*i+1])<<8
	default:
		width := n.Allocated / 8
		for k := width - 1; k >= 0; k-- {
			v = v<<8 | uint64(n.Data[width*i+k])
		}
	}
	v <<= 63 - n.HighBit
	if n.Signed {
		return int64(v) >> (64 - n.Stored)
	}
	return int64(v >> (64 - n.Stored))
}

// grey renders one sample a pixel. Images of 16 bits and less go through a table of all values that they can have.
func (img *Image) grey(frame int, n *Native, v View) image.Image {
	s := &img.shown
	how := s.of(frame)
	count := n.Rows * n.Columns
	shade := s.shade(how, n, v.Window)
	inverse := n.Photometric == "MONOCHROME1" || s.inverse
	level := func(stored int64) uint16 {
		if s.padded && stored >= s.low && stored <= s.high {
			return 0
		}
		g := shade(stored)
		if inverse {
			g = 1 - g
		}
		return uint16(g*math.MaxUint16 + 0.5)
	}
	of := func(i int) uint16 { return level(n.value(i)) }
	if n.Stored <= 16 && count > 1<<n.Stored {
		levels := make([]uint16, 1<<n.Stored)
		for i := range levels {
			stored := int64(i)
			if n.Signed {
				stored = int64(uint64(i)<<(64-n.Stored)) >> (64 - n.Stored)
			}
			levels[i] = level(stored)
		}
		mask := int64(len(levels) - 1)
		of = func(i int) uint16 { return levels[n.value(i)&mask] }
	}
	bounds := image.Rect(0, 0, n.Columns, n.Rows)
	if v.Deep && n.Stored > 8 {
		out := image.NewGray16(bounds)
		for i := range count {
			g := of(i)
			out.Pix[2*i], out.Pix[2*i+1] = uint8(g>>8), uint8(g)
		}
		return out
	}
	out := image.NewGray(bounds)
	for i := range count {
		out.Pix[i] = uint8((uint32(of(i))*255 + 32767) / 65535)
	}
	return out
}

// shade says how grey a stored value is, from 0 to 1.
func (s *shown) shade(how frameShown, n *Native, asked *Window) func(stored int64) float64 {
	modality := func(stored int64) float64 { return float64(stored)*how.modality.slope + how.modality.intercept }
	if t := how.modality.table; t != nil {
		modality = func(stored int64) float64 { return float64(t.at(stored)) }
	}
	window := asked
	if window == nil {
		window = how.voi.window
	}
	if window != nil {
		return func(stored int64) float64 { return window.grey(modality(stored)) }
	}
	if t := how.voi.table; t != nil {
		return func(stored int64) float64 { return float64(t.at(int64(modality(stored)))) / float64(t.top) }
	}
	if n.Stored == 1 {
		return func(stored int64) float64 { return float64(stored & 1) }
	}
	low, high := s.span(n, modality)
	if low >= high {
		return func(int64) float64 { return 0 }
	}
	return func(stored int64) float64 { return min(max((modality(stored)-low)/(high-low), 0), 1) }
}

// span finds the least and the greatest value of a frame, padding left out.
func (s *shown) span(n *Native, modality func(int64) float64) (low, high float64) {
	least, greatest := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range n.Rows * n.Columns {
		stored := n.value(i)
		if s.padded && stored >= s.low && stored <= s.high {
			continue
		}
		least, greatest = min(least, stored), max(greatest, stored)
	}
	if least > greatest {
		return 0, 0
	}
	a, b := modality(least), modality(greatest)
	return min(a, b), max(a, b)
}

func (img *Image) paletted(n *Native) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, n.Columns, n.Rows))
	for i := range n.Rows * n.Columns {
		r, g, b := img.shown.palette.at(n.value(i))
		copy(out.Pix[4*i:], []byte{r, g, b, 255})
	}
	return out
}

// coloured renders three samples a pixel.
func coloured(n *Native) (image.Image, error) {
	convert := func(r, g, b uint8) (uint8, uint8, uint8) { return r, g, b }
	switch n.Photometric {
	case "RGB":
	case "YBR_FULL":
		convert = color.YCbCrToRGB
	case "YBR_PARTIAL_422", "YBR_PARTIAL_420":
		convert = partialToRGB
	default:
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "PhotometricInterpretation", Msg: "the image's colours cannot be rendered", Hint: "retrieve it as stored"}
	}
	shift := max(n.Stored-8, 0)
	sample := func(i int) uint8 { return uint8(uint64(n.value(i)) >> shift) }
	if n.Allocated == 8 {
		sample = func(i int) uint8 { return n.Data[i] }
	}
	out := image.NewRGBA(image.Rect(0, 0, n.Columns, n.Rows))
	for i := range n.Rows * n.Columns {
		r, g, b := convert(sample(3*i), sample(3*i+1), sample(3*i+2))
		copy(out.Pix[4*i:], []byte{r, g, b, 255})
	}
	return out, nil
}

// partialToRGB undoes the encoding with head and foot room (ITU-R BT.601).
func partialToRGB(y, cb, cr uint8) (uint8, uint8, uint8) {
	l, b, r := 1.164383*(float64(y)-16), float64(cb)-128, float64(cr)-128
	clip := func(v float64) uint8 { return uint8(min(max(v+0.5, 0), 255)) }
	return clip(l + 1.596027*r), clip(l - 0.391762*b - 0.812968*r), clip(l + 2.017232*b)
}
