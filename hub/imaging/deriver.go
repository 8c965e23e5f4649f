package imaging

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/dicom"
	"concord/internal/fhir"
)

// Origin is the member name on records that the hub makes itself. No institution can have it.
const Origin = "concord"

// MarkType is the type of the records that say how far a partition's studies have been derived.
const MarkType = "hub.mark"

type mark struct {
	Through uint64 `json:"through"`
}

// Deriver keeps an ImagingStudy resource for each study, with the Study Instance UID as its id. It follows the
// DICOM partitions by a mark that is committed together with the resources, so that a crash repeats work but loses none
// and several hubs can derive side by side.
type Deriver struct {
	Index      hub.Index
	Followers  map[hub.Partition]*projection.Follower
	Records    hub.Partition
	Writer     *commit.Committer // of Records
	Partitions []hub.Partition   // the DICOM ones
	// Settle is how long a partition must be quiet, default 250 ms, though a study that is still growing is derived after eight
	// times as long; Poll is how often other hubs' work is looked after, default 3 s.
	Settle, Poll time.Duration

	wake map[hub.Partition]chan struct{}
}

// NewDeriver completes d. It does nothing until Run.
func NewDeriver(d Deriver) *Deriver {
	if d.Settle == 0 {
		d.Settle = 250 * time.Millisecond
	}
	if d.Poll == 0 {
		d.Poll = 3 * time.Second
	}
	d.wake = map[hub.Partition]chan struct{}{}
	for _, p := range d.Partitions {
		d.wake[p] = make(chan struct{}, 1)
	}
	return &d
}

// Run follows the partitions until ctx ends.
func (d *Deriver) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, p := range d.Partitions {
		wg.Go(func() { d.run(ctx, p) })
	}
}

// Wake tells the deriver that p has grown.
func (d *Deriver) Wake(p hub.Partition) {
	select {
	case d.wake[p] <- struct{}{}:
	default:
	}
}

func (d *Deriver) run(ctx context.Context, p hub.Partition) {
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
			more, err := d.Advance(ctx, p)
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

// Advance derives the next studies of p; more is true when it should be called again.
func (d *Deriver) Advance(ctx context.Context, p hub.Partition) (more bool, err error) {
	records := d.Followers[d.Records]
	for _, f := range []*projection.Follower{d.Followers[p], records} {
		if err := f.Check(ctx); err != nil {
			return false, err
		}
	}
	markName := hub.Name{Type: MarkType, ID: "imaging/" + string(p)}
	through, err := d.through(ctx, markName)
	if err != nil {
		return false, err
	}
	marks, err := d.Index.Marks(ctx, p)
	if err != nil || through == marks.Applied {
		return false, err
	}
	from := through
	if from > marks.Applied { // the records were restored from a later copy than this partition: derive all again
		from = 0
	}
	studies, reached, err := d.changed(ctx, p, from, marks.Applied)
	if err != nil {
		return false, err
	}
	drafts, names := make([]commit.Draft, 0, len(studies)+1), make([]hub.Name, 0, len(studies)+1)
	for _, uid := range studies {
		draft, err := d.derive(ctx, p, uid)
		if err != nil {
			return false, err
		}
		drafts, names = append(drafts, draft), append(names, draft.Name)
	}
	body, _ := json.Marshal(mark{reached})
	drafts = append(drafts, commit.Draft{Name: markName, Body: constant(body)})
	_, err = d.Writer.Submit(ctx, commit.Write{
		Member: Origin,
		Names:  append(names, markName),
		Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
			now, err := markAt(ctx, v, markName)
			if err != nil || now != through { // another hub was here first
				return nil, err
			}
			return drafts, nil
		},
	})
	return reached < marks.Applied, err
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
func (d *Deriver) changed(ctx context.Context, p hub.Partition, after, to uint64) (studies []string, reached uint64, err error) {
	seen := map[string]bool{}
	reached = after
	to = min(to, after+1000)
	err = d.Followers[p].Log().Commits(ctx, after+1, to, func(c *hub.Commit, _ []byte) error {
		if len(studies) >= batchOfStudies {
			return nil
		}
		for i := range c.Records {
			uid, ok := studyOf(c.Records[i].Name)
			if ok && !seen[uid] {
				seen[uid] = true
				studies = append(studies, uid)
			}
		}
		reached = c.Seq
		return nil
	})
	return studies, reached, err
}

func studyOf(n hub.Name) (uid string, ok bool) {
	switch n.Type {
	case dicom.Study.Type():
		return n.ID, true
	case dicom.Series.Type(), dicom.Instance.Type():
		for i := 0; i < len(n.ID); i++ {
			if n.ID[i] == '/' {
				return n.ID[:i], true
			}
		}
	}
	return "", false
}

// derive builds the ImagingStudy of one study as it is now.
func (d *Deriver) derive(ctx context.Context, p hub.Partition, uid string) (commit.Draft, error) {
	name := hub.Name{Type: "ImagingStudy", ID: uid}
	s, err := d.load(ctx, p, uid)
	if hub.Is(err, hub.NotFound) {
		return commit.Draft{Name: name, Delete: true}, nil
	}
	if err != nil {
		return commit.Draft{}, err
	}
	subject, err := d.subject(ctx, &s.record)
	if err != nil {
		return commit.Draft{}, err
	}
	raw, err := s.imagingStudy(subject)
	if err != nil {
		return commit.Draft{}, err
	}
	doc, err := fhir.Parse(raw, fhir.Limits{})
	if err != nil {
		return commit.Draft{}, fmt.Errorf("derive an imaging study: %w", err)
	}
	return commit.Draft{Name: name, Body: func(version uint64, at time.Time) []byte { return doc.Splice(uid, version, at) }}, nil
}

func (d *Deriver) load(ctx context.Context, p hub.Partition, uid string) (*study, error) {
	f := d.Followers[p]
	heads, err := f.Heads(ctx, []hub.Name{dicom.StudyName(uid)})
	if err != nil {
		return nil, err
	}
	if heads[0].Version == 0 || heads[0].Deleted {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "the study is gone"}
	}
	s := &study{}
	if s.record, err = f.Log().Record(ctx, heads[0].Loc); err != nil {
		return nil, err
	}
	if s.series, err = d.children(ctx, f, dicom.Series.Type(), uid); err != nil {
		return nil, err
	}
	s.instances, err = d.children(ctx, f, dicom.Instance.Type(), uid)
	return s, err
}

