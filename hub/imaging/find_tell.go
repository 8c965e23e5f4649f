package imaging

import (
	"context"
	"slices"
	"strconv"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/internal/dicom"
)

// telling is one page of matches on its way to what is told of them.
type telling struct {
	*Finder
	who  access.Caller
	find *dicom.Find
	all  []Found
	// counted holds for each match the numbers that are wanted.
	counted [][]count
	// at is where the index was when the matches were found.
	at      map[hub.Partition]hub.Marks
	studies map[string]*hub.Record
	kind    *rowKind
	merger  dicom.Merger
	// bodies is the array of those that were made so far; computed and merged are made anew for each.
	bodies, computed, merged []byte
}

// count is a computed number (PS3.4 C.3.4).
type count struct {
	tag dicom.Tag
	n   int64
}

// tell completes records to what is wanted of them.
func (f *Finder) tell(ctx context.Context, who access.Caller, find *dicom.Find, found lookup.Result, kind *rowKind) (Page, error) {
	recs := found.Records
	t := &telling{Finder: f, who: who, find: find, all: make([]Found, len(recs)), counted: make([][]count, len(recs)), at: found.At, kind: kind}
	t.merger.Else = find.Blank()
	for i := range recs {
		t.all[i] = foundOf(find.Level, &recs[i])
	}
	if err := t.count(ctx); err != nil {
		return Page{}, err
	}
	if find.WantsStudy() {
		if err := t.readStudies(ctx); err != nil {
			return Page{}, err
		}
	}
	size := 0
	for i := range recs {
		size += len(recs[i].Body) + perBody
	}
	if t.bodies = f.Space[:0]; cap(t.bodies) < size {
		t.bodies = make([]byte, 0, size)
	}
	for i := range t.all {
		t.bodies = append(t.bodies, "[,"[min(i, 1)])
		t.all[i].Body = t.body(i)
	}
	t.bodies = append(t.bodies, ']')
	return Page{Found: t.all, Bodies: t.bodies, Next: found.Next}, nil
}

func foundOf(level dicom.Level, rec *hub.Record) Found {
	study, own := places(rec)
	found := Found{Study: study, Record: rec}
	switch level {
	case dicom.Series:
		found.Series = own
	case dicom.Instance:
		found.Series, found.Instance = parse(rec).text(seriesUID), own
	}
	return found
}

// body is what is told of the i-th match.
func (t *telling) body(i int) []byte {
	from := len(t.bodies)
	if row := t.row(i); row != nil {
		t.bodies = appendWhole(t.bodies, row, func(dst []byte, tag dicom.Tag) []byte { return t.appendComputed(dst, i, tag) })
	} else {
		t.merge(i)
	}
	return t.bodies[from:len(t.bodies):len(t.bodies)]
}

// row is that of the i-th match, as it is remembered or made now; nil where there are none.
func (t *telling) row(i int) []byte {
	rec := t.all[i].Record
	switch {
	case t.kind == nil:
		return nil
	case rec.Version == 0:
		return rec.Body
	}
	t.merged = t.merger.Append(t.merged[:0], func(tag dicom.Tag) bool { return t.find.Wants(tag) && !slices.Contains(computedTags[:], tag) }, rec.Body)
	row, ok := appendRow(nil, t.merged)
	if !ok {
		return nil
	}
	t.kind.keep(t.PartitionOf(t.all[i].Study), rec, row)
	return row
}

// merge makes the i-th body of the records. What is computed is written in the order of its tags, which is merged without sorting.
func (t *telling) merge(i int) {
	found := &t.all[i]
	computed := append(t.computed[:0], '{')
	add := func(tag dicom.Tag) {
		from := len(computed)
		if from > 1 {
			computed = append(computed, ',')
		}
		before := len(computed)
		if computed = t.appendComputed(computed, i, tag); len(computed) == before {
			computed = computed[:from]
		}
	}
	add(dicom.TagAvailability)
	add(dicom.TagRetrieveURL)
	for _, c := range t.counted[i] {
		add(c.tag)
	}
	t.computed = append(computed, '}')
	var ofStudy []byte
	if study := t.studies[found.Study]; study != nil {
		ofStudy = study.Body
	}
	t.bodies = t.merger.Append(t.bodies, t.tells, t.computed, found.Record.Body, ofStudy)
}

// appendComputed appends the member of what is computed of the i-th match, or nothing where it is not told.
func (t *telling) appendComputed(dst []byte, i int, tag dicom.Tag) []byte {
	switch tag {
	case dicom.TagAvailability:
		if t.find.Wants(tag) {
			dst = append(dst, `"00080056":{"vr":"CS","Value":["ONLINE"]}`...)
		}
	case dicom.TagRetrieveURL:
		if t.Base != "" {
			dst = append(t.appendURL(append(dst, `"00081190":{"vr":"UR","Value":["`...), &t.all[i]), `"]}`...)
		}
	default:
		for _, c := range t.counted[i] {
			if c.tag == tag {
				dst = append(tag.AppendHex(append(dst, '"')), `":{"vr":"IS","Value":[`...)
				dst = append(strconv.AppendInt(dst, c.n, 10), `]}`...)
			}
		}
	}
	return dst
}

