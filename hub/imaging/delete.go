package imaging

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/commit"
	"concord/internal/dicom"
)

// Place names a study, one of its series (Series set), or one of its instances (Instance set, Series as the caller
// believes it or empty).
type Place struct{ Study, Series, Instance string }

// mostDeleted bounds what one deletion takes away.
const mostDeleted = 100_000

// Delete takes away what is at a place, for everybody and at once: each instance, and the series and study that have none
// left, get a tombstone. may is asked about the record of each instance: NotFound says that the member may not know of it,
// any other error refuses them all. The bytes and the versions before stay in the store until retention says otherwise; the
// same UID may be stored again and is its next version.
//
// What never was, or may not be known of, is NotFound, what is deleted already Gone. It returns how many instances there were.
func (a *Archive) Delete(ctx context.Context, member string, at Place, may func(*hub.Record) error) (int, error) {
	d := &deletion{Place: at, may: may}
	names := []hub.Name{dicom.StudyName(at.Study)}
	if at.Series != "" {
		names = append(names, dicom.SeriesName(at.Study, at.Series))
	}
	if at.Instance != "" {
		names = append(names, dicom.InstanceName(at.Study, at.Instance))
	}
	_, err := a.Writers[a.PartitionOf(at.Study)].Submit(ctx, commit.Write{Member: member, Names: names, Plan: d.plan})
	return d.count, err
}

// deletion is one on its way into the log.
type deletion struct {
	Place
	may func(*hub.Record) error
	// Found by the last plan:
	count   int            // of instances
	classes map[string]int // how many of them are of each SOP class
}

func (d *deletion) plan(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
	instances, err := d.instances(ctx, v)
	if err != nil {
		return nil, err
	}
	d.count, d.classes = len(instances), map[string]int{}
	drafts, unknown := make([]commit.Draft, 0, len(instances)+2), 0
	for _, n := range instances {
		rec, err := v.Record(ctx, n)
		if err != nil {
			return nil, err
		}
		switch err := d.may(&rec); {
		case hub.Is(err, hub.NotFound):
			unknown++
			continue
		case err != nil:
			return nil, err
		}
		drafts = append(drafts, commit.Draft{Name: n, Delete: true})
		if d.Instance == "" && d.Series == "" {
			continue
		}
		attrs := parse(&rec)
		d.classes[attrs.text(sopClass)]++
		switch series := attrs.text(seriesUID); {
		case d.Series == "":
			d.Series = series
		case d.Series != series:
			return nil, errNothingThere()
		}
	}
	switch {
	case unknown == len(instances):
		return nil, errNothingThere()
	case unknown > 0:
		return nil, &hub.Error{Kind: hub.Forbidden, Msg: "not all of it may be changed by the member"}
	}
	above, err := d.above(ctx, v)
	return append(drafts, above...), err
}

func errNothingThere() error {
	return &hub.Error{Kind: hub.NotFound, Msg: "there is no such study, series or instance"}
}

// instances are those to be deleted; there is at least one.
func (d *deletion) instances(ctx context.Context, v *commit.View) ([]hub.Name, error) {
	if d.Instance != "" {
		name := dicom.InstanceName(d.Study, d.Instance)
		head, err := v.Head(ctx, name)
		if err != nil || head.Version > 0 && !head.Deleted {
			return []hub.Name{name}, err
		}
		return nil, d.gone(ctx, v, name)
	}
	found, err := v.Find(ctx, inside(dicom.Instance, d.Study, d.Series, mostDeleted+1))
	switch {
	case err != nil:
		return nil, err
	case len(found) > mostDeleted:
		return nil, &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("a deletion takes %d instances at most", mostDeleted), Hint: "delete series by series"}
	case len(found) == 0 && d.Series != "":
		return nil, d.gone(ctx, v, dicom.SeriesName(d.Study, d.Series))
	case len(found) == 0:
		return nil, d.gone(ctx, v, dicom.StudyName(d.Study))
	}
	return found, nil
}

