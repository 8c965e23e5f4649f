// Package imaging takes DICOM instances in: it streams the bytes to their blob while a bounded scan reads the
// header, keeps one record for the study, one for the series and one for the instance, and derives the ImagingStudy
// resource that FHIR clients see (Deriver).
//
// Records: "dicom.study" (ID: Study Instance UID), "dicom.series" (study/series), "dicom.instance"
// (study/SOP Instance UID) and "dicom.duplicate" (study/SOP/first digits of the digest): an instance whose UID came
// again with other bytes. The first one stays what is shown; the other is kept.
package imaging

import (
	"context"
	"hash"
	"io"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/dicom"
)

// DuplicateType is the type of the records of instances whose UID came again with other bytes.
const DuplicateType = "dicom.duplicate"

// The parameters under which series and instances are found by their parents' UIDs.
const (
	StudyParam  = "0020000D"
	SeriesParam = "0020000E"
)

const (
	sopInstanceUID dicom.Tag = 0x00080018
	modality       dicom.Tag = 0x00080060
	patientID      dicom.Tag = 0x00100020
	seriesUID      dicom.Tag = 0x0020000E
)

// Archive takes instances in.
type Archive struct {
	Objects     hub.Objects
	Stager      hub.Stager
	Index       hub.Index
	Partitions  []hub.Partition // all that have studies
	Followers   map[hub.Partition]*projection.Follower
	Writers     map[hub.Partition]*commit.Committer
	PartitionOf func(study string) hub.Partition
	Limits      dicom.Limits
	Now         func() time.Time
	// Took is told the size of each blob that was stored, for metrics.
	Took func(bytes int64)
	// Remarked is told the remark on each blob that has one, for metrics.
	Remarked func(remark string)

	lanes lanes

	buffers sync.Pool // *[]byte, for the tees
}

// tee copies what is read to the stage and its digest. The scanner reads headers from it in small pieces and discards
// pixels, which go on in large ones.
type tee struct {
	r       io.Reader
	stage   io.Writer
	sum     hash.Hash
	buffers *sync.Pool
}

const teeBuffer = 128 << 10

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if werr := t.pass(p[:n]); werr != nil {
		return n, werr
	}
	return n, err
}

// Taker is what a reader may implement to hand out its next bytes, at least one and at most max, where they lie; they are
// good until its next method is called.
type Taker interface {
	Take(max int) ([]byte, error)
}

// Discard implements dicom.Discarder: it passes on n bytes, or fewer with an error.
func (t *tee) Discard(n int) (int, error) {
	from, ok := t.r.(Taker)
	if !ok {
		return t.copyAway(n)
	}
	for done := 0; done < n; {
		piece, err := from.Take(n - done)
		done += len(piece)
		if werr := t.pass(piece); werr != nil {
			return done, werr
		}
		if err != nil {
			return done, err
		}
	}
	return n, nil
}

func (t *tee) copyAway(n int) (int, error) {
	buf, ok := t.buffers.Get().(*[]byte)
	if !ok {
		b := make([]byte, teeBuffer)
		buf = &b
	}
	defer t.buffers.Put(buf)
	for done := 0; done < n; {
		k, err := fill(t.r, (*buf)[:min(n-done, teeBuffer)])
		done += k
		if werr := t.pass((*buf)[:k]); werr != nil {
			return done, werr
		}
		if err != nil {
			return done, err
		}
	}
	return n, nil
}

func (t *tee) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	t.sum.Write(p)
	if _, err := t.stage.Write(p); err != nil {
		return &stageError{err}
	}
	return nil
}

