package dicomweb

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/gif"

	"concord/hub"
	"concord/internal/pixels"
)

// film makes an animated GIF in shades of grey, or in few colours.
func (s *Server) film(ctx context.Context, f file, img *pixels.Image, of shot, r rendering) ([]byte, error) {
	tooLong := &hub.Error{Kind: hub.TooLarge, Path: "Accept", Msg: fmt.Sprintf("a film may have %d frames and %d pixels in all", longestCine, largestCine), Hint: "ask for frames, or a smaller viewport"}
	if len(of.frames) > longestCine || int64(len(of.frames))*int64(img.Rows)*int64(img.Columns) > largestCine {
		return nil, tooLong
	}
	film := &gif.GIF{}
	for _, n := range of.frames {
		if err := ctx.Err(); err != nil {
			return nil, &hub.Error{Kind: hub.Unavailable, Msg: "the request was given up", Err: err}
		}
		picture, err := s.picture(ctx, f, img, n, r.view)
		if err != nil {
			return nil, err
		}
		if b := picture.Bounds(); len(of.frames)*b.Dx()*b.Dy() > largestCine {
			return nil, tooLong
		}
		film.Image = append(film.Image, paletted(picture))
		film.Delay = append(film.Delay, frameDelay)
	}
	var out bytes.Buffer
	err := gif.EncodeAll(&out, film)
	return out.Bytes(), err
}

// paletted is a picture in 256 shades of grey, or in 6×6×6 colours.
func paletted(p image.Image) *image.Paletted {
	var palette color.Palette
	_, grey := p.(*image.Gray)
	if grey {
		for i := range 256 {
			palette = append(palette, color.Gray{uint8(i)})
		}
	} else {
		for i := range 216 {
			palette = append(palette, color.RGBA{uint8(i / 36 * 51), uint8(i / 6 % 6 * 51), uint8(i % 6 * 51), 255})
		}
	}
	b := p.Bounds()
	out := image.NewPaletted(image.Rect(0, 0, b.Dx(), b.Dy()), palette)
	for y := range b.Dy() {
		for x := range b.Dx() {
			r, g, bl, _ := p.At(b.Min.X+x, b.Min.Y+y).RGBA()
			at := out.PixOffset(x, y)
			if grey {
				out.Pix[at] = uint8(r >> 8)
			} else {
				out.Pix[at] = uint8((r+4369*3/2)/13107*36 + (g+4369*3/2)/13107*6 + (bl+4369*3/2)/13107)
			}
		}
	}
	return out
}
