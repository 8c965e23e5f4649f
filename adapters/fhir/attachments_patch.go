package fhir

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/internal/fhir"
)

// A patch sees a short stand-in for each attachment that lies in a blob, and may move, copy and remove it. What it leaves
// stays where it is. What it brings in, if large, must be in a blob before the patched version can be written, and a record
// has one blob: the planning then ends with unkept, a blob is made of all attachments, and the planning begins again.

// stoodIn is a record's resource with a stand-in, base64 that nobody can guess, for each attachment; known are the numbers
// of these by their stand-ins.
func stoodIn(rec *hub.Record) (doc *fhir.Doc, known map[string]int, err error) {
	doc, err = fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil || rec.Blob == nil {
		return doc, nil, err
	}
	known = map[string]int{}
	standIns := make([]string, rec.Blob.Parts.Len())
	for i := range standIns {
		random := make([]byte, 48)
		rand.Read(random) // never fails
		standIns[i] = base64.StdEncoding.EncodeToString(random)
		known[standIns[i]] = i
	}
	var b bytes.Buffer
	for text, i := range doc.Pieces() {
		b.Write(text)
		if i >= len(standIns) {
			return nil, nil, &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("a %s has no attachment %d", rec.Name.Type, i), Hint: "run: concord fsck"}
		}
		if i >= 0 {
			b.WriteString(standIns[i])
		}
	}
	doc, err = fhir.Parse(b.Bytes(), fhir.Limits{})
	return doc, known, err
}

// detach takes the large attachments out of a patched version and says in which blob they are.
func (op *operation) detach(after *fhir.Doc, known map[string]int, rec *hub.Record, limits *Limits) (*fhir.Doc, error) {
	d, err := after.Detach(limits.Attachment, known)
	if err != nil {
		return nil, err
	}
	op.blob = nil
	for standIn := range known {
		if bytes.Contains(d.Doc.Root().Raw(), []byte(standIn)) {
			return nil, &hub.Error{Kind: hub.Unprocessable, Path: op.name.Type, Msg: "a patch cannot copy an attachment of this size into an element of another type"}
		}
	}
	if len(d.Data) == 0 {
		return d.Doc, nil
	}
	size, old := int64(len(after.Root().Raw())), hub.Parts{}
	for _, one := range d.Data {
		if one.Bytes != nil {
			continue
		}
		p := piece{rec: rec, part: one.Known}
		size += p.size()
		old.List = append(old.List, rec.Blob.Parts.Spans(one.Known))
	}
	if size > limits.Resource && len(old.List) < len(d.Data) {
		return nil, &hub.Error{Kind: hub.TooLarge, Path: op.name.Type, Msg: fmt.Sprintf("the patched resource has %d bytes, the limit is %d", size, limits.Resource)}
	}
	k := kept{all: d.Data, from: rec.Blob}
	switch {
	case len(old.List) == len(d.Data):
		blob := *rec.Blob
		blob.Parts = &old
		op.blob = &blob
	case op.kept != nil && op.kept.same(&k):
		op.blob = op.kept.blob
	default:
		return nil, &unkept{op, k}
	}
	return d.Doc, nil
}

// kept is what a blob was made of.
type kept struct {
	all  []fhir.Attachment
	from *hub.Blob // which the known ones are parts of
	blob *hub.Blob // nil: there is none yet
}

func (k *kept) same(other *kept) bool {
	if (k.from == nil) != (other.from == nil) || k.from != nil && k.from.Key != other.from.Key {
		return false
	}
	return slices.EqualFunc(k.all, other.all, func(a, b fhir.Attachment) bool {
		if a.Bytes != nil || b.Bytes != nil {
			return a.Bytes != nil && b.Bytes != nil && bytes.Equal(a.Bytes, b.Bytes)
		}
		return slices.Equal(k.from.Parts.Spans(a.Known), other.from.Parts.Spans(b.Known))
	})
}

// unkept is the error of a patch whose attachments are in no blob yet.
type unkept struct {
	op   *operation
	kept kept
}

func (u *unkept) Error() string { return "attachments of a patched resource are in no blob yet" }

// keepTries is how often a patch of one resource begins again because others change its attachments.
const keepTries = 8

// submit commits a write, n of whose operations may be patches that bring in attachments.
func (s *Server) submit(ctx context.Context, w commit.Write, n int) ([]hub.Record, error) {
	for try := 0; ; try++ {
		written, err := s.Writer.Submit(ctx, w)
		var u *unkept
		if !errors.As(err, &u) {
			return written, err
		}
		if try == keepTries+n {
			return nil, &hub.Error{Kind: hub.Unavailable, Msg: "others change the attachments at the same time", Retry: time.Second}
		}
		if u.kept.blob, err = s.keepAll(ctx, u.kept.all, u.kept.from); err != nil {
			return nil, err
		}
		u.op.kept = &u.kept
	}
}
