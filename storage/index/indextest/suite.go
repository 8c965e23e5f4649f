package indextest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
	"concord/storage/index"
)

// Run puts the index over a server through the suite. The server is the suite's alone.
func Run(t *testing.T, client redis.UniversalClient) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *room)
	}{
		{"a commit is applied once and in order", appliesOnceInOrder},
		{"concurrent appliers of the same commits agree", appliersAgree},
		{"an entry is replaced whole", replacesWhole},
		{"a thing that changes route moves with its versions", movesWithRoute},
		{"two things may change places in one commit", swapsPlaces},
		{"a deleted thing keeps its head and may return", deletesAndReturns},
		{"several versions in one commit count as the last", foldsVersions},
		{"a long commit is applied in pieces", appliesLongCommit},
		{"pages stay as they were while others write", pagesStay},
		{"no partial commit is seen while commits are applied", seesWholeCommits},
		{"counts are those of the entries", countsExactly},
		{"a search says where a partition beside it is", tellsBeside},
		{"types are listed as long as the index is not emptied", listsTypes},
		{"a query that reaches beyond the index is refused", refusesWhatIsNotPlain},
		{"thousands of alternatives are asked in bounded trips", asksThousands},
		{"several partitions merge into one order", mergesPartitions},
		{"a pattern that meets too much is refused", refusesWidePatterns},
		{"an index that is emptied is refused until it is rebuilt, and then equals the first", rebuildEqualsLive},
		{"an index of another stamp is refused with the remedy", refusesForeignStamp},
		{"a long order is walked as the oracle sorts it", walksLongOrders},
		{"every kind of match agrees with the oracle", agreesWithOracle},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, newRoom(t, client)) })
	}
}

const records = hub.Partition("records")

// layout has small partitions, so that slots are shared and things move between them.
func layout(limits index.Limits) index.Layout {
	return index.Layout{Limits: limits, Partitions: map[hub.Partition]index.PartitionLayout{
		records:    {Tag: "r", Slots: 4, Buckets: 4},
		"dicom-00": {Tag: "d00", Slots: 1, Buckets: 4},
		"dicom-01": {Tag: "d01", Slots: 1, Buckets: 4},
	}}
}

// small limits make few entries go the ways of many: walks, several chunks, commits in pieces.
var limits = map[string]index.Limits{
	"usual limits": {},
	"small limits": {Fetch: 3, Whole: 40},
}

// room is an empty index for one test.
type room struct {
	*index.Index
	client redis.UniversalClient
	ctx    context.Context
}

func newRoom(t *testing.T, client redis.UniversalClient) *room {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r := &room{index.Open(client, layout(index.Limits{})), client, ctx}
	for _, p := range []hub.Partition{records, "dicom-00", "dicom-01"} {
		r.fresh(t, p)
	}
	return r
}

func (r *room) fresh(t tb, p hub.Partition) {
	t.Helper()
	must(t, r.Reset(r.ctx, p))
	_, err := r.Begin(r.ctx, p)
	must(t, err)
}

// with is the same index with other limits.
func (r *room) with(l index.Limits) *room {
	return &room{index.Open(r.client, layout(l)), r.client, r.ctx}
}

func (r *room) apply(t tb, l *Log) {
	t.Helper()
	seq, changes := l.Commit()
	must(t, r.Apply(r.ctx, l.Partition, seq, changes))
}

func (r *room) dump(t tb, p hub.Partition) string {
	t.Helper()
	var b bytes.Buffer
	must(t, r.Dump(r.ctx, &b, p))
	return b.String()
}

func (r *room) nums(t tb, q hub.Query, ps ...hub.Partition) []uint64 {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 1000
	}
	page, err := r.Search(r.ctx, ps, q)
	must(t, err)
	nums := []uint64{}
	for _, h := range page.Hits {
		nums = append(nums, h.Head.Num)
	}
	return nums
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T comparable](t tb, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func obs(id string) hub.Name { return hub.Name{Type: "Observation", ID: id} }

func entry(route string, terms ...hub.Term) *hub.Entry { return &hub.Entry{Route: route, Terms: terms} }

func exact(param, text string) hub.Term { return hub.Term{Param: param, Kind: hub.Exact, Text: text} }
func text(param, s string) hub.Term     { return hub.Term{Param: param, Kind: hub.Text, Text: s} }
func between(param string, lo, hi float64) hub.Term {
	return hub.Term{Param: param, Kind: hub.Range, Lo: lo, Hi: hi}
}

func having(param, s string) hub.Clause {
	return hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Equals, Text: s}}}
}

// patients whose routes lie in different slots of the layout, found by trying.
func apart(n int) []string {
	var routes []string
	taken := map[int]bool{}
	ix := index.Open(nil, layout(index.Limits{}))
	for i := 0; len(routes) < n; i++ {
		r := fmt.Sprintf("Patient/p%d", i)
		if slot := ix.SlotOf(records, r); !taken[slot] {
			taken[slot] = true
			routes = append(routes, r)
		}
	}
	return routes
}

// checkHeads compares heads and versions with the model.
func checkHeads(t tb, r *room, l *Log) {
	t.Helper()
	names := append(l.names(), obs("never-was"))
	heads, err := r.Heads(r.ctx, l.Partition, names)
	must(t, err)
	for i, n := range names {
		h, want := heads[i], l.Things[n]
		if want == nil {
			if h.Version != 0 {
				t.Fatalf("%s: has a head, %+v", n, h)
			}
			continue
		}
		if h.Name != n || h.Partition != l.Partition || h.Num != want.Num || h.Version != want.Version || h.Deleted != (want.Entry == nil) || h.Loc != want.History[len(want.History)-1] {
			t.Fatalf("%s: head %+v, want %+v", n, h, want)
		}
		locs, err := r.Versions(r.ctx, h)
		must(t, err)
		same(t, "versions of "+n.String(), locs, want.History)
	}
}

func side(n int, do func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// tb is what *testing.T and *rapid.T have in common.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
