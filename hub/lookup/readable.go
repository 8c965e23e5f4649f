package lookup

import (
	"context"
	"fmt"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// Who may read a record is for the policy to say. A Binary that has a security context (R4 binary.html#security) may
// be read by those only who may also read that: by their scope, by the policy, and as it is now. A context that is not
// there, or was deleted, lets nobody in.

// MayRead returns nil, or NotFound where who may not know of rec, a record of p. Of a Person it leaves what who may see of it.
func (r *Reader) MayRead(ctx context.Context, who access.Caller, p hub.Partition, rec *hub.Record) error {
	may, err := r.readable(ctx, who, p, []*hub.Record{rec})
	if err == nil && !may[0] {
		err = &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("there is no %s", rec.Name)}
	}
	return err
}

// readable says of each of recs, records of p, whether who may read it, and leaves of Persons what who may see of them.
func (r *Reader) readable(ctx context.Context, who access.Caller, p hub.Partition, recs []*hub.Record) ([]bool, error) {
	may := make([]bool, len(recs))
	deciding := make([]*hub.Record, len(recs)) // what the answer depends on: the record, or its context
	waiting := map[hub.Name][]int{}            // for their contexts
	var names []hub.Name
	for i, rec := range recs {
		if r.policy.MayRead(who, rec) != nil {
			continue
		}
		context, has := fhir.SecurityContext(rec)
		switch {
		case !has:
			deciding[i] = rec
		case context == hub.Name{} || who.May(access.Read, context.Type) != nil:
		default:
			if waiting[context] == nil {
				names = append(names, context)
			}
			waiting[context] = append(waiting[context], i)
		}
	}
	contexts, err := r.present(ctx, p, names)
	if err != nil {
		return nil, err
	}
	for i := range contexts {
		if r.policy.MayRead(who, &contexts[i]) == nil {
			for _, at := range waiting[contexts[i].Name] {
				deciding[at] = &contexts[i]
			}
		}
	}
	var open []int
	var asked []*hub.Record
	for i, rec := range deciding {
		if rec != nil {
			open, asked = append(open, i), append(asked, rec)
		}
	}
	disclosable, err := r.disclosable(ctx, who, p, asked)
	for j := range disclosable {
		may[open[j]] = disclosable[j]
	}
	if err == nil {
		err = r.reduce(ctx, who, p, recs, may)
	}
	return may, err
}

// readableVersions is readable for versions that may be old ones: who may not know of a thing as it is now, or was last, may not know what
// it was; and a version that changed nothing that who may see is none.
func (r *Reader) readableVersions(ctx context.Context, who access.Caller, p hub.Partition, recs []*hub.Record) ([]bool, error) {
	versions := make([]uint64, len(recs))
	for i, rec := range recs {
		versions[i] = rec.Version
	}
	may, err := r.readable(ctx, who, p, recs)
	if err != nil || p != r.Records {
		return may, err
	}
	var names []hub.Name
	of := map[hub.Name][]int{}
	for i, rec := range recs {
		if may[i] = may[i] && rec.Version == versions[i]; !may[i] {
			continue
		}
		if of[rec.Name] == nil {
			names = append(names, rec.Name)
		}
		of[rec.Name] = append(of[rec.Name], i)
	}
	if u, err := r.inUse(ctx, hub.Marks{}); err != nil || len(names) == 0 || u.open() && who.May(access.Read, "Patient") == nil {
		return may, err
	}
	index := r.watch(p)
	heads, err := r.index.Heads(ctx, p, names)
	if err == nil {
		err = index.complete(ctx)
	}
	if err != nil {
		return nil, index.refused(err)
	}
	var later []hub.Name
	var locs []hub.Loc
	for i, name := range names {
		if heads[i].Loc != recs[of[name][0]].Loc || len(of[name]) > 1 {
			later, locs = append(later, name), append(locs, heads[i].Loc)
		}
	}
	now, err := r.records(ctx, p, locs)
	if err != nil {
		return nil, err
	}
	asked := make([]*hub.Record, len(now))
	for i := range now {
		asked[i] = &now[i]
	}
	current, err := r.readable(ctx, who, p, asked)
	for i := range current {
		if !current[i] {
			for _, at := range of[later[i]] {
				may[at] = false
			}
		}
	}
	return may, err
}

// present reads the current versions of names, leaving out what is not there or deleted. It asks no policy.
func (r *Reader) present(ctx context.Context, p hub.Partition, names []hub.Name) ([]hub.Record, error) {
	if len(names) == 0 {
		return nil, nil
	}
	index := r.watch(p)
	heads, err := r.index.Heads(ctx, p, names)
	if err != nil {
		return nil, index.refused(err)
	}
	if err := index.complete(ctx); err != nil {
		return nil, err
	}
	var locs []hub.Loc
	for _, h := range heads {
		if h.Version > 0 && !h.Deleted {
			locs = append(locs, h.Loc)
		}
	}
	return r.records(ctx, p, locs)
}
