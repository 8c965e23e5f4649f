package dicomweb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/related"
	"concord/internal/webbody"
)

// stored is what became of one part of a request.
type stored struct {
	sopClass, sop string
	study, series string
	result        imaging.Result
	warnings      []string
	warned        bool // by the first of warnings, with a code
	err           error
}

// store answers STOW-RS (PS3.18 10.5): multipart/related or a single application/dicom, streamed. Each instance is
// stored or refused by itself.
func (s *Server) store(c *gin.Context) {
	study := c.Param("study")
	next, err := s.parts(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	results, err := s.storeAll(c.Request.Context(), caller(c).Member, study, next)
	if err != nil && len(results) == 0 {
		WriteError(c, err)
		return
	}
	if err != nil { // the request broke off; what came whole before that is stored
		results = append(results, stored{err: err})
	}
	s.report(c, study, results)
}

// storeAll reads one instance after another while those before are being made durable.
func (s *Server) storeAll(ctx context.Context, member, study string, next func() (io.Reader, error)) ([]stored, error) {
	var results []*stored
	batches := newBatches(ctx, s, member)
	broken := func() error {
		for {
			part, err := next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if len(results) == s.Limits.Parts {
				return &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("a request may have %d parts", s.Limits.Parts)}
			}
			in, err := s.Archive.Receive(ctx, part)
			var cut *brokenBody
			if errors.As(err, &cut) {
				return cut.fault()
			}
			one := &stored{err: err}
			results = append(results, one)
			if err != nil {
				continue
			}
			h := in.Header
			*one = stored{sopClass: h.SOPClassUID, sop: h.SOPInstanceUID, study: h.StudyInstanceUID, series: h.SeriesInstanceUID, warnings: h.Warnings}
			if study != "" && h.StudyInstanceUID != study {
				in.Discard()
				one.err = &hub.Error{Kind: hub.Unprocessable, Path: "StudyInstanceUID", Msg: "the instance belongs to another study than the URL says"}
				continue
			}
			batches.add(in, one)
		}
	}()
	batches.end()
	all := make([]stored, len(results))
	for i := range results {
		all[i] = *results[i]
	}
	if len(all) == 0 && broken == nil {
		broken = &hub.Error{Kind: hub.Invalid, Msg: "the request has no instances"}
	}
	return all, broken
}

// batches makes the instances of one request durable, up to batchSize together: their bytes side by side once all have
// come, so that the disk's journal is asked once and not for each, and then their records in one commit.
type batches struct {
	ctx     context.Context
	server  *Server
	member  string
	slots   chan struct{} // instances being kept
	ahead   chan struct{} // batches on their way, so that a long request does not pile up headers
	current batch
	all     sync.WaitGroup
}

// batch is instances that have come and where to say what became of them.
type batch struct {
	come    []*imaging.Received
	results []*stored
}

const batchSize = 64

func newBatches(ctx context.Context, s *Server, member string) *batches {
	return &batches{ctx: ctx, server: s, member: member, slots: make(chan struct{}, s.Limits.Parallel), ahead: make(chan struct{}, 2)}
}

func (bs *batches) add(in *imaging.Received, result *stored) {
	bs.current.come, bs.current.results = append(bs.current.come, in), append(bs.current.results, result)
	if len(bs.current.come) == batchSize {
		bs.flush()
	}
}

// flush sends the current batch on its way; the next one begins meanwhile.
func (bs *batches) flush() {
	b := bs.current
	bs.current = batch{}
	bs.ahead <- struct{}{}
	bs.all.Go(func() {
		defer func() { <-bs.ahead }()
		bs.store(b)
	})
}

func (bs *batches) store(b batch) {
	kept := make([]*imaging.Kept, len(b.come))
	var keeping sync.WaitGroup
	for i, in := range b.come {
		bs.slots <- struct{}{}
		keeping.Go(func() {
			defer func() { <-bs.slots }()
			kept[i], b.results[i].err = bs.server.Archive.Keep(bs.ctx, in)
		})
	}
	keeping.Wait()
	var durable []*imaging.Kept
	var results []*stored
	for i, r := range b.results {
		if r.err == nil {
			durable, results = append(durable, kept[i]), append(results, r)
		}
	}
	for i, o := range bs.server.Archive.Commit(bs.ctx, bs.member, durable) {
		results[i].result, results[i].err = o.Result, o.Err
		if o.Warning != "" {
			results[i].warnings, results[i].warned = append([]string{o.Warning}, results[i].warnings...), true
		}
	}
}

// end waits until all is stored or refused.
func (bs *batches) end() {
	bs.flush()
	bs.all.Wait()
}

// brokenBody marks a fault of the request's body rather than of an instance in it.
type brokenBody struct{ err error }

func (b *brokenBody) Error() string { return "read the request body: " + b.err.Error() }
func (b *brokenBody) Unwrap() error { return b.err }

// fault is what the client is told: the body's own fault where it has one (gzip that inflates too far), else that it ended.
func (b *brokenBody) fault() error {
	var known *hub.Error
	if errors.As(b.err, &known) {
		return known
	}
	return &hub.Error{Kind: hub.Invalid, Msg: "the request body ends before its last part does", Err: b.err}
}

