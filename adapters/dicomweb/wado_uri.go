package dicomweb

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/imaging"
)

// wadoURI answers the older service that names one instance by parameters (PS3.18 clause 9).
func (s *Server) wadoURI(c *gin.Context) {
	q := c.Request.URL.Query()
	if err := s.answerURI(c, q); err != nil {
		WriteError(c, err)
	}
}

func (s *Server) answerURI(c *gin.Context, q url.Values) error {
	if q.Get("requestType") != "WADO" {
		return &hub.Error{Kind: hub.Invalid, Path: "requestType", Msg: "must be WADO"}
	}
	if err := refuseUnmet(q); err != nil {
		return err
	}
	at, err := checkPlace(imaging.Place{Study: q.Get("studyUID"), Series: q.Get("seriesUID"), Instance: q.Get("objectUID")})
	if err == nil && at.Instance == "" {
		err = &hub.Error{Kind: hub.Invalid, Path: "objectUID", Msg: "is missing"}
	}
	if err != nil {
		return err
	}
	recs, err := s.at(c, at)
	if err != nil {
		return err
	}
	f := s.file(c, &recs[0])
	if f.rec.Blob == nil {
		return &hub.Error{Kind: hub.NotFound, Msg: "the instance has no bytes"}
	}
	typ, err := f.contentType(q.Get("contentType"), accepted(c))
	if err != nil {
		return err
	}
	if typ == typeDICOM {
		return s.sendURI(c, f, q.Get("transferSyntax"))
	}
	r, frame, err := f.renderingURI(c.Request.Context(), q, typ)
	if err != nil {
		return err
	}
	body, err := s.shoot(c.Request.Context(), f, frame, r)
	if err != nil {
		return err
	}
	p := bytesPart(typ, body)
	s.bare(c, &p)
	return nil
}

// refuseUnmet refuses parameters that the hub does not do and that a client relies on: without them it would take for
// anonymous what is not, or for prepared what is as it came.
func refuseUnmet(q url.Values) error {
	if a := q.Get("anonymize"); a != "" && a != "no" {
		return &hub.Error{Kind: hub.Invalid, Path: "anonymize", Msg: "the hub takes nothing out of instances"}
	}
	if q.Has("presentationUID") {
		return &hub.Error{Kind: hub.Invalid, Path: "presentationUID", Msg: "the hub does not apply presentation states", Hint: "windowCenter and windowWidth choose a window"}
	}
	return nil
}

// contentType chooses the first type of the list that can be made; without a list images are JPEG and others DICOM (9.1.2.2).
func (f file) contentType(list string, accept []media) (string, error) {
	images := f.rec.Blob.Parts.Len() > 0
	if list == "" {
		if images {
			for _, m := range accept {
				for _, t := range []string{typeJPEG, typePNG, typeGIF, typeDICOM} {
					if covers(m.typ, t) {
						return t, nil
					}
				}
			}
		}
		return typeDICOM, nil
	}
	for one := range strings.SplitSeq(list, ",") {
		t := parseMedia(one).typ
		if t == typeDICOM || images && slices.Contains([]string{typeJPEG, typePNG, typeGIF}, t) {
			return t, nil
		}
	}
	return "", &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "the instance cannot be sent as " + clip(list), Hint: "application/dicom always can"}
}

// sendURI sends the file: in Explicit VR Little Endian unless another transfer syntax is named (9.1.2.2.2).
func (s *Server) sendURI(c *gin.Context, f file, wanted string) error {
	ts := f.syntax()
	if wanted == "" {
		wanted = explicitLittle
	}
	anew := wanted != "*" && wanted != ts
	if anew && (wanted != explicitLittle || !becomesNative(ts)) {
		return notAcceptable([]string{ts})
	}
	p := s.whole(c, f.rec, anew)
	s.bare(c, &p)
	return nil
}

// renderingURI reads the parameters of 9.1.2.1 that are about the image.
func (f file) renderingURI(ctx context.Context, q url.Values, typ string) (r rendering, of shot, err error) {
	r.typ = typ
	if r.quality, err = number(q, "imageQuality", defaultExport, 100); err != nil {
		return
	}
	if r.view.Viewport.Width, err = number(q, "columns", 0, largestView); err != nil {
		return
	}
	if r.view.Viewport.Height, err = number(q, "rows", 0, largestView); err != nil {
		return
	}
	center, width := q.Get("windowCenter"), q.Get("windowWidth")
	if (center == "") != (width == "") {
		return r, of, &hub.Error{Kind: hub.Invalid, Path: "windowCenter", Msg: "comes with windowWidth, or not at all"}
	}
	if center != "" {
		if r.view.Window, err = windowOf(center + "," + width); err != nil {
			return
		}
	}
	if text := q.Get("region"); text != "" {
		part, err := floats(strings.Split(text, ","))
		if err != nil || len(part) != 4 || part[0] < 0 || part[1] < 0 || part[2] > 1 || part[3] > 1 || part[0] >= part[2] || part[1] >= part[3] {
			return r, of, &hub.Error{Kind: hub.Invalid, Path: "region", Msg: "is xmin,ymin,xmax,ymax, parts of the whole from 0 to 1"}
		}
		img, err := f.image(ctx)
		if err != nil {
			return r, of, err
		}
		w, h := float64(img.Columns), float64(img.Rows)
		v := &r.view.Viewport
		v.X, v.Y, v.W, v.H = part[0]*w, part[1]*h, (part[2]-part[0])*w, (part[3]-part[1])*h
	}
	count := f.rec.Blob.Parts.Len()
	of = shot{f.rec, everyFrame(count)}
	if q.Get("frameNumber") != "" {
		n, err := strconv.Atoi(q.Get("frameNumber"))
		if err != nil || n < 1 {
			return r, of, &hub.Error{Kind: hub.Invalid, Path: "frameNumber", Msg: "is a whole number from 1 on"}
		}
		if n > count {
			return r, of, &hub.Error{Kind: hub.NotFound, Path: "frameNumber", Msg: fmt.Sprintf("the instance has frames 1 to %d", count)}
		}
		of.frames = []int{n - 1}
	} else if typ != typeGIF {
		of.frames = []int{0}
	}
	return r, of, nil
}
