package projection_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/projection"
	"concord/internal/memobjects"
)

func TestRecordsThatLieTogetherAreReadInOnePiece(t *testing.T) {
	store := &counting{Objects: &memobjects.Store{}}
	var locs []hub.Loc
	for seq := uint64(1); seq <= 3; seq++ {
		c := hub.Commit{Partition: records, Seq: seq, Time: time.Unix(1, 0).UTC()}
		for i := range 100 {
			size := 50
			if seq == 3 {
				size = 20_000 // far apart when every other one is asked for
			}
			c.Records = append(c.Records, hub.Record{Name: hub.Name{Type: "Patient", ID: fmt.Sprint(seq, "-", i)}, Num: uint64(i), Version: 1,
				Time: time.Unix(1, 0).UTC(), Body: fmt.Appendf(nil, `{"x":"%s"}`, bytes.Repeat([]byte("y"), size+i))})
		}
		data, err := c.Encode()
		if err == nil {
			err = store.PutNew(t.Context(), hub.LogKey(records, seq), int64(len(data)), bytes.NewReader(data))
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Records {
			locs = append(locs, c.Records[i].Loc)
		}
	}
	sparse := append(slices.Clone(locs[:200]), locs[200], locs[202], locs[204], locs[204])
	slices.Reverse(sparse)
	for _, c := range []struct {
		what  string
		locs  []hub.Loc
		cache *projection.Cache
		most  int64
	}{
		{"two whole commits and three far apart, one of them twice", sparse, nil, 5},
		{"pieces are not read without bound", locs, projection.NewCache(1 << 26), 2 + 5},
		{"one", locs[7:8], nil, 1},
		{"none", nil, nil, 0},
	} {
		log := &projection.Log{Objects: store, Partition: records, Cache: c.cache}
		for round := range 2 {
			before := store.reads.Load()
			recs, err := log.Records(t.Context(), c.locs)
			if err != nil || len(recs) != len(c.locs) {
				t.Fatalf("%s: %d records, %v", c.what, len(recs), err)
			}
			for i := range recs {
				if want, err := log.Record(t.Context(), c.locs[i]); err != nil || recs[i].Name != want.Name || recs[i].Loc != c.locs[i] || !bytes.Equal(recs[i].Body, want.Body) {
					t.Fatalf("%s: record %d is %v, want %v, %v", c.what, i, recs[i].Name, want.Name, err)
				}
				if c.cache == nil {
					store.reads.Add(-1) // that of the comparison
				}
			}
			most := c.most
			if round == 1 && c.cache != nil {
				most = 0
			}
			if n := store.reads.Load() - before; n > most {
				t.Errorf("%s: %d readings in round %d, want %d at most", c.what, n, round, most)
			}
		}
	}
	log := &projection.Log{Objects: store, Partition: records}
	beyond := locs[99]
	beyond.Len += 10_000
	if _, err := log.Records(t.Context(), []hub.Loc{locs[98], beyond}); !hub.Is(err, hub.Corrupt) {
		t.Errorf("a record beyond the end of its commit: %v", err)
	}
}
