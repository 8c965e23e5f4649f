package imaging

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/dicom"
)

// Origin is the member name on records that the hub makes itself. No institution can have it.
const Origin = access.Hub

// MarkType is the type of the records that say how far a partition's studies have been derived.
const MarkType = "hub.mark"

type mark struct {
	Through uint64 `json:"through"`
}

// Deriver keeps the FHIR resources that follow from DICOM: an ImagingStudy for each study, with the Study Instance UID as its
// id, and what its documents say (see documentsOf). It follows the DICOM partitions by a mark that is committed together with
// the resources, so that a crash repeats work but loses none and several hubs can derive side by side. Deriving again what
// has not changed writes nothing.
type Deriver struct {
	Index      hub.Index
	Followers  map[hub.Partition]*projection.Follower
	Records    hub.Partition
	Writer     *commit.Committer // of Records
	Partitions []hub.Partition   // the DICOM ones
	// BodySites are the codes of terms of Body Part Examined.
	BodySites map[string]models.Coding
	// Base is the address of the hub's DICOMweb; "/dicom-web" of the same host by default.
	Base string
	// Reading makes resources of content that this room does not read; nil for none.
	Reading Reading
	// Settle is how long a partition must be quiet, default 250 ms, though a study that is still growing is derived after eight
	// times as long; Poll is how often other hubs' work is looked after, default 3 s.
	Settle, Poll time.Duration
	// Settled, if set, is told of each study that this hub, and no other, derived anew. It must return at once.
	Settled func(study string)

	wake   map[hub.Partition]chan struct{}
	looked uint64 // the last commit of records whose links were looked after; only the loop that does so uses it
}

// NewDeriver completes d. It does nothing until Run.
func NewDeriver(d Deriver) *Deriver {
	if d.Settle == 0 {
		d.Settle = 250 * time.Millisecond
	}
	if d.Poll == 0 {
		d.Poll = 3 * time.Second
	}
	if d.Base == "" {
		d.Base = "/dicom-web"
	}
	d.wake = map[hub.Partition]chan struct{}{}
	for _, p := range append([]hub.Partition{d.Records}, d.Partitions...) {
		d.wake[p] = make(chan struct{}, 1)
	}
	return &d
}

// Run follows the partitions until ctx ends.
func (d *Deriver) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, p := range d.Partitions {
		wg.Go(func() { d.run(ctx, p, func() (bool, error) { return d.Advance(ctx, p) }) })
	}
	wg.Go(func() { d.run(ctx, d.Records, func() (bool, error) { return d.advanceLinks(ctx) }) })
}

// Wake tells the deriver that p, records or one of DICOM, has grown.
func (d *Deriver) Wake(p hub.Partition) {
	select {
	case d.wake[p] <- struct{}{}:
	default:
	}
}

func (d *Deriver) run(ctx context.Context, p hub.Partition, advance func() (more bool, err error)) {
	tick := time.NewTicker(d.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake[p]:
			if !d.settled(ctx, p) {
				return
			}
		case <-tick.C:
		}
		for {
			more, err := advance()
			if err != nil && ctx.Err() == nil && !hub.Is(err, hub.Unavailable) {
				slog.Error("derive imaging studies", "partition", p, "err", err)
			}
			if !more || err != nil {
				break
			}
		}
	}
}

// settled waits until p has been quiet, since each derivation writes a whole study anew; false: ctx has ended.
func (d *Deriver) settled(ctx context.Context, p hub.Partition) bool {
	latest := time.After(8 * d.Settle)
	for {
		select {
		case <-time.After(d.Settle):
			return true
		case <-latest:
			return true
		case <-d.wake[p]:
		case <-ctx.Done():
			return false
		}
	}
}

// batchOfStudies bounds one round of derivation.
const batchOfStudies = 100

// change is a study that is to be derived anew, and the SOP Instance UIDs of those of its instances that were deleted.
type change struct {
	partition hub.Partition
	study     string
	deleted   []string
}

// markMove is how far a mark goes with a derivation.
type markMove struct {
	name     hub.Name
	from, to uint64
}

// Advance derives the next studies of p; more is true when it should be called again.
func (d *Deriver) Advance(ctx context.Context, p hub.Partition) (more bool, err error) {
	m := markMove{name: hub.Name{Type: MarkType, ID: "imaging/" + string(p)}}
	if m.from, err = d.through(ctx, m.name); err != nil {
		return false, err
	}
	applied, err := d.Followers[p].Complete(ctx)
	if err != nil || m.from == applied {
		return false, err
	}
	from := m.from
	if from > applied { // the records were restored from a later copy than this partition: derive all again
		from = 0
	}
	var changes []change
	if changes, m.to, err = d.changed(ctx, p, from, applied); err != nil {
		return false, err
	}
	done, err := d.commitAll(ctx, changes, m)
	if done && d.Settled != nil {
		for _, c := range changes {
			d.Settled(c.study)
		}
	}
	return !done || m.to < applied, err
}

