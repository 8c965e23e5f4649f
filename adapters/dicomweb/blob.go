package dicomweb

import (
	"context"
	"io"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/internal/dicom"
	"concord/internal/pixels"
)

// blobReader reads a stored file forward and passes over what is discarded without reading it, so that the header of a large
// instance costs a few small reads.
type blobReader struct {
	ctx  context.Context
	open pixels.Source
	size int64
	at   int64
	r    io.ReadCloser // nil: to be opened at at
}

// skipFrom is the number of bytes from which on opening anew is cheaper than reading on.
const skipFrom = 256 << 10

func (b *blobReader) Read(p []byte) (int, error) {
	if b.at >= b.size {
		return 0, io.EOF
	}
	if b.r == nil {
		r, err := b.open(b.ctx, b.at, -1)
		if err != nil {
			return 0, err
		}
		b.r = r
	}
	n, err := b.r.Read(p)
	b.at += int64(n)
	return n, err
}

// Discard implements dicom.Discarder.
func (b *blobReader) Discard(n int) (int, error) {
	left := b.size - b.at
	if int64(n) > left {
		b.Close()
		b.at = b.size
		return int(left), io.EOF
	}
	if n < skipFrom && b.r != nil {
		done, err := io.CopyN(io.Discard, b.r, int64(n))
		b.at += done
		return int(done), err
	}
	b.Close()
	b.at += int64(n)
	return n, nil
}

func (b *blobReader) Close() {
	if b.r != nil {
		b.r.Close()
		b.r = nil
	}
}

// file is a stored instance that a Reader handed out to who.
type file struct {
	reader *lookup.Reader
	who    access.Caller
	rec    *hub.Record
}

func (s *Server) file(c *gin.Context, rec *hub.Record) file { return file{s.Reader, caller(c), rec} }

// open implements pixels.Source.
func (f file) open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	return f.reader.Blob(ctx, f.who, f.rec, offset, length)
}

// header scans the file anew, for what the record does not keep.
func (f file) header(ctx context.Context) (*dicom.Header, error) {
	r := &blobReader{ctx: ctx, open: f.open, size: f.rec.Blob.Size}
	defer r.Close()
	return dicom.ScanFile(r, dicom.Limits{Lenient: true})
}

// image reads what the file says of its pixels.
func (f file) image(ctx context.Context) (*pixels.Image, error) {
	r := &blobReader{ctx: ctx, open: f.open, size: f.rec.Blob.Size}
	defer r.Close()
	img, err := pixels.Read(r)
	return img, notMade(err)
}

// copy writes spans of the file (offset, length, …) to w. Spans of a deflated file count inflated bytes, unless they are all
// of it.
func (f file) copy(ctx context.Context, w io.Writer, spans []int64) error {
	if f.syntax() == deflatedLittle && !f.whole(spans) {
		return f.copyInflated(ctx, w, spans)
	}
	return f.copyStored(ctx, w, spans)
}

// copyStored writes spans of the bytes as they are stored.
func (f file) copyStored(ctx context.Context, w io.Writer, spans []int64) error {
	for i := 0; i+1 < len(spans); i += 2 {
		r, err := f.open(ctx, spans[i], spans[i+1])
		if err != nil {
			return err
		}
		n, err := io.Copy(w, r)
		r.Close()
		if err == nil && n != spans[i+1] {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f file) whole(spans []int64) bool {
	return len(spans) == 2 && spans[0] == 0 && spans[1] == f.rec.Blob.Size
}

func (f file) syntax() string { return syntaxOf(f.rec) }

// copyInflated inflates up to what is asked for: deflated images are rare and small.
func (f file) copyInflated(ctx context.Context, w io.Writer, spans []int64) error {
	header, err := f.header(ctx)
	if err != nil {
		return err
	}
	r, err := f.open(ctx, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	plain := dicom.Inflated(r, header.DataSet)
	at := int64(0)
	for i := 0; i+1 < len(spans); i += 2 {
		if _, err := io.CopyN(io.Discard, plain, spans[i]-at); err != nil {
			return err
		}
		if _, err := io.CopyN(w, plain, spans[i+1]); err != nil {
			return err
		}
		at = spans[i] + spans[i+1]
	}
	return nil
}

func syntaxOf(rec *hub.Record) string {
	return parseMedia(rec.Blob.Media).params["transfer-syntax"]
}
