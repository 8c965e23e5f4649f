package draw

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"

	"concord/hub"
	"concord/internal/ecg"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/vector"
)

// PNG writes the same picture in pixels, Options.PixelsPerMM to the millimetre, which its pHYs chunk says. A sheet of
// more than 16 million pixels is a TooLarge error. Words with characters that the embedded fonts do not have are left out
// whole: half a name would be another one.
func PNG(w io.Writer, rec *ecg.Recording, o Options) error {
	o = o.withDefaults()
	s, err := plan(rec, o)
	if err != nil {
		return err
	}
	scale := float64(o.PixelsPerMM)
	width, height := int(math.Ceil(s.width*scale)), int(math.Ceil(s.height*scale))
	if width > maxPixels/max(height, 1) {
		return &hub.Error{Kind: hub.TooLarge, Path: "pixels", Msg: "the picture would have more than 16 million pixels",
			Hint: "ask for fewer seconds or leads, a lower speed, or an SVG"}
	}
	ink := s.ink(width, height, scale)
	img := image.NewPaletted(ink.Rect, palette())
	s.paper(img, scale)
	for i, a := range ink.Pix {
		img.Pix[i] += a >> 4
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, img); err != nil {
		return err
	}
	return withScale(w, b.Bytes(), o.PixelsPerMM)
}

// The palette has sixteen strengths of ink on each of these.
const (
	paper = iota << 4
	minor
	major
)

func palette() color.Palette {
	var p color.Palette
	for _, c := range []color.RGBA{paper >> 4: {255, 255, 255, 255}, minor >> 4: {0xf7, 0xd3, 0xd3, 255}, major >> 4: {0xea, 0x9f, 0x9f, 255}} {
		for a := range 16 {
			fade := func(v uint8) uint8 { return uint8(int(v) * (15 - a) / 15) }
			p = append(p, color.RGBA{fade(c.R), fade(c.G), fade(c.B), 255})
		}
	}
	return p
}

// paper draws the grid: one pixel for a millimetre, two for five.
func (s *sheet) paper(img *image.Paletted, scale float64) {
	px := func(mm float64) int { return int(math.Round(mm * scale)) }
	left, top, right, bottom := px(s.grid.left), px(s.grid.top), px(s.grid.right), px(s.grid.bottom)
	fill := func(x0, y0, x1, y1 int, c uint8) {
		for y := y0; y < min(y1, img.Rect.Max.Y); y++ {
			for x := x0; x < min(x1, img.Rect.Max.X); x++ {
				img.Pix[y*img.Stride+x] = c
			}
		}
	}
	for _, pass := range []struct {
		step, thick int
		c           uint8
	}{{1, 1, minor}, {5, 2, major}} {
		for mm := 0; s.grid.left+float64(mm) <= s.grid.right+1e-6; mm += pass.step {
			x := px(s.grid.left + float64(mm))
			fill(x, top, x+pass.thick, bottom, pass.c)
		}
		for mm := 0; s.grid.top+float64(mm) <= s.grid.bottom+1e-6; mm += pass.step {
			y := px(s.grid.top + float64(mm))
			fill(left, y, right, y+pass.thick, pass.c)
		}
	}
}

// ink is how much of each pixel traces, marks and words cover.
func (s *sheet) ink(width, height int, scale float64) *image.Alpha {
	r := vector.NewRasterizer(width, height)
	for _, t := range s.traces {
		for _, run := range t.runs {
			stroke(r, run, 0.25, scale)
		}
	}
	for _, run := range s.rules {
		stroke(r, run, 0.25, scale)
	}
	img := image.NewAlpha(image.Rect(0, 0, width, height))
	r.Draw(img, img.Rect, image.Opaque, image.Point{})

	// Words have their own pass: their outlines turn the other way round, and where they meet a line both would go out.
	r.Reset(width, height)
	var p pen
	for _, t := range s.words {
		if p.has(t.text) {
			p.outline(t.text, t.x*scale, t.y*scale, t.size*scale, func(op sfnt.SegmentOp, a [3]point) { segment(r, op, a) })
		}
	}
	r.Draw(img, img.Rect, image.Opaque, image.Point{})
	return img
}

func segment(r *vector.Rasterizer, op sfnt.SegmentOp, a [3]point) {
	f := func(v float64) float32 { return float32(v) }
	switch op {
	case sfnt.SegmentOpMoveTo:
		r.ClosePath()
		r.MoveTo(f(a[0].x), f(a[0].y))
	case sfnt.SegmentOpLineTo:
		r.LineTo(f(a[0].x), f(a[0].y))
	case sfnt.SegmentOpQuadTo:
		r.QuadTo(f(a[0].x), f(a[0].y), f(a[1].x), f(a[1].y))
	case sfnt.SegmentOpCubeTo:
		r.CubeTo(f(a[0].x), f(a[0].y), f(a[1].x), f(a[1].y), f(a[2].x), f(a[2].y))
	}
}

// stroke covers a line of a width in millimetres by one rectangle a piece, each half the width longer than it at both
// ends. All turn the same way round, so that where they overlap they stay ink.
func stroke(r *vector.Rasterizer, run []point, width, scale float64) {
	half := width / 2 * scale
	if len(run) == 1 {
		run = append(run, run[0])
	}
	for i := 1; i < len(run); i++ {
		a, b := point{run[i-1].x * scale, run[i-1].y * scale}, point{run[i].x * scale, run[i].y * scale}
		dx, dy := b.x-a.x, b.y-a.y
		length := math.Hypot(dx, dy)
		if length == 0 {
			dx, length = 1, 1
		}
		ux, uy := dx/length*half, dy/length*half
		a, b = point{a.x - ux, a.y - uy}, point{b.x + ux, b.y + uy}
		r.MoveTo(float32(a.x+uy), float32(a.y-ux))
		r.LineTo(float32(b.x+uy), float32(b.y-ux))
		r.LineTo(float32(b.x-uy), float32(b.y+ux))
		r.LineTo(float32(a.x-uy), float32(a.y+ux))
		r.ClosePath()
	}
}

// withScale writes a PNG with a pHYs chunk behind its header (PNG 11.3.4.3): pixels per metre in both directions.
func withScale(w io.Writer, file []byte, pixelsPerMM int) error {
	const header = 8 + 4 + 4 + 13 + 4 // signature and IHDR
	chunk := binary.BigEndian.AppendUint32(nil, 9)
	chunk = append(chunk, "pHYs"...)
	for range 2 {
		chunk = binary.BigEndian.AppendUint32(chunk, uint32(pixelsPerMM*1000))
	}
	chunk = append(chunk, 1)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	for _, part := range [][]byte{file[:header], chunk, file[header:]} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}
