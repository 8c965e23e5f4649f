package dicomweb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/dicom"
)

// place reads the UIDs that a URL names, checked.
func place(c *gin.Context) (imaging.Place, error) {
	return checkPlace(imaging.Place{Study: c.Param("study"), Series: c.Param("series"), Instance: c.Param("instance")})
}

func checkPlace(at imaging.Place) (imaging.Place, error) {
	for _, u := range [][2]string{{"StudyInstanceUID", at.Study}, {"SeriesInstanceUID", at.Series}, {"SOPInstanceUID", at.Instance}} {
		if u[1] != "" || u[0] == "StudyInstanceUID" {
			if err := dicom.CheckUID(u[0], u[1]); err != nil {
				return at, err
			}
		}
	}
	return at, nil
}

// path is the place's address below the service root.
func path(at imaging.Place) string {
	s := "/studies/" + at.Study
	if at.Series != "" {
		s += "/series/" + at.Series
	}
	if at.Instance != "" {
		s += "/instances/" + at.Instance
	}
	return s
}

// instances finds the records at the place that the URL names. None is NotFound.
func (s *Server) instances(c *gin.Context) ([]hub.Record, error) {
	at, err := place(c)
	if err != nil {
		return nil, err
	}
	return s.at(c, at)
}

func (s *Server) at(c *gin.Context, at imaging.Place) ([]hub.Record, error) {
	ctx, who, p := c.Request.Context(), caller(c), s.PartitionOf(at.Study)
	if at.Instance != "" {
		rec, err := s.Reader.Read(ctx, who, p, dicom.InstanceName(at.Study, at.Instance))
		switch {
		case hub.Is(err, hub.NotFound):
			return nil, &hub.Error{Kind: hub.NotFound, Msg: "the study has no such instance"}
		case hub.Is(err, hub.Gone):
			return nil, errGone
		case err != nil:
			return nil, err
		}
		if at.Series != "" && seriesOf(&rec) != at.Series {
			return nil, &hub.Error{Kind: hub.NotFound, Msg: "the series has no such instance"}
		}
		return []hub.Record{rec}, nil
	}
	locs, err := s.locate(c, at)
	if err != nil {
		return nil, err
	}
	return s.Reader.Found(ctx, p, locs)
}

// locate finds where the records of a study or series lie, in the order in which they came, and has the disclosure noted.
func (s *Server) locate(c *gin.Context, at imaging.Place) ([]hub.Loc, error) {
	name := nameOf(at)
	ctx, who := c.Request.Context(), caller(c)
	locs, err := s.Reader.Find(ctx, who, s.PartitionOf(at.Study), within(dicom.Instance, at))
	if err != nil {
		return nil, err
	}
	if len(locs) == 0 {
		return nil, s.nothingAt(c, at)
	}
	return locs, s.Reader.Disclose(ctx, who, name.Type, []hub.Name{name}, len(locs), "retrieve")
}

// within asks for all of a level in a study or series.
func within(level dicom.Level, at imaging.Place) hub.Query {
	q := hub.Query{Type: level.Type(), Routes: []string{at.Study}, All: []hub.Clause{equals(imaging.StudyParam, at.Study)}, Limit: 5000}
	if at.Series != "" {
		q.All = append(q.All, equals(imaging.SeriesParam, at.Series))
	}
	return q
}

var errGone = &hub.Error{Kind: hub.Gone, Msg: "it was deleted"}

// nothingAt tells what was deleted from what never was, as far as the caller may know of it.
func (s *Server) nothingAt(c *gin.Context, at imaging.Place) error {
	_, err := s.Reader.Read(c.Request.Context(), caller(c), s.PartitionOf(at.Study), nameOf(at))
	switch {
	case hub.Is(err, hub.Gone):
		return errGone
	case err != nil && !hub.Is(err, hub.NotFound):
		return err
	}
	return &hub.Error{Kind: hub.NotFound, Msg: "there is no such study or series"}
}

// stateOf names the state of a set of records: commits are never changed, so where they lie suffices.
func stateOf(locs []hub.Loc, with string) string {
	var b bytes.Buffer
	b.WriteString(with)
	for _, l := range locs {
		binary.Write(&b, binary.LittleEndian, l.Seq)
		binary.Write(&b, binary.LittleEndian, l.Off)
	}
	return hub.Digest(b.Bytes())[:32]
}

func locsOf(recs []hub.Record) []hub.Loc {
	locs := make([]hub.Loc, len(recs))
	for i := range recs {
		locs[i] = recs[i].Loc
	}
	return locs
}

func equals(param, text string) hub.Clause {
	return hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: text}}}
}

// placeOf is where an instance's record says that it belongs.
func placeOf(rec *hub.Record) imaging.Place {
	study, sop, _ := strings.Cut(rec.Name.ID, "/")
	return imaging.Place{Study: study, Series: seriesOf(rec), Instance: sop}
}

// location is an instance's address.
func location(base string, rec *hub.Record) string { return base + path(placeOf(rec)) }

// number reads a positive whole number of a query, def where there is none.
func number(q url.Values, name string, def, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return def, nil
	}
	n := 0
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || n < 1 || n > most || strings.Trim(text, "0123456789") != "" {
		return 0, &hub.Error{Kind: hub.Invalid, Path: name, Msg: fmt.Sprintf("is a whole number from 1 to %d", most)}
	}
	return n, nil
}
