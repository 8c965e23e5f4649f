package dicomweb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/imaging"
	"concord/internal/dicom"
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
	if study != "" {
		if err := dicom.CheckUID("StudyInstanceUID", study); err != nil {
			WriteError(c, err)
			return
		}
	}
	next, done, err := s.parts(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	defer done()
	results, err := s.storeAll(c.Request.Context(), caller(c).Member, study, next)
	if err != nil && len(results) == 0 {
		WriteError(c, err)
		return
	}
	if !slices.ContainsFunc(results, func(r stored) bool { return !ofAnotherType(r.err) }) {
		WriteError(c, results[0].err)
		return
	}
	if err != nil { // the request broke off; what came whole before that is stored
		results = append(results, stored{err: err})
	}
	s.report(c, study, results)
}

// ofAnotherType says whether a part was refused for its Content-Type.
func ofAnotherType(err error) bool {
	var e *hub.Error
	return errors.As(err, &e) && e.Kind == hub.Unsupported && e.Path == "Content-Type"
}

// storeAll reads one instance after another while those before are being made durable.
func (s *Server) storeAll(ctx context.Context, member, study string, next func() (incoming, error)) ([]stored, error) {
	var results []*stored
	b := batches{server: s, ctx: ctx, member: member, ahead: make(chan struct{}, 2)}
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
			one := &stored{sopClass: part.sopClass, sop: part.sop, err: part.refused}
			if one.err == nil {
				one.err = b.take(part, study, one)
				part.end()
			}
			var cut *brokenBody
			if errors.As(one.err, &cut) {
				return cut.fault()
			}
			results = append(results, one)
			if b.full() {
				b.flush()
			}
		}
	}()
	b.end()
	all := make([]stored, len(results))
	for i := range results {
		all[i] = *results[i]
	}
	if len(all) == 0 && broken == nil {
		broken = &hub.Error{Kind: hub.Invalid, Msg: "the request has no instances"}
	}
	return all, broken
}

// batches makes the instances of one request durable, several together: their bytes in one blob, so that the store is
// asked once and not for each, and then their records in one commit.
type batches struct {
	server  *Server
	ctx     context.Context
	member  string
	ahead   chan struct{} // batches on their way, so that a long request does not pile up headers
	current *batch        // nil before the first instance and behind each batch
	all     sync.WaitGroup
}

// batch is instances that have come and where to say what became of them.
type batch struct {
	delivery *imaging.Delivery
	kept     []*imaging.Kept
	results  []*stored
}

// A batch goes on its way with its 64th instance, or with the one that fills it. A store that holds uploads in memory
// does so up to 8 MB.
const (
	batchCount = 64
	batchBytes = 6 << 20
)

// take reads one instance into the current batch.
func (bs *batches) take(part incoming, study string, result *stored) error {
	b := bs.current
	if b == nil {
		d, err := bs.server.Archive.Delivery(bs.ctx)
		if err != nil {
			return err
		}
		b = &batch{delivery: d}
		bs.current = b
	}
	in, err := b.delivery.Receive(part.Reader) // itself, not what wraps it: it may be a Taker
	var known *dicom.Refused
	if errors.As(err, &known) {
		result.sopClass, result.sop = known.SOPClassUID, known.SOPInstanceUID
	}
	if err != nil {
		return err
	}
	defer in.Discard()
	h := in.Header
	if err := part.fits(h); err != nil {
		return err
	}
	*result = stored{sopClass: h.SOPClassUID, sop: h.SOPInstanceUID, study: h.StudyInstanceUID, series: h.SeriesInstanceUID, warnings: h.Warnings}
	if study != "" && h.StudyInstanceUID != study {
		return &hub.Error{Kind: hub.Unprocessable, Path: "StudyInstanceUID", Msg: "is not that of the URL"}
	}
	kept, err := b.delivery.Keep(bs.ctx, in)
	if err != nil {
		return err
	}
	b.kept, b.results = append(b.kept, kept), append(b.results, result)
	return nil
}

func (bs *batches) full() bool {
	b := bs.current
	return b != nil && (len(b.kept) == batchCount || b.delivery.Size() >= batchBytes)
}

// flush sends the current batch on its way; the next one begins meanwhile.
func (bs *batches) flush() {
	b := bs.current
	if bs.current = nil; b == nil {
		return
	}
	bs.ahead <- struct{}{}
	bs.all.Go(func() {
		defer func() { <-bs.ahead }()
		bs.store(b)
	})
}

