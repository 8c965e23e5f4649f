package imaging_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/dicom"
	"concord/internal/sample"
)

// slices are CT images of one series, each larger than what a store stages at a time goes into evenly.
func slices(t *testing.T, n int) (files [][]byte) {
	for f, err := range sample.CTSeries(3, sample.Options{Slices: n, Rows: 400, Columns: 500, Time: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f.Bytes())
	}
	return files
}

// What a delivery refuses, gives up or finds in the archive leaves no bytes in its blob, and all else comes back as it came.
func TestADeliveryIsOneBlobOfWhatIsNew(t *testing.T) {
	a := openArchive(t)
	files := slices(t, 8)
	commitAll(t, a, keep(t, a, files[1]))
	d, err := a.Delivery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	var kept []*imaging.Kept
	receive := func(r io.Reader) *imaging.Received {
		in, err := d.Receive(r)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	take := func(file []byte) {
		k, err := d.Keep(t.Context(), receive(bytes.NewReader(file)))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, k)
	}
	take(files[0])
	take(files[1]) // is there
	if _, err := d.Receive(bytes.NewReader(files[2][:200_000])); err == nil {
		t.Fatal("a file that breaks off was received")
	}
	for _, file := range files[3:] {
		take(file)
	}
	receive(bytes.NewReader(files[2])).Discard()
	if err := d.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, got := range commitAll(t, a, kept...) {
		if want := map[bool]imaging.Result{true: imaging.Known, false: imaging.Stored}[i == 1]; got != want {
			t.Errorf("instance %d: %v, expected %v", i, got, want)
		}
	}
	var key string
	var size int64
	for i, file := range append(files[:1:1], files[3:]...) {
		b := blobOf(t, a, file)
		if i == 0 {
			key = b.Key
		}
		if b.Key != key || b.Offset != size {
			t.Errorf("instance %d lies in another object, or at byte %d and not %d", i, b.Offset, size)
		}
		size += b.Size
		for _, c := range []struct{ offset, length int64 }{{0, -1}, {0, b.Size}, {5, 10}, {b.Size - 3, 100}, {b.Size, -1}, {b.Size + 7, 1}} {
			r, err := b.Open(t.Context(), a.Objects, c.offset, c.length)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			want := file[min(c.offset, b.Size):]
			if c.length >= 0 {
				want = want[:min(c.length, int64(len(want)))]
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("instance %d, %d bytes from %d on: %d come back, or others: %v", i, c.length, c.offset, len(got), err)
			}
		}
	}
	r, err := a.Objects.Open(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); err != nil || n != size {
		t.Errorf("the blob has %d bytes, its instances %d: %v", n, size, err)
	}
}

func TestADeliveryOfNothingNewLeavesNoBlob(t *testing.T) {
	a := openArchive(t)
	file := slices(t, 1)[0]
	commitAll(t, a, keep(t, a, file))
	before := blobs(t, a)
	commitAll(t, a, keep(t, a, file))
	if after := blobs(t, a); after != before || before != 1 {
		t.Errorf("%d blobs, then %d", before, after)
	}
}

func blobs(t *testing.T, a *imaging.Archive) (n int) {
	for _, err := range a.Objects.List(t.Context(), "blob/", "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// blobOf is what the log says of a file that is in the archive.
func blobOf(t *testing.T, a *imaging.Archive, file []byte) *hub.Blob {
	h, err := dicom.ScanFile(bytes.NewReader(file), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	f := a.Followers[partition]
	heads, err := f.Heads(t.Context(), []hub.Name{dicom.InstanceName(h.StudyInstanceUID, h.SOPInstanceUID)})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := f.Log().Record(t.Context(), heads[0].Loc)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Blob
}
