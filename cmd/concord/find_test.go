package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/imaging"
	"concord/hub/lookup"
	"concord/hub/projection"
	"concord/internal/dicom"
	"concord/storage/index"
	"concord/storage/keeper"
	"concord/storage/object/disk"
)

// sentCommands counts what an index asks.
type sentCommands struct {
	*keeper.Keeper
	trips, commands atomic.Int64
}

// Ask implements index.Local: one trip of a hub that asks a Redis.
func (c *sentCommands) Ask(commands [][]any, tell func(i int, reply []byte)) bool {
	c.trips.Add(1)
	c.commands.Add(int64(len(commands)))
	return c.Keeper.Ask(commands, tell)
}

type quiet struct{}

func (quiet) Note(context.Context, audit.Event) error { return nil }

// openWide is an archive of 16 partitions and those who ask it.
func openWide(t *testing.T) (*imaging.Archive, *imaging.Finder, *sentCommands) {
	objects, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := keeper.New(keeper.Options{})
	sent := &sentCommands{Keeper: k}
	conn := index.ConnectLocal(sent)
	ix := index.Open(conn, index.StandardLayout(16))
	projectors := &projection.Projectors{ByType: map[string]hub.Projector{
		dicom.Study.Type(): projector(dicom.ProjectStudy), dicom.Series.Type(): projector(dicom.ProjectSeries), dicom.Instance.Type(): projector(dicom.ProjectInstance),
	}}
	f := &imaging.Finder{PartitionOf: func(study string) hub.Partition {
		sum := 0
		for _, c := range study {
			sum = 31*sum + int(c)
		}
		return hub.Partition(fmt.Sprintf("dicom-%02d", (sum&0xffff)%16))
	}}
	a := &imaging.Archive{Objects: objects, Stager: objects, Index: ix, Now: time.Now, PartitionOf: f.PartitionOf,
		Followers: map[hub.Partition]*projection.Follower{}, Writers: map[hub.Partition]*commit.Committer{}}
	cache := projection.NewCache(64 << 20)
	for i := range 16 {
		p := hub.Partition(fmt.Sprintf("dicom-%02d", i))
		log := &projection.Log{Objects: objects, Partition: p, Cache: cache}
		a.Followers[p] = projection.NewFollower(log, ix, projectors)
		if err := a.Followers[p].CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.Writers[p] = commit.New(log, a.Followers[p], commit.Options{})
		f.Partitions = append(f.Partitions, p)
	}
	a.Partitions = f.Partitions
	records := projection.NewFollower(&projection.Log{Objects: objects, Partition: "records", Cache: cache}, ix, projectors)
	if err := records.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Followers["records"] = records
	f.Reader = lookup.New(ix, objects, a.Followers, access.Mutual{}, quiet{})
	f.Reader.Records = "records" // whose labels and Consents may withhold studies: each answer looks whether there are any
	t.Cleanup(func() {
		for _, w := range a.Writers {
			w.Close()
		}
		conn.Close()
		k.Close()
	})
	return a, f, sent
}

// study is a file with the only instance of the i-th study.
func study(t *testing.T, i int) []byte {
	t.Helper()
	instance := fmt.Sprintf("2.25.3.%d", i)
	body := fmt.Sprintf(`{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2"]},"00080018":{"vr":"UI","Value":["%s"]},"00080020":{"vr":"DA","Value":["2025%02d%02d"]},`+
		`"00080050":{"vr":"SH","Value":["A%05d"]},"00080060":{"vr":"CS","Value":["CT"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"Name%03d^X"}]},`+
		`"00100020":{"vr":"LO","Value":["P%03d"]},"0020000D":{"vr":"UI","Value":["2.25.1.%d"]},"0020000E":{"vr":"UI","Value":["2.25.2.%[7]d"]}}`,
		instance, 1+i%12, 1+i%28, i, i%200, i%200, i)
	set, err := dicom.AppendDataSet(nil, []byte(body), "1.2.840.10008.1.2.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(dicom.AppendMeta(nil, "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2", instance, dicom.ImplementationUID), set...)
}

func TestAQuestionOverAllPartitionsTakesFewTrips(t *testing.T) {
	a, f, sent := openWide(t)
	const studies = 2000
	for at := 0; at < studies; at += 200 {
		var kept []*imaging.Kept
		d, err := a.Delivery(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			in, err := d.Receive(bytes.NewReader(study(t, at+i)))
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
		for _, o := range a.Commit(t.Context(), "village", kept) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
	}
	who := access.NewCaller("village", access.AllResources, "t")
	for _, c := range []struct {
		name, query string
		want, trips int
	}{
		{"by patient", "PatientID=P007", 10, 1},
		{"by accession number", "AccessionNumber=A00007", 1, 1},
		{"by a day", "StudyDate=20250101", 24, 1},
		{"by a week", "StudyDate=20250301-20250307&limit=25", 25, 1},
		{"without a condition", "limit=25", 25, 1},
		{"by the beginning of a name", "PatientName=Name007*", 10, 1},
	} {
		q, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		find, err := dicom.CompileQIDO(dicom.Study, q)
		if err != nil {
			t.Fatal(err)
		}
		limit := find.Limit
		if limit < 0 {
			limit = 200
		}
		var page imaging.Page
		for range 5 { // until what can be remembered is
			sent.trips.Store(0)
			sent.commands.Store(0)
			page, err = f.Page(t.Context(), who, find, limit)
			if err != nil || len(page.Found) != c.want {
				t.Fatalf("%s: %d found, %v", c.name, len(page.Found), err)
			}
		}
		t.Logf("%s: %d commands in %d trips", c.name, sent.commands.Load(), sent.trips.Load())
		if n := sent.trips.Load(); n > int64(c.trips) {
			t.Errorf("%s: %d trips to the index, %d are enough", c.name, n, c.trips)
		}
		for i := range page.Found { // each study has one of both
			for _, tag := range []string{"00201206", "00201208"} {
				if !bytes.Contains(page.Found[i].Body, []byte(`"`+tag+`":{"vr":"IS","Value":[1]}`)) {
					t.Errorf("%s: %s is not 1 in %s", c.name, tag, page.Found[i].Body)
				}
			}
		}
	}
}
