package pixels

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"concord/hub"
)

const (
	syntaxJPEG     = "1.2.840.10008.1.2.4.50"
	syntaxJPEGLS   = "1.2.840.10008.1.2.4.80"
	syntaxJPEG2000 = "1.2.840.10008.1.2.4.90"
	syntaxRLE      = "1.2.840.10008.1.2.5"
)

func grey(syntax string, rows, columns, allocated int) *Image {
	return &Image{Syntax: syntax, Photometric: "MONOCHROME2", Rows: rows, Columns: columns, Samples: 1, Allocated: allocated,
		Stored: allocated, HighBit: allocated - 1, Frames: 1}
}

// siz is the beginning of a JPEG 2000 codestream that says it is so large.
func siz(columns, rows, tileColumns, tileRows uint32, components int) []byte {
	b := []byte{0xFF, 0x4F, 0xFF, 0x51}
	b = binary.BigEndian.AppendUint16(b, uint16(38+3*components))
	b = append(b, 0, 0)
	for _, v := range []uint32{columns, rows, 0, 0, tileColumns, tileRows, 0, 0} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(components))
	for range components {
		b = append(b, 7, 1, 1)
	}
	b = append(b, 0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 1) // COD
	b = append(b, 0xFF, 0x5C, 0, 19, 0x40)                         // QCD
	b = append(b, make([]byte, 16)...)
	return append(b, 0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0x93, 0xFF, 0xD9)
}

func TestHostileFramesAreRefusedAndHarmNothing(t *testing.T) {
	d := newDecoder(t)
	good := grey(syntaxRLE, 1, 1, 8)
	sof := func(rows, columns uint16) []byte {
		return []byte{0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, byte(rows >> 8), byte(rows), byte(columns >> 8), byte(columns), 1, 1, 0x11, 0,
			0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0xFF, 0xD9}
	}
	for name, c := range map[string]struct {
		img   *Image
		frame []byte
		kind  hub.ErrKind
	}{
		"an image of 4 GiB":                             {grey("1.2.840.10008.1.2.1", 65535, 65535, 8), nil, hub.TooLarge},
		"one that a codec has no memory for":            {grey(syntaxJPEG2000, 20000, 20000, 16), siz(20000, 20000, 20000, 20000, 1), hub.TooLarge},
		"a native frame that is cut off":                {grey("1.2.840.10008.1.2.1", 16, 16, 16), make([]byte, 511), hub.Invalid},
		"an RLE frame without header":                   {grey(syntaxRLE, 16, 16, 8), make([]byte, 63), hub.Invalid},
		"an RLE frame with a segment outside":           {grey(syntaxRLE, 4, 4, 8), slices.Concat([]byte{1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F}, make([]byte, 60)), hub.Invalid},
		"an RLE frame of 64 bytes for 60000²":           {grey(syntaxRLE, 30000, 30000, 8), slices.Concat([]byte{1, 0, 0, 0, 64, 0, 0, 0}, make([]byte, 60)), hub.Invalid},
		"no JPEG at all":                                {grey(syntaxJPEG, 16, 16, 8), []byte("not a codestream"), hub.Invalid},
		"an empty frame":                                {grey(syntaxJPEG, 16, 16, 8), nil, hub.Invalid},
		"a JPEG larger than its description":            {grey(syntaxJPEG, 16, 16, 8), sof(65500, 65500), hub.Invalid},
		"a JPEG without tables":                         {grey(syntaxJPEG, 16, 16, 8), sof(16, 16), hub.Invalid},
		"no JPEG-LS":                                    {grey(syntaxJPEGLS, 16, 16, 8), []byte{0xFF, 0xD8, 0xFF, 0xFF}, hub.Invalid},
		"a JPEG 2000 image of 15 TB":                    {grey(syntaxJPEG2000, 16, 16, 8), siz(4000000, 4000000, 4000000, 4000000, 1), hub.Invalid},
		"a JPEG 2000 image of a thousand million tiles": {grey(syntaxJPEG2000, 60000, 600, 8), siz(600, 60000, 1, 1, 1), hub.Invalid},
		"a JPEG 2000 image of 16000 components":         {grey(syntaxJPEG2000, 16, 16, 8), siz(16, 16, 16, 16, 16000), hub.Invalid},
		"a JPEG 2000 image that ends":                   {grey(syntaxJPEG2000, 16, 16, 8), siz(16, 16, 16, 16, 1)[:40], hub.Invalid},
		"single bits in JPEG":                           {grey(syntaxJPEG, 16, 16, 1), sof(16, 16), hub.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := d.Frame(t.Context(), c.img, c.frame)
			runtime.ReadMemStats(&after)
			if !hub.Is(err, c.kind) {
				t.Errorf("%v, expected %v", err, c.kind)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 300<<20 {
				t.Errorf("%d MiB were allocated on the way", taken>>20)
			}
			n, err := d.Frame(t.Context(), good, append([]byte{1, 0, 0, 0, 64, 0, 0, 0}, append(make([]byte, 56), 0, 7)...))
			if err != nil || n.Data[0] != 7 {
				t.Errorf("a good frame is refused afterwards: %v", err)
			}
		})
	}
}

