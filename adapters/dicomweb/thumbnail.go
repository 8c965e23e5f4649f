package dicomweb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/pixels"
)

// Thumbnails of these edges are kept on the shelf; others are made for each request.
const (
	thumbnailEdge    = 256 // unless a viewport is asked for
	thumbnailQuality = 80
	thumbnailMost    = 1024
)

func keptEdges() []int { return []int{64, 128, thumbnailEdge, 512} }

// thumbnail answers with a small image that stands for a study, series, instance or frame (PS3.18 10.4.1.1.3).
func (s *Server) thumbnail(c *gin.Context) {
	at, err := place(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	if _, _, ok := imageAnswer(accepted(c), typeJPEG); !ok {
		WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "thumbnails are image/jpeg"})
		return
	}
	v, err := viewportOf(c.Query("viewport"))
	if err == nil && max(v.Width, v.Height) > thumbnailMost {
		err = &hub.Error{Kind: hub.Invalid, Path: "viewport", Msg: fmt.Sprintf("a thumbnail has %d pixels at most", thumbnailMost), Hint: "ask for rendered"}
	}
	if err != nil {
		WriteError(c, err)
		return
	}
	if v.Width == 0 && v.Height == 0 {
		v.Width, v.Height = thumbnailEdge, thumbnailEdge
	}
	rec, frame, err := s.emblem(c, at)
	if err != nil {
		WriteError(c, err)
		return
	}
	body, err := s.smallImage(c.Request.Context(), s.file(c, rec), frame, v, s.shelve)
	if err != nil {
		WriteError(c, err)
		return
	}
	p := bytesPart(typeJPEG, body)
	p.tag = `"` + stateOf([]hub.Loc{rec.Loc}, fmt.Sprint(frame, v)) + `"`
	s.bare(c, &p)
}

// emblem chooses what stands for a place: the frame that is named, else the middle frame of the instance, or of the instance
// in the middle of the study or series that has frames.
func (s *Server) emblem(c *gin.Context, at imaging.Place) (*hub.Record, int, error) {
	none := &hub.Error{Kind: hub.NotFound, Msg: "there is no image to show: no frames that can be told apart"}
	if at.Instance != "" {
		recs, err := s.at(c, at)
		if err != nil {
			return nil, 0, err
		}
		rec := &recs[0]
		if list := c.Param("frames"); list != "" {
			numbers, err := frameNumbers(list, rec)
			if err != nil {
				return nil, 0, err
			}
			return rec, numbers[0], nil
		}
		if rec.Blob == nil || rec.Blob.Parts.Len() == 0 {
			return nil, 0, none
		}
		return rec, rec.Blob.Parts.Len() / 2, nil
	}
	locs, err := s.locate(c, at)
	if err != nil {
		return nil, 0, err
	}
	return s.middle(c.Request.Context(), at, locs, none)
}

// middle looks from the middle onwards for an instance with frames, one that can be decoded if there is any.
func (s *Server) middle(ctx context.Context, at imaging.Place, locs []hub.Loc, none error) (*hub.Record, int, error) {
	const tries = 64
	var undecodable *hub.Record
	for i := range min(tries, len(locs)) {
		n := (len(locs)/2 + i) % len(locs)
		recs, err := s.Reader.Found(ctx, s.PartitionOf(at.Study), locs[n:n+1])
		if err != nil {
			return nil, 0, err
		}
		switch b := recs[0].Blob; {
		case b == nil || b.Parts.Len() == 0:
		case becomesNative(syntaxOf(&recs[0])):
			return &recs[0], b.Parts.Len() / 2, nil
		case undecodable == nil:
			undecodable = &recs[0]
		}
	}
	if undecodable == nil {
		return nil, 0, none
	}
	return undecodable, undecodable.Blob.Parts.Len() / 2, nil
}

// smallImage takes a thumbnail from the shelf, or makes it and puts it there by shelve.
func (s *Server) smallImage(ctx context.Context, f file, frame int, v pixels.Viewport, shelve func(at imaging.Place, name, state string, body []byte)) ([]byte, error) {
	at := placeOf(f.rec)
	kept := v.Width == v.Height && v.W == 0 && v.H == 0 && slices.Contains(keptEdges(), v.Width)
	name := fmt.Sprintf("%s.%d.%d.jpg", at.Instance, frame, v.Width)
	state := stateOf([]hub.Loc{f.rec.Loc}, "")
	if kept {
		if body, ok := s.Shelf.Get(ctx, at.Study, name, state); ok {
			return body, nil
		}
	}
	body, err := s.shoot(ctx, f, shot{f.rec, []int{frame}}, rendering{view: pixels.View{Viewport: v}, typ: typeJPEG, quality: thumbnailQuality})
	if err == nil && kept {
		shelve(at, name, state, body)
	}
	return body, err
}
