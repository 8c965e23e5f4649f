package pixels

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"concord/hub"
)

// seeds are frames of the corpus in a few transfer syntaxes, small ones.
func seeds(f *testing.F, files ...string) {
	dir := os.Getenv("CONCORD_CORPUS")
	for _, file := range files {
		if b, err := os.ReadFile(filepath.Join(dir, "dicom", file)); err == nil {
			if s, err := storedOf(b); err == nil {
				f.Add(s.frame(f, 0), uint8(s.img.Rows), uint8(s.img.Columns), s.img.Samples == 3, s.img.Allocated == 16)
			}
		}
	}
	f.Add([]byte{}, uint8(16), uint8(16), false, true)
}

// fuzzCodec decodes whatever comes: there is a frame of the right size or an error of the frame, and soon. (Go's
// fuzzer gives up after ten seconds.)
func fuzzCodec(f *testing.F, syntax string) {
	d := NewDecoder("", Limits{Time: 500 * time.Millisecond})
	f.Cleanup(func() { d.Close(context.Background()) })
	f.Fuzz(func(t *testing.T, frame []byte, rows, columns uint8, coloured, deep bool) {
		img := grey(syntax, int(rows)+1, int(columns)+1, 8)
		if coloured {
			img.Samples, img.Photometric = 3, "YBR_FULL"
		}
		if deep {
			img.Allocated, img.Stored, img.HighBit = 16, 16, 15
		}
		n, err := d.Frame(t.Context(), img, frame)
		if err != nil {
			if !hub.Is(err, hub.Invalid) && !hub.Is(err, hub.TooCostly) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		if want := img.Rows * img.Columns * img.Samples * img.Allocated / 8; len(n.Data) != want {
			t.Errorf("%d bytes, expected %d", len(n.Data), want)
		}
		if _, err := Render(img, 0, n, View{}); err != nil {
			t.Errorf("what was decoded cannot be rendered: %v", err)
		}
	})
}

func FuzzJPEG(f *testing.F) {
	seeds(f, "transfer-syntax/SC_rgb_small_odd_jpeg.dcm", "transfer-syntax/SC_rgb_dcmtk_+eb+cy+s4.dcm", "derived/MR_small_jpeglossless_57.dcm", "transfer-syntax/JPGExtended.dcm")
	fuzzCodec(f, syntaxJPEG)
}

func FuzzJPEGLS(f *testing.F) {
	seeds(f, "transfer-syntax/MR_small_jpeg_ls_lossless.dcm", "sop/SM_wsi_jpegls_nobot.dcm", "derived/JPEGLSNearLossless_16_storable.dcm")
	fuzzCodec(f, syntaxJPEGLS)
}

func FuzzJPEG2000(f *testing.F) {
	seeds(f, "transfer-syntax/MR_small_jp2klossless.dcm", "transfer-syntax/SC_rgb_gdcm_KY.dcm", "derived/HTJ2K_storable.dcm")
	fuzzCodec(f, syntaxJPEG2000)
}

func FuzzRLE(f *testing.F) {
	seeds(f, "transfer-syntax/MR_small_RLE.dcm", "transfer-syntax/SC_rgb_rle_16bit_2frame.dcm")
	fuzzCodec(f, syntaxRLE)
}

func FuzzSegmentedPalette(f *testing.F) {
	f.Add([]byte{0, 0, 2, 0, 1, 0, 2, 0, 1, 0, 254, 0, 255, 0}, uint16(256), false)
	f.Fuzz(func(t *testing.T, b []byte, entries uint16, narrow bool) {
		bits := 16
		if narrow {
			bits = 8
		}
		if out := segments(b, int(entries), bits, binary.LittleEndian); out != nil && len(out) != int(entries) {
			t.Errorf("%d entries, expected %d", len(out), entries)
		}
	})
}
