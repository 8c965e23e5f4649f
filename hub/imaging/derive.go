package imaging

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"concord/hub"
	"concord/hub/commit"
	"concord/hub/projection"
	"concord/internal/dicom"
	"concord/internal/fhir"
)

// endpointName is the resource that says where the images are fetched.
func endpointName() hub.Name { return hub.Name{Type: "Endpoint", ID: "dicom-web"} }

func studyResource(uid string) hub.Name { return hub.Name{Type: "ImagingStudy", ID: uid} }

// resource is one that follows from DICOM.
type resource struct {
	name hub.Name
	body []byte
	// owner, where not empty, is the member that it is made for, if it is not there yet; it is never changed afterwards.
	owner string
}

// derive drafts what is different from what the hub has: the study's resources as they follow from it now, and the end of
// those of deleted documents. version is that of the ImagingStudy at the beginning.
func (d *Deriver) derive(ctx context.Context, c change) (drafts []commit.Draft, version uint64, err error) {
	name := studyResource(c.study)
	heads, err := d.Followers[d.Records].Heads(ctx, []hub.Name{name})
	if err != nil {
		return nil, 0, err
	}
	version = heads[0].Version
	s, err := d.load(ctx, c)
	if hub.Is(err, hub.NotFound) {
		return nil, version, nil
	}
	if err != nil {
		return nil, version, err
	}
	l, err := d.links(ctx, &s.record)
	if err != nil {
		return nil, version, err
	}
	body, err := s.resource(l, d.BodySites)
	if err != nil {
		return nil, version, err
	}
	want := []resource{{name: name, body: body}}
	for i := range s.documents {
		more, err := d.documentsOf(ctx, c.study, &s.documents[i], l)
		if err != nil {
			return nil, version, err
		}
		want = append(want, more...)
	}
	var gone []hub.Name
	for _, sop := range c.deleted {
		gone = append(gone, documentNames(c.study, sop)...)
		if d.Reading != nil {
			gone = append(gone, d.Reading.Names(c.study, sop)...)
		}
	}
	drafts, err = d.drafts(ctx, want, gone)
	for remark, n := range s.remarks {
		if len(drafts) > 0 {
			slog.Warn("instances of a study are not what they declare", "study", c.study, "remark", remark, "instances", n)
		}
	}
	return drafts, version, err
}

func (d *Deriver) endpoint(ctx context.Context) ([]commit.Draft, error) {
	status := models.EndpointStatusActive
	body, err := json.Marshal(models.Endpoint{
		Status: status, Name: ptr("DICOMweb"), Address: d.Base,
		ConnectionType: models.Coding{System: ptr("http://terminology.hl7.org/CodeSystem/endpoint-connection-type"), Code: ptr("dicom-wado-rs")},
		PayloadType:    []models.CodeableConcept{{Text: ptr("DICOM")}}, PayloadMimeType: []string{"application/dicom"},
	})
	if err != nil {
		return nil, err
	}
	return d.drafts(ctx, []resource{{name: endpointName(), body: body}}, nil)
}

// drafts compares what is wanted with what there is. Of a report that changes or goes, the results that it no longer has go
// with it. A name that is not the hub's own is left alone.
func (d *Deriver) drafts(ctx context.Context, want []resource, gone []hub.Name) ([]commit.Draft, error) {
	before, err := d.current(ctx, want, gone)
	if err != nil {
		return nil, err
	}
	var drafts []commit.Draft
	kept := map[hub.Name]bool{}
	for _, r := range want {
		again := kept[r.name]
		kept[r.name] = true
		old, there := before[r.name]
		if r.owner != "" && (there || again) {
			continue
		}
		if there && old.Member != Origin {
			slog.Warn("a resource has the name of a derived one and is left as it is", "name", r.name.String())
			continue
		}
		doc, err := fhir.Parse(r.body, fhir.Limits{})
		if err != nil {
			return nil, fmt.Errorf("derive %s: %w", r.name, err)
		}
		if there && bytes.Equal(doc.Splice(r.name.ID, old.Version, old.Time), old.Body) {
			continue
		}
		drafts = append(drafts, commit.Draft{Name: r.name, Member: r.owner, Body: func(version uint64, at time.Time) []byte { return doc.Splice(r.name.ID, version, at) }})
	}
	for n, old := range before {
		var stale []hub.Name
		if !kept[n] {
			stale = []hub.Name{n}
		}
		for _, result := range append(stale, resultsOf(&old)...) {
			if !kept[result] && old.Member == Origin {
				kept[result] = true // once is enough
				drafts = append(drafts, commit.Draft{Name: result, Delete: true})
			}
		}
	}
	return drafts, nil
}

