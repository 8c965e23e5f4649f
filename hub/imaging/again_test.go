package imaging_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/imaging"
	"concord/hub/projection"
	"concord/internal/dicom"
	"concord/internal/sample"
	"concord/storage/index"
	"concord/storage/keeper"
	"concord/storage/object/disk"
)

const partition hub.Partition = "dicom-00"

type projector func(body []byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

// openArchive is an archive on a folder and a keeper.
func openArchive(t *testing.T) *imaging.Archive {
	objects, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	ix := index.Open(conn, index.StandardLayout(1))
	log := &projection.Log{Objects: objects, Partition: partition, Cache: projection.NewCache(1 << 20)}
	follower := projection.NewFollower(log, ix, &projection.Projectors{ByType: map[string]hub.Projector{
		dicom.Study.Type(): projector(dicom.ProjectStudy), dicom.Series.Type(): projector(dicom.ProjectSeries), dicom.Instance.Type(): projector(dicom.ProjectInstance),
	}})
	if err := follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	writer := commit.New(log, follower, commit.Options{})
	t.Cleanup(func() { writer.Close(); conn.Close(); k.Close() })
	return &imaging.Archive{Objects: objects, Stager: objects, Index: ix, Partitions: []hub.Partition{partition}, Now: time.Now, PartitionOf: func(string) hub.Partition { return partition },
		Followers: map[hub.Partition]*projection.Follower{partition: follower}, Writers: map[hub.Partition]*commit.Committer{partition: writer}}
}

func keep(t *testing.T, a *imaging.Archive, file []byte) *imaging.Kept {
	t.Helper()
	return keepAll(t, a, file)[0]
}

// keepAll keeps files in one delivery.
func keepAll(t *testing.T, a *imaging.Archive, files ...[]byte) (kept []*imaging.Kept) {
	t.Helper()
	d, err := a.Delivery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	for _, file := range files {
		in, err := d.Receive(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		k, err := d.Keep(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, k)
	}
	if err := d.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return kept
}

func commitAll(t *testing.T, a *imaging.Archive, kept ...*imaging.Kept) (results []imaging.Result) {
	t.Helper()
	for _, o := range a.Commit(t.Context(), "village", kept) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		results = append(results, o.Result)
	}
	return results
}

// one is a CT image as its modality wrote it.
func one(t *testing.T) (file, set []byte) {
	for f, err := range sample.CTSeries(7, sample.Options{Slices: 1, Rows: 64, Columns: 64, Time: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}) {
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := dicom.DataSetOf(f.Reader())
		if err != nil {
			t.Fatal(err)
		}
		set, err = io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return f.Bytes(), set
	}
	return nil, nil
}

// under writes a data set to a file under another name of the program that did, in a syntax.
func under(program, syntax string, set []byte) []byte {
	h, err := dicom.ScanDataSet(bytes.NewReader(set), "1.2.840.10008.1.2.1", dicom.Limits{})
	if err != nil {
		panic(err)
	}
	return append(dicom.AppendMeta(nil, syntax, h.SOPClassUID, h.SOPInstanceUID, program), set...)
}

// A data set that came over the network has another preamble and group 2 than the file it was sent from. They are the
// sender's, not the instance's.
func TestAnInstanceSentAgainByOtherMeansIsKnown(t *testing.T) {
	a := openArchive(t)
	file, set := one(t)
	changed := bytes.Clone(set)
	changed[len(changed)-1] ^= 1
	for _, c := range []struct {
		name string
		file []byte
		want imaging.Result
	}{
		{"the file of the modality", file, imaging.Stored},
		{"the very same file", file, imaging.Known},
		{"its data set behind another group 2", under("1.2.3", "1.2.840.10008.1.2.1", set), imaging.Known},
		{"its data set behind a preamble of its own", append([]byte(strings.Repeat("P", 128)), file[128:]...), imaging.Known},
		{"its data set without any", set, imaging.Known},
		{"one byte is another", under("1.2.3", "1.2.840.10008.1.2.1", changed), imaging.Duplicate},
		{"one byte more", under("1.2.3", "1.2.840.10008.1.2.1", append(bytes.Clone(set), 0xFC, 0xFF, 0xFC, 0xFF, 'O', 'B', 0, 0, 0, 0, 0, 0)), imaging.Duplicate},
		{"the same again", under("1.2.3", "1.2.840.10008.1.2.1", changed), imaging.Duplicate},
	} {
		if got := commitAll(t, a, keep(t, a, c.file))[0]; got != c.want {
			t.Errorf("%s: %v, expected %v", c.name, got, c.want)
		}
	}
}

func TestAnInstanceInAnotherTransferSyntaxIsADuplicate(t *testing.T) {
	a := openArchive(t)
	_, set := one(t)
	// Where there is no text to tell them apart, the bytes may be the same in two syntaxes; they do not mean the same.
	first := under("1.2.3", "1.2.840.10008.1.2.1", set)
	other := under("1.2.3", "1.2.840.10008.1.2.1.98", set)
	commitAll(t, a, keep(t, a, first))
	if got := commitAll(t, a, keep(t, a, other))[0]; got != imaging.Duplicate {
		t.Errorf("%v, expected a duplicate", got)
	}
}

// Senders that race have all kept their bytes before the first of them is in the log.
func TestOfSendersThatRaceOneStoresAndTheOthersAreKnown(t *testing.T) {
	a := openArchive(t)
	_, set := one(t)
	changed := bytes.Clone(set)
	changed[len(changed)-1] ^= 1
	kept := []*imaging.Kept{
		keep(t, a, under("1.2.3", "1.2.840.10008.1.2.1", set)), keep(t, a, under("1.2.4", "1.2.840.10008.1.2.1", set)),
		keep(t, a, under("1.2.5", "1.2.840.10008.1.2.1", changed)), keep(t, a, under("1.2.6", "1.2.840.10008.1.2.1", set)),
	}
	got := commitAll(t, a, kept...)
	want := []imaging.Result{imaging.Stored, imaging.Known, imaging.Duplicate, imaging.Known}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, expected %v", got, want)
			break
		}
	}
	b := openArchive(t)
	var mu sync.Mutex
	count := map[imaging.Result]int{}
	var all sync.WaitGroup
	for i := range 8 {
		k := keep(t, b, under("1.2."+string(rune('1'+i)), "1.2.840.10008.1.2.1", set))
		all.Go(func() {
			o := b.Commit(context.Background(), "village", []*imaging.Kept{k})[0]
			mu.Lock()
			defer mu.Unlock()
			if count[o.Result]++; o.Err != nil {
				t.Error(o.Err)
			}
		})
	}
	all.Wait()
	if count[imaging.Stored] != 1 || count[imaging.Known] != 7 {
		t.Errorf("%v, expected one stored and seven known", count)
	}
}

// A blob that was lost or damaged is no reason to refuse, nor to take for known, what somebody has again.
func TestAnInstanceWhoseFirstBytesAreGoneIsKeptBeside(t *testing.T) {
	a := openArchive(t)
	_, set := one(t)
	commitAll(t, a, keep(t, a, under("1.2.3", "1.2.840.10008.1.2.1", set)))
	a.Objects = without{a.Objects, "blob/"}
	if got := commitAll(t, a, keep(t, a, under("1.2.4", "1.2.840.10008.1.2.1", set)))[0]; got != imaging.Duplicate {
		t.Errorf("%v, expected a duplicate", got)
	}
}

type without struct {
	hub.Objects
	prefix string
}

func (w without) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, w.prefix) {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "gone: " + hex.EncodeToString([]byte(key[:4]))}
	}
	return w.Objects.Open(ctx, key, offset, length)
}
