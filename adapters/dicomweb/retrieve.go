package dicomweb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/dicom"
)

// instances finds the records that the URL's study, series and instance name. None is NotFound.
func (s *Server) instances(c *gin.Context) ([]hub.Record, error) {
	ctx, who := c.Request.Context(), caller(c)
	study, series, sop := c.Param("study"), c.Param("series"), c.Param("instance")
	for _, u := range [][2]string{{"StudyInstanceUID", study}, {"SeriesInstanceUID", series}, {"SOPInstanceUID", sop}} {
		if u[1] != "" {
			if err := dicom.CheckUID(u[0], u[1]); err != nil {
				return nil, err
			}
		}
	}
	p := s.PartitionOf(study)
	if sop != "" {
		rec, err := s.Reader.Read(ctx, who, p, dicom.InstanceName(study, sop))
		if err != nil {
			return nil, err
		}
		if seriesOf(&rec) != series {
			return nil, &hub.Error{Kind: hub.NotFound, Msg: "the series has no such instance"}
		}
		return []hub.Record{rec}, nil
	}
	clauses := []hub.Clause{equals(imaging.StudyParam, study)}
	if series != "" {
		clauses = append(clauses, equals(imaging.SeriesParam, series))
	}
	q := hub.Query{Type: dicom.Instance.Type(), Routes: []string{study}, All: clauses, Limit: 2000}
	var all []hub.Record
	for {
		res, err := s.Reader.Search(ctx, who, []hub.Partition{p}, q, "retrieve")
		if err != nil {
			return nil, err
		}
		all = append(all, res.Records...)
		if res.Next == nil {
			break
		}
		q.After = res.Next
	}
	if len(all) == 0 {
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "there is no such study or series"}
	}
	return all, nil
}

func equals(param, text string) hub.Clause {
	return hub.Clause{Param: param, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: text}}}
}

// metadata answers with the DICOM JSON of instances (PS3.18 10.4.1.1.2): stored bytes between commas.
func (s *Server) metadata(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	size := 2
	for i := range recs {
		size += len(recs[i].Body) + 1
	}
	h := c.Writer.Header()
	h.Set("Content-Type", "application/dicom+json")
	tag := s.metadataTag(recs)
	h.Set("ETag", tag)
	h.Set("Vary", "Accept-Encoding")
	if c.GetHeader("If-None-Match") == tag {
		c.Status(http.StatusNotModified)
		return
	}
	var out io.Writer = c.Writer
	if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") && size > 4<<10 {
		h.Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(c.Writer, gzip.BestSpeed)
		defer z.Close()
		out = z
	} else {
		h.Set("Content-Length", strconv.Itoa(size-boolInt(len(recs) > 0)))
	}
	w := bufio.NewWriterSize(out, 64<<10)
	defer w.Flush()
	for i := range recs {
		w.WriteByte("[,"[boolInt(i > 0)])
		w.Write(recs[i].Body)
	}
	w.WriteByte(']')
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// metadataTag names the state of a set of instances: commits are never changed, so the places of the records suffice.
func (s *Server) metadataTag(recs []hub.Record) string {
	var b bytes.Buffer
	for i := range recs {
		fmt.Fprintf(&b, "%d.%d,", recs[i].Loc.Seq, recs[i].Loc.Off)
	}
	return `"` + hub.Digest(b.Bytes())[:32] + `"`
}

// part is one body of a multipart answer: pieces of a blob behind a part header.
type part struct {
	rec   *hub.Record
	media string
	spans []int64 // offset, length, …
}

func (p *part) size() (n int64) {
	for i := 1; i < len(p.spans); i += 2 {
		n += p.spans[i]
	}
	return n
}

// retrieve answers with instances as they were sent (PS3.18 10.4.1.1.1).
func (s *Server) retrieve(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	var parts []part
	var syntaxes []string
	for i := range recs {
		if recs[i].Blob == nil {
			continue
		}
		ts := syntaxOf(&recs[i])
		if !slices.Contains(syntaxes, ts) {
			syntaxes = append(syntaxes, ts)
		}
		parts = append(parts, part{&recs[i], "application/dicom; transfer-syntax=" + ts, []int64{0, recs[i].Blob.Size}})
	}
	multi, ok := instanceAnswer(parseAccept(c.Request.Header.Values("Accept"), c.Query("accept")), syntaxes, c.Param("instance") != "")
	if !ok {
		WriteError(c, notAcceptable(syntaxes))
		return
	}
	if !multi {
		s.bare(c, &parts[0])
		return
	}
	s.multipart(c, "application/dicom", parts)
}

func notAcceptable(syntaxes []string) error {
	return &hub.Error{Kind: hub.Unsupported, Path: "Accept", Hint: "ask with transfer-syntax=*",
		Msg: "the instances are stored in " + strings.Join(syntaxes, ", ") + " and are not transcoded"}
}

func syntaxOf(rec *hub.Record) string {
	return parseMedia(rec.Blob.Media).params["transfer-syntax"]
}

