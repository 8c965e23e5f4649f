// Package lookup is the only way out. Whatever is served (a read, a version, a history, a search, the bytes of a
// blob) passes through a Reader, which asks the policy about each record, notes the disclosure in the audit trail
// before anything is handed over, and refuses to answer from an index that is not complete.
//
// It also carries out what no index can: chains, tests on records, computed orders, searches of several types, includes
// and histories (see DESIGN.md). Its own words: a request is an asking; a thing is a record under consideration, a
// candidate one that may be a hit; an inner search is one inside a chain; a reference is what a term of a reference
// parameter says.
package lookup

import (
	"context"
	"fmt"
	"io"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/projection"
)

// Policy decides about single records.
type Policy interface {
	MayRead(who access.Caller, rec *hub.Record) error
}

// Trail takes notes of disclosures. An error means that it cannot, and that nothing may be disclosed.
type Trail interface {
	Note(ctx context.Context, e audit.Event) error
}

// Reader answers for one hub.
type Reader struct {
	// Limits are set before the Reader is used.
	Limits Limits
	// Linked tells which Patients ("Patient/a") are one person: of each that others are linked to, all of them, itself included.
	// nil: each Patient is a person.
	Linked func(ctx context.Context, patients []string) (map[string][]string, error)
	// Records is the partition of FHIR, whose labels and Consents withhold things; empty: nothing is withheld.
	Records hub.Partition

	index     hub.Index
	objects   hub.Objects
	followers map[hub.Partition]*projection.Follower
	policy    Policy
	trail     Trail
	usage     usage
}

// New makes a Reader over the partitions that followers has.
func New(ix hub.Index, objects hub.Objects, followers map[hub.Partition]*projection.Follower, p Policy, t Trail) *Reader {
	return &Reader{index: ix, objects: objects, followers: followers, policy: p, trail: t}
}

// Read returns the current version. A deleted thing is Gone, an unknown one NotFound; what policy denies is NotFound
// too, so that its existence does not show.
func (r *Reader) Read(ctx context.Context, who access.Caller, p hub.Partition, n hub.Name) (hub.Record, error) {
	rec, err := r.current(ctx, who, p, n)
	if err != nil {
		return rec, err
	}
	return rec, r.note(ctx, who, audit.Read, n.Type, []hub.Name{n}, "")
}

func (r *Reader) current(ctx context.Context, who access.Caller, p hub.Partition, n hub.Name) (hub.Record, error) {
	index := r.watch(p)
	heads, err := r.index.Heads(ctx, p, []hub.Name{n})
	if err != nil {
		return hub.Record{}, index.refused(err)
	}
	if err := index.complete(ctx); err != nil {
		return hub.Record{}, err
	}
	h := heads[0]
	if h.Version == 0 {
		return hub.Record{}, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("there is no %s", n)}
	}
	rec, err := r.followers[p].Log().Record(ctx, h.Loc)
	if err != nil {
		return rec, err
	}
	if err := r.MayRead(ctx, who, p, &rec); err != nil {
		return hub.Record{}, err
	}
	if rec.Deleted {
		return rec, &hub.Error{Kind: hub.Gone, Msg: fmt.Sprintf("%s was deleted in version %d", n, rec.Version)}
	}
	return rec, nil
}

// Many reads the current versions of several names, leaving out what is not there, deleted or denied.
func (r *Reader) Many(ctx context.Context, who access.Caller, p hub.Partition, names []hub.Name) ([]hub.Record, error) {
	index := r.watch(p)
	heads, err := r.index.Heads(ctx, p, names)
	if err != nil {
		return nil, index.refused(err)
	}
	locs := make([]hub.Loc, 0, len(heads))
	for _, h := range heads {
		if h.Version > 0 && !h.Deleted {
			locs = append(locs, h.Loc)
		}
	}
	recs, err := r.records(ctx, p, locs)
	if err != nil {
		return nil, err
	}
	if recs, err = r.allowed(ctx, who, p, recs); err != nil {
		return nil, err
	}
	if err := index.complete(ctx); err != nil {
		return nil, err
	}
	typ := ""
	if len(names) > 0 {
		typ = names[0].Type
	}
	return recs, r.noteRecords(ctx, who, audit.Read, typ, recs, "")
}

