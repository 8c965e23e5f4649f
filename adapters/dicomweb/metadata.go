package dicomweb

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"concord/hub"
	"concord/hub/imaging"
)

// Metadata of a study or series is kept ready as it is sent, in gzip, on the shelf under the address that was asked for.
// It is made when it is asked for first, or after the study has come (see prepare), and its state tells whether it is of
// the instances that there are now.

// keepFrom is the number of instances from which on metadata is worth keeping.
const keepFrom = 8

// relativeBulk begins the addresses of bulk values in records: they are relative to the instance. A quote inside a text is
// escaped, so that no value looks so.
const relativeBulk = `"BulkDataURI":"bulk/`

// metadata answers with the DICOM JSON of instances (PS3.18 10.4.1.1.2).
func (s *Server) metadata(c *gin.Context) {
	at, err := place(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	xml, ok := metadataAnswer(accepted(c))
	if !ok {
		WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "metadata is sent as " + typeJSON + " or multipart/related of " + typeXML})
		return
	}
	if xml {
		s.metadataXML(c)
		return
	}
	if at.Instance != "" {
		recs, err := s.at(c, at)
		if err != nil {
			WriteError(c, err)
			return
		}
		base := s.base(c)
		tag := `"` + stateOf(locsOf(recs), base) + `"`
		s.sendMetadata(c, tag, func() ([]byte, []byte, error) { return metadataOf(recs, base), nil, nil })
		return
	}
	locs, err := s.locate(c, at)
	if err != nil {
		WriteError(c, err)
		return
	}
	base := s.base(c)
	state := stateOf(locs, base)
	s.sendMetadata(c, `"`+state+`"`, func() (plain, packed []byte, err error) {
		return s.readyMetadata(c.Request.Context(), at, base, state, locs)
	})
}

// metadataAnswer says whether XML is wanted; ok is false when neither form is.
func metadataAnswer(accept []media) (xml, ok bool) {
	for _, m := range accept {
		switch {
		case m.multipart() && m.inner() == typeXML, m.typ == typeXML:
			return true, true
		case covers(m.typ, typeJSON), m.typ == "application/json", m.typ == "multipart/related" && covers(m.inner(), typeJSON), m.typ == "multipart/*":
			return false, true
		}
	}
	return false, false
}

// sendMetadata sends what make returns: one of plain and packed at least.
func (s *Server) sendMetadata(c *gin.Context, tag string, make func() (plain, packed []byte, err error)) {
	h := c.Writer.Header()
	h.Set("Content-Type", typeJSON)
	h.Set("ETag", tag)
	h.Set("Vary", "Accept, Accept-Encoding")
	if s.unchanged(c, tag) {
		return
	}
	plain, packed, err := make()
	zip := err == nil && takesGzip(c.GetHeader("Accept-Encoding")) && (packed != nil || len(plain) > 4<<10)
	switch {
	case err != nil:
	case zip && packed == nil:
		packed, err = pack(plain)
	case !zip && plain == nil:
		plain, err = unpack(packed)
	}
	if err != nil {
		h.Del("ETag")
		WriteError(c, err)
		return
	}
	body := plain
	if zip {
		h.Set("Content-Encoding", "gzip")
		body = packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	if c.Request.Method != http.MethodHead {
		c.Writer.Write(body)
	}
}

// readyMetadata takes the metadata of a study or series from the shelf, or makes it.
func (s *Server) readyMetadata(ctx context.Context, at imaging.Place, base, state string, locs []hub.Loc) (plain, packed []byte, err error) {
	name := shelfName(at)
	if len(locs) >= keepFrom {
		if packed, ok := s.Shelf.Get(ctx, at.Study, name, state); ok {
			return nil, packed, nil
		}
	}
	recs, err := s.Reader.Found(ctx, s.PartitionOf(at.Study), locs)
	if err != nil {
		return nil, nil, err
	}
	plain = metadataOf(recs, base)
	if len(locs) < keepFrom {
		return plain, nil, nil
	}
	if packed, err = pack(plain); err != nil {
		return nil, nil, err
	}
	s.shelve(at, name, state, packed)
	return plain, packed, nil
}

// shelve keeps what was made, beside the request: a shelf that cannot take it costs no more than time.
func (s *Server) shelve(at imaging.Place, name, state string, body []byte) {
	select {
	case s.shelving <- struct{}{}:
	default:
		return // enough are on their way
	}
	go func() {
		defer func() { <-s.shelving }()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shelf.Put(ctx, at.Study, name, state, body); err != nil {
			slog.Warn("keep a derived blob", "err", err)
		}
	}()
}

func shelfName(at imaging.Place) string {
	if at.Series == "" {
		return "study.json.gz"
	}
	return at.Series + ".json.gz"
}

// metadataOf puts the stored headers between brackets, with addresses of bulk values that hold anywhere.
func metadataOf(recs []hub.Record, base string) []byte {
	size := 2
	for i := range recs {
		size += len(recs[i].Body) + 400
	}
	out := make([]byte, 0, size)
	for i := range recs {
		out = append(out, "[,"[min(i, 1)])
		out = appendAbsolute(out, &recs[i], base)
	}
	return append(out, ']')
}

func appendAbsolute(dst []byte, rec *hub.Record, base string) []byte {
	body, address := []byte(rec.Body), ""
	for {
		i := bytes.Index(body, []byte(relativeBulk))
		if i < 0 {
			return append(dst, body...)
		}
		if address == "" {
			address = location(base, rec)
		}
		at := i + len(relativeBulk) - len("bulk/")
		dst = append(append(dst, body[:at]...), address...)
		dst = append(dst, '/')
		body = body[at:]
		dst = append(dst, "bulk/"...)
		body = body[len("bulk/"):]
	}
}

func pack(plain []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(plain) / 8)
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read metadata kept ready: %w", err)
	}
	var out bytes.Buffer
	out.Grow(8 * len(packed))
	if _, err := io.Copy(&out, z); err != nil {
		return nil, fmt.Errorf("read metadata kept ready: %w", err)
	}
	return out.Bytes(), nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