func TestAFrameThatTakesTooLongIsStoppedAndTheNextOneIsDecoded(t *testing.T) {
	s := openStored(t, filepath.Join(corpus(t), "sop/CR_RG3_J2KI.dcm"))
	d := newDecoder(t)
	want, err := d.Frame(t.Context(), s.img, s.frame(t, 0)) // the codec is compiled now
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := d.Frame(ctx, s.img, s.frame(t, 0)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, expected that the time was over", err)
	}
	got, err := d.Frame(t.Context(), s.img, s.frame(t, 0))
	if err != nil || !slices.Equal(got.Data, want.Data) {
		t.Errorf("the next frame: %v", err)
	}
}

// endless is a JPEG-LS image of one component that says its components are interleaved by sample: CharLS 2.4.2 goes round
// and round at its end.
const endless = "ffd8fff7000b100032000a01011100fff8000d01ffff0018004d01220040ffda000801000002" +
	"00000000000000000000000000000000000000000000000000000000000000080000"

func TestAStreamThatIsNeverDoneIsStoppedAndHoldsUpNobody(t *testing.T) {
	frame, err := hex.DecodeString(endless)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder("", Limits{Time: 500 * time.Millisecond})
	defer d.Close(context.Background())
	stopped := make(chan error)
	go func() {
		_, err := d.Frame(t.Context(), grey(syntaxJPEGLS, 51, 11, 8), frame)
		stopped <- err
	}()
	for {
		select {
		case err := <-stopped:
			if !hub.Is(err, hub.TooCostly) {
				t.Errorf("%v, expected that the time was over", err)
			}
			return
		default:
			runtime.GC() // which waits for all goroutines, and would for ever if one could not be interrupted
		}
	}
}

func TestTheHubsOwnTimeLimitIsAnErrorWithAKind(t *testing.T) {
	s := openStored(t, filepath.Join(corpus(t), "sop/CR_RG3_J2KI.dcm"))
	d := NewDecoder("", Limits{Time: time.Millisecond})
	defer d.Close(context.Background())
	if _, err := d.Frame(t.Context(), s.img, s.frame(t, 0)); !hub.Is(err, hub.TooCostly) {
		t.Errorf("%v, expected TooCostly", err)
	}
}

func TestManyAtOnceGiveTheSame(t *testing.T) {
	d := newDecoder(t)
	files := []string{"transfer-syntax/MR_small_jp2klossless.dcm", "transfer-syntax/MR_small_jpeg_ls_lossless.dcm", "derived/MR_small_jpeglossless_57.dcm"}
	_, want := decodeAll(t, d, openStored(t, filepath.Join(corpus(t), "transfer-syntax/MR_small.dcm")))
	wrong := make(chan error, 60)
	for i := range 60 {
		s := openStored(t, filepath.Join(corpus(t), files[i%3]))
		frame := s.frame(t, 0)
		go func() {
			n, err := d.Frame(t.Context(), s.img, frame)
			if err == nil && !slices.Equal(n.Data, want) {
				err = errors.New("other samples")
			}
			wrong <- err
		}()
	}
	for range 60 {
		if err := <-wrong; err != nil {
			t.Error(err)
		}
	}
}

func TestCompiledCodecsAreTakenFromTheCache(t *testing.T) {
	s := openStored(t, filepath.Join(corpus(t), "transfer-syntax/MR_small_jpeg_ls_lossless.dcm"))
	cache := t.TempDir()
	for range 2 {
		d := NewDecoder(cache, Limits{})
		if _, err := d.Frame(t.Context(), s.img, s.frame(t, 0)); err != nil {
			t.Error(err)
		}
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := d.Frame(t.Context(), s.img, s.frame(t, 0)); !hub.Is(err, hub.Unavailable) {
			t.Errorf("after Close: %v", err)
		}
	}
	if kept, _ := filepath.Glob(filepath.Join(cache, "*", "*")); len(kept) != 1 {
		t.Errorf("%d compiled codecs are in the cache", len(kept))
	}
}
