package lookup

import (
	"context"
	"time"

	"concord/hub"
	"concord/hub/access"
)

// SearchAll answers several queries, each of another type, as one: the union of their hits in one order, a page of it.
// Sort, After, Limit and Count are those of the first query and must be the same in all. Queries need not be Plain.
func (r *Reader) SearchAll(ctx context.Context, who access.Caller, p hub.Partition, qs []hub.Query, note string) (Result, error) {
	return Result{}, &hub.Error{Kind: hub.Unsupported, Msg: "search several types at once"}
}

// Types lists the resource types that p has or ever had, sorted.
func (r *Reader) Types(ctx context.Context, p hub.Partition) ([]string, error) {
	return nil, &hub.Error{Kind: hub.Unsupported, Msg: "list the types"}
}

// Plain turns q into one that an index alone can answer, by carrying out what reaches beyond one entry. Clauses with a
// Test stay, as they need no other records. A clause whose inner search meets more than the limit is TooCostly.
func (r *Reader) Plain(ctx context.Context, who access.Caller, p hub.Partition, q hub.Query) (hub.Query, error) {
	return q, nil
}

// Follow reads what includes ask for, given the hits: each record once, none that is among the hits, and of the types
// that may allows. It is complete, or TooCostly.
func (r *Reader) Follow(ctx context.Context, who access.Caller, p hub.Partition, hits []hub.Record, includes []hub.Include, may func(typ string) bool) ([]hub.Record, error) {
	return nil, nil
}

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