// bodyReader marks the faults of a body that is one instance, partReader those of a body of many.
type bodyReader struct{ r io.Reader }

func (b bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	return n, broken(err)
}

type partReader struct{ *related.Part }

func (p partReader) Read(b []byte) (int, error) {
	n, err := p.Part.Read(b)
	return n, broken(err)
}

// Take implements imaging.Taker.
func (p partReader) Take(max int) ([]byte, error) {
	piece, err := p.Part.Take(max)
	return piece, broken(err)
}

func broken(err error) error {
	if err != nil && err != io.EOF {
		return &brokenBody{err}
	}
	return err
}

// parts returns an iterator over the instances in the request.
func (s *Server) parts(c *gin.Context) (func() (io.Reader, error), error) {
	media := parseMedia(c.GetHeader("Content-Type"))
	body, err := webbody.Reader(c.Request, 0)
	if err != nil {
		return nil, err
	}
	switch media.typ {
	case "application/dicom":
		done := false
		return func() (io.Reader, error) {
			if done {
				return nil, io.EOF
			}
			done = true
			return bodyReader{body}, nil
		}, nil
	case "multipart/related":
		if t := media.params["type"]; t != "" && t != "application/dicom" {
			return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "the hub stores multipart/related of application/dicom, not of " + clip(t)}
		}
		body, err := related.NewReader(body, media.params["boundary"])
		if err != nil {
			return nil, &hub.Error{Kind: hub.Invalid, Path: "Content-Type", Msg: "multipart/related needs a boundary", Err: err}
		}
		return func() (io.Reader, error) {
			part, err := body.Next()
			if err == io.EOF {
				return nil, io.EOF
			}
			if err != nil {
				return nil, &hub.Error{Kind: hub.Invalid, Msg: "the multipart body is cut or malformed", Err: err}
			}
			if t := parseMedia(part.ContentType).typ; t != "" && t != "application/dicom" && t != "application/octet-stream" {
				return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "a part is " + clip(t) + ", not application/dicom"}
			}
			return partReader{part}, nil
		}, nil
	}
	return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "the hub stores multipart/related; type=\"application/dicom\" or application/dicom, not " + clip(media.typ)}
}

func clip(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

type object = map[string]any

func element(vr string, values ...any) object {
	if len(values) == 0 {
		return object{"vr": vr}
	}
	return object{"vr": vr, "Value": values}
}

// report writes the Store Instances Response (PS3.18 10.5.3 and annex I): 200 when all are stored without warning,
// 202 when some are not, 409 when none is, and the reason of each.
func (s *Server) report(c *gin.Context, study string, results []stored) {
	var referenced, failed []any
	warned, unavailable := false, true
	base := s.base(c)
	for i := range results {
		r := &results[i]
		item := object{}
		if r.sop != "" {
			item["00081150"] = element("UI", r.sopClass)
			item["00081155"] = element("UI", r.sop)
		}
		if r.err != nil {
			item["00081197"] = element("US", reasonOf(r.err))
			item["00000902"] = element("LO", explain(r.err)) // Error Comment (PS3.7 C)
			failed = append(failed, item)
			unavailable = unavailable && hub.Is(r.err, hub.Unavailable)
			continue
		}
		if study == "" {
			study = r.study
		}
		item["00081190"] = element("UR", fmt.Sprintf("%s/studies/%s/series/%s/instances/%s", base, r.study, r.series, r.sop))
		if r.result == imaging.Duplicate {
			warned = true
			item["00081196"] = element("US", warningOtherBytesKept)
			item["00000902"] = element("LO", "this UID is here with other bytes; both are kept, the first is shown")
		} else if len(r.warnings) > 0 {
			item["00000902"] = element("LO", clip(r.warnings[0]))
			if r.warned {
				warned = true
				item["00081196"] = element("US", warningOtherPatient)
			}
		}
		referenced = append(referenced, item)
	}
	answer := object{}
	if len(referenced) > 0 {
		answer["00081190"] = element("UR", base+"/studies/"+study)
		answer["00081199"] = element("SQ", referenced...)
	}
	status := http.StatusOK
	switch {
	case len(failed) > 0 && len(referenced) == 0 && unavailable:
		c.Header("Retry-After", "1")
		status = http.StatusServiceUnavailable
	case len(failed) > 0 && len(referenced) == 0:
		status = http.StatusConflict
	case len(failed) > 0 || warned:
		status = http.StatusAccepted
	}
	if len(failed) > 0 {
		answer["00081198"] = element("SQ", failed...)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		WriteError(c, err)
		return
	}
	writeJSON(c, status, body)
}

// explain is the reason in words, 64 characters at most as LO allows.
func explain(err error) string {
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind == hub.Internal || e.Kind == hub.Corrupt {
		slog.Error("store an instance", "err", err)
		return "the hub met a fault of its own"
	}
	msg := e.Msg
	if e.Path != "" {
		msg = e.Path + ": " + msg
	}
	if r := []rune(msg); len(r) > 64 {
		msg = string(r[:63]) + "…"
	}
	return msg
}