// frames answers with single frames (PS3.18 10.4.1.1.4) by ranges of the blob, without opening the file.
func (s *Server) frames(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	rec := &recs[0]
	if rec.Blob == nil || rec.Blob.Parts.Len() == 0 {
		WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "the instance has no frames that can be told apart"})
		return
	}
	numbers := strings.Split(c.Param("frames"), ",")
	if len(numbers) > rec.Blob.Parts.Len() {
		WriteError(c, &hub.Error{Kind: hub.Invalid, Path: "frames", Msg: "more frames are asked for than there are"})
		return
	}
	ts := syntaxOf(rec)
	typ, multi, ok := frameAnswer(parseAccept(c.Request.Header.Values("Accept"), c.Query("accept")), ts, len(numbers))
	if !ok {
		WriteError(c, notAcceptable([]string{ts}))
		return
	}
	parts := make([]part, 0, len(numbers))
	for _, text := range numbers {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			WriteError(c, &hub.Error{Kind: hub.Invalid, Path: "frames", Msg: "frame numbers are whole numbers from 1 on, separated by commas"})
			return
		}
		spans := rec.Blob.Parts.Spans(n - 1)
		if spans == nil {
			WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: fmt.Sprintf("the instance has %d frames", rec.Blob.Parts.Len())})
			return
		}
		parts = append(parts, part{rec, typ + "; transfer-syntax=" + ts, spans})
	}
	if !multi {
		s.bare(c, &parts[0])
		return
	}
	s.multipart(c, typ, parts)
}

// bare sends one part as the whole body.
func (s *Server) bare(c *gin.Context, p *part) {
	h := c.Writer.Header()
	h.Set("Content-Type", p.media)
	h.Set("Content-Length", strconv.FormatInt(p.size(), 10))
	h.Set("Content-Disposition", "attachment") // a Part 10 preamble can be anything (CVE-2019-11687)
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	s.send(c, rawWriter(c), p)
}

// multipart sends parts as multipart/related. The length is known beforehand, so that files can go to the socket without
// passing through this process.
func (s *Server) multipart(c *gin.Context, typ string, parts []part) {
	boundary := rand.Text() + rand.Text()
	heads := make([]string, len(parts))
	tail := "\r\n--" + boundary + "--\r\n"
	total := int64(len(tail))
	for i := range parts {
		lead := "\r\n--"
		if i == 0 {
			lead = "--"
		}
		heads[i] = fmt.Sprintf("%s%s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", lead, boundary, parts[i].media, parts[i].size())
		total += int64(len(heads[i])) + parts[i].size()
	}
	h := c.Writer.Header()
	h.Set("Content-Type", fmt.Sprintf(`multipart/related; type="%s"; boundary=%s`, typ, boundary))
	h.Set("Content-Length", strconv.FormatInt(total, 10))
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	w := rawWriter(c)
	for i := range parts {
		if _, err := io.WriteString(w, heads[i]); err != nil {
			return
		}
		if !s.send(c, w, &parts[i]) {
			return
		}
	}
	io.WriteString(w, tail)
}

// send copies a part; on failure the answer is cut short, which the length given beforehand makes visible to the client.
func (s *Server) send(c *gin.Context, w io.Writer, p *part) bool {
	if deflated(p) {
		return s.sendInflated(c, w, p)
	}
	for i := 0; i+1 < len(p.spans); i += 2 {
		r, err := s.Reader.Blob(c.Request.Context(), caller(c), p.rec, p.spans[i], p.spans[i+1])
		if err != nil {
			c.Error(err)
			return false
		}
		_, err = io.Copy(w, r)
		r.Close()
		if err != nil {
			return false
		}
	}
	return true
}

// deflated says that the part's spans count inflated bytes (frames of a deflated data set).
func deflated(p *part) bool {
	whole := len(p.spans) == 2 && p.spans[0] == 0 && p.spans[1] == p.rec.Blob.Size
	return syntaxOf(p.rec) == "1.2.840.10008.1.2.1.99" && !whole
}

// sendInflated inflates up to the frame asked for: deflated images are rare and small.
func (s *Server) sendInflated(c *gin.Context, w io.Writer, p *part) bool {
	r, err := s.Reader.Blob(c.Request.Context(), caller(c), p.rec, 0, -1)
	if err != nil {
		return false
	}
	header, err := dicom.ScanFile(r, dicom.Limits{})
	r.Close()
	if err != nil {
		return false
	}
	if r, err = s.Reader.Blob(c.Request.Context(), caller(c), p.rec, 0, -1); err != nil {
		return false
	}
	defer r.Close()
	plain := dicom.Inflated(r, header.DataSet)
	at := int64(0)
	for i := 0; i+1 < len(p.spans); i += 2 {
		if _, err := io.CopyN(io.Discard, plain, p.spans[i]-at); err != nil {
			return false
		}
		if _, err := io.CopyN(w, plain, p.spans[i+1]); err != nil {
			return false
		}
		at = p.spans[i] + p.spans[i+1]
	}
	return true
}

// rawWriter is the connection's own writer below gin's, which knows how to take a file (io.ReaderFrom).
func rawWriter(c *gin.Context) io.Writer {
	if u, ok := c.Writer.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return c.Writer
}

// bulk answers with one value that the metadata refers to by BulkDataURI (PS3.18 10.4.1.1.5). Where it lies is found by
// reading the header again.
func (s *Server) bulk(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	rec := &recs[0]
	file, err := s.Reader.Blob(c.Request.Context(), caller(c), rec, 0, -1)
	if err != nil {
		WriteError(c, err)
		return
	}
	header, err := dicom.ScanFile(file, dicom.Limits{Lenient: true})
	file.Close()
	if err != nil {
		WriteError(c, err)
		return
	}
	want := strings.TrimPrefix(c.Param("path"), "/")
	for _, b := range header.Bulks() {
		if b.Path != want {
			continue
		}
		p := part{rec, "application/octet-stream", []int64{b.Offset, b.Length}}
		if parseAccept(c.Request.Header.Values("Accept"), c.Query("accept"))[0].typ == "multipart/related" {
			s.multipart(c, "application/octet-stream", []part{p})
		} else {
			s.bare(c, &p)
		}
		return
	}
	WriteError(c, &hub.Error{Kind: hub.NotFound, Msg: "the instance has no bulk value at " + clip(want)})
}
