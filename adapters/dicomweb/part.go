package dicomweb

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
)

// part is one body of an answer.
type part struct {
	media string
	// location is the part's Content-Location, span its Content-Range; each empty for none.
	location, span string
	// size is the number of bytes, −1 where it is not known before they are made.
	size  int64
	write func(ctx context.Context, w io.Writer) error
	// from writes a range of the bytes where these are stored; nil where they are made.
	from func(ctx context.Context, w io.Writer, offset, length int64) error
	// tag names the state of the bytes, empty where it cannot be told.
	tag string
}

// stored is a part that lies in a file.
func (f file) part(media string, spans []int64) part {
	p := part{media: media, write: func(ctx context.Context, w io.Writer) error { return f.copy(ctx, w, spans) }}
	for i := 1; i < len(spans); i += 2 {
		p.size += spans[i]
	}
	if len(spans) >= 2 {
		p.tag = fmt.Sprintf(`"%s-%x-%x"`, f.rec.Blob.SHA256[:32], spans[0], p.size)
	}
	if len(spans) == 2 && (f.syntax() != deflatedLittle || f.whole(spans)) {
		p.from = func(ctx context.Context, w io.Writer, offset, length int64) error {
			return f.copyStored(ctx, w, []int64{spans[0] + offset, length})
		}
	}
	return p
}

// bytesPart is a part at hand.
func bytesPart(media string, data []byte) part {
	return part{media: media, size: int64(len(data)),
		write: func(_ context.Context, w io.Writer) error { _, err := w.Write(data); return err },
		from: func(_ context.Context, w io.Writer, offset, length int64) error {
			_, err := w.Write(data[offset : offset+length])
			return err
		}}
}

// bare sends one part as the whole body, or the ranges of it that are asked for (RFC 9110 14.2), or nothing where the
// client has it already.
func (s *Server) bare(c *gin.Context, p *part) {
	h := c.Writer.Header()
	h.Set("Content-Type", p.media)
	if !strings.HasPrefix(p.media, "image/") {
		h.Set("Content-Disposition", "attachment") // a Part 10 preamble can be anything (CVE-2019-11687)
	}
	if p.tag != "" {
		h.Set("ETag", p.tag)
		if s.unchanged(c, p.tag) {
			return
		}
	}
	status, body := http.StatusOK, *p
	if p.from != nil {
		h.Set("Accept-Ranges", "bytes")
		switch spans, asked := byteRanges(c.Request, p.size, p.tag); {
		case asked && len(spans) == 0:
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", p.size))
			WriteError(c, errRange)
			return
		case len(spans) > 1:
			parts := make([]part, len(spans))
			for i, at := range spans {
				parts[i] = p.piece(at)
			}
			boundary := rand.Text() + rand.Text()
			s.several(c, http.StatusPartialContent, "multipart/byteranges; boundary="+boundary, boundary, parts)
			return
		case len(spans) == 1:
			status, body = http.StatusPartialContent, p.piece(spans[0])
			h.Set("Content-Range", body.span)
		}
	}
	if body.size < 0 {
		s.stream(c, status, func(w io.Writer) error { return body.write(c.Request.Context(), w) })
		return
	}
	h.Set("Content-Length", strconv.FormatInt(body.size, 10))
	c.Writer.WriteHeader(status)
	c.Writer.WriteHeaderNow()
	if c.Request.Method == http.MethodHead {
		return
	}
	if err := body.write(c.Request.Context(), rawWriter(c)); err != nil {
		c.Error(err) // the length given before tells the client that this is cut short
	}
}

// errRange is answered 416: see WriteError.
var errRange = &hub.Error{Kind: hub.Invalid, Path: "Range", Msg: "the range lies behind the end"}

// unchanged answers 304 where the client's copy, named by its tag, is the one there is (RFC 9110 13.1.2).
func (s *Server) unchanged(c *gin.Context, tag string) bool {
	for one := range strings.SplitSeq(strings.Join(c.Request.Header.Values("If-None-Match"), ","), ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			c.Writer.Header().Del("Content-Type")
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return true
		}
	}
	return false
}

// span is a range of bytes.
type span struct{ offset, length int64 }

// piece is a range of a part that has from.
func (p *part) piece(at span) part {
	return part{media: p.media, size: at.length, span: fmt.Sprintf("bytes %d-%d/%d", at.offset, at.offset+at.length-1, p.size),
		write: func(ctx context.Context, w io.Writer) error { return p.from(ctx, w, at.offset, at.length) }}
}

// mostRanges bounds the ranges of one request; more are answered with the whole, as are those that overlap so much that
// the whole is less (RFC 9110 14.2).
const mostRanges = 64