// current reads those of the resources that there are.
func (d *Deriver) current(ctx context.Context, want []resource, gone []hub.Name) (map[hub.Name]hub.Record, error) {
	names := make([]hub.Name, 0, len(want)+len(gone))
	for _, r := range want {
		names = append(names, r.name)
	}
	names = append(names, gone...)
	f := d.Followers[d.Records]
	heads, err := f.Heads(ctx, names)
	if err != nil {
		return nil, err
	}
	var locs []hub.Loc
	for _, h := range heads {
		if h.Version > 0 && !h.Deleted {
			locs = append(locs, h.Loc)
		}
	}
	records, err := f.Log().Records(ctx, locs)
	if err != nil {
		return nil, err
	}
	there := make(map[hub.Name]hub.Record, len(records))
	for _, r := range records {
		there[r.Name] = r
	}
	return there, nil
}

// load reads what the hub has of a study; a study that never was is NotFound.
func (d *Deriver) load(ctx context.Context, c change) (*study, error) {
	f := d.Followers[c.partition]
	heads, err := f.Heads(ctx, []hub.Name{dicom.StudyName(c.study)})
	if err != nil {
		return nil, err
	}
	if heads[0].Version == 0 {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "there is no such study"}
	}
	s := &study{gone: heads[0].Deleted, remarks: map[string]int{}}
	if s.record, err = f.Log().Record(ctx, heads[0].Loc); err != nil {
		return nil, err
	}
	if s.gone {
		s.record, err = f.Log().Record(ctx, s.record.Prev)
		return s, err
	}
	at := map[string]int{}
	if err := d.each(ctx, f, question(dicom.Series, c.study), func(rec *hub.Record) bool {
		a := parse(rec)
		uid := a.text(0x0020000E)
		at[uid] = len(s.series)
		s.series = append(s.series, seriesOf{attributes: a, uid: uid})
		return true
	}); err != nil {
		return nil, err
	}
	listed := 0
	if err := d.each(ctx, f, question(dicom.Instance, c.study), func(rec *hub.Record) bool {
		a := parse(rec)
		i, ok := at[a.text(0x0020000E)]
		if !ok { // of a series that came after the series were listed: the next derivation has it
			return true
		}
		one := &s.series[i]
		if one.first == nil {
			one.first = a
		}
		one.instances = append(one.instances, instanceOf(a))
		one.count++
		if rec.Blob != nil && rec.Blob.Remark != "" {
			s.remarks[rec.Blob.Remark]++
		}
		listed++
		return listed < ListedInstances
	}); err != nil {
		return nil, err
	}
	if listed == ListedInstances {
		if err := d.count(ctx, f, c.study, s.series); err != nil {
			return nil, err
		}
	}
	documents := question(dicom.Instance, c.study)
	classes := documentClasses()
	if d.Reading != nil {
		classes = append(classes, d.Reading.Classes()...)
	}
	documents.All = append(documents.All, ofClass(classes))
	err = d.each(ctx, f, documents, func(rec *hub.Record) bool {
		s.documents = append(s.documents, *rec)
		return len(s.documents) < mostDocuments
	})
	return s, err
}

// count asks how many instances the series of a large study have.
func (d *Deriver) count(ctx context.Context, f *projection.Follower, study string, series []seriesOf) error {
	for i := range series {
		q := question(dicom.Instance, study)
		q.All = append(q.All, equals(SeriesParam, series[i].uid))
		q.Limit, q.Count = 0, true
		page, err := f.Search(ctx, q)
		if err != nil {
			return err
		}
		series[i].count = int(page.Total)
	}
	return nil
}

func question(level dicom.Level, study string) hub.Query {
	return hub.Query{Type: level.Type(), Routes: []string{study}, Limit: 500, All: []hub.Clause{equals(StudyParam, study)}}
}

func ofClass(classes []string) hub.Clause {
	c := hub.Clause{Param: "00080016"}
	for _, uid := range classes {
		c.Any = append(c.Any, hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: uid})
	}
	return c
}

// each reads what a question finds until do has enough.
func (d *Deriver) each(ctx context.Context, f *projection.Follower, q hub.Query, do func(*hub.Record) bool) error {
	for {
		page, err := f.Search(ctx, q)
		if err != nil {
			return err
		}
		locs := make([]hub.Loc, len(page.Hits))
		for i := range page.Hits {
			locs[i] = page.Hits[i].Head.Loc
		}
		recs, err := f.Log().Records(ctx, locs)
		if err != nil {
			return err
		}
		for i := range recs {
			if !do(&recs[i]) {
				return nil
			}
		}
		if !page.More || len(page.Hits) == 0 {
			return nil
		}
		q.After = &page.Hits[len(page.Hits)-1].Pos
	}
}
