package hub

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Partition names one log, for example "records", "dicom-03", "access" or "audit".
type Partition string

// Name identifies a thing for ever: a FHIR resource by type and logical id ("Observation", "abc"),
// a DICOM study, series or instance by its UID ("dicom.instance", "1.2.3").
type Name struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// String is "Observation/abc".
func (n Name) String() string { return n.Type + "/" + n.ID }

// Loc says where a Record's line lies: bytes [Off, Off+Len) of commit Seq of its partition,
// without the line's newline. The zero Loc means "nowhere"; commits count from 1.
type Loc struct {
	Seq uint64 `json:"seq"`
	Off uint32 `json:"off"`
	Len uint32 `json:"len"`
}

// Record is one version of one thing.
type Record struct {
	Name Name
	// Num is the dense number of the Name inside its partition, counted from 1 and given with
	// its first version. Later versions carry the same Num.
	Num     uint64
	Version uint64
	Deleted bool
	// Member wrote this version. The member of version 1 owns the thing.
	Member string
	Time   time.Time // millisecond precision, UTC
	// Prev is where the version before this one lies; zero for version 1.
	Prev Loc
	Blob *Blob
	// Body is one JSON value without insignificant whitespace; empty when Deleted.
	Body json.RawMessage
	// Loc is where this record itself lies. It is known once the commit is encoded and is not part of the line.
	Loc Loc
	// Memo, which is not part of the line either, is where those who share the record keep what they read from its body; nil
	// where nobody shares it.
	Memo *Memo
}

// Memo keeps what the first of several readers made of something for the others. The zero Memo is empty.
type Memo struct {
	once  sync.Once
	value any
	err   error
}

// Of is what read returned when it was called first. It is called once; without a Memo, each time.
func (m *Memo) Of(read func() (any, error)) (any, error) {
	if m == nil {
		return read()
	}
	m.once.Do(func() { m.value, m.err = read() })
	return m.value, m.err
}

// Blob is a reference to bulk bytes.
type Blob struct {
	Key string `json:"key"`
	// Offset is where the bytes begin in the object of that key: instances that came together lie in one object.
	Offset int64  `json:"-"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower-case hexadecimal
	// Media is the media type, with the DICOM transfer-syntax parameter where there is one.
	Media string `json:"media,omitempty"`
	// Parts are byte ranges of the blob that can be asked for by number, such as frames.
	Parts *Parts `json:"parts,omitempty"`
	// Remark says in which way the bytes are not what they declare, such as text in another character set; empty for none.
	Remark string `json:"remark,omitempty"`
}

// Open opens [offset, offset+length) of the blob; length −1 reads to its end. The errors are those of Objects.Open.
func (b *Blob) Open(ctx context.Context, objects Opener, offset, length int64) (io.ReadCloser, error) {
	if rest := max(0, b.Size-offset); length < 0 || length > rest {
		length = rest
	}
	return objects.Open(ctx, b.Key, b.Offset+offset, length)
}

// Parts locates numbered parts inside a blob: either Count parts of equal Size from First on,
// one after the other, or an explicit list.
type Parts struct {
	First int64 `json:"first,omitempty"`
	Size  int64 `json:"size,omitempty"`
	Count int   `json:"count,omitempty"`
	// List holds for each part its spans as offset, length, offset, length, …; the part is their concatenation
	// (an encapsulated frame may have several fragments, PS3.5 A.4).
	List [][]int64 `json:"list,omitempty"`
}

// Len is the number of parts.
func (p *Parts) Len() int {
	switch {
	case p == nil:
		return 0
	case p.List != nil:
		return len(p.List)
	}
	return p.Count
}

// Spans returns the offset-length pairs of part i (0-based), or nil when there is no such part.
func (p *Parts) Spans(i int) []int64 {
	switch {
	case p == nil || i < 0 || i >= p.Len():
		return nil
	case p.List != nil:
		return p.List[i]
	}
	return []int64{p.First + int64(i)*p.Size, p.Size}
}
