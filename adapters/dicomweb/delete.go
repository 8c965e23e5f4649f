package dicomweb

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/audit"
	"concord/hub/imaging"
	"concord/internal/dicom"
)

// remove takes a study, series or instance away for everybody, which only its owner may. The bytes stay in the store.
func (s *Server) remove(c *gin.Context) {
	at, err := place(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	ctx, who := c.Request.Context(), caller(c)
	n, err := s.Archive.Delete(ctx, who.Member, at, func(rec *hub.Record) error {
		if err := s.Reader.MayRead(ctx, who, s.PartitionOf(at.Study), rec); err != nil {
			return err
		}
		return s.Policy.MayChange(who, rec.Member)
	})
	if err != nil {
		WriteError(c, err)
		return
	}
	name := nameOf(at)
	if err := s.Trail.Note(ctx, audit.Event{Action: audit.Delete, Member: who.Member, Token: who.TokenID, Type: name.Type, Names: []hub.Name{name}, Count: n}); err != nil {
		WriteError(c, err)
		return
	}
	if err := s.Shelf.Clear(ctx, at.Study); err != nil {
		slog.Warn("clear derived blobs", "err", err) // they are out of date and served to nobody
	}
	c.Writer.WriteHeader(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}

// nameOf is the name of the record of a place.
func nameOf(at imaging.Place) hub.Name {
	switch {
	case at.Instance != "":
		return dicom.InstanceName(at.Study, at.Instance)
	case at.Series != "":
		return dicom.SeriesName(at.Study, at.Series)
	}
	return dicom.StudyName(at.Study)
}
