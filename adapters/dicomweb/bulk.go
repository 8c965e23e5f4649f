package dicomweb

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
	"concord/internal/pixels"
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
	value, found := valueAt(header, want)
	spans := []int64{value.Offset, value.Length}
	switch {
	case !found:
		WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "the instance has no bulk value at " + clip(want)})
	case value.Encapsulated && want == tagPixels.Hex() && f.rec.Blob.Parts.Len() > 0:
		s.encapsulated(c, f)
	case want == tagDocument.Hex():
		typ, own := documentOf(header, value.Length)
		s.value(c, f.part(typeOctets, spans), f.part(typ, []int64{value.Offset, own}))
	default:
		s.value(c, f.littleEndian(f.part(typeOctets, spans), header, value))
	}
}

// The attributes of an encapsulated document (PS3.3 C.24.2).
const (
	tagDocument       dicom.Tag = 0x00420011
	tagDocumentType   dicom.Tag = 0x00420012
	tagDocumentLength dicom.Tag = 0x00420015
)

// valueAt finds a value that metadata leaves out; and an encapsulated document however small, since FHIR resources have its
// address.
func valueAt(h *dicom.Header, path string) (dicom.BulkValue, bool) {
	for _, b := range h.Bulks() {
		if b.Path == path {
			return b, true
		}
	}
	if path != tagDocument.Hex() {
		return dicom.BulkValue{}, false
	}
	e, ok := h.Find(tagDocument)
	return dicom.BulkValue{Path: path, VR: e.VR, Offset: e.Offset, Length: e.Length}, ok && e.Length > 0
}

// littleEndian is a value in the byte order of Explicit VR Little Endian, which bulk data without a transfer syntax of its own
// has (PS3.18 8.7.3), where it lies in the file with its high bytes first.
func (f file) littleEndian(p part, h *dicom.Header, v dicom.BulkValue) part {
	tag, _ := dict.ParseTag(v.Path[max(0, len(v.Path)-8):])
	width := pixels.Turned(h, tag, v.VR)
	if width == 1 {
		return p
	}
	return part{media: p.media, size: p.size, tag: strings.TrimSuffix(p.tag, `"`) + `-le"`, write: func(ctx context.Context, w io.Writer) error {
		r, err := f.open(ctx, v.Offset, v.Length)
		if err != nil {
			return err
		}
		defer r.Close()
		return pixels.CopyTurned(w, r, v.Length, width)
	}}
}

// documentOf is the type of an encapsulated document and its length without padding. A type that PS3.18 does not name for
// documents is not repeated: what a sender says must not make a browser run it.
func documentOf(h *dicom.Header, length int64) (typ string, own int64) {
	typ = parseMedia(h.Text(tagDocumentType)).typ
	if !slices.Contains([]string{"application/pdf", "text/xml", "model/stl", "model/obj", "model/mtl"}, typ) {
		typ = typeOctets
	}
	if n, ok := h.Int(tagDocumentLength); ok && n == length-1 {
		return typ, n
	}
	return typ, length
}

// value sends a value bare or in multipart, as is wanted most; as it is in the file, or in another form where that is asked
// for or nothing in particular is.
func (s *Server) value(c *gin.Context, p part, others ...part) {
	types := []string{typeOctets}
	for _, m := range accepted(c) {
		if m.multipart() && covers(m.inner(), typeOctets) {
			s.multipart(c, typeOctets, []part{p})
			return
		}
		for _, other := range append(others, p) {
			if covers(m.typ, other.media) {
				s.bare(c, &other)
				return
			}
		}
	}
	for _, other := range others {
		types = append(types, other.media)
	}
	WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "a bulk value is sent as " + strings.Join(slices.Compact(types), " or ")})
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