func (bs *batches) store(b *batch) {
	if err := b.delivery.Publish(bs.ctx); err != nil {
		for _, r := range b.results {
			r.err = err
		}
		return
	}
	for i, o := range bs.server.Archive.Commit(bs.ctx, bs.member, b.kept) {
		r := b.results[i]
		r.result, r.err = o.Result, o.Err
		if o.Warning != imaging.Sound {
			r.warnings, r.warned = append([]string{o.Warning.String()}, r.warnings...), true
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

// incoming is one instance of a request.
type incoming struct {
	io.Reader
	sopClass, sop string    // as far as they are known beforehand
	close         io.Closer // nil for none
	refused       error     // why it is not read; nil: it is
	composed      bool      // of metadata and bulk data
	pixels        int64     // bytes that came as its pixel data; 0: there is no such part
}

// fits says whether the pixels of a composed instance are as many as its metadata says. A file may have more, which is
// padding; what came in a part of its own is not of this image.
func (in incoming) fits(h *dicom.Header) error {
	e, _ := h.Find(tagPixels)
	if !in.composed || e.Encapsulated || h.Frames == nil || h.Frames.List != nil {
		return nil
	}
	size := cmp.Or(in.pixels, e.Length)
	if need := h.Frames.Size * int64(h.Frames.Count); size != need && size != need+need%2 {
		return &hub.Error{Kind: hub.Invalid, Path: "PixelData", Msg: fmt.Sprintf("has %d bytes, its image takes %d", size, need)}
	}
	return nil
}

func (in incoming) end() {
	if in.close != nil {
		in.close.Close()
	}
}

// parts returns an iterator over the instances in the request, and what is to be called in the end.
func (s *Server) parts(c *gin.Context) (next func() (incoming, error), done func(), err error) {
	media := parseMedia(c.GetHeader("Content-Type"))
	body, err := webbody.Reader(c.Request, 0)
	if err != nil {
		return nil, nil, err
	}
	nothing := func() {}
	sent := clip(media.typ)
	if sent == "" {
		sent = "a body without one"
	}
	switch {
	case media.typ == typeDICOM:
		return once(incoming{Reader: bodyReader{body}}), nothing, nil
	case media.typ == typeJSON:
		next, err = s.composed(c, io.LimitReader(bodyReader{body}, int64(s.Limits.Metadata)+1), nil)
		return next, nothing, err
	case media.typ == "multipart/related":
		parts, err := related.NewReader(body, media.params["boundary"])
		if err != nil {
			return nil, nil, &hub.Error{Kind: hub.Invalid, Path: "Content-Type", Msg: "multipart/related needs a boundary", Err: err}
		}
		switch t := media.params["type"]; t {
		case "", typeDICOM:
			return files(parts), nothing, nil
		case typeJSON:
			return s.metadataAndBulk(c, parts)
		default:
			return nil, nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "the hub stores multipart/related of application/dicom or application/dicom+json, not of " + clip(t)}
		}
	}
	return nil, nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type",
		Msg: `the hub stores multipart/related; type="application/dicom" or "application/dicom+json", application/dicom and application/dicom+json, not ` + sent}
}

func once(in incoming) func() (incoming, error) {
	done := false
	return func() (incoming, error) {
		if done {
			return incoming{}, io.EOF
		}
		done = true
		return in, nil
	}
}

// files are the parts of a body of Part 10 files.
func files(parts *related.Reader) func() (incoming, error) {
	return func() (incoming, error) {
		part, err := nextPart(parts)
		if err != nil {
			return incoming{}, err
		}
		if t := parseMedia(part.ContentType).typ; t != "" && t != typeDICOM && t != typeOctets {
			return incoming{refused: &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "a part is " + clip(t) + ", not application/dicom"}}, nil
		}
		return incoming{Reader: partReader{part}}, nil
	}
}

// nextPart says io.EOF behind the last one.
func nextPart(parts *related.Reader) (*related.Part, error) {
	part, err := parts.Next()
	var known *hub.Error // gzip that inflates too far
	switch {
	case err == nil, err == io.EOF, errors.As(err, &known):
	case errors.Is(err, related.ErrNoDelimiter):
		err = &hub.Error{Kind: hub.Invalid, Path: "Content-Type", Msg: "the multipart body has no part that begins with its boundary", Err: err}
	default:
		err = &hub.Error{Kind: hub.Invalid, Msg: "the multipart body is cut or malformed", Err: err}
	}
	return part, err
}

func clip(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}
