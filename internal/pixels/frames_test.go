package pixels

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"concord/internal/dicom"
)

// decodeAll joins all frames of a file as Frame decodes them.
func decodeAll(t *testing.T, d *Decoder, s *stored) (*Native, []byte) {
	t.Helper()
	var all []byte
	var last *Native
	for i := range s.header.Frames.Len() {
		n, err := d.Frame(t.Context(), s.img, s.frame(t, i))
		if err != nil {
			t.Fatalf("frame %d: %v", i+1, err)
		}
		all, last = append(all, n.Data...), n
	}
	if last == nil {
		t.Fatal("there are no frames")
	}
	return last, all
}

// newDecoder gives the tests one decoder, since each compiles its codecs anew.
func newDecoder(testing.TB) *Decoder { return oneDecoder() }

var oneDecoder = sync.OnceValue(func() *Decoder { return NewDecoder("", Limits{}) })

func TestLosslessFramesEqualThoseOfIndependentDecoders(t *testing.T) {
	dir := corpus(t)
	list, err := os.ReadFile("testdata/frames.tsv")
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder(t)
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		t.Run(filepath.Base(f[0]), func(t *testing.T) {
			n, all := decodeAll(t, d, openStored(t, filepath.Join(dir, f[0])))
			if n.Photometric != f[1] {
				t.Errorf("samples are %s, expected %s", n.Photometric, f[1])
			}
			if sum := sha256.Sum256(all); hex.EncodeToString(sum[:]) != f[2] {
				t.Errorf("the samples are not those of %s", f[3])
			}
		})
	}
}

// dcmtk runs one of its tools; without them there is no test, but in CI there must be.
func dcmtk(t *testing.T, tool string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: install dcmtk", tool)
		}
		t.Skipf("%s is missing: nothing is compared with dcmtk", tool)
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", tool, err, out)
	}
}

// dcmtkFrames reads a file that dcmtk wrote without compression.
func dcmtkFrames(t *testing.T, d *Decoder, path string) []byte {
	t.Helper()
	_, all := decodeAll(t, d, openStored(t, path))
	return all
}

// apart says how far two sets of samples are from each other: the greatest difference, and the ratio in decibels.
func apart(a, b []byte, width int) (worst int, psnr float64) {
	sample := func(p []byte, i int) int {
		if width == 2 {
			return int(p[2*i]) | int(p[2*i+1])<<8
		}
		return int(p[i])
	}
	sum, top := 0.0, 1
	for i := range len(a) / width {
		x, y := sample(a, i), sample(b, i)
		diff := max(x-y, y-x)
		worst, top = max(worst, diff), max(top, x)
		sum += float64(diff) * float64(diff)
	}
	return worst, 20 * math.Log10(float64(top)/math.Sqrt(sum/float64(len(a)/width)+1e-12))
}

