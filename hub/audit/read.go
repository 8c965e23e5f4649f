package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"concord/hub"
	"concord/hub/projection"
)

// Events reads the trail from an instant on, oldest batch first, the events that wait in this process included. It
// stops at the first error, yield's too. A commit that is not chained to the one before is Corrupt.
func (t *Trail) Events(ctx context.Context, from time.Time, yield func(Event) error) error {
	if err := t.Flush(ctx); err != nil {
		return err
	}
	return Events(ctx, t.log, from, yield)
}

// Events reads the trail of a store from an instant on, as Trail.Events does; it needs no running Trail.
func Events(ctx context.Context, l *projection.Log, from time.Time, yield func(Event) error) error {
	last, err := l.Tail(ctx, 0)
	if err != nil {
		return err
	}
	first, err := firstSince(ctx, l, last, from)
	if err != nil || first > last {
		return err
	}
	prev := ""
	return l.Commits(ctx, first, last, func(c *hub.Commit, data []byte) error {
		if prev != "" && c.Prev != prev {
			return &hub.Error{Kind: hub.Corrupt, Path: hub.LogKey(c.Partition, c.Seq), Msg: "the audit trail is not the one that was written: this commit is not chained to the one before"}
		}
		prev = hub.Digest(data)
		for i := range c.Records {
			if err := unpack(&c.Records[i], from, yield); err != nil {
				return err
			}
		}
		return nil
	})
}

func unpack(rec *hub.Record, from time.Time, yield func(Event) error) error {
	if rec.Name.Type != BatchType {
		return nil
	}
	var b batchBody
	if err := json.Unmarshal(rec.Body, &b); err != nil {
		return &hub.Error{Kind: hub.Corrupt, Path: rec.Name.String(), Msg: "a batch of audit events is unreadable", Err: err}
	}
	for _, e := range b.Events {
		if e.At.Before(from.Truncate(time.Millisecond)) {
			continue
		}
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

// firstSince halves its way to the first commit at or after from: times grow along the log, and no event is younger
// than its commit.
func firstSince(ctx context.Context, l *projection.Log, last uint64, from time.Time) (uint64, error) {
	lo, hi := uint64(1), last+1
	for from.UnixMilli() > 0 && lo < hi {
		mid := lo + (hi-lo)/2
		c, _, err := l.Commit(ctx, mid)
		if err != nil {
			return 0, fmt.Errorf("find %s in the audit trail: %w", from.UTC().Format(time.RFC3339), err)
		}
		if c.Time.Before(from.Truncate(time.Millisecond)) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, nil
}