// Versions returns a thing's versions, newest first, those before version `before` (0: all), at most limit. The
// records may be tombstones. total is the number of versions there are.
func (r *Reader) Versions(ctx context.Context, who access.Caller, p hub.Partition, n hub.Name, before uint64, limit int) (recs []hub.Record, total int, err error) {
	index := r.watch(p)
	heads, err := r.index.Heads(ctx, p, []hub.Name{n})
	if err != nil {
		return nil, 0, index.refused(err)
	}
	var locs []hub.Loc
	if heads[0].Version > 0 {
		if locs, err = r.index.Versions(ctx, heads[0]); err != nil {
			return nil, 0, index.refused(err)
		}
	}
	if err := index.complete(ctx); err != nil {
		return nil, 0, err
	}
	total = len(locs)
	if total == 0 {
		return nil, 0, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("there is no %s", n)}
	}
	top := total
	if before > 0 && before <= uint64(total) {
		top = int(before) - 1
	}
	page := make([]hub.Loc, 0, limit)
	for i := top - 1; i >= 0 && len(page) < limit; i-- {
		page = append(page, locs[i])
	}
	if recs, err = r.records(ctx, p, page); err != nil {
		return nil, 0, err
	}
	read := len(recs)
	if recs, err = allowed(recs, func(some []*hub.Record) ([]bool, error) { return r.readableVersions(ctx, who, p, some) }); err != nil {
		return nil, 0, err
	}
	if read > 0 && len(recs) == 0 {
		return nil, 0, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("there is no %s", n)}
	}
	return recs, total, r.note(ctx, who, audit.Read, n.Type, []hub.Name{n}, "_history")
}

// Version returns one version: NotFound when there is none of that number, Gone when it is a tombstone.
func (r *Reader) Version(ctx context.Context, who access.Caller, p hub.Partition, n hub.Name, version uint64) (hub.Record, error) {
	recs, _, err := r.Versions(ctx, who, p, n, version+1, 1)
	if err != nil {
		return hub.Record{}, err
	}
	if len(recs) == 0 || recs[0].Version != version {
		return hub.Record{}, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("there is no version %d of %s", version, n)}
	}
	if recs[0].Deleted {
		return recs[0], &hub.Error{Kind: hub.Gone, Msg: fmt.Sprintf("version %d of %s is its deletion", version, n)}
	}
	return recs[0], nil
}

// Counts answers tallies, each of those things that who may read: as of at, where that is the Result.At of a search just before and
// all is known of then; else as of now.
func (r *Reader) Counts(ctx context.Context, who access.Caller, of []hub.Tally, at map[hub.Partition]hub.Marks) ([]int64, error) {
	var ps []hub.Partition
	for i := range of {
		if !slices.Contains(ps, of[i].Partition) {
			ps = append(ps, of[i].Partition)
		}
	}
	a := r.ask(who, ps...)
	counted, marks, err := r.index.Counts(ctx, of, a.beside, at)
	if err == nil && marks == nil { // the search saw to it that the index was complete there
		a.at = at[r.Records]
	} else if err := a.readAt(marks, err); err != nil {
		return nil, err
	}
	all, asked := a.everything, map[string]bool{}
	var w inUse
	if all {
		if w, err = a.inUse(ctx, a.at); err != nil {
			return nil, err
		}
	}
	for i := 0; all && i < len(of); i++ {
		if typ := of[i].Type; !asked[typ] {
			asked[typ] = true
			if all, err = a.seesAt(ctx, w, &hub.Query{Type: typ}); err != nil {
				return nil, err
			}
		}
	}
	if all {
		return counted, nil
	}
	counts := make([]int64, len(of))
	for i, t := range of {
		f, err := r.ask(who, t.Partition).search(ctx, hub.Query{Type: t.Type, All: []hub.Clause{{Param: t.Param, Any: []hub.Match{exactly(t.Text)}}}, Count: true})
		if err != nil {
			return nil, err
		}
		counts[i] = f.total
	}
	return counts, nil
}

