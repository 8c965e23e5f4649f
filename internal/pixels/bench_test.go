package pixels

import (
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkFrame says how many frames a codec decodes, one after the other.
func BenchmarkFrame(b *testing.B) {
	d := NewDecoder("", Limits{})
	defer d.Close(b.Context())
	for _, c := range []struct{ encoding, file string }{
		{"RLE", "sop/US_multiframe_RLE_US-PAL-8-10x-echo.dcm"},
		{"JPEG", "sop/US_multiframe_jpeg_examples_ybr_color.dcm"},
		{"JPEG12", "transfer-syntax/JPGExtended.dcm"},
		{"JPEGLossless", "transfer-syntax/MR-JPEGLosslessSV1.dcm"},
		{"JPEGLS", "sop/US_multiframe_JPEGLS_palette.dcm"},
		{"JPEG2000", "transfer-syntax/J2K_pixelrep_mismatch.dcm"},
		{"JPEG2000Lossy", "sop/CR_RG3_J2KI.dcm"},
		{"HTJ2K", "derived/HTJ2KLossless_storable.dcm"},
	} {
		f := openStored(b, filepath.Join(corpus(b), c.file))
		name := fmt.Sprintf("%s-%dx%dx%d", c.encoding, f.img.Columns, f.img.Rows, f.img.Samples*f.img.Allocated)
		b.Run(name, func(b *testing.B) {
			frame := f.frame(b, 0)
			if _, err := d.Frame(b.Context(), f.img, frame); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(f.img.Rows * f.img.Columns * f.img.Samples * f.img.Allocated / 8))
			for b.Loop() {
				if _, err := d.Frame(b.Context(), f.img, frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFirstFrame says what the first frame of a process costs: the codec is compiled, or comes from the cache.
func BenchmarkFirstFrame(b *testing.B) {
	for name, file := range map[string]string{
		"JPEG": "transfer-syntax/SC_jpeg_no_color_transform.dcm", "JPEGLS": "transfer-syntax/MR_small_jpeg_ls_lossless.dcm",
		"JPEG2000": "transfer-syntax/MR_small_jp2klossless.dcm"} {
		f := openStored(b, filepath.Join(corpus(b), file))
		frame := f.frame(b, 0)
		for kind, cache := range map[string]string{"compiled": "", "cached": b.TempDir()} {
			b.Run(name+"-"+kind, func(b *testing.B) {
				for b.Loop() {
					d := NewDecoder(cache, Limits{})
					if _, err := d.Frame(b.Context(), f.img, frame); err != nil {
						b.Fatal(err)
					}
					d.Close(b.Context())
				}
			})
		}
	}
}

// BenchmarkRender makes a thumbnail and a whole image.
func BenchmarkRender(b *testing.B) {
	d := NewDecoder("", Limits{})
	defer d.Close(b.Context())
	f := openStored(b, filepath.Join(corpus(b), "sop/CR_RG3_J2KI.dcm"))
	n, err := d.Frame(b.Context(), f.img, f.frame(b, 0))
	if err != nil {
		b.Fatal(err)
	}
	for name, v := range map[string]View{"whole": {}, "thumbnail": {Viewport: Viewport{Width: 128, Height: 128}}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Render(f.img, 0, n, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
