package ecg

import (
	"io"
	"mime"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/ecg"
	wave "concord/internal/ecg"
	"concord/internal/ecg/draw"
	"concord/internal/ecg/export"
)

// form is one in which a recording is served.
type form struct {
	media  string
	suffix string // of the file name; empty for what is shown and not saved
	// asks are the parameters that it takes.
	asks []string
	// streamed: it may be long, and is sent while it is written.
	streamed bool
	// write writes it; same is the format whose originals are sent as they are instead, since they say more than what is
	// written anew.
	write func(s *server, w io.Writer, r *recording) error
	same  wave.Format
}

// recording is what a form is written of.
type recording struct {
	*wave.Recording
	original *ecg.Original
	c        *gin.Context
	options  draw.Options
	leave    func() // gives the room in memory back
}

var pictureParams = []string{"layout", "speed", "gain", "from", "seconds", "group", "rhythm", "lang", "header", "pixels"}

func forms() map[string]form {
	return map[string]form{
		"facts": {media: "application/json", write: (*server).facts},
		"svg": {media: "image/svg+xml", suffix: ".svg", asks: pictureParams, write: func(_ *server, w io.Writer, r *recording) error {
			return draw.SVG(w, r.Recording, r.options)
		}},
		"png": {media: "image/png", suffix: ".png", asks: pictureParams, write: func(_ *server, w io.Writer, r *recording) error {
			return draw.PNG(w, r.Recording, r.options)
		}},
		"csv":          {media: "text/csv; charset=utf-8", suffix: ".csv", asks: []string{"unit", "group"}, write: (*server).csv, streamed: true},
		"aecg":         {media: "application/xml", suffix: ".xml", write: (*server).aecg, same: wave.AECG, streamed: true},
		"dicom":        {media: "application/dicom", suffix: ".dcm", write: (*server).dicom, same: wave.DICOM, streamed: true},
		"sampled-data": {media: mediaFHIR, asks: []string{"group"}, write: (*server).sampled},
		"quality":      {media: "application/json", write: (*server).quality},
	}
}

// accepted are the forms by media type, for GET /ecg/{id}, most wanted first where a range admits several.
func accepted() []struct{ media, form string } {
	return []struct{ media, form string }{
		{"application/json", "facts"}, {"image/svg+xml", "svg"}, {"image/png", "png"}, {"text/csv", "csv"}, {"application/fhir+json", "sampled-data"},
		{"application/dicom", "dicom"}, {"application/xml", "aecg"}, {"text/xml", "aecg"}, {"application/octet-stream", "original"},
	}
}

// chosen answers GET /ecg/{id}: the form that ?format= names or Accept prefers; the facts without either.
func (s *server) chosen(c *gin.Context) {
	name := c.Query("format")
	if name == "json" {
		name = "facts"
	}
	if name == "" {
		var ok bool
		if name, ok = negotiate(strings.Join(c.Request.Header.Values("Accept"), ",")); !ok {
			WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "a recording is not served in what the request accepts",
				Hint: "application/json, image/svg+xml, image/png, text/csv, application/dicom, application/xml, application/fhir+json"})
			return
		}
	}
	c.Header("Vary", "Accept")
	s.serve(c, name)
}

// negotiate finds the form of the range with the greatest weight (RFC 9110 12.5.1).
func negotiate(accept string) (name string, ok bool) {
	if strings.TrimSpace(accept) == "" {
		return "facts", true
	}
	best := 0.0
	for one := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if params["q"] == "" || err != nil {
			q = 1
		}
		for _, f := range accepted() {
			kind, all := strings.CutSuffix(media, "*")
			if (f.media == media || all && (kind == "*/" || strings.HasPrefix(f.media, kind))) && q > best {
				name, best = f.form, q
				break
			}
		}
	}
	return name, best > 0
}

// named answers GET /ecg/{id}/{form}.
func (s *server) named(c *gin.Context) { s.serve(c, c.Param("form")) }

func (s *server) serve(c *gin.Context, name string) {
	f, known := forms()[name]
	if !known && name != "original" {
		WriteError(c, &hub.Error{Kind: hub.NotFound, Path: "format", Msg: "a recording has no such form", Hint: "original, svg, png, csv, aecg, dicom, sampled-data, quality"})
		return
	}
	ctx := c.Request.Context()
	o, err := s.Library.Original(ctx, caller(c), c.Param("id"))
	if err != nil {
		WriteError(c, err)
		return
	}
	if name == "original" || f.same != "" && o.Format == string(f.same) {
		s.original(c, o)
		return
	}
	options, err := s.options(c, f.asks)
	if err != nil {
		WriteError(c, err)
		return
	}
	if s.unchanged(c, o, name) {
		return
	}
	if !o.Read && name != "facts" {
		WriteError(c, &hub.Error{Kind: hub.Unprocessable, Path: "format", Msg: "the recording is kept as sent and not read: " + o.Description, Hint: "ask for its original"})
		return
	}
	r := &recording{original: o, c: c, options: options, leave: func() {}}
	if o.Read {
		if err := s.room.Enter(ctx); err != nil {
			WriteError(c, err)
			return
		}
		r.leave = sync.OnceFunc(s.room.Leave)
		defer r.leave()
		if r.Recording, err = s.Library.Recording(ctx, o); err != nil {
			WriteError(c, unreadable(err))
			return
		}
	}
	s.send(c, f, r)
}

// unreadable: bytes that were read once are wrong now only if the hub reads otherwise; the client is told what it cannot have.
func unreadable(err error) error {
	if hub.Is(err, hub.Invalid) || hub.Is(err, hub.Unsupported) {
		return &hub.Error{Kind: hub.Unprocessable, Path: "format", Msg: "the recording cannot be read", Hint: "ask for its original", Err: err}
	}
	return err
}

func (s *server) csv(w io.Writer, r *recording) error {
	unit := export.Microvolt
	switch r.c.Query("unit") {
	case "", string(export.Microvolt):
	case string(export.Millivolt):
		unit = export.Millivolt
	default:
		return invalid("unit", "is neither uV nor mV")
	}
	g, err := r.group()
	if err != nil {
		return err
	}
	return export.CSV(w, g, unit)
}

// group is the one that is asked for, the first without a wish.
func (r *recording) group() (wave.Group, error) {
	if r.options.Group < 0 || r.options.Group >= len(r.Groups) {
		return wave.Group{}, invalid("group", "is none that the recording has")
	}
	return r.Groups[r.options.Group], nil
}

func (s *server) aecg(w io.Writer, r *recording) error {
	return export.AECG(w, r.Recording, ecg.UIDOf(r.original.ID, "aecg"))
}

func (s *server) dicom(w io.Writer, r *recording) error {
	return export.DICOM(w, r.Recording, ecg.IdentityOf(r.original.ID))
}

func (s *server) sampled(w io.Writer, r *recording) error {
	g, err := r.group()
	if err != nil {
		return err
	}
	body, err := ecg.Sampled(r.original.Entry, r.Recording, g)
	if err == nil {
		_, err = w.Write(body)
	}
	return err
}
