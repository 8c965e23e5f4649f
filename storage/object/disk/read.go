package disk

import (
	"context"
	"io"
	"os"

	"concord/hub"
	"concord/storage/object"
)

// Open implements hub.Objects. Of a range that reaches beyond the object's end, the part inside is read; that may be
// nothing. The reader is a *Reader.
func (s *Store) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := object.CheckKey(key); err != nil {
		return nil, err
	}
	if err := object.CheckRange(key, offset, length); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, failure("read", key, err)
	}
	file, err := os.Open(s.path(key))
	if err != nil {
		if absent(err) {
			return nil, object.Missing(key)
		}
		return nil, failure("read", key, err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		file.Close()
		return nil, failure("read", key, err)
	case !info.Mode().IsRegular():
		file.Close()
		return nil, object.Missing(key)
	}
	inside := max(0, info.Size()-offset)
	if length < 0 || length > inside {
		length = inside
	}
	if offset > 0 && length > 0 {
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			file.Close()
			return nil, failure("read", key, err)
		}
	}
	return &Reader{key: key, file: file, size: length, rest: io.LimitedReader{R: file, N: length}}, nil
}

// Reader reads a range of one object. Its WriteTo hands the file itself to the writer, so that a socket takes the
// bytes by sendfile(2).
type Reader struct {
	key  string
	file *os.File
	size int64
	rest io.LimitedReader
}

// Size is the length of the range in bytes.
func (r *Reader) Size() int64 { return r.size }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.rest.Read(p)
	if err == io.EOF {
		return n, r.end()
	}
	return n, err
}

// WriteTo implements io.WriterTo.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, &r.rest)
	if err == nil && r.end() != io.EOF {
		err = r.end()
	}
	return n, err
}

// Close implements io.Closer.
func (r *Reader) Close() error { return r.file.Close() }

// end is io.EOF unless the file shrank while it was read.
func (r *Reader) end() error {
	if r.rest.N > 0 {
		return &hub.Error{Kind: hub.Corrupt, Msg: "read object " + r.key + ": the file has become shorter"}
	}
	return io.EOF
}
