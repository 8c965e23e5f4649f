package pixels

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"concord/internal/dicom"
)

// corpus finds the real files.
func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("CONCORD_CORPUS")
	if dir == "" {
		t.Skip("CONCORD_CORPUS is not set: nothing is tested on real files")
	}
	return filepath.Join(dir, "dicom")
}

// stored is a file with its header and image.
type stored struct {
	bytes  []byte // positions as the header counts them
	file   []byte
	header *dicom.Header
	img    *Image
}

// openStored reads a file that has an image.
func openStored(t testing.TB, path string) *stored {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := storedOf(b)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(path), err)
	}
	return s
}

func storedOf(b []byte) (*stored, error) {
	h, err := dicom.ScanFile(bytes.NewReader(b), dicom.Limits{Lenient: true, Inline: 1 << 18})
	if err != nil {
		return nil, err
	}
	s := &stored{bytes: b, file: b, header: h}
	if h.Deflated {
		if s.bytes, err = io.ReadAll(dicom.Inflated(bytes.NewReader(b), h.DataSet)); err != nil {
			return nil, err
		}
	}
	s.img, err = Of(h)
	return s, err
}

// frame is one frame's bytes, fragments joined.
func (s *stored) frame(t testing.TB, i int) []byte {
	t.Helper()
	var out []byte
	for spans := s.header.Frames.Spans(i); len(spans) > 1; spans = spans[2:] {
		out = append(out, s.bytes[spans[0]:spans[0]+spans[1]]...)
	}
	return out
}

// source opens the stored file.
func (s *stored) source(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	b := s.file[offset:]
	if length >= 0 {
		b = b[:length]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
