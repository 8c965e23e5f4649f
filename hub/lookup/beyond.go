package lookup

import (
	"context"
	"time"

	"concord/hub"
	"concord/hub/access"
)

// Span asks for the versions of all things, or of those of some types.
type Span struct {
	Types []string // none: all
	Since time.Time
	// From and To, where not zero, keep the versions that were current at some time between them (R4's _at).
	From, To time.Time
	// Before continues an earlier answer; zero begins at the newest.
	Before hub.Loc
	Limit  int
}

// History reads versions, tombstones too, newest first, from the log. More is where the next page begins, zero at the
// end. A page may be shorter than the limit, even empty, when what was asked for is rare: More says whether to go on.
func (r *Reader) History(ctx context.Context, who access.Caller, p hub.Partition, s Span) (recs []hub.Record, more hub.Loc, err error) {
	return nil, hub.Loc{}, &hub.Error{Kind: hub.Unsupported, Msg: "read the history of many things"}
}
