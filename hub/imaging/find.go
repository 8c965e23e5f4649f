package imaging

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/internal/dicom"
)

// Finder answers questions about studies, in whatever language they were asked. What it finds has passed the policy, and the
// disclosure is noted, in the Reader.
type Finder struct {
	Reader      *lookup.Reader
	Partitions  []hub.Partition // the DICOM ones
	PartitionOf func(study string) hub.Partition
	// Base is the address of the DICOMweb service, for the Retrieve URL (0008,1190) of each match; empty for none.
	Base string
	// Rows remembers how studies were told; nil: nothing does. What it tells of has no more of a Record than its name.
	Rows *Rows
	// Space is where the bodies of a page are made, if they have room there. They are good until it is used again.
	Space []byte
}

// Found is one match.
type Found struct {
	// Study, Series and Instance are its UIDs, down to its level.
	Study, Series, Instance string
	// Record is what the hub keeps of it; of a patient, one of the studies.
	Record *hub.Record
	// Body is DICOM JSON with the attributes wanted: those of the record, of the study it belongs to, and what the hub computes.
	Body []byte
}

// Page is a part of what was found.
type Page struct {
	Found []Found
	// Bodies is the JSON array of all their bodies.
	Bodies []byte
	// Next is where the next page begins; nil on the last one. A page may be shorter than asked for and yet not be the last.
	Next *hub.Position
}

// mostParents bounds the studies or series that a search below them may first have to find.
const mostParents = 2000

// page of All, and of the studies that are searched for patients.
const ordinaryPage = 200

// All yields all that q finds, page by page: studies and patients newest first, series and instances in the order of their
// numbers where one study was asked for, else as they were stored. Of the question only the names of the attributes are
// noted. It ends with the first error. Limit and Offset of q do not count.
func (f *Finder) All(ctx context.Context, who access.Caller, q *dicom.Find) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		all := *q
		all.Offset = 0
		seen := map[string]bool{} // patients
		for after := (*hub.Position)(nil); ; {
			page, err := f.page(ctx, who, &all, after, ordinaryPage, seen)
			if err != nil {
				yield(Found{}, err)
				return
			}
			for _, found := range page.Found {
				if !yield(found, nil) {
					return
				}
			}
			if after = page.Next; after == nil {
				return
			}
		}
	}
}

// Page gives the first limit matches behind q.Offset, of studies, series or instances.
func (f *Finder) Page(ctx context.Context, who access.Caller, q *dicom.Find, limit int) (Page, error) {
	return f.page(ctx, who, q, nil, limit, map[string]bool{})
}

func (f *Finder) page(ctx context.Context, who access.Caller, find *dicom.Find, after *hub.Position, limit int, seen map[string]bool) (Page, error) {
	q := find.Query()
	ps := f.narrow(q.All)
	some, err := f.parents(ctx, who, find, ps, &q)
	if err != nil || !some {
		return Page{}, err
	}
	q.After, q.Limit, q.Sort = after, limit, sorting(find)
	var known lookup.Known
	kind := f.kindOf(find)
	if kind != nil {
		known = kind.known
	}
	res, err := f.Reader.SearchBut(ctx, who, ps, q, find.Keys.Selecting(), known)
	if err != nil {
		return Page{}, err
	}
	if find.Level == dicom.Patient {
		res.Records = slices.DeleteFunc(res.Records, func(r hub.Record) bool {
			patient := patientKey(&r)
			known := seen[patient]
			seen[patient] = true
			return known
		})
	}
	return f.tell(ctx, who, find, res, kind)
}

// narrow leaves only the partitions of the studies that a clause names.
func (f *Finder) narrow(clauses []hub.Clause) []hub.Partition {
	named := f.Partitions
	for i := range clauses {
		if clauses[i].Param != StudyParam || clauses[i].Not {
			continue
		}
		var ps []hub.Partition
		for _, m := range clauses[i].Any {
			if p := f.PartitionOf(m.Text); !slices.Contains(ps, p) {
				ps = append(ps, p)
			}
		}
		if len(ps) < len(named) {
			named = ps
		}
	}
	return named
}

// sorting is the order in which matches are told.
func sorting(find *dicom.Find) []hub.Sort {
	switch {
	case find.Level <= dicom.Study:
		return []hub.Sort{{Param: "00080020", Desc: true}}
	case find.Study == "":
		return nil
	case find.Level == dicom.Series:
		return []hub.Sort{{Param: "00200011"}}
	}
	return []hub.Sort{{Param: "00200013"}}
}

// parents turns what is asked of the levels above into a list of their UIDs. some is false where there are none, so that
// nothing can be found.
func (f *Finder) parents(ctx context.Context, who access.Caller, find *dicom.Find, ps []hub.Partition, q *hub.Query) (some bool, err error) {
	own := q.All
	for _, up := range []struct {
		level dicom.Level
		param string
	}{{dicom.Study, StudyParam}, {dicom.Series, SeriesParam}} {
		clauses := slices.Clip(find.Clauses[up.level])
		if up.level >= find.Level || len(clauses) == 0 {
			continue
		}
		for _, c := range own {
			if c.Param == StudyParam || c.Param == SeriesParam && up.level == dicom.Series {
				clauses = append(clauses, c)
			}
		}
		found, err := f.Reader.Search(ctx, who, ps, hub.Query{Type: up.level.Type(), All: clauses, Limit: mostParents}, find.Keys.Selecting())
		if err != nil {
			return false, err
		}
		if found.Next != nil {
			return false, &hub.Error{Kind: hub.TooCostly, Msg: fmt.Sprintf("more than %d of the %s level match", mostParents, up.level), Hint: "narrow the query or search that level first"}
		}
		if len(found.Records) == 0 {
			return false, nil
		}
		clause := hub.Clause{Param: up.param}
		for i := range found.Records {
			_, uid := places(&found.Records[i])
			clause.Any = append(clause.Any, hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: uid})
		}
		q.All = append(slices.Clip(q.All), clause)
	}
	return true, nil
}

// places are the UID of the study that a record is of or in, and its own.
func places(rec *hub.Record) (study, own string) {
	study, own, nested := strings.Cut(rec.Name.ID, "/")
	if !nested {
		own = study
	}
	return study, own
}

// patientKey tells patients apart: by identifier and issuer, without one by name and birth date.
func patientKey(rec *hub.Record) string {
	attrs := parse(rec)
	if id := attrs.text(patientID); id != "" {
		return "#" + id + "\x00" + attrs.text(0x00100021)
	}
	return attrs.text(0x00100010) + "\x00" + attrs.text(0x00100030)
}
