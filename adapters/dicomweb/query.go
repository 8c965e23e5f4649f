package dicomweb

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/dicom"
)

// query answers QIDO-RS (PS3.18 10.6) at one level: 200 with the matches, 204 when there are none.
func (s *Server) query(level dicom.Level) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := s.answer(c, level); err != nil {
			WriteError(c, err)
		}
	}
}

func (s *Server) answer(c *gin.Context, level dicom.Level) error {
	xml, ok := metadataAnswer(accepted(c))
	if !ok {
		return &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "matches are sent as " + typeJSON + " or multipart/related of " + typeXML}
	}
	find, err := dicom.CompileQIDO(level, c.Request.URL.Query())
	if err != nil {
		return err
	}
	find.Study, find.Series = c.Param("study"), c.Param("series")
	for name, uid := range map[string]string{"StudyInstanceUID": find.Study, "SeriesInstanceUID": find.Series} {
		if uid == "" {
			continue
		}
		if err := dicom.CheckUID(name, uid); err != nil {
			return err
		}
	}
	if find.Study == "" {
		find.Relational()
	}
	limit := find.Limit
	if limit < 0 {
		limit = s.Limits.Default
	}
	limit = min(limit, s.Limits.Results)
	var page imaging.Page
	base := s.base(c)
	if limit > 0 {
		space := spaces.Get().(*[]byte)
		defer func() {
			if *space = page.Bodies; cap(*space) <= largestSpace {
				spaces.Put(space)
			}
		}()
		finder := imaging.Finder{Reader: s.Reader, Partitions: s.Partitions, PartitionOf: s.PartitionOf, Base: base, Rows: s.Rows, Space: *space}
		if page, err = finder.Page(c.Request.Context(), caller(c), find, limit); err != nil {
			return err
		}
	}
	if page.Next != nil && limit != find.Limit {
		c.Header("Warning", fmt.Sprintf("299 %s: There are more results than the %d returned; they can be requested with limit and offset", base, len(page.Found)))
	}
	if len(page.Found) == 0 {
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return nil
	}
	if xml {
		parts := make([]part, len(page.Found))
		for i := range page.Found {
			parts[i] = bytesPart(typeXML, nativeXML(page.Found[i].Body))
		}
		s.multipart(c, typeXML, parts)
		return nil
	}
	writeJSON(c, http.StatusOK, page.Bodies)
	return nil
}

// spaces are lent to pages while they are made and written.
var spaces = sync.Pool{New: func() any { return new([]byte) }}

// largestSpace is what is kept of one, in bytes: larger pages are rare.
const largestSpace = 1 << 20

// seriesOf is the series of an instance's record.
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
