package dicomweb

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/imaging"
	"concord/internal/dicom"
)

// mostParents bounds the studies or series that a search below them may first have to find.
const mostParents = 2000

// query answers QIDO-RS (PS3.18 10.6) at one level.
func (s *Server) query(level dicom.Level) gin.HandlerFunc {
	return func(c *gin.Context) {
		params := c.Request.URL.Query()
		names := make([]string, 0, len(params))
		for name := range params {
			names = append(names, name[:min(64, len(name))])
		}
		slices.Sort(names)
		search, err := dicom.CompileQIDO(level, params)
		if err != nil {
			WriteError(c, err)
			return
		}
		a := &answer{s: s, c: c, search: search, who: caller(c), names: strings.Join(names, ",")}
		if err := a.run(); err != nil {
			WriteError(c, err)
		}
	}
}

// answer is one QIDO-RS search on its way.
type answer struct {
	s      *Server
	c      *gin.Context
	search *dicom.Search
	who    access.Caller
	names  string
	ps     []hub.Partition
}

func (a *answer) run() error {
	q := a.search.Query()
	a.ps = a.s.Partitions
	study, series := a.c.Param("study"), a.c.Param("series")
	if study != "" {
		if err := dicom.CheckUID("StudyInstanceUID", study); err != nil {
			return err
		}
		a.ps = []hub.Partition{a.s.PartitionOf(study)}
		q.All = append(q.All, equals(imaging.StudyParam, study))
	}
	if series != "" {
		q.All = append(q.All, equals(imaging.SeriesParam, series))
	}
	if study == "" { // a study is found in its own partition when the query names it
		a.ps = a.narrow(q.All)
	}
	if err := a.parents(&q); err != nil {
		return err
	}
	capped := false
	q.Limit = a.search.Limit
	if q.Limit < 0 {
		q.Limit = a.s.Limits.Default
	}
	if q.Limit > a.s.Limits.Results {
		q.Limit, capped = a.s.Limits.Results, true
	}
	if q.Limit == 0 {
		writeJSON(a.c, http.StatusOK, []byte("[]"))
		return nil
	}
	if a.search.Level == dicom.Study {
		q.Sort = []hub.Sort{{Param: "00080020", Desc: true}} // the newest study first
	}
	res, err := a.s.Reader.Search(a.c.Request.Context(), a.who, a.ps, q, a.names)
	if err != nil {
		return err
	}
	if res.Next != nil && (capped || a.search.Limit < 0) {
		a.c.Header("Warning", fmt.Sprintf(`299 concord "there are more than %d results; ask with limit and offset"`, q.Limit))
	}
	body, err := a.write(res.Records, study == "")
	if err != nil {
		return err
	}
	writeJSON(a.c, http.StatusOK, body)
	return nil
}

// narrow leaves only the partitions of the studies that a clause names.
func (a *answer) narrow(clauses []hub.Clause) []hub.Partition {
	for i := range clauses {
		if clauses[i].Param != imaging.StudyParam || clauses[i].Not {
			continue
		}
		var ps []hub.Partition
		for _, m := range clauses[i].Any {
			if p := a.s.PartitionOf(m.Text); !slices.Contains(ps, p) {
				ps = append(ps, p)
			}
		}
		return ps
	}
	return a.s.Partitions
}

// parents turns what is asked of the levels above into a list of their UIDs.
func (a *answer) parents(q *hub.Query) error {
	for _, up := range []struct {
		level dicom.Level
		param string
	}{{dicom.Study, imaging.StudyParam}, {dicom.Series, imaging.SeriesParam}} {
		clauses := a.search.Clauses[up.level]
		if up.level >= a.search.Level || len(clauses) == 0 {
			continue
		}
		if study := a.c.Param("study"); study != "" {
			clauses = append(slices.Clone(clauses), equals(imaging.StudyParam, study))
		}
		found, err := a.s.Reader.Search(a.c.Request.Context(), a.who, a.ps, hub.Query{Type: up.level.Type(), All: clauses, Limit: mostParents}, a.names)
		if err != nil {
			return err
		}
		if found.Next != nil {
			return &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("more than %d parents of the %s level match", mostParents, up.level), Hint: "narrow the query or search that level first"}
		}
		clause := hub.Clause{Param: up.param, Any: []hub.Match{}}
		for i := range found.Records {
			_, uid, nested := strings.Cut(found.Records[i].Name.ID, "/")
			if !nested {
				uid = found.Records[i].Name.ID
			}
			clause.Any = append(clause.Any, hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: uid})
		}
		q.All = append(q.All, clause)
	}
	return nil
}