// gone tells what was deleted, and may be known of, from what never was.
func (d *deletion) gone(ctx context.Context, v *commit.View, n hub.Name) error {
	head, err := v.Head(ctx, n)
	if err != nil {
		return err
	}
	if !head.Deleted {
		return errNothingThere()
	}
	rec, err := v.Record(ctx, n)
	switch {
	case err != nil:
		return err
	case hub.Is(d.may(&rec), hub.NotFound):
		return errNothingThere()
	}
	return &hub.Error{Kind: hub.Gone, Msg: "it was deleted"}
}

// above drafts what becomes of series and study.
func (d *deletion) above(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
	goes := func(n hub.Name) bool { return d.Series == "" || n == dicom.SeriesName(d.Study, d.Series) }
	if d.Instance != "" {
		left, err := v.Find(ctx, inside(dicom.Instance, d.Study, d.Series, 2))
		if err != nil {
			return nil, err
		}
		if len(left) > 1 {
			goes = func(hub.Name) bool { return false }
		}
	}
	series, err := v.Find(ctx, inside(dicom.Series, d.Study, "", mostDeleted))
	if err != nil {
		return nil, err
	}
	var drafts []commit.Draft
	var left []hub.Name
	for _, n := range series {
		if goes(n) {
			drafts = append(drafts, commit.Draft{Name: n, Delete: true})
		} else {
			left = append(left, n)
		}
	}
	study := dicom.StudyName(d.Study)
	if len(left) == 0 {
		return append(drafts, commit.Draft{Name: study, Delete: true}), nil
	}
	rec, err := v.Record(ctx, study)
	if err != nil {
		return nil, err
	}
	modalities, classes := dicom.StudyCodes(rec.Body)
	if len(drafts) > 0 {
		if modalities, err = modalitiesOf(ctx, v, left); err != nil {
			return nil, err
		}
	}
	if classes, err = d.classesLeft(ctx, v, classes); err != nil {
		return nil, err
	}
	body := dicom.WithStudyCodes(rec.Body, modalities, classes)
	if body == nil {
		return drafts, nil
	}
	return append(drafts, commit.Draft{Name: study, Member: rec.Member, Body: constant(body)}), nil
}

func modalitiesOf(ctx context.Context, v *commit.View, series []hub.Name) (all []string, err error) {
	for _, n := range series {
		rec, err := v.Record(ctx, n)
		if err != nil {
			return nil, err
		}
		if m := parse(&rec).text(modality); m != "" && !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all, nil
}

// classesLeft leaves, of the SOP classes of a study of which something is left, those that something left is of.
func (d *deletion) classesLeft(ctx context.Context, v *commit.View, classes []string) (left []string, err error) {
	for _, class := range classes {
		if going := d.classes[class]; going > 0 && len(classes) > 1 {
			q := inside(dicom.Instance, d.Study, "", going+1)
			q.All = append(q.All, equals(sopClass.Hex(), class))
			there, err := v.Find(ctx, q)
			if err != nil {
				return nil, err
			}
			if len(there) <= going {
				continue
			}
		}
		left = append(left, class)
	}
	return left, nil
}

// inside asks for what a study, or one of its series, has of a level.
func inside(level dicom.Level, study, series string, limit int) hub.Query {
	q := hub.Query{Type: level.Type(), Routes: []string{study}, Limit: limit, All: []hub.Clause{equals(StudyParam, study)}}
	if series != "" {
		q.All = append(q.All, equals(SeriesParam, series))
	}
	return q
}

func equals(param, text string) hub.Clause {
	return hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: text}}}
}

// Deleted tells whether a study, series or instance was there and is no more. It is for the hub's own housekeeping: nothing
// of it may be told to a caller that may not know.
func (a *Archive) Deleted(ctx context.Context, n hub.Name) (bool, error) {
	study, _, _ := strings.Cut(n.ID, "/")
	heads, err := a.Followers[a.PartitionOf(study)].Heads(ctx, []hub.Name{n})
	return err == nil && heads[0].Deleted, err
}
