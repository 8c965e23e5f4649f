package imaging

import (
	"bytes"
	"context"
	"io"

	"concord/hub"
	"concord/internal/dicom"
)

// An instance is its data set in its transfer syntax. Preamble and group 2 are those of whoever wrote the file (PS3.10 7.1):
// the same instance has others after C-STORE than in the file that was sent. So where a UID is there with another digest,
// the data sets are compared byte by byte, with the file that came, still staged, or with its blob. That costs nothing
// unless a UID comes again, and holds for records of any age.

// Look asks the index which of the instances have a UID that is there already, once for each partition; Keep does so by
// itself for what was not looked up. While the index cannot tell it fails with Unavailable, and may be called again.
func (a *Archive) Look(ctx context.Context, ins ...*Received) error {
	at := map[hub.Partition][]*Received{}
	for _, in := range ins {
		p := a.PartitionOf(in.Header.StudyInstanceUID)
		at[p] = append(at[p], in)
	}
	for p, ins := range at {
		names := make([]hub.Name, len(ins))
		for i, in := range ins {
			names[i] = dicom.InstanceName(in.Header.StudyInstanceUID, in.Header.SOPInstanceUID)
		}
		heads, err := a.Followers[p].Heads(ctx, names)
		if err != nil {
			return err
		}
		for i, in := range ins {
			in.there = &heads[i]
		}
	}
	return nil
}

// known reports whether the very same instance is there, so that its bytes need not be kept again. Otherwise other is the
// digest of the file that its UID was there with, if any. The committer decides in the end; this saves a blob.
func (a *Archive) known(ctx context.Context, in *Received) (known bool, other string, err error) {
	if in.there == nil {
		if err := a.Look(ctx, in); err != nil {
			return false, "", err
		}
	}
	if in.there.Version == 0 || in.there.Deleted {
		return false, "", nil
	}
	rec, err := a.Followers[in.there.Partition].Log().Record(ctx, in.there.Loc)
	if err != nil || rec.Blob == nil {
		return false, "", err
	}
	if rec.Blob.SHA256 == in.SHA256 {
		return true, "", nil
	}
	if rec.Blob.Media != mediaOf(in.Header) {
		return false, rec.Blob.SHA256, nil
	}
	known, err = a.sameDataSet(ctx, rec.Blob, in.stage.Reader())
	return known, rec.Blob.SHA256, err
}

// sameAs reports whether two blobs hold the same instance.
func (a *Archive) sameAs(ctx context.Context, first, came *hub.Blob) (bool, error) {
	if first.Media != came.Media {
		return false, nil
	}
	file, err := a.Objects.Open(ctx, came.Key, 0, -1)
	if err != nil {
		return false, err
	}
	defer file.Close()
	return a.sameDataSet(ctx, first, file)
}

// sameDataSet reports whether the first blob and a file that came have equal data sets. A blob that is gone or damaged
// equals nothing.
func (a *Archive) sameDataSet(ctx context.Context, first *hub.Blob, came io.Reader) (bool, error) {
	file, err := a.Objects.Open(ctx, first.Key, 0, -1)
	if hub.Is(err, hub.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	theirs, _, err := dicom.DataSetOf(file)
	if err != nil {
		return false, unlessDamaged(err)
	}
	ours, _, err := dicom.DataSetOf(came)
	if err != nil {
		return false, err
	}
	same, err := equal(theirs, ours)
	return same, unlessDamaged(err)
}

func unlessDamaged(err error) error {
	if hub.Is(err, hub.Invalid) || hub.Is(err, hub.Corrupt) {
		return nil
	}
	return err
}

// equal reads both as far as they are the same.
func equal(a, b io.Reader) (bool, error) {
	const piece = 64 << 10
	buf := make([]byte, 2*piece)
	for {
		n, errA := fill(a, buf[:piece])
		m, errB := fill(b, buf[piece:])
		switch {
		case errA != nil && errA != io.EOF:
			return false, errA
		case errB != nil && errB != io.EOF:
			return false, errB
		case !bytes.Equal(buf[:n], buf[piece:piece+m]) || errA != errB:
			return false, nil
		case errA == io.EOF:
			return true, nil
		}
	}
}

func mediaOf(h *dicom.Header) string { return "application/dicom; transfer-syntax=" + h.TransferSyntax }
