package s3

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"concord/hub"
	"concord/storage/object"
)

// PutNew implements hub.Objects. It sends the body once; when the answer is lost the error is Unavailable, and the
// same bytes may be sent again.
func (s *Store) PutNew(ctx context.Context, key string, size int64, r io.Reader) error {
	if err := object.CheckKey(key); err != nil {
		return err
	}
	return s.put(ctx, key, size, r, createOnly())
}

// Put implements hub.Derived.
func (s *Store) Put(ctx context.Context, key string, size int64, r io.Reader) error {
	if err := object.CheckDerived(key); err != nil {
		return err
	}
	return s.put(ctx, key, size, r, minio.PutObjectOptions{})
}

// Delete implements hub.Derived. A key that is not there is no error.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := object.CheckDerived(key); err != nil {
		return err
	}
	if err := s.core.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{}); err != nil {
		return s.failure("delete object", key, err)
	}
	return nil
}

func createOnly() (opts minio.PutObjectOptions) {
	opts.SetMatchETagExcept("*") // If-None-Match: *
	return opts
}

func (s *Store) put(ctx context.Context, key string, size int64, r io.Reader, opts minio.PutObjectOptions) error {
	if size < 0 {
		return &hub.Error{Kind: hub.Invalid, Msg: "create object " + key + ": its size must be known"}
	}
	body := object.Exactly(ctx, r, size)
	err := body.Verify()
	switch {
	case err != nil:
	case size <= s.opts.SinglePut:
		_, err = s.core.PutObject(ctx, s.bucket, key, body, size, "", "", opts)
	default:
		err = s.putParts(ctx, key, size, body, opts)
	}
	switch {
	case body.Err() != nil: // the cause of what minio-go returned, which may not wrap it
		return fmt.Errorf("create object %s: %w", key, body.Err())
	case err != nil:
		return s.failure("create object", key, err)
	}
	return nil
}

// putParts streams a large body part by part. Nothing is visible until the last request, which carries the condition.
func (s *Store) putParts(ctx context.Context, key string, size int64, body *object.Exact, opts minio.PutObjectOptions) error {
	if opts.Header().Get("If-None-Match") != "" {
		if err := s.expectFree(ctx, key); err != nil {
			return err
		}
	}
	const mostParts = 10_000
	partSize := max(s.opts.PartSize, (size+mostParts-1)/mostParts)
	upload, err := s.core.NewMultipartUpload(ctx, s.bucket, key, minio.PutObjectOptions{})
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			s.abort(ctx, key, upload)
		}
	}()
	var parts []minio.CompletePart
	for left := size; left > 0; {
		n := min(left, partSize)
		part, err := s.core.PutObjectPart(ctx, s.bucket, key, upload, len(parts)+1, io.LimitReader(body, n), n, minio.PutObjectPartOptions{})
		if err != nil {
			return err
		}
		parts = append(parts, minio.CompletePart{PartNumber: part.PartNumber, ETag: part.ETag})
		left -= n
	}
	_, err = s.core.CompleteMultipartUpload(ctx, s.bucket, key, upload, parts, opts)
	done = err == nil
	return err
}

// expectFree spares the sending of a large body to a taken key. It decides nothing: the condition does.
func (s *Store) expectFree(ctx context.Context, key string) error {
	_, err := s.core.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	switch {
	case err == nil:
		return minio.ErrorResponse{Code: minio.PreconditionFailed}
	case minio.ToErrorResponse(err).Code == minio.NoSuchKey:
		return nil
	}
	return err
}

// abort frees the parts of an upload that has failed, even when it failed because ctx ended. What it cannot free, the
// store's own rule for incomplete uploads does.
func (s *Store) abort(ctx context.Context, key, upload string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = s.core.AbortMultipartUpload(ctx, s.bucket, key, upload)
}
