package s3

import (
	"context"
	"io"
	"iter"
	"math"
	"net/http"

	"github.com/minio/minio-go/v7"

	"concord/hub"
	"concord/storage/object"
)

// Open implements hub.Objects with one GET, sent at once. Of a range that reaches beyond the object's end, the part
// inside is read; that may be nothing. The reader is a *Reader.
func (s *Store) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := object.CheckKey(key); err != nil {
		return nil, err
	}
	if err := object.CheckRange(key, offset, length); err != nil {
		return nil, err
	}
	if length > math.MaxInt64-offset {
		length = -1
	}
	if length == 0 { // HTTP cannot ask for nothing
		if _, err := s.core.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{}); err != nil {
			return nil, s.failure("read object", key, err)
		}
		return nothing(key), nil
	}
	var opts minio.GetObjectOptions
	ranged, err := setRange(&opts, offset, length)
	if err != nil {
		return nil, s.failure("read object", key, err)
	}
	body, info, header, err := s.core.GetObject(ctx, s.bucket, key, opts)
	switch {
	case minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return nothing(key), nil
	case err != nil:
		return nil, s.failure("read object", key, err)
	case ranged && header.Get("Content-Range") == "":
		body.Close()
		return nil, &hub.Error{Kind: hub.Unsupported, Msg: "read object " + key + ": the store ignored the range",
			Hint: "a proxy in between may drop the Range header"}
	}
	return &Reader{key: key, body: body, size: info.Size}, nil
}

// setRange reports whether a Range header is needed.
func setRange(opts *minio.GetObjectOptions, offset, length int64) (bool, error) {
	switch {
	case length < 0 && offset == 0:
		return false, nil
	case length < 0:
		return true, opts.SetRange(offset, 0)
	case offset+length == 1: // minio-go takes an end of 0 for the first byte only
		return true, opts.SetRange(0, 0)
	}
	return true, opts.SetRange(offset, offset+length-1)
}

// Reader reads a range of one object from the network.
type Reader struct {
	key  string
	body io.ReadCloser
	size int64
}

func nothing(key string) *Reader { return &Reader{key: key, body: http.NoBody} }

// Size is the length of the range in bytes.
func (r *Reader) Size() int64 { return r.size }

// Read implements io.Reader. A connection that breaks is an Unavailable error.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if err != nil && err != io.EOF {
		err = &hub.Error{Kind: hub.Unavailable, Msg: "read object " + r.key, Err: err}
	}
	return n, err
}

// Close implements io.Closer.
func (r *Reader) Close() error { return r.body.Close() }

// List implements hub.Objects, a thousand keys a request.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := object.CheckPrefix(prefix); err != nil {
			yield("", err)
			return
		}
		if err := ctx.Err(); err != nil {
			yield("", s.failure("list", prefix, err))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		opts := minio.ListObjectsOptions{Prefix: prefix, StartAfter: after, Recursive: true}
		for found := range s.core.ListObjectsIter(ctx, s.bucket, opts) {
			if found.Err != nil {
				yield("", s.failure("list", prefix, found.Err))
				return
			}
			if !yield(found.Key, nil) {
				return
			}
		}
	}
}
