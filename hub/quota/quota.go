// Package quota holds each member to a share of the store. What a member has is the fold of all logs: the bytes of its records and of
// the blobs they name, every version, since nothing is ever taken out of a log.
package quota

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/projection"
)

// Quota counts what each member has. Its fields are set before use.
type Quota struct {
	// Share is how many bytes a member may have; 0: any number, and nothing is counted.
	Share int64
	// Followers are of the partitions that are counted.
	Followers map[hub.Partition]*projection.Follower
	// Objects and Derived keep how far was counted, so that a hub that starts need not read all logs again. It may be lost.
	Objects hub.Objects
	Derived hub.Derived
	// Every is how often what was committed since is counted, default 2 s: so long a member may go on beyond its share.
	Every time.Duration

	mu    sync.Mutex
	count count
}

// count is what each member has, up to a commit of each partition.
type count struct {
	Through map[hub.Partition]uint64 `json:"through"`
	Bytes   map[string]int64         `json:"bytes"`
}

const (
	key = "derived/quota.json"
	// keepEvery is how often the count is written down.
	keepEvery = time.Minute
	largest   = 64 << 20
)

// Admit says whether a member may add anything: not when it has its share already. Records that the hub makes, and deletions (a nil
// body), are never refused.
func (q *Quota) Admit(member string, _ hub.Name, body []byte) error {
	if q.Share <= 0 || body == nil || member == access.Hub {
		return nil
	}
	if has := q.Of(member); has >= q.Share {
		return &hub.Error{Kind: hub.TooMany, Retry: time.Hour, Msg: fmt.Sprintf("the institution has %d MB in the hub, and its share is %d MB", has>>20, q.Share>>20),
			Hint: "the administrator can give it more with --member-storage"}
	}
	return nil
}

// Of is how many bytes a member has, as far as was counted.
func (q *Quota) Of(member string) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count.Bytes[member]
}

// All is Of for every member.
func (q *Quota) All() map[string]int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.count.Bytes)
}

// Run counts until ctx ends.
func (q *Quota) Run(ctx context.Context) {
	if q.Share <= 0 {
		return
	}
	if err := q.restore(ctx); err != nil {
		slog.Warn("read how much members have; it is counted anew", "err", err)
	}
	every := q.Every
	if every == 0 {
		every = 2 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	kept := time.Now()
	for {
		changed, err := q.Advance(ctx)
		if err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
			slog.Error("count how much members have", "err", err)
		}
		if changed && time.Since(kept) > keepEvery {
			if err := q.Keep(ctx); err != nil && ctx.Err() == nil {
				slog.Warn("keep how much members have", "err", err)
			}
			kept = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Advance counts what was committed since it was called last. It must not be called from two goroutines.
func (q *Quota) Advance(ctx context.Context) (changed bool, err error) {
	for p, f := range q.Followers {
		to, err := f.Applied(ctx)
		if err != nil {
			return changed, err
		}
		q.mu.Lock()
		from := q.count.Through[p]
		q.mu.Unlock()
		if to <= from {
			continue
		}
		err = f.Log().Commits(ctx, from+1, to, func(c *hub.Commit, _ []byte) error {
			q.add(p, c)
			return nil
		})
		if changed = true; err != nil {
			return changed, fmt.Errorf("read the log of %s: %w", p, err)
		}
	}
	return changed, nil
}

func (q *Quota) add(p hub.Partition, c *hub.Commit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count.Bytes == nil {
		q.count = count{map[hub.Partition]uint64{}, map[string]int64{}}
	}
	for i := range c.Records {
		rec := &c.Records[i]
		size := int64(len(rec.Body))
		if rec.Blob != nil {
			size += rec.Blob.Size
		}
		q.count.Bytes[rec.Member] += size
	}
	q.count.Through[p] = c.Seq
}

func (q *Quota) restore(ctx context.Context) error {
	r, err := q.Objects.Open(ctx, key, 0, -1)
	if hub.Is(err, hub.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, largest))
	if err != nil {
		return err
	}
	var c count
	if err := json.Unmarshal(data, &c); err != nil || c.Through == nil || c.Bytes == nil {
		return &hub.Error{Kind: hub.Corrupt, Path: key, Msg: "it is no count of what members have", Err: err}
	}
	for p, through := range c.Through {
		f := q.Followers[p]
		if f == nil {
			return &hub.Error{Kind: hub.Corrupt, Path: key, Msg: fmt.Sprintf("it counts a partition %s that there is not", p)}
		}
		if has, err := f.Log().Has(ctx, through); through > 0 && (err != nil || !has) {
			return &hub.Error{Kind: hub.Corrupt, Path: key, Msg: fmt.Sprintf("it counts commit %d of %s, which there is not", through, p), Err: err}
		}
	}
	q.mu.Lock()
	q.count = c
	q.mu.Unlock()
	return nil
}

// Keep writes the count down.
func (q *Quota) Keep(ctx context.Context) error {
	q.mu.Lock()
	data, err := json.Marshal(q.count)
	q.mu.Unlock()
	if err != nil {
		return err
	}
	return q.Derived.Put(ctx, key, int64(len(data)), bytes.NewReader(data))
}
