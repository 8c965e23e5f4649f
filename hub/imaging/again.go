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

// known reports whether the very same instance is there, so that its bytes need not be kept again. Otherwise other is the
// digest of the file that its UID was there with, if any. The committer decides in the end; this saves their room.
func (a *Archive) known(ctx context.Context, in *Received) (known bool, other string, err error) {
	h := in.Header
	f := a.Followers[a.PartitionOf(h.StudyInstanceUID)]
	heads, err := f.Heads(ctx, []hub.Name{dicom.InstanceName(h.StudyInstanceUID, h.SOPInstanceUID)})
	if err != nil || heads[0].Version == 0 || heads[0].Deleted {
		return false, "", err
	}
	rec, err := f.Log().Record(ctx, heads[0].Loc)
	if err != nil || rec.Blob == nil {
		return false, "", err
	}
	if rec.Blob.SHA256 == in.SHA256 {
		return true, "", nil
	}
	if rec.Blob.Media != mediaOf(h) {
		return false, rec.Blob.SHA256, nil
	}
	known, err = a.sameDataSet(ctx, rec.Blob, in.delivery.stage.Reader(in.from))
	return known, rec.Blob.SHA256, err
}

// sameAs reports whether two blobs hold the same instance.
func (a *Archive) sameAs(ctx context.Context, first, came *hub.Blob) (bool, error) {
	if first.Media != came.Media {
		return false, nil
	}
	file, err := came.Open(ctx, a.Objects, 0, -1)
	if err != nil {
		return false, err
	}
	defer file.Close()
	return a.sameDataSet(ctx, first, file)
}

// sameDataSet reports whether the first blob and a file that came have equal data sets. A blob that is gone or damaged
// equals nothing.
func (a *Archive) sameDataSet(ctx context.Context, first *hub.Blob, came io.Reader) (bool, error) {
	file, err := first.Open(ctx, a.Objects, 0, -1)
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