// commitAll derives studies and writes what changed, the last of it together with the mark. done is false when somebody else
// wrote in between: what was derived may rest on what no longer holds, and nothing of it is written.
func (d *Deriver) commitAll(ctx context.Context, changes []change, m markMove) (done bool, err error) {
	for len(changes) > batchOfStudies {
		if done, err = d.commit(ctx, changes[:batchOfStudies], nil); err != nil || !done {
			return false, err
		}
		changes = changes[batchOfStudies:]
	}
	return d.commit(ctx, changes, &m)
}

func (d *Deriver) commit(ctx context.Context, changes []change, m *markMove) (done bool, err error) {
	var drafts []commit.Draft
	versions := map[hub.Name]uint64{} // of the ImagingStudies that the derivation began with
	for _, c := range changes {
		more, version, err := d.derive(ctx, c)
		if err != nil {
			return false, fmt.Errorf("derive study %s: %w", c.study, err)
		}
		versions[studyResource(c.study)] = version
		drafts = appendDrafts(drafts, more)
	}
	if len(drafts) > 0 {
		more, err := d.endpoint(ctx)
		if err != nil {
			return false, err
		}
		drafts = append(drafts, more...)
	}
	if m != nil {
		body, _ := json.Marshal(mark{m.to})
		drafts = append(drafts, commit.Draft{Name: m.name, Body: constant(body)})
	}
	names := make([]hub.Name, 0, len(drafts)+len(versions))
	for i := range drafts {
		names = append(names, drafts[i].Name)
	}
	for n := range versions {
		names = append(names, n)
	}
	if len(drafts) == 0 {
		return true, nil
	}
	_, err = d.Writer.Submit(ctx, commit.Write{Member: Origin, Names: names, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		done = false
		for n, version := range versions {
			head, err := v.Head(ctx, n)
			if err != nil || head.Version != version {
				return nil, err
			}
		}
		if m != nil {
			now, err := markAt(ctx, v, m.name)
			if err != nil || now != m.from {
				return nil, err
			}
		}
		done = true
		return missing(ctx, v, drafts)
	}})
	return done && err == nil, err
}

// appendDrafts leaves out what is made for a member a second time: two studies of one patient.
func appendDrafts(drafts, more []commit.Draft) []commit.Draft {
	for _, d := range more {
		if d.Member == "" || !slices.ContainsFunc(drafts, func(o commit.Draft) bool { return o.Name == d.Name }) {
			drafts = append(drafts, d)
		}
	}
	return drafts
}

// missing leaves out what is made for a member and has come by another way since it was looked for.
func missing(ctx context.Context, v *commit.View, drafts []commit.Draft) ([]commit.Draft, error) {
	left := make([]commit.Draft, 0, len(drafts))
	for _, d := range drafts {
		if d.Member != "" {
			head, err := v.Head(ctx, d.Name)
			if err != nil {
				return nil, err
			}
			if head.Version > 0 && !head.Deleted {
				continue
			}
		}
		left = append(left, d)
	}
	return left, nil
}

func (d *Deriver) through(ctx context.Context, n hub.Name) (uint64, error) {
	f := d.Followers[d.Records]
	heads, err := f.Heads(ctx, []hub.Name{n})
	if err != nil || heads[0].Version == 0 {
		return 0, err
	}
	rec, err := f.Log().Record(ctx, heads[0].Loc)
	if err != nil {
		return 0, err
	}
	return readMark(&rec)
}

func markAt(ctx context.Context, v *commit.View, n hub.Name) (uint64, error) {
	head, err := v.Head(ctx, n)
	if err != nil || head.Version == 0 {
		return 0, err
	}
	rec, err := v.Record(ctx, n)
	if err != nil {
		return 0, err
	}
	return readMark(&rec)
}

func readMark(rec *hub.Record) (uint64, error) {
	var m mark
	err := json.Unmarshal(rec.Body, &m)
	return m.Through, err
}

// changed lists the studies that commits after `after` touched, up to batchOfStudies, and the commit reached.
func (d *Deriver) changed(ctx context.Context, p hub.Partition, after, to uint64) (studies []change, reached uint64, err error) {
	at := map[string]int{}
	reached = after
	to = min(to, after+1000)
	err = d.Followers[p].Log().Commits(ctx, after+1, to, func(c *hub.Commit, _ []byte) error {
		if len(studies) >= batchOfStudies {
			return projection.ErrEnough
		}
		for i := range c.Records {
			uid, below, ok := studyOf(c.Records[i].Name)
			if !ok {
				continue
			}
			if _, seen := at[uid]; !seen {
				at[uid] = len(studies)
				studies = append(studies, change{partition: p, study: uid})
			}
			if c.Records[i].Deleted && c.Records[i].Name.Type == dicom.Instance.Type() {
				one := &studies[at[uid]]
				one.deleted = append(one.deleted, below)
			}
		}
		reached = c.Seq
		return nil
	})
	return studies, reached, err
}

// studyOf is the study that a record is about, and what it is in it.
func studyOf(n hub.Name) (uid, below string, ok bool) {
	switch n.Type {
	case dicom.Study.Type(), dicom.Series.Type(), dicom.Instance.Type():
		uid, below, _ = strings.Cut(n.ID, "/")
		return uid, below, true
	}
	return "", "", false
}
