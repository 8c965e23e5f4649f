package index

import (
	"context"
	"math"
	"slices"
	"sync"

	"concord/hub"
)

// A roll is a set of a partition that only grows: the types, hours and buckets that it has, or ever had. It becomes
// visible together with the commit that adds to it.

// rollEntry is one member of a roll.
type rollEntry struct{ key, member string }

// rolls remembers what this process need not write again: what it saw written, in which generation and by which
// commit. A server that lost its last writes is behind that commit, and is told again.
type rolls struct {
	mu   sync.Mutex
	gen  string
	seen map[rollEntry]uint64
}

// missing leaves those of entries that an index at m may not have.
func (r *rolls) missing(entries map[rollEntry]float64, m meta) []rollEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var missing []rollEntry
	for e := range entries {
		if seq, seen := r.seen[e]; r.gen != m.Generation || !seen || seq > m.Applied {
			missing = append(missing, e)
		}
	}
	return missing
}

// written says that commit seq of generation gen added entries.
func (r *rolls) written(gen string, seq uint64, entries []rollEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gen != gen || r.seen == nil {
		r.gen, r.seen = gen, map[rollEntry]uint64{}
	}
	for _, e := range entries {
		r.seen[e] = seq
	}
}

// addRolls adds entries to their rolls; an hour keeps the time it has.
func addRolls(tx *transaction, entries []rollEntry, times map[rollEntry]float64) {
	for _, e := range entries {
		if at := times[e]; math.IsNaN(at) {
			tx.add("sadd", e.key, e.member)
		} else {
			tx.add("zadd", e.key, "nx", at, e.member)
		}
	}
}

// Types lists the resource types that p has or ever had entries of, and their traits, sorted.
func (ix *Index) Types(ctx context.Context, p hub.Partition) ([]string, error) {
	part, err := ix.partition(p)
	if err != nil {
		return nil, err
	}
	t := ix.newTrips(ctx)
	view := t.queueMeta(part)
	types := t.pipe.SMembers(ctx, part.typesKey())
	if !t.trip() {
		return nil, asHub(ctx, "list the types of the index", t.err)
	}
	if _, err := view(); err != nil {
		return nil, err
	}
	return slices.Sorted(slices.Values(types.Val())), nil
}
