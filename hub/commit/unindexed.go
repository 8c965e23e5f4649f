package commit

import (
	"context"
	"sync"

	"concord/hub"
	"concord/hub/projection"
)

// Unindexed is the Target of a partition that is only ever appended to and read in order, such as the audit trail:
// it remembers where the tail is.
type Unindexed struct {
	Log *projection.Log

	mu    sync.Mutex
	seq   uint64
	known bool
}

// Applied finds the tail once and then knows it from Apply.
func (u *Unindexed) Applied(ctx context.Context) (uint64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.known {
		seq, err := u.Log.Tail(ctx, u.seq)
		if err != nil {
			return 0, err
		}
		u.seq, u.known = seq, true
	}
	return u.seq, nil
}

// Prepare returns what moves the tail.
func (u *Unindexed) Prepare(_ context.Context, c *hub.Commit, _ []*hub.Entry) func(context.Context) error {
	return func(context.Context) error {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.seq = max(u.seq, c.Seq)
		return nil
	}
}

// Heads knows of nothing: names in such a partition are always new.
func (u *Unindexed) Heads(_ context.Context, names []hub.Name) ([]hub.Head, error) {
	return make([]hub.Head, len(names)), nil
}

// Search is not offered.
func (u *Unindexed) Search(context.Context, hub.Query) (hub.Page, error) {
	return hub.Page{}, &hub.Error{Kind: hub.Unsupported, Msg: "partition " + string(u.Log.Partition) + " has no index"}
}

// Project adds nothing.
func (u *Unindexed) Project(rec *hub.Record) (hub.Entry, error) {
	return hub.Entry{Route: rec.Name.String()}, nil
}
