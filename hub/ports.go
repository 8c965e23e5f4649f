package hub

import (
	"context"
	"io"
	"iter"
)

// Objects is the truth: created once, never overwritten, never deleted through this port.
type Objects interface {
	// PutNew stores exactly size bytes of r under key. Exactly one of several racers wins; the others get
	// an Exists error. Any other error leaves the outcome unknown (the bytes may be there), never half there.
	// When PutNew returns nil the bytes survive a power cut.
	PutNew(ctx context.Context, key string, size int64, r io.Reader) error
	Opener
	// List yields the keys under prefix that sort after `after`, in byte order.
	List(ctx context.Context, prefix, after string) iter.Seq2[string, error]
}

// Opener is the part of Objects that reads.
type Opener interface {
	// Open reads [offset, offset+length); length −1 reads to the end. A missing key is a NotFound error, which
	// Open itself returns. Where the store can hand out a file, the reader implements io.WriterTo so that
	// copying to a socket needs no user-space copy.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
}

// Stager is what a store does that can take bytes of unknown size before their key is known.
// Every driver has it; those that cannot stream spool small bodies in memory and larger ones in a temporary file.
type Stager interface {
	// Stage begins an upload. Nothing of it is visible until Publish.
	Stage(ctx context.Context) (Stage, error)
}

// Stage is one upload on its way. Either Publish or Discard ends it; Discard after Publish does nothing.
type Stage interface {
	io.Writer
	// Reader reads what was written so far, from byte `from` on. It is good until the next call of another method.
	Reader(from int64) io.Reader
	// Truncate takes back what was written behind the first size bytes. An upload that failed stays failed.
	Truncate(size int64) error
	// Publish makes all bytes written visible under key, durably, with the errors of PutNew. A power cut before it returns
	// may leave a part of them there: the key must be one that nobody looks for until then.
	Publish(ctx context.Context, key string) error
	Discard()
}

// Derived holds what may be lost at any time (keys under derived/): unlike Objects it may overwrite and delete.
type Derived interface {
	Put(ctx context.Context, key string, size int64, r io.Reader) error
	Delete(ctx context.Context, key string) error
}

// Projector says what a record adds to the index. It is pure: the same record gives the same entry.
type Projector interface {
	Project(rec *Record) (Entry, error)
}
