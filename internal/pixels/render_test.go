package pixels

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"concord/hub"
	"concord/internal/dicom"
)

func TestWindowsMapValuesAsTheStandardSays(t *testing.T) {
	for _, c := range []struct {
		window Window
		x      float64
		want   float64
	}{
		{Window{2048, 4096, Linear}, 0, 0}, // PS3.3 C.11.2.1.2.1 gives these examples of 12 bits
		{Window{2048, 4096, Linear}, 4095, 1},
		{Window{2048, 1, Linear}, 2047.4, 0},
		{Window{2048, 1, Linear}, 2048, 1},
		{Window{0, 100, Linear}, 49, 1},
		{Window{0, 100, Linear}, -50, 0},
		{Window{0, 100, LinearExact}, 0, 0.5},
		{Window{0, 100, LinearExact}, 50, 1},
		{Window{0, 100, Sigmoid}, 0, 0.5},
		{Window{0, 100, Sigmoid}, 50, 1 / (1 + math.Exp(-2))},
	} {
		if got := c.window.grey(c.x); math.Abs(got-c.want) > 1e-3 {
			t.Errorf("%+v of %v is %v, expected %v", c.window, c.x, got, c.want)
		}
	}
}

// row is an image of one row of 16-bit values.
func row(signed bool, values ...int16) (*Image, *Native) {
	img := grey("1.2.840.10008.1.2.1", 1, len(values), 16)
	img.Signed = signed
	img.shown = shown{modality: transform{slope: 1}, aspect: 1}
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint16(data, uint16(v))
	}
	n, _ := img.native(data)
	return img, n
}

func levels(t *testing.T, img *Image, n *Native, v View) []uint8 {
	t.Helper()
	im, err := Render(img, 0, n, v)
	if err != nil {
		t.Fatal(err)
	}
	return im.(*image.Gray).Pix
}

func TestGreyIsRenderedThroughBothTransformations(t *testing.T) {
	signed := func(change func(*Image)) func() (*Image, *Native) {
		return func() (*Image, *Native) {
			img, n := row(true, -100, 0, 100, -2000)
			change(img)
			n.Photometric = img.Photometric
			return img, n
		}
	}
	window := &Window{0, 201, Linear}
	for name, c := range map[string]struct {
		make func() (*Image, *Native)
		view View
		want []uint8
	}{
		"without a window the frame's own range": {signed(func(*Image) {}), View{}, []uint8{231, 243, 255, 0}},
		"padding is black and not in the range":  {signed(func(i *Image) { i.shown.padded, i.shown.low, i.shown.high = true, -2000, -1999 }), View{}, []uint8{0, 128, 255, 0}},
		"the window of the view":                 {signed(func(i *Image) { i.shown.voi.window = &Window{5000, 10, Linear} }), View{Window: window}, []uint8{1, 128, 255, 0}},
		"the window of the header":               {signed(func(i *Image) { i.shown.voi.window = window }), View{}, []uint8{1, 128, 255, 0}},
		"slope and intercept":                    {signed(func(i *Image) { i.shown.modality = transform{slope: 2, intercept: 100} }), View{Window: &Window{100, 401, Linear}}, []uint8{0, 128, 255, 0}},
		"MONOCHROME1 is turned round":            {signed(func(i *Image) { i.Photometric = "MONOCHROME1" }), View{Window: window}, []uint8{254, 127, 0, 255}},
		"a modality table goes on at its ends": {signed(func(i *Image) { i.shown.modality.table = &table{first: -1, values: []uint16{10, 20}} }),
			View{Window: &Window{15, 10, LinearExact}}, []uint8{0, 255, 255, 0}},
		"a VOI table":                 {signed(func(i *Image) { i.shown.voi.table = &table{first: -100, top: 255, values: []uint16{7, 9}} }), View{}, []uint8{7, 9, 9, 7}},
		"a frame of its own in a set": {signed(func(i *Image) { i.shown.frames = []frameShown{{transform{slope: 1}, voi{window: window}}} }), View{}, []uint8{1, 128, 255, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			img, n := c.make()
			got := levels(t, img, n, c.view)
			for i := range c.want {
				if d := int(got[i]) - int(c.want[i]); d < -1 || d > 1 {
					t.Fatalf("%v, expected %v", got, c.want)
				}
			}
		})
	}
}

func TestBitsAroundTheStoredOnesAreNoValue(t *testing.T) {
	_, n := row(true, 0x7FF8|-0x8000, 0x0008) // 12 bits from bit 3 on, and others in the rest
	n.Stored, n.HighBit = 12, 14
	if a, b := n.value(0), n.value(1); a != -1 || b != 1 {
		t.Errorf("values are %d and %d, expected -1 and 1", a, b)
	}
}