func (d *Deriver) children(ctx context.Context, f *projection.Follower, typ, uid string) ([]hub.Record, error) {
	q := hub.Query{Type: typ, Routes: []string{uid}, Limit: 1000,
		All: []hub.Clause{{Param: StudyParam, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: uid}}}}}
	var all []hub.Record
	for {
		page, err := f.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		locs := make([]hub.Loc, len(page.Hits))
		for i := range page.Hits {
			locs[i] = page.Hits[i].Head.Loc
		}
		recs, err := f.Log().Records(ctx, locs)
		if err != nil {
			return nil, err
		}
		all = append(all, recs...)
		if !page.More || len(page.Hits) == 0 {
			return all, nil
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
}

// subject says whose study it is: the Patient resource of the same member that carries the Patient ID as an identifier,
// when there is exactly one; the identifier in any case.
func (d *Deriver) subject(ctx context.Context, rec *hub.Record) (models.Reference, error) {
	attrs := parse(rec)
	id := attrs.text(0x00100020)
	ref := models.Reference{Type: ptr("Patient"), Display: textOrNil(attrs.text(0x00100010))}
	if id == "" {
		return ref, nil
	}
	ref.Identifier = &models.Identifier{Value: &id}
	if issuer := attrs.text(0x00100021); issuer != "" {
		ref.Identifier.Assigner = &models.Reference{Display: &issuer}
	}
	q, err := fhir.CompileSearch("Patient", []fhir.Pair{{Name: "identifier", Value: fhir.Escape(id)}}, fhir.SearchOptions{})
	if err != nil {
		return ref, nil // an id that no search can ask for links to nobody
	}
	q.Query.Limit = 20
	f := d.Followers[d.Records]
	page, err := f.Search(ctx, q.Query)
	if err != nil {
		return ref, err
	}
	var own []hub.Record
	for _, hit := range page.Hits {
		p, err := f.Log().Record(ctx, hit.Head.Loc)
		if err != nil {
			return ref, err
		}
		if p.Member == rec.Member {
			own = append(own, p)
		}
	}
	if len(own) == 1 {
		ref.Reference = ptr(own[0].Name.String())
	}
	return ref, nil
}