// byteRanges reads Range. It is not asked for ranges where the header is none of bytes or names another state; none of those
// asked for are there where all lie behind the end.
func byteRanges(r *http.Request, size int64, tag string) (there []span, asked bool) {
	list, bytes := strings.CutPrefix(strings.TrimSpace(r.Header.Get("Range")), "bytes=")
	if !bytes || strings.Count(list, ",") >= mostRanges || r.Header.Get("If-Range") != "" && r.Header.Get("If-Range") != tag {
		return nil, false
	}
	total := int64(0)
	for one := range strings.SplitSeq(list, ",") {
		at, ok := byteRange(strings.TrimSpace(one), size)
		if !ok {
			return nil, false
		}
		if at.length > 0 {
			there, total = append(there, at), total+at.length
		}
	}
	if len(there) > 1 && total > size {
		return nil, false
	}
	return there, true
}

// byteRange reads one range; it has no length where it lies behind the end.
func byteRange(text string, size int64) (at span, ok bool) {
	first, last, dash := strings.Cut(text, "-")
	if !dash || strings.Trim(first+last, "0123456789") != "" || first == "" && last == "" || len(first) > 18 || len(last) > 18 {
		return span{}, false
	}
	from, _ := strconv.ParseInt(first, 10, 64)
	to, _ := strconv.ParseInt(last, 10, 64)
	switch {
	case first == "":
		from, to = max(0, size-to), size-1
	case last != "" && from > to:
		return span{}, false
	case last == "" || to >= size:
		to = size - 1
	}
	return span{from, max(0, to-from+1)}, true
}

// multipart sends parts as multipart/related. Where the length of all is known beforehand, files go to the socket without
// passing through this process.
func (s *Server) multipart(c *gin.Context, typ string, parts []part) {
	boundary := rand.Text() + rand.Text()
	s.several(c, http.StatusOK, fmt.Sprintf(`multipart/related; type="%s"; boundary=%s`, typ, boundary), boundary, parts)
}

// several sends parts as a multipart body of a type.
func (s *Server) several(c *gin.Context, status int, typ, boundary string, parts []part) {
	heads := make([]string, len(parts))
	tail := "\r\n--" + boundary + "--\r\n"
	total := int64(len(tail))
	for i := range parts {
		heads[i] = parts[i].head(boundary, i == 0)
		if total >= 0 && parts[i].size >= 0 {
			total += int64(len(heads[i])) + parts[i].size
		} else {
			total = -1
		}
	}
	h := c.Writer.Header()
	h.Set("Content-Type", typ)
	all := func(w io.Writer) error {
		for i := range parts {
			if _, err := io.WriteString(w, heads[i]); err != nil {
				return err
			}
			if err := parts[i].write(c.Request.Context(), w); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, tail)
		return err
	}
	if total < 0 {
		s.stream(c, status, all)
		return
	}
	h.Set("Content-Length", strconv.FormatInt(total, 10))
	c.Writer.WriteHeader(status)
	c.Writer.WriteHeaderNow()
	if c.Request.Method == http.MethodHead {
		return
	}
	if err := all(rawWriter(c)); err != nil {
		c.Error(err)
	}
}

func (p *part) head(boundary string, first bool) string {
	var b strings.Builder
	if !first {
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\n", boundary, p.media)
	if p.size >= 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", p.size)
	}
	if p.span != "" {
		fmt.Fprintf(&b, "Content-Range: %s\r\n", p.span)
	}
	if p.location != "" {
		fmt.Fprintf(&b, "Content-Location: %s\r\n", p.location)
	}
	b.WriteString("\r\n")
	return b.String()
}

// stream sends a body whose length is not known. What fails before its first byte is an error like any other; what fails
// later cuts the connection, so that nobody takes the answer for whole.
func (s *Server) stream(c *gin.Context, status int, write func(w io.Writer) error) {
	if c.Request.Method == http.MethodHead {
		c.Writer.WriteHeader(status)
		c.Writer.WriteHeaderNow()
		return
	}
	w := &lateWriter{c: c, status: status}
	buffered := bufio.NewWriterSize(w, 32<<10) // holds the head of a part until the part itself has begun
	err := write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		w.begin()
	}
	switch {
	case err == nil:
	case !w.begun:
		for _, name := range []string{"Content-Disposition", "ETag", "Content-Encoding"} {
			c.Writer.Header().Del(name)
		}
		WriteError(c, err)
	default:
		c.Error(err)
		panic(http.ErrAbortHandler)
	}
}

// lateWriter sends the status with the first byte.
type lateWriter struct {
	c      *gin.Context
	status int
	begun  bool
	w      io.Writer
}

func (l *lateWriter) begin() {
	if !l.begun {
		l.begun = true
		l.c.Writer.WriteHeader(l.status)
		l.c.Writer.WriteHeaderNow()
		l.w = rawWriter(l.c)
	}
}

func (l *lateWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	l.begin()
	return l.w.Write(p)
}

// rawWriter is the connection's own writer below gin's, which knows how to take a file (io.ReaderFrom).
func rawWriter(c *gin.Context) io.Writer {
	if u, ok := c.Writer.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return c.Writer
}
