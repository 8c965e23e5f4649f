package imaging

import (
	"context"
	"maps"
	"slices"

	"concord/hub"
	"concord/internal/dicom"
)

// lookElsewhere warns of a new instance whose UID another study's instance has, too: both are kept and shown, each in its study, but
// what names an instance by its UID alone (a commitment, a reference of a report) means either. It looks for those that begin a series:
// whoever gives a series that keeps its UIDs another study does so with all of them, and a search for each file is felt by those who
// send many. It looks after the commit, so that of two that come at once one is warned of at least. While the index cannot tell, nobody
// is warned.
func (a *Archive) lookElsewhere(ctx context.Context, kept []*Kept, outcomes []Outcome) {
	var first []int
	uids := map[string]bool{}
	for i, o := range outcomes {
		if o.Err == nil && o.Result == Stored && o.Warning == Sound && kept[i].begins {
			first, uids[kept[i].header.SOPInstanceUID] = append(first, i), true
		}
	}
	if len(first) == 0 || a.count(ctx, slices.Collect(maps.Keys(uids))...) <= len(uids) {
		return
	}
	for _, i := range first {
		if a.count(ctx, kept[i].header.SOPInstanceUID) > 1 {
			outcomes[i].Warning = OtherStudy
		}
	}
}

// count is how many instances there are of the UIDs; 0 if nobody can tell.
func (a *Archive) count(ctx context.Context, uids ...string) int {
	any := make([]hub.Match, len(uids))
	for i, uid := range uids {
		any[i] = hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: uid}
	}
	page, err := a.Index.Search(ctx, a.Partitions, hub.Query{
		Type: dicom.Instance.Type(), All: []hub.Clause{{Param: sopInstanceUID.Hex(), Any: any}}, Count: true})
	if err != nil {
		return 0
	}
	return int(page.Total)
}
