package dicomweb

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/internal/pixels"
)

// retrieve answers with instances (PS3.18 10.4.1.1.1): as they were sent where the client takes that, else written anew in
// Explicit VR Little Endian.
func (s *Server) retrieve(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	recs = slices.DeleteFunc(recs, func(r hub.Record) bool { return r.Blob == nil })
	var syntaxes []string
	for i := range recs {
		if ts := syntaxOf(&recs[i]); !slices.Contains(syntaxes, ts) {
			syntaxes = append(syntaxes, ts)
		}
	}
	accept, alone := accepted(c), c.Param("instance") != ""
	d, ok := instanceAnswer(accept, syntaxes, alone)
	if !ok {
		WriteError(c, noInstanceAnswer(accept, syntaxes, alone))
		return
	}
	if d.form == archive {
		s.zip(c, recs)
		return
	}
	parts := make([]part, len(recs))
	base := s.base(c)
	for i := range recs {
		parts[i] = s.whole(c, &recs[i], slices.Contains(d.anew, syntaxOf(&recs[i])))
		parts[i].location = location(base, &recs[i])
	}
	if d.form == single {
		s.bare(c, &parts[0])
		return
	}
	s.multipart(c, typeDICOM, parts)
}

// whole is an instance as a part: as it is stored, or written anew.
func (s *Server) whole(c *gin.Context, rec *hub.Record, anew bool) part {
	f := s.file(c, rec)
	if !anew {
		return f.part("application/dicom; transfer-syntax="+f.syntax(), []int64{0, rec.Blob.Size})
	}
	return part{media: "application/dicom; transfer-syntax=" + explicitLittle, size: -1, write: func(ctx context.Context, w io.Writer) error {
		h, err := f.header(ctx)
		if err != nil {
			return err
		}
		return notMade(s.Pixels.Transcode(ctx, w, h, f.open, pixels.Form{}))
	}}
}

func accepted(c *gin.Context) []media {
	return parseAccept(c.Request.Header.Values("Accept"), slices.DeleteFunc(c.QueryArray("accept"), func(s string) bool { return s == "" }))
}

// noInstanceAnswer says why instances cannot be sent: the type is none of theirs, or they cannot have the transfer syntax.
func noInstanceAnswer(accept []media, syntaxes []string, alone bool) error {
	for _, m := range accept {
		if (m.multipart() || alone) && covers(m.inner(), typeDICOM) {
			return notAcceptable(syntaxes)
		}
	}
	types := `multipart/related; type="application/dicom", or application/zip`
	if alone {
		types = "application/dicom, " + types
	}
	return &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "what is here is sent as " + types}
}

// noFrameAnswer is noInstanceAnswer for frames.
func noFrameAnswer(accept []media, stored string, count int) error {
	types, bare := []string{typeOctets}, false
	if own := frameTypes()[stored]; own != "" {
		types = append(types, own)
	}
	for _, m := range accept {
		if !slices.ContainsFunc(types, func(t string) bool { return covers(m.inner(), t) }) {
			continue
		}
		if m.multipart() || count == 1 {
			return notAcceptable([]string{stored})
		}
		bare = true
	}
	msg := "frames are sent as " + strings.Join(types, " or ")
	if bare {
		msg = "several frames are sent as multipart/related only"
	}
	return &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: msg}
}

func notAcceptable(syntaxes []string) error {
	return &hub.Error{Kind: hub.Unsupported, Path: "Accept", Hint: "ask with transfer-syntax=*",
		Msg: "what is stored in " + strings.Join(syntaxes, ", ") + " cannot be sent in a form that the request accepts"}
}

// zip sends instances as they were sent, a folder for each series. Nothing is compressed: pixels hardly are smaller for it.
func (s *Server) zip(c *gin.Context, recs []hub.Record) {
	at, _ := place(c)
	h := c.Writer.Header()
	h.Set("Content-Type", typeZip)
	h.Set("Content-Disposition", `attachment; filename="`+at.Study+`.zip"`)
	s.stream(c, http.StatusOK, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for i := range recs {
			p := placeOf(&recs[i])
			entry, err := z.CreateHeader(&zip.FileHeader{Name: p.Series + "/" + p.Instance + ".dcm", Method: zip.Store, Modified: recs[i].Time.In(time.UTC)})
			if err != nil {
				return err
			}
			if err := s.file(c, &recs[i]).copy(c.Request.Context(), entry, []int64{0, recs[i].Blob.Size}); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// frames answers with single frames (PS3.18 10.4.1.1.4) by ranges of the blob, or decoded.
func (s *Server) frames(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	f := s.file(c, &recs[0])
	numbers, err := frameNumbers(c.Param("frames"), f.rec)
	if err != nil {
		WriteError(c, err)
		return
	}
	ts := f.syntax()
	accept := accepted(c)
	d, ok := frameAnswer(accept, ts, len(numbers))
	if !ok {
		WriteError(c, noFrameAnswer(accept, ts, len(numbers)))
		return
	}
	parts := make([]part, len(numbers))
	for i, n := range numbers {
		switch {
		case d.decoded:
			parts[i] = s.decoded(f, n)
		case native(ts):
			parts[i] = f.part(d.typ+"; transfer-syntax="+explicitLittle, f.rec.Blob.Parts.Spans(n))
		default:
			parts[i] = f.part(d.typ+"; transfer-syntax="+ts, f.rec.Blob.Parts.Spans(n))
		}
	}
	send := func() {
		if d.multipart {
			s.multipart(c, d.typ, parts)
		} else {
			s.bare(c, &parts[0])
		}
	}
	if !d.decoded || len(parts) > 1 {
		send()
		return
	}
	if err := s.native(c.Request.Context(), f, numbers[0], func(data []byte) error { // so its length can be told
		parts[0] = bytesPart(parts[0].media, data)
		send()
		return nil
	}); err != nil {
		WriteError(c, err)
	}
}

// decoded is a frame, counted from 0, in Explicit VR Little Endian.
func (s *Server) decoded(f file, n int) part {
	return part{media: typeOctets + "; transfer-syntax=" + explicitLittle, size: -1, write: func(ctx context.Context, w io.Writer) error {
		return s.native(ctx, f, n, func(data []byte) error {
			_, err := w.Write(data)
			return err
		})
	}}
}

// frameNumbers reads a list of frames, counted from 1, as their places from 0.
func frameNumbers(list string, rec *hub.Record) ([]int, error) {
	most := 0
	if rec.Blob != nil {
		most = rec.Blob.Parts.Len()
	}
	if most == 0 {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "the instance has no frames that can be told apart"}
	}
	var numbers []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n < 1:
			return nil, &hub.Error{Kind: hub.Invalid, Path: "frames", Msg: clip(text) + " is no frame: they are whole numbers from 1 on, separated by commas"}
		case n > most:
			return nil, &hub.Error{Kind: hub.NotFound, Path: "frames", Msg: fmt.Sprintf("there is no frame %d, the last one is %d", n, most)}
		case len(numbers) == most:
			return nil, &hub.Error{Kind: hub.Invalid, Path: "frames", Msg: "more frames are asked for than there are"}
		}
		numbers = append(numbers, n-1)
	}
	return numbers, nil
}