// perBody is about what is told of a match beside its record.
const perBody = 512

// tells reports whether an attribute is told of a match.
func (t *telling) tells(tag dicom.Tag) bool {
	return t.find.Wants(tag) || tag == dicom.TagRetrieveURL && t.Base != ""
}

func (t *telling) appendURL(dst []byte, f *Found) []byte {
	dst = append(append(append(dst, t.Base...), "/studies/"...), f.Study...)
	if f.Series != "" {
		dst = append(append(dst, "/series/"...), f.Series...)
	}
	if f.Instance != "" {
		dst = append(append(dst, "/instances/"...), f.Instance...)
	}
	return dst
}

// readStudies reads the studies of matches below them.
func (t *telling) readStudies(ctx context.Context) error {
	t.studies = map[string]*hub.Record{}
	names := map[hub.Partition][]hub.Name{}
	for i := range t.all {
		if uid := t.all[i].Study; t.studies[uid] == nil {
			t.studies[uid] = &hub.Record{}
			names[t.PartitionOf(uid)] = append(names[t.PartitionOf(uid)], dicom.StudyName(uid))
		}
	}
	for p, list := range names {
		recs, err := t.Reader.Many(ctx, t.who, p, list)
		if err != nil {
			return err
		}
		for i := range recs {
			t.studies[recs[i].Name.ID] = &recs[i]
		}
	}
	return nil
}

// counter is a number that can be told of a match at or below a level: how many things of another level carry the UID of the
// one at that level.
type counter struct {
	tag   dicom.Tag
	level dicom.Level
	of    dicom.Level
	param string
}

func counters() []counter {
	return []counter{
		{dicom.TagSeriesOfStudy, dicom.Study, dicom.Series, StudyParam},
		{dicom.TagInstancesOfStudy, dicom.Study, dicom.Instance, StudyParam},
		{dicom.TagInstancesOfSeries, dicom.Series, dicom.Instance, SeriesParam},
	}
}

// count finds the numbers that are wanted, of all matches with one question.
func (t *telling) count(ctx context.Context) error {
	wanted := slices.DeleteFunc(counters(), func(c counter) bool { return c.level > t.find.Level || !t.find.Wants(c.tag) })
	of, numbers := make([]hub.Tally, 0, len(t.all)*len(wanted)), make([]count, 0, len(t.all)*len(wanted))
	for i := range t.all {
		for _, c := range wanted { // those of one match lie side by side: they are known or unknown together
			uid := t.all[i].Study
			if c.level == dicom.Series {
				uid = t.all[i].Series
			}
			of = append(of, hub.Tally{Partition: t.PartitionOf(t.all[i].Study), Type: c.of.Type(), Param: c.param, Text: uid})
			numbers = append(numbers, count{tag: c.tag})
		}
		t.counted[i] = numbers[i*len(wanted) : len(numbers) : len(numbers)]
	}
	counts, err := t.Reader.Counts(ctx, t.who, of, t.at)
	if err != nil {
		return err
	}
	for i, n := range counts {
		numbers[i].n = n
	}
	if t.find.WantsAny(dicom.TagStudiesOfPatient, dicom.TagSeriesOfPatient, dicom.TagInstancesOfPatient) && !t.find.IncludeAll {
		return t.countPatients(ctx)
	}
	return nil
}

// countPatients counts what there is of the patient of each match: by identifier, over all partitions.
func (t *telling) countPatients(ctx context.Context) error {
	for i := range t.all {
		id := parse(t.all[i].Record).text(patientID)
		if id == "" {
			continue
		}
		q := hub.Query{Type: dicom.Study.Type(), Limit: mostParents,
			All: []hub.Clause{{Param: patientID.Hex(), Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: id}}}}}
		studies, err := t.Reader.Search(ctx, t.who, t.Partitions, q, "PatientID")
		if err != nil {
			return err
		}
		sums := map[dicom.Tag]int64{dicom.TagStudiesOfPatient: int64(len(studies.Records))}
		for tag, level := range map[dicom.Tag]dicom.Level{dicom.TagSeriesOfPatient: dicom.Series, dicom.TagInstancesOfPatient: dicom.Instance} {
			if !t.find.Wants(tag) {
				continue
			}
			of := make([]hub.Tally, len(studies.Records))
			for j := range studies.Records {
				uid, _ := places(&studies.Records[j])
				of[j] = hub.Tally{Partition: t.PartitionOf(uid), Type: level.Type(), Param: StudyParam, Text: uid}
			}
			counts, err := t.Reader.Counts(ctx, t.who, of, studies.At)
			if err != nil {
				return err
			}
			for _, n := range counts {
				sums[tag] += n
			}
		}
		var ofPatient []count // whose tags come before the others
		for _, tag := range []dicom.Tag{dicom.TagStudiesOfPatient, dicom.TagSeriesOfPatient, dicom.TagInstancesOfPatient} {
			if t.find.Wants(tag) {
				ofPatient = append(ofPatient, count{tag, sums[tag]})
			}
		}
		t.counted[i] = append(ofPatient, t.counted[i]...)
	}
	return nil
}
