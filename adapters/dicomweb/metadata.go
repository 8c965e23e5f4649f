package dicomweb

import (
	"bufio"
	"bytes"
	"context"
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

// Metadata of a study or series is kept on the shelf as it is sent to those who take gzip, which browsers do: compressed,
// for the address of the hub that was asked. It is made ahead (see prepare.go) or when it is asked for first, and its state
// tells whether it is of the instances that there are now. Others get it from the records: to inflate it would take longer.

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
	switch {
	case !ok:
		WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "metadata is sent as " + typeJSON + " or multipart/related of " + typeXML})
	case xml:
		s.metadataXML(c)
	default:
		if err := s.metadataJSON(c, at); err != nil {
			c.Writer.Header().Del("ETag")
			WriteError(c, err)
		}
	}
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

func (s *Server) metadataJSON(c *gin.Context, at imaging.Place) error {
	var recs []hub.Record
	var locs []hub.Loc
	var err error
	if at.Instance != "" {
		recs, err = s.at(c, at)
		locs = locsOf(recs)
	} else {
		locs, err = s.locate(c, at)
	}
	if err != nil {
		return err
	}
	base := s.base(c)
	if known := s.known.Load(); known == nil || *known != base {
		s.known.Store(&base)
	}
	state := stateOf(locs, base)
	h := c.Writer.Header()
	h.Set("Content-Type", typeJSON)
	h.Set("ETag", `"`+state+`"`)
	h.Set("Vary", "Accept, Accept-Encoding")
	if s.unchanged(c, `"`+state+`"`) {
		return nil
	}
	ctx := c.Request.Context()
	zip := takesGzip(c.GetHeader("Accept-Encoding"))
	if zip && len(locs) >= keepFrom {
		if packed, ok := s.Shelf.Get(ctx, at.Study, shelfName(at, base), state); ok {
			return sendPacked(c, packed)
		}
	}
	if recs == nil {
		if recs, err = s.Reader.Found(ctx, s.PartitionOf(at.Study), locs); err != nil {
			return err
		}
	}
	told := tell(recs, base)
	if zip && told.size > 4<<10 {
		packed, err := told.pack()
		if err != nil {
			return err
		}
		if len(locs) >= keepFrom {
			s.shelve(at, shelfName(at, base), state, packed)
		}
		return sendPacked(c, packed)
	}
	h.Set("Content-Length", strconv.Itoa(told.size))
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	if c.Request.Method != http.MethodHead {
		if err := told.write(rawWriter(c)); err != nil {
			c.Error(err)
		}
	}
	return nil
}

func sendPacked(c *gin.Context, packed []byte) error {
	h := c.Writer.Header()
	h.Set("Content-Encoding", "gzip")
	h.Set("Content-Length", strconv.Itoa(len(packed)))
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	if c.Request.Method != http.MethodHead {
		c.Writer.Write(packed)
	}
	return nil
}

// shelve keeps what was made, beside the request: a shelf that cannot take it costs no more than time.
func (s *Server) shelve(at imaging.Place, name, state string, body []byte) {
	select {
	case s.shelving <- struct{}{}:
	default:
		return // enough are on their way
	}
	s.keeping.Go(func() {
		defer func() { <-s.shelving }()
		s.shelveNow(at, name, state, body)
	})
}

// shelveNow is shelve that waits.
func (s *Server) shelveNow(at imaging.Place, name, state string, body []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := s.Shelf.Put(ctx, at.Study, name, state, body)
	if err == nil {
		err = s.clearDeleted(ctx, at)
	}
	if err != nil {
		slog.Warn("keep a derived blob", "err", err)
	}
}

// clearDeleted takes away what came onto the shelf after a deletion had cleared it.
func (s *Server) clearDeleted(ctx context.Context, at imaging.Place) error {
	gone, err := s.Archive.Deleted(ctx, nameOf(at))
	if err == nil && gone {
		err = s.Shelf.Clear(ctx, at.Study)
	}
	return err
}

// shelfName keeps metadata for different addresses of the hub apart, up to sixteen by and large.
func shelfName(at imaging.Place, base string) string {
	name := "study"
	if at.Series != "" {
		name = at.Series
	}
	return name + "." + hub.Digest([]byte(base))[:1] + ".json.gz"
}

// told are stored headers on their way to a client, as they stand between brackets in its answer, with addresses of bulk values that
// hold anywhere.
type told struct {
	recs []hub.Record
	cuts [][]cut // of each record
	size int     // bytes that write writes
}

// cut is a place in a header where an address is to be put in.
type cut struct {
	at      int
	address string
}

func tell(recs []hub.Record, base string) told {
	t := told{recs: recs, cuts: make([][]cut, len(recs)), size: 1}
	var cuts []cut // space for all
	for i := range recs {
		from := len(cuts)
		cuts = cutsOf(cuts, &recs[i], base)
		t.cuts[i] = cuts[from:len(cuts):len(cuts)]
		t.size += 1 + len(recs[i].Body)
		for _, c := range t.cuts[i] {
			t.size += len(c.address)
		}
	}
	return t
}

// cutsOf appends those of one header. It looks for slashes, which are few.
func cutsOf(cuts []cut, rec *hub.Record, base string) []cut {
	address := ""
	for i := 0; ; i++ {
		n := bytes.IndexByte(rec.Body[i:], '/')
		if n < 0 {
			return cuts
		}
		if i += n; !bytes.HasSuffix(rec.Body[:i+1], []byte(relativeBulk)) {
			continue
		}
		if address == "" {
			address = location(base, rec) + "/"
		}
		cuts = append(cuts, cut{i + 1 - len("bulk/"), address})
	}
}

func (t *told) write(to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	for i := range t.recs {
		w.WriteByte("[,"[min(i, 1)])
		t.header(w, i)
	}
	w.WriteByte(']')
	return w.Flush()
}

// header writes the i-th one.
func (t *told) header(w interface {
	io.Writer
	io.StringWriter
}, i int) {
	body, done := t.recs[i].Body, 0
	for _, c := range t.cuts[i] {
		w.Write(body[done:c.at])
		w.WriteString(c.address)
		done = c.at
	}
	w.Write(body[done:])
}

func (t *told) pack() ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err == nil {
		err = t.write(z)
	}
	if err == nil {
		err = z.Close()
	}
	return out.Bytes(), err
}