// fill reads until p is full. Unlike io.ReadFull it returns the reader's own error, so that the end of a file is not taken
// for a connection that broke off, nor the other way round.
func fill(r io.Reader, p []byte) (n int, err error) {
	for empty := 0; n < len(p) && err == nil; {
		var k int
		k, err = r.Read(p[n:])
		n += k
		if empty++; k > 0 {
			empty = 0
		}
		if empty == 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	if n == len(p) && err == io.EOF {
		err = nil // the next Read says it again
	}
	return n, err
}

// stageError is a fault of our store, not of the sender's bytes.
type stageError struct{ err error }

func (e *stageError) Error() string { return "keep the bytes: " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// Result says what became of an instance.
type Result uint8

const (
	Stored    Result = iota // it is new and durable
	Known                   // the same bytes were there already
	Duplicate               // the UID was there with other bytes; both are kept, the first is shown
)

// Warning is what is odd about an instance that is kept like any other all the same: one of two senders is wrong, and nobody here can
// tell which.
type Warning uint8

const (
	Sound        Warning = iota // nothing is
	OtherPatient                // its Patient ID is not that of its study
	OtherStudy                  // an instance of another study has its SOP Instance UID
)

// String is what the sender is told, within the 64 characters of an Error Comment.
func (w Warning) String() string {
	return [...]string{"", "stored, but its Patient ID is not that of its study", "stored, but another study has an instance of the same UID"}[w]
}

// Element is the attribute that is odd.
func (w Warning) Element() dicom.Tag { return [...]dicom.Tag{0, patientID, sopInstanceUID}[w] }

// Outcome is what became of an instance.
type Outcome struct {
	Result  Result
	Warning Warning
	Err     error
}

// Commit makes kept instances visible, each for itself, in as few commits as their studies' partitions allow. The
// outcomes are in their order.
func (a *Archive) Commit(ctx context.Context, member string, kept []*Kept) []Outcome {
	outcomes := make([]Outcome, len(kept))
	at := map[hub.Partition][]int{}
	for i, k := range kept {
		outcomes[i].Result = k.result
		if !k.done {
			p := a.PartitionOf(k.header.StudyInstanceUID)
			at[p] = append(at[p], i)
		}
	}
	var wg sync.WaitGroup
	for p, positions := range at {
		wg.Go(func() {
			for len(positions) > 0 {
				positions = a.commitTo(ctx, a.Writers[p], member, kept, positions, outcomes)
			}
		})
	}
	wg.Wait()
	a.lookElsewhere(ctx, kept, outcomes)
	return outcomes
}

// commitTo commits the instances at the positions. Those that met another file of their UID come back: they were compared
// with it, outside of the committer's queue, and ask again.
func (a *Archive) commitTo(ctx context.Context, w *commit.Committer, member string, kept []*Kept, positions []int, outcomes []Outcome) (again []int) {
	writes := make([]commit.Write, len(positions))
	for j, i := range positions {
		writes[j] = kept[i].write(member)
	}
	for j, o := range w.SubmitAll(ctx, writes) {
		i, k := positions[j], kept[positions[j]]
		if o.Err == nil && k.met != nil {
			var same bool
			if same, o.Err = a.sameAs(ctx, k.met, k.blob); o.Err == nil && !same {
				k.other, again = k.met.SHA256, append(again, i)
				continue
			}
			k.result = Known
		}
		outcomes[i] = Outcome{k.result, k.warning, o.Err}
		if o.Err != nil || k.result == Known {
			continue
		}
		if a.Took != nil {
			a.Took(k.blob.Size)
		}
		if k.blob.Remark != "" && a.Remarked != nil {
			a.Remarked(k.blob.Remark)
		}
	}
	return again
}

// intake is one instance on its way into the log.
type intake struct {
	blob   *hub.Blob
	header *dicom.Header
	body   []byte
	other  string // digest of the file that its UID was there with, compared and found to be another instance
	// What the last plan found:
	result  Result
	warning Warning
	begins  bool      // a series
	met     *hub.Blob // a file of its UID that it was not compared with yet; nothing is written then
}

func (in *intake) write(member string) commit.Write {
	h := in.header
	return commit.Write{
		Member: member,
		Names:  []hub.Name{dicom.StudyName(h.StudyInstanceUID), dicom.SeriesName(h.StudyInstanceUID, h.SeriesInstanceUID), dicom.InstanceName(h.StudyInstanceUID, h.SOPInstanceUID)},
		Plan:   in.plan,
	}
}

func (in *intake) plan(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
	h := in.header
	name := dicom.InstanceName(h.StudyInstanceUID, h.SOPInstanceUID)
	head, err := v.Head(ctx, name)
	if err != nil {
		return nil, err
	}
	instance := commit.Draft{Name: name, Blob: in.blob, Body: constant(in.body)}
	if head.Version > 0 && !head.Deleted {
		return in.again(ctx, v, instance)
	}
	in.result, in.met = Stored, nil
	drafts, err := in.parents(ctx, v)
	return append(drafts, instance), err
}

// again handles a UID that is there already: the same instance is no change, another is kept beside the first.
func (in *intake) again(ctx context.Context, v *commit.View, d commit.Draft) ([]commit.Draft, error) {
	first, err := v.Record(ctx, d.Name)
	if err != nil {
		return nil, err
	}
	in.met = nil
	if first.Blob != nil && first.Blob.SHA256 == in.blob.SHA256 {
		in.result = Known
		return nil, nil
	}
	if first.Blob != nil && first.Blob.SHA256 != in.other {
		in.met = first.Blob
		return nil, nil
	}
	in.result = Duplicate
	d.Name = hub.Name{Type: DuplicateType, ID: d.Name.ID + "/" + in.blob.SHA256[:16]}
	head, err := v.Head(ctx, d.Name)
	if err != nil || head.Version > 0 {
		return nil, err
	}
	return []commit.Draft{d}, nil
}

// parents drafts what is new of study and series.
func (in *intake) parents(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
	h := in.header
	in.warning, in.begins = Sound, true
	series := commit.Draft{Name: dicom.SeriesName(h.StudyInstanceUID, h.SeriesInstanceUID)}
	study := dicom.StudyName(h.StudyInstanceUID)
	head, err := v.Head(ctx, study)
	if err != nil {
		return nil, err
	}
	if head.Version == 0 || head.Deleted {
		series.Body = constant(dicom.AppendSeriesJSON(nil, h))
		return []commit.Draft{series, {Name: study, Body: constant(dicom.AppendStudyJSON(nil, h))}}, nil
	}
	rec, err := v.Record(ctx, study)
	if err != nil {
		return nil, err
	}
	if patientOf(rec.Body) != h.Text(patientID) {
		in.warning = OtherPatient
	}
	if head, err = v.Head(ctx, series.Name); err != nil {
		return nil, err
	}
	var drafts []commit.Draft
	if in.begins = head.Version == 0 || head.Deleted; in.begins {
		series.Body = constant(dicom.AppendSeriesJSON(nil, h))
		drafts = append(drafts, series)
	}
	if body := dicom.WithInstance(rec.Body, h); body != nil {
		drafts = append(drafts, commit.Draft{Name: study, Member: rec.Member, Body: constant(body)})
	}
	return drafts, nil
}

// patientOf is the Patient ID in a study's attributes.
func patientOf(body []byte) string {
	for a := range dicom.Attributes(body) {
		if a.Tag == patientID {
			if all := a.Strings(); len(all) > 0 {
				return all[0]
			}
		}
	}
	return ""
}

func constant(body []byte) func(uint64, time.Time) []byte {
	return func(uint64, time.Time) []byte { return body }
}

// Retrievable says whether the images of a study can be fetched now: the study has an instance and its bytes open.
func (a *Archive) Retrievable(ctx context.Context, study string) (bool, error) {
	f := a.Followers[a.PartitionOf(study)]
	page, err := f.Search(ctx, hub.Query{Type: dicom.Instance.Type(), Routes: []string{study}, Limit: 1,
		All: []hub.Clause{{Param: StudyParam, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: study}}}}})
	if err != nil || len(page.Hits) == 0 {
		return false, err
	}
	rec, err := f.Log().Record(ctx, page.Hits[0].Head.Loc)
	if err != nil || rec.Blob == nil {
		return false, err
	}
	body, err := rec.Blob.Open(ctx, a.Objects, 0, 1)
	if hub.Is(err, hub.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, body.Close()
}
