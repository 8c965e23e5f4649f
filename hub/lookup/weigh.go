package lookup

import (
	"context"

	"concord/hub"
	"concord/hub/access"
)

// Weigh reads a page of the records that meet q and that who may read, for who asks which of them to show. Nothing is
// disclosed by it: what is shown in the end is noted by Disclose before.
func (r *Reader) Weigh(ctx context.Context, who access.Caller, p hub.Partition, q hub.Query) ([]hub.Record, error) {
	a := r.ask(who, p)
	f, err := a.search(ctx, q)
	if err != nil {
		return nil, err
	}
	f.end(a.limits.Bytes)
	things, err := a.admit(ctx, f.things)
	return recordsOf(things), err
}
