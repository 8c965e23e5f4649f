package lookup

import (
	"context"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
)

// Find returns where the records lie that meet q, all of them, in its order: those that who may read. It is for answers that
// are kept ready (metadata of a study) and need no record read again. q must be Plain; its Limit is the size of a page.
//
// Nothing is disclosed by it: who hands out something made of these records calls Disclose before.
func (r *Reader) Find(ctx context.Context, who access.Caller, p hub.Partition, q hub.Query) ([]hub.Loc, error) {
	a := r.ask(who, p)
	var locs []hub.Loc
	for {
		page, err := a.page(ctx, q)
		if err != nil {
			return nil, err
		}
		all, err := a.sees(ctx, &q)
		if err != nil {
			return nil, err
		}
		if all {
			for i := range page.Hits {
				locs = append(locs, page.Hits[i].Head.Loc)
			}
		} else {
			things, err := a.admit(ctx, thingsOf(page.Hits))
			if err != nil {
				return nil, err
			}
			for _, t := range things {
				locs = append(locs, t.rec.Loc)
			}
		}
		if !page.More || len(page.Hits) == 0 {
			return locs, nil
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
}

// Found reads records that Find found.
func (r *Reader) Found(ctx context.Context, p hub.Partition, locs []hub.Loc) ([]hub.Record, error) {
	return r.records(ctx, p, locs)
}

// Disclose notes that who is about to be told of things, count records of them in all.
func (r *Reader) Disclose(ctx context.Context, who access.Caller, typ string, names []hub.Name, count int, query string) error {
	return r.trail.Note(ctx, audit.Event{Action: audit.Read, Member: who.Member, Token: who.TokenID, Type: typ, Names: names, Query: query, Count: count})
}
