package dicomweb

import (
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
)

// bulk answers with one value that the metadata refers to by BulkDataURI (PS3.18 10.4.1.1.5). Where it lies is found by
// reading the header again.
func (s *Server) bulk(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	f := s.file(c, &recs[0])
	if f.rec.Blob == nil {
		WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "the instance has no bytes"})
		return
	}
	header, err := f.header(c.Request.Context())
	if err != nil {
		WriteError(c, err)
		return
	}
	want := strings.TrimPrefix(c.Param("path"), "/")
	for _, b := range header.Bulks() {
		if b.Path != want {
			continue
		}
		if b.Encapsulated && b.Path == "7FE00010" && f.rec.Blob.Parts.Len() > 0 {
			s.encapsulated(c, f)
			return
		}
		p := f.part(typeOctets, []int64{b.Offset, b.Length})
		s.octets(c, p)
		return
	}
	WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "the instance has no bulk value at " + clip(want)})
}

// octets sends a value bare or in multipart, as is wanted most.
func (s *Server) octets(c *gin.Context, p part) {
	for _, m := range accepted(c) {
		switch {
		case m.multipart() && covers(m.inner(), typeOctets):
			s.multipart(c, typeOctets, []part{p})
			return
		case covers(m.typ, typeOctets):
			s.bare(c, &p)
			return
		}
	}
	WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "a bulk value is sent as " + typeOctets})
}

// encapsulated sends compressed pixel data frame by frame: its items and offset table are of no use outside of the file.
func (s *Server) encapsulated(c *gin.Context, f file) {
	ts, count := f.syntax(), f.rec.Blob.Parts.Len()
	accept := accepted(c)
	d, ok := frameAnswer(accept, ts, count)
	if !ok {
		WriteError(c, noFrameAnswer(accept, ts, count))
		return
	}
	parts := make([]part, count)
	for i := range parts {
		if d.decoded {
			parts[i] = s.decoded(f, i)
		} else {
			parts[i] = f.part(d.typ+"; transfer-syntax="+ts, f.rec.Blob.Parts.Spans(i))
		}
	}
	if !d.multipart {
		s.bare(c, &parts[0])
		return
	}
	s.multipart(c, d.typ, parts)
}
