package pixels

import (
	"image"
	"math"
)

// raster is an image as rows of channels: what scaling works on.
type raster struct {
	channels int
	top      float32 // greatest value
	row      func(y int, into []float32)
	put      func(y int, from []float32)
}

// tap is the share that one pixel of the original has in a pixel of the result.
type tap struct {
	at     int
	weight float32
}

// scaled resamples a part of an image with a cubic filter that takes every pixel of the original into account. It holds no
// more than the rows under the filter.
func scaled(im image.Image, part image.Rectangle, w, h int) image.Image {
	out, r := rasters(im, part, w, h)
	across, down := taps(part.Dx(), w), taps(part.Dy(), h)
	width := w * r.channels
	from := make([]float32, part.Dx()*r.channels)
	kept := map[int][]float32{} // rows of the original, scaled across
	var spare [][]float32
	sum := make([]float32, width)
	for y, weights := range down {
		for at, row := range kept {
			if at < weights[0].at {
				delete(kept, at)
				spare = append(spare, row)
			}
		}
		clear(sum)
		for _, t := range weights {
			row, ok := kept[t.at]
			if !ok {
				if n := len(spare); n > 0 {
					row, spare = spare[n-1], spare[:n-1]
				} else {
					row = make([]float32, width)
				}
				r.row(t.at, from)
				squeeze(row, from, across, r.channels)
				kept[t.at] = row
			}
			for i, v := range row {
				sum[i] += t.weight * v
			}
		}
		for i, v := range sum {
			sum[i] = min(max(v+0.5, 0), r.top)
		}
		r.put(y, sum)
	}
	return out
}

func squeeze(into, from []float32, across [][]tap, channels int) {
	for x, weights := range across {
		for c := range channels {
			var v float32
			for _, t := range weights {
				v += t.weight * from[t.at*channels+c]
			}
			into[x*channels+c] = v
		}
	}
}

// taps are the weights by which n pixels become m. The filter is as wide as a pixel of the result, two pixels of the
// original at least.
func taps(n, m int) [][]tap {
	scale := float64(n) / float64(m)
	wide := max(scale, 1)
	all := make([][]tap, m)
	for i := range all {
		centre := (float64(i)+0.5)*scale - 0.5
		sum := 0.0
		for k := int(math.Ceil(centre - 2*wide)); float64(k) <= centre+2*wide; k++ {
			weight := catmullRom((float64(k) - centre) / wide)
			if k < 0 || k >= n || weight == 0 {
				continue
			}
			all[i] = append(all[i], tap{k, float32(weight)})
			sum += weight
		}
		for k := range all[i] {
			all[i][k].weight /= float32(sum)
		}
	}
	return all
}

func catmullRom(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

// rasters makes the result of a scaling and says how rows are read and written.
func rasters(im image.Image, part image.Rectangle, w, h int) (image.Image, raster) {
	to := image.Rect(0, 0, w, h)
	switch im := im.(type) {
	case *image.Gray:
		out := image.NewGray(to)
		return out, bytewise(1, im.Pix[im.PixOffset(part.Min.X, part.Min.Y):], im.Stride, out.Pix, out.Stride)
	case *image.Gray16:
		out := image.NewGray16(to)
		return out, raster{1, math.MaxUint16, func(y int, into []float32) {
			at := im.Pix[im.PixOffset(part.Min.X, part.Min.Y+y):]
			for i := range into {
				into[i] = float32(uint16(at[2*i])<<8 | uint16(at[2*i+1]))
			}
		}, func(y int, from []float32) {
			at := out.Pix[y*out.Stride:]
			for i, v := range from {
				at[2*i], at[2*i+1] = uint8(uint16(v)>>8), uint8(uint16(v))
			}
		}}
	}
	rgba := im.(*image.RGBA)
	out := image.NewRGBA(to)
	return out, bytewise(4, rgba.Pix[rgba.PixOffset(part.Min.X, part.Min.Y):], rgba.Stride, out.Pix, out.Stride)
}

func bytewise(channels int, pix []uint8, stride int, out []uint8, outStride int) raster {
	return raster{channels, math.MaxUint8, func(y int, into []float32) {
		at := pix[y*stride:]
		for i := range into {
			into[i] = float32(at[i])
		}
	}, func(y int, from []float32) {
		at := out[y*outStride:]
		for i, v := range from {
			at[i] = uint8(v)
		}
	}}
}
