package dimse

import (
	"context"
	"io"
	"iter"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/imaging"
	"concord/hub/projection"
	"concord/internal/dicom"
	"concord/internal/sample"
	"concord/internal/upperlayer"
	"concord/storage/index"
	"concord/storage/keeper"
	"concord/storage/object/disk"
)

type projector func(body []byte) (hub.Entry, error)

func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec.Body) }

// held are objects whose log is neither listed nor read before open is closed, so that an index cannot catch up.
type held struct {
	*disk.Store
	open chan struct{}
}

func (h held) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	<-h.open
	return h.Store.List(ctx, prefix, after)
}

func (h held) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	<-h.open
	return h.Store.Open(ctx, key, offset, length)
}

// startStore runs a server with an archive whose index is at the tail once open is closed. CT1 of village may call.
func startStore(t *testing.T, change func(*Server)) (address string, open chan struct{}) {
	t.Helper()
	const partition hub.Partition = "dicom-00"
	store, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	objects := held{store, make(chan struct{})}
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	ix := index.Open(conn, index.StandardLayout(1))
	log := &projection.Log{Objects: objects, Partition: partition, Cache: projection.NewCache(1 << 20)}
	follower := projection.NewFollower(log, ix, &projection.Projectors{ByType: map[string]hub.Projector{
		dicom.Study.Type(): projector(dicom.ProjectStudy), dicom.Series.Type(): projector(dicom.ProjectSeries), dicom.Instance.Type(): projector(dicom.ProjectInstance),
	}})
	writer := commit.New(log, follower, commit.Options{})
	s := New(Config{}, Deps{
		Tokens: tokens{}, Trail: &trail{}, Members: roll{"village": {ID: "village", DICOM: access.DICOM{AETs: []string{"CT1"}}}},
		Archive: &imaging.Archive{Objects: objects, Stager: store, Index: ix, Partitions: []hub.Partition{partition}, Now: time.Now, PartitionOf: func(string) hub.Partition { return partition },
			Followers: map[hub.Partition]*projection.Follower{partition: follower}, Writers: map[hub.Partition]*commit.Committer{partition: writer}},
	})
	change(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(ctx, l) })
	var once sync.Once
	t.Cleanup(func() {
		once.Do(stop)
		serving.Wait()
		select {
		case <-objects.open:
		default:
			close(objects.open)
		}
		writer.Close()
		conn.Close()
		k.Close()
	})
	return l.Addr().String(), objects.open
}

// storing sends one image of a series after the other over an association and returns the verdicts.
func storing(t *testing.T, address string, n int) (verdicts []upperlayer.Command) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const ct = storageFamily + "2"
	var dialer upperlayer.Dialer
	a, err := dialer.Dial(ctx, address, upperlayer.Proposal{Called: "CONCORD", Calling: "CT1",
		Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: ct, Transfer: []string{explicitLittle}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	for f, err := range sample.CTSeries(3, sample.Options{Slices: n, Rows: 16, Columns: 16, Time: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}) {
		if err != nil {
			t.Fatal(err)
		}
		set, _, err := dicom.DataSetOf(f.Reader())
		if err != nil {
			t.Fatal(err)
		}
		call, err := a.Call(ctx, a.Contexts()[0], upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: ct, SOPInstance: f.InstanceUID}, set)
		if err != nil {
			t.Fatal(err)
		}
		m, err := call.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		verdicts = append(verdicts, m.Command)
		call.Close()
	}
	return verdicts
}

func TestAnInstanceWaitsForAnIndexThatCatchesUp(t *testing.T) {
	address, open := startStore(t, func(*Server) {})
	opened := make(chan struct{})
	time.AfterFunc(300*time.Millisecond, func() { close(open); close(opened) })
	for _, v := range storing(t, address, 2) {
		if v.Status != upperlayer.Success {
			t.Errorf("%v %s", v.Status, v.ErrorComment)
		}
	}
	select {
	case <-opened:
	default:
		t.Error("it was stored before the index could tell what there is")
	}
	<-opened
}

func TestAnIndexThatDoesNotCatchUpIsNotWaitedForWithoutEnd(t *testing.T) {
	address, _ := startStore(t, func(s *Server) { s.waits = 100 * time.Millisecond })
	if v := storing(t, address, 1)[0]; v.Status != outOfResources || !strings.Contains(v.ErrorComment, "catching up") {
		t.Errorf("%v %q", v.Status, v.ErrorComment)
	}
}

func TestAMemberWaitsForItsAllowanceAndIsToldWhenThatIsTooLong(t *testing.T) {
	address, open := startStore(t, func(s *Server) { s.Allowances = access.NewAllowances(20, 1, 1) })
	close(open)
	for _, v := range storing(t, address, 4) {
		if v.Status != upperlayer.Success {
			t.Errorf("%v %s", v.Status, v.ErrorComment)
		}
	}
	allowances := access.NewAllowances(1e9, 1e9, 1)
	address, open = startStore(t, func(s *Server) { s.Allowances, s.waits = allowances, 100*time.Millisecond })
	close(open)
	leave, err := allowances.Enter("village") // by another way
	if err != nil {
		t.Fatal(err)
	}
	if v := storing(t, address, 1)[0]; v.Status != outOfResources || !strings.Contains(v.ErrorComment, "more requests under way") {
		t.Errorf("%v %q", v.Status, v.ErrorComment)
	}
	leave()
	if v := storing(t, address, 1)[0]; v.Status != upperlayer.Success {
		t.Errorf("%v %q", v.Status, v.ErrorComment)
	}
}

func TestAnInstanceThatBelongsNowhereIsRefusedByTheElementThatItLacks(t *testing.T) {
	for keyword, tag := range map[string]dicom.Tag{"StudyInstanceUID": 0x0020000D, "SeriesInstanceUID": 0x0020000E, "SOPInstanceUID": 0x00080018} {
		err := dicom.CheckUID(keyword, "")
		got := failure(err)
		if got.Status != cannotUnderstand || len(got.Offending) != 1 || got.Offending[0] != uint32(tag) || !strings.HasPrefix(got.ErrorComment, keyword+": ") {
			t.Errorf("%s: %v %v %q", keyword, got.Status, got.Offending, got.ErrorComment)
		}
	}
	if got := failure(&hub.Error{Kind: hub.Invalid, Path: "no keyword", Msg: "is wrong"}); got.Offending != nil {
		t.Errorf("an offending element %v where none is named", got.Offending)
	}
}
