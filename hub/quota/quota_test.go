package quota_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/hub/quota"
	"concord/internal/fhir"
	"concord/storage/index"
	"concord/storage/keeper"
	"concord/storage/object/disk"
)

const records hub.Partition = "records"

type world struct {
	t        *testing.T
	objects  *disk.Store
	follower *projection.Follower
	writer   *commit.Committer
	quota    *quota.Quota
}

func open(t *testing.T, share int64) *world {
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	w := &world{t: t, objects: folder(t)}
	log := &projection.Log{Objects: w.objects, Partition: records, Cache: projection.NewCache(1 << 20)}
	w.follower = projection.NewFollower(log, index.Open(conn, index.StandardLayout(0)), &projection.Projectors{Default: fhir.NewProjection(nil)})
	if err := w.follower.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.quota = w.counting(share)
	w.writer = commit.New(log, w.follower, commit.Options{Admit: func(m string, n hub.Name, b []byte) error { return w.quota.Admit(m, n, b) }})
	t.Cleanup(func() { w.writer.Close(); conn.Close(); k.Close() })
	return w
}

func folder(t *testing.T) *disk.Store {
	objects, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func (w *world) counting(share int64) *quota.Quota {
	return &quota.Quota{Share: share, Followers: map[hub.Partition]*projection.Follower{records: w.follower}, Objects: w.objects, Derived: w.objects, Every: time.Millisecond}
}

func (w *world) write(member, id string, size int) error {
	name := hub.Name{Type: "Basic", ID: id}
	_, err := w.writer.Submit(w.t.Context(), commit.Write{Member: member, Names: []hub.Name{name}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		return []commit.Draft{{Name: name, Member: member, Body: func(uint64, time.Time) []byte {
			return fmt.Appendf(nil, `{"resourceType":"Basic","id":%q,"language":%q}`, id, strings.Repeat("x", size))
		}}}, nil
	}})
	return err
}

func (w *world) advance() {
	w.t.Helper()
	if _, err := w.quota.Advance(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestAMemberThatHasItsShareWritesNoMore(t *testing.T) {
	w := open(t, 3000)
	for i := range 2 {
		if err := w.write("small", fmt.Sprint("s", i), 10); err != nil {
			t.Fatal(err)
		}
		if err := w.write("large", fmt.Sprint("l", i), 2000); err != nil {
			t.Fatal(err)
		}
	}
	w.advance()
	if err := w.write("large", "l3", 10); !hub.Is(err, hub.TooMany) {
		t.Errorf("a member beyond its share is told %v", err)
	}
	if err := w.write("small", "s3", 10); err != nil {
		t.Errorf("another member is told %v", err)
	}
	if err := w.write(access.Hub, "h", 10); err != nil {
		t.Errorf("what the hub makes itself is refused: %v", err)
	}
	if err := w.quota.Admit("large", hub.Name{Type: "Basic", ID: "l0"}, nil); err != nil {
		t.Errorf("a deletion is refused: %v", err)
	}
}

func TestWhatWasCountedIsKeptAndCountsAsARecountDoes(t *testing.T) {
	w := open(t, 1<<30)
	for i := range 20 {
		if err := w.write([]string{"a", "b"}[i%2], fmt.Sprint(i%7), 100*i); err != nil {
			t.Fatal(err)
		}
	}
	w.advance()
	if err := w.quota.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.write("a", "late", 500); err != nil {
		t.Fatal(err)
	}
	w.advance()
	for name, objects := range map[string]hub.Objects{"from what was kept": w.objects, "from nothing": folder(t)} {
		again := w.counting(1 << 30)
		again.Objects = objects
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { again.Run(ctx); close(done) }()
		for again.Of("a") != w.quota.Of("a") || again.Of("b") != w.quota.Of("b") {
			time.Sleep(time.Millisecond) // the test's own time limit ends it
		}
		time.Sleep(5 * time.Millisecond)
		cancel()
		<-done
		if again.Of("a") != w.quota.Of("a") {
			t.Errorf("%s: counted %d and on, want %d", name, again.Of("a"), w.quota.Of("a"))
		}
	}
	var want int64
	err := w.follower.Log().Commits(t.Context(), 1, 21, func(c *hub.Commit, _ []byte) error {
		for _, r := range c.Records {
			if r.Member == "a" {
				want += int64(len(r.Body))
			}
		}
		return nil
	})
	if got := w.quota.Of("a"); err != nil || got != want {
		t.Errorf("counted %d, the log has %d (%v)", got, want, err)
	}
}