func TestDeepImagesHave16Bits(t *testing.T) {
	img, n := row(false, 0, 1, 256)
	im, err := Render(img, 0, n, View{Window: &Window{128.5, 257, Linear}, Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := im.(*image.Gray16).Gray16At(1, 0).Y; got < 250 || got > 262 {
		t.Errorf("one of 256 is %d of 65535", got)
	}
	var b bytes.Buffer
	if err := WritePNG(&b, im); err != nil {
		t.Fatal(err)
	}
	again, err := png.Decode(&b)
	if _, ok := again.(*image.Gray16); err != nil || !ok {
		t.Errorf("the PNG has not 16 bits: %v", err)
	}
}

func TestSegmentedPalettesExpand(t *testing.T) {
	var b []byte
	for _, v := range []uint16{0, 2, 10, 20, 1, 4, 60, 2, 2, 0, 0} { // two values, a line to 60, and both again
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	want := []uint16{10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60}
	got := segments(b, len(want), 16, binary.LittleEndian)
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, expected %v", got, want)
		}
	}
	if segments(b[:20], len(want), 16, binary.LittleEndian) != nil {
		t.Error("a table that ends early is taken")
	}
}

func TestViewportsFitCutAndFlip(t *testing.T) {
	im := image.NewGray(image.Rect(0, 0, 40, 20))
	for i := range im.Pix {
		im.Pix[i] = uint8(i % 40 * 6)
	}
	for name, c := range map[string]struct {
		port   Viewport
		aspect float64
		w, h   int
		left   uint8
	}{
		"nothing asked":                 {Viewport{}, 1, 40, 20, 0},
		"fits the narrower side":        {Viewport{Width: 10, Height: 10}, 1, 10, 5, 8},
		"one side":                      {Viewport{Height: 40}, 1, 80, 40, 0},
		"a part":                        {Viewport{X: 20, Y: 10, W: 10, H: 5}, 1, 10, 5, 120},
		"to the edge":                   {Viewport{X: 20}, 1, 20, 20, 120},
		"flipped":                       {Viewport{W: -40}, 1, 40, 20, 234},
		"pixels that are tall":          {Viewport{}, 2, 40, 40, 0},
		"pixels that are wide":          {Viewport{}, 0.5, 80, 20, 0},
		"tall pixels into a square box": {Viewport{Width: 20, Height: 20}, 2, 20, 20, 2},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := c.port.show(im, c.aspect)
			if err != nil {
				t.Fatal(err)
			}
			if b := out.Bounds(); b.Dx() != c.w || b.Dy() != c.h {
				t.Errorf("%d × %d, expected %d × %d", b.Dx(), b.Dy(), c.w, c.h)
			}
			if left := out.At(0, 0).(color.Gray).Y; max(left, c.left)-min(left, c.left) > 3 {
				t.Errorf("the first pixel is %d, expected %d", left, c.left)
			}
		})
	}
	for name, port := range map[string]Viewport{"outside": {X: 40}, "too large": {Width: maxSide + 1}, "no number": {X: math.NaN()}, "too many": {Width: 12000, Height: 12000, W: 20, H: 20}} {
		if _, err := port.show(im, 1); !hub.Is(err, hub.Invalid) && !hub.Is(err, hub.TooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQualityOfJPEGIsHeeded(t *testing.T) {
	im := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range im.Pix {
		im.Pix[i] = uint8(i * i >> 3)
	}
	var poor, good bytes.Buffer
	if err := WriteJPEG(&poor, im, 5); err != nil {
		t.Fatal(err)
	}
	if err := WriteJPEG(&good, im, 100); err != nil {
		t.Fatal(err)
	}
	if poor.Len() >= good.Len() {
		t.Errorf("%d bytes of quality 5, %d of 100", poor.Len(), good.Len())
	}
	if _, err := stdjpeg.Decode(&good); err != nil {
		t.Error(err)
	}
}

func TestRenderingsAreWithinOneLevelOfDcmtks(t *testing.T) {
	d := newDecoder(t)
	for _, file := range []string{"transfer-syntax/CT_small.dcm", "transfer-syntax/MR_small.dcm", "transfer-syntax/MR_small_expb.dcm", "transfer-syntax/emri_small.dcm",
		"transfer-syntax/ExplVR_BigEnd.dcm", "transfer-syntax/SC_rgb_small_odd_big_endian.dcm", "sop/DX_for_presentation.dcm", "sop/NM_multiframe_13x-heart.dcm",
		"sop/US_palette.dcm", "sop/SEG_labelmap_palette.dcm", "sop/SEG_ct_binary.dcm", "transfer-syntax/rtdose.dcm"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			path, to := filepath.Join(corpus(t), file), filepath.Join(t.TempDir(), "dcmtk.png")
			s := openStored(t, path)
			args := []string{"+on"}
			switch _, windowed := s.header.Find(tagCenter); {
			case windowed:
				args = append(args, "+Wi", "1")
			case s.img.Photometric == "MONOCHROME1" || s.img.Photometric == "MONOCHROME2":
				args = append(args, "+Wm")
			}
			dcmtk(t, "dcmj2pnm", append(args, path, to)...)
			f, err := os.Open(to)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			theirs, err := png.Decode(f)
			if err != nil {
				t.Fatal(err)
			}
			n, err := d.Frame(t.Context(), s.img, s.frame(t, 0))
			if err != nil {
				t.Fatal(err)
			}
			ours, err := Render(s.img, 0, n, View{})
			if err != nil {
				t.Fatal(err)
			}
			if ours.Bounds() != theirs.Bounds() {
				t.Fatalf("%v, dcmtk has %v", ours.Bounds(), theirs.Bounds())
			}
			for y := range ours.Bounds().Dy() {
				for x := range ours.Bounds().Dx() {
					a := color.RGBAModel.Convert(ours.At(x, y)).(color.RGBA)
					b := color.RGBAModel.Convert(theirs.At(x, y)).(color.RGBA)
					if far(a.R, b.R) || far(a.G, b.G) || far(a.B, b.B) {
						t.Fatalf("at %d,%d: %v, dcmtk has %v", x, y, a, b)
					}
				}
			}
		})
	}
}