// Blob opens a range of the blob that rec, which a Reader handed out, refers to; length −1 reads to its end.
func (r *Reader) Blob(ctx context.Context, who access.Caller, rec *hub.Record, offset, length int64) (io.ReadCloser, error) {
	if rec.Blob == nil {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("%s has no blob", rec.Name)}
	}
	if err := r.policy.MayRead(who, rec); err != nil {
		return nil, err
	}
	body, err := rec.Blob.Open(ctx, r.objects, offset, length)
	if hub.Is(err, hub.NotFound) { // the record says that it must be there
		return nil, &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("the bytes of %s are missing in the store", rec.Name), Hint: "run: concord fsck", Err: err}
	}
	return body, err
}

// watches stand for the indexes of a reading's partitions, as they were before it.
type watches []projection.Watch

// watch is called before an index is read. A partition that the hub does not have is refused by the index.
func (r *Reader) watch(ps ...hub.Partition) watches {
	ws := make(watches, 0, len(ps))
	for _, p := range ps {
		if f, ok := r.followers[p]; ok {
			ws = append(ws, f.Watch())
		}
	}
	return ws
}

// complete fails unless all of them were complete from then to now.
func (ws watches) complete(ctx context.Context) error {
	for _, w := range ws {
		if err := w.Check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// completeAt is complete for what was read at marks.
func (ws watches) completeAt(marks map[hub.Partition]hub.Marks) error {
	for _, w := range ws {
		if err := w.CheckAt(marks[w.Partition()]); err != nil {
			return err
		}
	}
	return nil
}

// refused passes on the error of an index that was asked, and has it mended where that helps.
func (ws watches) refused(err error) error {
	for _, w := range ws {
		err = w.Refused(err)
	}
	return err
}

func (r *Reader) records(ctx context.Context, p hub.Partition, locs []hub.Loc) ([]hub.Record, error) {
	f, ok := r.followers[p]
	if !ok {
		return nil, &hub.Error{Kind: hub.Internal, Msg: fmt.Sprintf("no partition %s", p)}
	}
	return f.Log().Records(ctx, locs)
}

func (r *Reader) allowed(ctx context.Context, who access.Caller, p hub.Partition, recs []hub.Record) ([]hub.Record, error) {
	return allowed(recs, func(some []*hub.Record) ([]bool, error) { return r.readable(ctx, who, p, some) })
}

func allowed(recs []hub.Record, readable func([]*hub.Record) ([]bool, error)) ([]hub.Record, error) {
	some := make([]*hub.Record, len(recs))
	for i := range recs {
		some[i] = &recs[i]
	}
	may, err := readable(some)
	keep := make([]hub.Record, 0, len(recs))
	for i := range may {
		if may[i] {
			keep = append(keep, recs[i])
		}
	}
	return keep, err
}

func (r *Reader) noteRecords(ctx context.Context, who access.Caller, a audit.Action, typ string, recs []hub.Record, query string) error {
	names := make([]hub.Name, len(recs))
	for i := range recs {
		names[i] = recs[i].Name
	}
	return r.note(ctx, who, a, typ, names, query)
}

func (r *Reader) note(ctx context.Context, who access.Caller, a audit.Action, typ string, names []hub.Name, query string) error {
	return r.trail.Note(ctx, audit.Event{Action: a, Member: who.Member, Token: who.TokenID, Type: typ, Names: names, Query: query, Count: len(names)})
}
