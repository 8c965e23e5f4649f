package fhir

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// download answers GET and HEAD of a Binary or one of its versions: with the bytes as they are, unless Accept asks for FHIR
// JSON (R4 binary.html#rest).
func (s *Server) download(c *gin.Context, q *question) {
	ctx := c.Request.Context()
	rec, err := s.recordOfPath(ctx, q)
	if err != nil {
		refuse(c, err)
		return
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		refuse(c, fmt.Errorf("read a Binary: %w", &hub.Error{Kind: hub.Corrupt, Err: err}))
		return
	}
	c.Header("Vary", "Accept")
	switch accepted(c.Request.Header.Values("Accept"), doc.Root().Get("contentType").Text()) {
	case asContent:
		s.serveContent(c, q, &rec, doc)
	case asResource:
		a, err := q.show(&rec)
		if err != nil {
			refuse(c, err)
			return
		}
		s.show(c, q, a)
	default:
		refuse(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "the Binary has another content type", Hint: "it can be had as application/fhir+json, too"})
	}
}

func (s *Server) recordOfPath(ctx context.Context, q *question) (hub.Record, error) {
	if _, err := q.route(); err != nil {
		return hub.Record{}, err
	}
	if len(q.path) == 4 {
		return s.version(ctx, q)
	}
	return s.current(ctx, q)
}

// form is how a Binary is sent.
type form uint8

const (
	notAtAll form = iota
	asContent
	asResource
)

// accepted reads Accept. JSON that is not said to be FHIR's means the content where that is JSON, else the resource.
func accepted(accept []string, contentType string) form {
	own := mediaType(contentType)
	if typ, _, ok := strings.Cut(own, "/"); !ok || typ == "" {
		own = "application/octet-stream"
	}
	kind, _, _ := strings.Cut(own, "/")
	ranges := acceptRanges(accept)
	if strings.TrimSpace(strings.Join(accept, "")) == "" {
		return asContent
	}
	for _, typ := range ranges {
		switch {
		case typ == "application/fhir+json", typ == "application/json+fhir":
			return asResource
		case typ == own, typ == kind+"/*", typ == "*/*":
			return asContent
		case isJSON(typ):
			return asResource
		}
	}
	return notAtAll
}

// acceptRanges lists media ranges, the preferred ones first (RFC 9110 12.5.1).
func acceptRanges(accept []string) []string {
	type ranged struct {
		typ string
		q   float64
	}
	var all []ranged
	for one := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		typ, params, _ := strings.Cut(one, ";")
		r := ranged{strings.ToLower(strings.TrimSpace(typ)), 1}
		for p := range strings.SplitSeq(params, ";") {
			if q, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
				r.q, _ = strconv.ParseFloat(q, 64)
			}
		}
		if r.typ != "" && r.q > 0 {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b ranged) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	types := make([]string, len(all))
	for i, r := range all {
		types[i] = r.typ
	}
	return types
}

// serveContent answers with the bytes, or ranges of them. What members store may be anything, so that no browser is to run
// or show it.
func (s *Server) serveContent(c *gin.Context, q *question, rec *hub.Record, doc *fhir.Doc) {
	if err := q.rest(); err != nil {
		refuse(c, err)
		return
	}
	body, err := s.contentOf(c.Request.Context(), q.who, rec, doc)
	if err != nil {
		refuse(c, err)
		return
	}
	defer body.Close()
	h := c.Writer.Header()
	h.Set("Content-Type", safeType(doc.Root().Get("contentType").Text()))
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("ETag", etag(rec.Version))
	if context := doc.Root().Get("securityContext").Get("reference").Text(); context != "" {
		h.Set(contextHeader, context)
	}
	w := &rangedWriter{ResponseWriter: c.Writer}
	http.ServeContent(w, c.Request, "", rec.Time, body)
	if w.refused {
		h.Del("Content-Disposition")
		o := outcome{ResourceType: "OperationOutcome", Issue: []issue{{Severity: "error", Code: "invalid",
			Diagnostics: "the Range is none, or none of these bytes, whose number Content-Range tells", Expression: []string{"Range"}}}}
		writeOutcome(c, nil, http.StatusRequestedRangeNotSatisfiable, &o)
		return
	}
	c.Writer.WriteHeaderNow()
	if hub.Is(body.err, hub.Corrupt) {
		slog.Error("an answer was cut off", "route", c.FullPath(), "err", body.err)
	}
}

// rangedWriter holds back what the standard library has to say to a Range that cannot be served.
type rangedWriter struct {
	http.ResponseWriter
	refused bool
}

func (w *rangedWriter) WriteHeader(status int) {
	if w.refused = status == http.StatusRequestedRangeNotSatisfiable; !w.refused {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *rangedWriter) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// contentOf is what a Binary holds.
func (s *Server) contentOf(ctx context.Context, who access.Caller, rec *hub.Record, doc *fhir.Doc) (*contentReader, error) {
	data := doc.Root().Get("data").Text()
	if part, ok := strings.CutPrefix(data, "@"); ok && rec.Blob != nil {
		i, err := strconv.Atoi(part)
		spans := rec.Blob.Parts.Spans(i)
		if err != nil || len(spans) != 2 {
			return nil, &hub.Error{Kind: hub.Corrupt, Msg: "the data of a Binary is not in one place", Hint: "run: concord fsck"}
		}
		r := &contentReader{size: spans[1], open: func(at int64) (io.ReadCloser, error) {
			return s.Reader.Blob(ctx, who, rec, spans[0]+at, spans[1]-at)
		}}
		_, err = r.Read(nil) // that it is there is better known before the answer begins
		return r, err
	}
	plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err != nil {
		return nil, &hub.Error{Kind: hub.Corrupt, Msg: "the data of a Binary is no base64", Err: err}
	}
	return &contentReader{size: int64(len(plain)), open: func(at int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(plain[at:])), nil
	}}, nil
}

// contentReader reads from any place on. It opens what it reads from when it is first read there.
type contentReader struct {
	size, at int64
	open     func(at int64) (io.ReadCloser, error)
	from     io.ReadCloser
	fromAt   int64 // where from stands
	err      error
}

func (r *contentReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.at >= r.size {
		return 0, io.EOF
	}
	if r.from != nil && r.fromAt != r.at {
		r.Close()
	}
	if r.from == nil {
		if r.from, r.err = r.open(r.at); r.err != nil {
			return 0, r.err
		}
	}
	if len(p) == 0 {
		r.fromAt = r.at
		return 0, nil
	}
	n, err := r.from.Read(p)
	r.at += int64(n)
	r.fromAt = r.at
	if err == io.EOF && r.at < r.size {
		err = &hub.Error{Kind: hub.Corrupt, Msg: "a blob is shorter than recorded", Hint: "run: concord fsck"}
	}
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Seek implements io.Seeker.
func (r *contentReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	r.at = offset
	return offset, nil
}

// Close closes what is open.
func (r *contentReader) Close() error {
	if r.from != nil {
		r.from.Close()
		r.from = nil
	}
	return nil
}