func far(a, b uint8) bool { return max(a, b)-min(a, b) > 1 }

func TestTheHeadersTablesAreRead(t *testing.T) {
	var b []byte
	element := func(group, number uint16, vr string, value []byte) {
		b = binary.LittleEndian.AppendUint16(b, group)
		b = binary.LittleEndian.AppendUint16(b, number)
		b = append(b, vr...)
		if vr == "SQ" || vr == "OW" {
			b = append(b, 0, 0)
			b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
		} else {
			b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		}
		b = append(b, value...)
	}
	us := func(v ...uint16) (out []byte) {
		for _, n := range v {
			out = binary.LittleEndian.AppendUint16(out, n)
		}
		return out
	}
	text := func(s string) []byte { return padded([]byte(s), ' ') }
	var item []byte
	outer := b
	b = nil
	element(0x0028, 0x3002, "US", us(3, 5, 8))
	element(0x0028, 0x3006, "US", us(1, 2, 3))
	item = b
	b = outer
	element(0x0028, 0x0002, "US", us(1))
	element(0x0028, 0x0004, "CS", text("MONOCHROME2"))
	element(0x0028, 0x0010, "US", us(2))
	element(0x0028, 0x0011, "US", us(2))
	element(0x0028, 0x0034, "IS", text(`4\3`))
	element(0x0028, 0x0100, "US", us(16))
	element(0x0028, 0x0101, "US", us(12))
	element(0x0028, 0x0102, "US", us(11))
	element(0x0028, 0x0103, "US", us(0))
	element(0x0028, 0x0120, "US", us(63))
	element(0x0028, 0x1050, "DS", text(`40\600`))
	element(0x0028, 0x1051, "DS", text(`0.5\1600`))
	element(0x0028, 0x1056, "CS", text("SIGMOID"))
	sequence := append([]byte{0xFE, 0xFF, 0x00, 0xE0}, binary.LittleEndian.AppendUint32(nil, uint32(len(item)))...)
	element(0x0028, 0x3000, "SQ", append(sequence, item...))
	element(0x7FE0, 0x0010, "OW", make([]byte, 8))
	h, err := dicom.ReadDataSet(bytes.NewReader(b), "1.2.840.10008.1.2.1", dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := Of(h)
	if err != nil {
		t.Fatal(err)
	}
	s := img.shown
	if w := s.voi.window; w == nil || *w != (Window{40, 0.5, Sigmoid}) {
		t.Errorf("the window is %+v", w)
	}
	if !s.padded || s.low != 63 || s.high != 63 {
		t.Errorf("padding is %v %d %d", s.padded, s.low, s.high)
	}
	if m := s.modality.table; m == nil || m.at(0) != 1 || m.at(6) != 2 || m.at(99) != 3 {
		t.Errorf("the modality's table is %+v", m)
	}
	if math.Abs(s.aspect-4.0/3) > 1e-9 {
		t.Errorf("the aspect is %s", strconv.FormatFloat(s.aspect, 'g', -1, 64))
	}
}