// write renders the results as DICOM JSON: stored attributes and those the hub computes (PS3.18 tables 10.6.3-3 to -5).
func (a *answer) write(recs []hub.Record, relational bool) ([]byte, error) {
	if len(recs) == 0 {
		return []byte("[]"), nil
	}
	rows := make([]row, len(recs))
	for i := range recs {
		study, rest, _ := strings.Cut(recs[i].Name.ID, "/")
		rows[i] = row{rec: &recs[i], study: study, own: rest, partition: a.s.PartitionOf(study)}
	}
	if err := a.count(rows); err != nil {
		return nil, err
	}
	studies := map[string]*hub.Record{}
	if relational && a.search.Level != dicom.Study {
		var err error
		if studies, err = a.studies(rows); err != nil {
			return nil, err
		}
	}
	keep := a.keep(a.search.Level)
	above := a.keep(dicom.Study)
	base := a.s.base(a.c)
	out := make([]byte, 0, 1024*len(rows))
	for i := range rows {
		r := &rows[i]
		out = append(out, "[,"[boolInt(i > 0)])
		start := len(out)
		out = dicom.Subset(out, r.rec.Body, keep)
		if rec := studies[r.study]; rec != nil {
			out = merge(out, start, r.rec.Body, rec.Body, above)
		}
		out = bytes.TrimSuffix(out, []byte{'}'})
		if len(out) > start+1 {
			out = append(out, ',')
		}
		out = r.computed(out, a.search.Level, base)
	}
	return append(out, ']'), nil
}

// keep says which stored attributes of a level are returned.
func (a *answer) keep(l dicom.Level) func(dicom.Tag) bool {
	tags := append(dicom.DefaultTags(l), a.search.Include...)
	slices.Sort(tags)
	all := a.search.IncludeAll && l == a.search.Level
	return func(t dicom.Tag) bool {
		if all {
			return true
		}
		_, found := slices.BinarySearch(tags, t)
		return found
	}
}

// merge appends the attributes of the study that the row has not.
func merge(out []byte, start int, own, study []byte, keep func(dicom.Tag) bool) []byte {
	has := map[dicom.Tag]bool{}
	for attr := range dicom.Attributes(own) {
		has[attr.Tag] = true
	}
	more := dicom.Subset(nil, study, func(t dicom.Tag) bool { return keep(t) && !has[t] })
	if len(more) == 2 {
		return out
	}
	if len(out) == start+2 { // the row itself is empty
		return append(out[:start], more...)
	}
	out[len(out)-1] = ','
	return append(out, more[1:]...)
}

// row is one result with what is computed for it.
type row struct {
	rec               *hub.Record
	study, own        string // own: series or SOP Instance UID
	partition         hub.Partition
	series, instances int64
}

// count finds the numbers of related series and instances, one question for each partition.
func (a *answer) count(rows []row) error {
	if a.search.Level == dicom.Instance {
		return nil
	}
	byPartition := map[hub.Partition][]int{}
	for i := range rows {
		byPartition[rows[i].partition] = append(byPartition[rows[i].partition], i)
	}
	ctx := a.c.Request.Context()
	for p, at := range byPartition {
		uids := make([]string, len(at))
		for j, i := range at {
			uids[j] = rows[i].study
			if a.search.Level == dicom.Series {
				uids[j] = rows[i].own
			}
		}
		param := imaging.StudyParam
		if a.search.Level == dicom.Series {
			param = imaging.SeriesParam
		}
		instances, err := a.s.Reader.Counts(ctx, p, dicom.Instance.Type(), param, uids)
		if err != nil {
			return err
		}
		series := make([]int64, len(at))
		if a.search.Level == dicom.Study {
			if series, err = a.s.Reader.Counts(ctx, p, dicom.Series.Type(), param, uids); err != nil {
				return err
			}
		}
		for j, i := range at {
			rows[i].instances, rows[i].series = instances[j], series[j]
		}
	}
	return nil
}

// studies reads the studies of rows, for searches over all studies.
func (a *answer) studies(rows []row) (map[string]*hub.Record, error) {
	names := map[hub.Partition][]hub.Name{}
	seen := map[string]bool{}
	for i := range rows {
		if !seen[rows[i].study] {
			seen[rows[i].study] = true
			names[rows[i].partition] = append(names[rows[i].partition], dicom.StudyName(rows[i].study))
		}
	}
	found := map[string]*hub.Record{}
	for p, list := range names {
		recs, err := a.s.Reader.Many(a.c.Request.Context(), a.who, p, list)
		if err != nil {
			return nil, err
		}
		for i := range recs {
			found[recs[i].Name.ID] = &recs[i]
		}
	}
	return found, nil
}

// computed appends the attributes that are not stored, and closes the object.
func (r *row) computed(out []byte, l dicom.Level, base string) []byte {
	url := base + "/studies/" + r.study
	out = append(out, `"00080056":{"vr":"CS","Value":["ONLINE"]}`...)
	switch l {
	case dicom.Study:
		out = fmt.Appendf(out, `,"00201206":{"vr":"IS","Value":[%d]},"00201208":{"vr":"IS","Value":[%d]}`, r.series, r.instances)
	case dicom.Series:
		url += "/series/" + r.own
		out = fmt.Appendf(out, `,"00201209":{"vr":"IS","Value":[%d]}`, r.instances)
	case dicom.Instance:
		url += "/series/" + seriesOf(r.rec) + "/instances/" + r.own
	}
	return fmt.Appendf(out, `,"00081190":{"vr":"UR","Value":["%s"]}}`, url)
}

func seriesOf(rec *hub.Record) string {
	for a := range dicom.Attributes(rec.Body) {
		if a.Tag == seriesTag {
			if all := a.Strings(); len(all) > 0 {
				return all[0]
			}
		}
	}
	return ""
}