func TestFramesAgreeWithDcmtk(t *testing.T) {
	d := newDecoder(t)
	for _, c := range []struct {
		file, tool string
		lossy      bool
	}{
		{"transfer-syntax/JPGExtended.dcm", "dcmdjpeg", true},
		{"transfer-syntax/SC_jpeg_no_color_transform.dcm", "dcmdjpeg", true},
		{"transfer-syntax/SC_rgb_dcmtk_+eb+cr.dcm", "dcmdjpeg", true},
		{"transfer-syntax/SC_rgb_dcmtk_+eb+cy+s4.dcm", "dcmdjpeg", true},
		{"transfer-syntax/SC_rgb_small_odd_jpeg.dcm", "dcmdjpeg", true},
		{"sop/US_multiframe_jpeg_examples_ybr_color.dcm", "dcmdjpeg", true},
		{"transfer-syntax/MR-JPEGLosslessSV1.dcm", "dcmdjpeg", false},
		{"transfer-syntax/SC_rgb_jpeg_gdcm.dcm", "dcmdjpeg", false},
		{"derived/MR_small_jpeglossless_57.dcm", "dcmdjpeg", false},
		{"transfer-syntax/MR_small_jpeg_ls_lossless.dcm", "dcmdjpls", false},
		{"transfer-syntax/emri_small_jpls_1k_fragment_no_offset_table.dcm", "dcmdjpls", false},
		{"sop/SM_wsi_jpegls_nobot.dcm", "dcmdjpls", false},
		{"transfer-syntax/MR_small_RLE.dcm", "dcmdrle", false},
		{"transfer-syntax/SC_rgb_rle_16bit_2frame.dcm", "dcmdrle", false},
	} {
		t.Run(filepath.Base(c.file), func(t *testing.T) {
			from, to := filepath.Join(corpus(t), c.file), filepath.Join(t.TempDir(), "native.dcm")
			s := openStored(t, from)
			dcmtk(t, c.tool, from, to)
			_, ours := decodeAll(t, d, s)
			theirs := dcmtkFrames(t, d, to)
			if len(ours) != len(theirs) {
				t.Fatalf("%d bytes, dcmtk has %d", len(ours), len(theirs))
			}
			switch worst, psnr := apart(theirs, ours, s.img.Allocated/8); {
			case !c.lossy && worst > 0:
				t.Errorf("samples differ from dcmtk's by up to %d", worst)
			case worst > 1 && psnr < 40:
				t.Errorf("samples differ from dcmtk's by up to %d, %.1f dB", worst, psnr)
			}
		})
	}
}

func TestEveryPredictorOfLosslessJPEG(t *testing.T) {
	d := newDecoder(t)
	for _, file := range []string{"transfer-syntax/MR_small.dcm", "transfer-syntax/emri_small.dcm", "transfer-syntax/SC_rgb_small_odd.dcm", "transfer-syntax/color-px.dcm"} {
		from := filepath.Join(corpus(t), file)
		_, want := decodeAll(t, d, openStored(t, from))
		for _, predictor := range []string{"1", "2", "3", "4", "5", "6", "7"} {
			to := filepath.Join(t.TempDir(), "lossless.dcm")
			dcmtk(t, "dcmcjpeg", "+el", "+sv", predictor, from, to)
			s := openStored(t, to)
			if s.img.Syntax != "1.2.840.10008.1.2.4.57" {
				t.Fatalf("dcmtk wrote %s", s.img.Syntax)
			}
			if _, got := decodeAll(t, d, s); !bytes.Equal(got, want) {
				t.Errorf("%s with predictor %s is not what was encoded", filepath.Base(file), predictor)
			}
		}
	}
}

func TestWhatHasNoImageIsSaidSo(t *testing.T) {
	for file, words := range map[string]string{
		"derived/encapsulated-pdf.dcm":         "Encapsulated PDF has no image",
		"sop/SR_basic_text_reportsi.dcm":       "Basic Text SR has no image",
		"sop/RTPLAN.dcm":                       "RT Plan has no image",
		"transfer-syntax/SC_rgb_small_odd.dcm": "",
	} {
		f, err := os.Open(filepath.Join(corpus(t), file))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(f)
		f.Close()
		if words == "" && err != nil || words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
			t.Errorf("%s: %v, expected %q", file, err, words)
		}
	}
}

// countingReader counts what is read.
type countingReader struct {
	r *bytes.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestReadLeavesThePixelsWhereTheyAre(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(corpus(t), "sop/US_multiframe_RLE_US-PAL-8-10x-echo.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	r := &countingReader{r: bytes.NewReader(b)}
	img, err := Read(r)
	if err != nil {
		t.Fatal(err)
	}
	if r.n > 64<<10 || img.Frames != 10 || img.shown.palette == nil {
		t.Errorf("%d of %d bytes were read for %d frames, palette %v", r.n, len(b), img.Frames, img.shown.palette != nil)
	}
	whole, err := dicom.ScanFile(bytes.NewReader(b), dicom.Limits{Inline: 1 << 18})
	if err != nil {
		t.Fatal(err)
	}
	if other, err := Of(whole); err != nil || other.Rows != img.Rows || other.Photometric != img.Photometric {
		t.Errorf("the whole file gives another image: %v", err)
	}
}
