package dicomweb

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/gif"
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/internal/pixels"
)

// Bounds of renderings: beyond them a client should fetch the frames themselves.
const (
	largestView   = 8192
	largestFrame  = 512 << 20 // stored bytes of one frame
	longestCine   = 200       // frames
	largestCine   = 64 << 20  // pixels of all frames together
	mostRendered  = 200       // images of one multipart answer
	frameDelay    = 8         // hundredths of a second, where the instance does not say
	defaultView   = 0
	defaultExport = 90
)

// rendering is what a request asks of an image.
type rendering struct {
	view    pixels.View
	typ     string
	quality int
}

// rendered answers with images for consumers that show them as they are (PS3.18 10.4.1.1.3).
func (s *Server) rendered(c *gin.Context) {
	recs, err := s.instances(c)
	if err != nil {
		WriteError(c, err)
		return
	}
	typ, multi, ok := imageAnswer(accepted(c), typeJPEG, typePNG, typeGIF)
	if !ok {
		WriteError(c, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "images are rendered as image/jpeg, image/png or image/gif"})
		return
	}
	r, err := renderingOf(c.Request.URL.Query(), typ)
	if err != nil {
		WriteError(c, err)
		return
	}
	shots, err := shotsOf(c, recs, multi)
	if err != nil {
		WriteError(c, err)
		return
	}
	first := s.shown(c, shots[0], r)
	var body bytes.Buffer // the first one tells whether it can be done, before the answer begins
	if err := first.write(c.Request.Context(), &body); err != nil {
		WriteError(c, err)
		return
	}
	tag := first.tag
	first = bytesPart(typ, body.Bytes())
	first.tag = tag
	if !multi {
		s.bare(c, &first)
		return
	}
	parts := []part{first}
	for _, shot := range shots[1:] {
		parts = append(parts, s.shown(c, shot, r))
	}
	s.multipart(c, typ, parts)
}

// shown is a part that is rendered when its turn comes, so that no more than one image of an answer is held.
func (s *Server) shown(c *gin.Context, of shot, r rendering) part {
	f := s.file(c, of.rec)
	tag := `"` + stateOf([]hub.Loc{of.rec.Loc}, fmt.Sprint(of.frames, r.typ, c.Request.URL.RawQuery)) + `"`
	return part{media: r.typ, size: -1, tag: tag, write: func(ctx context.Context, w io.Writer) error {
		body, err := s.shoot(ctx, f, of, r)
		if err == nil {
			_, err = w.Write(body)
		}
		return err
	}}
}

// shot is an image to be made: frames of one instance, counted from 0. More than one make a film.
type shot struct {
	rec    *hub.Record
	frames []int
}

// shotsOf chooses what is rendered: the frames that are named; of an instance without names all of them where many are
// wanted, else the middle one; of a study or series its instances with frames, or the middle one of these, those left out
// that have no decoder, such as videos, unless there are no others.
func shotsOf(c *gin.Context, recs []hub.Record, multi bool) ([]shot, error) {
	if list := c.Param("frames"); list != "" {
		numbers, err := frameNumbers(list, &recs[0])
		if err != nil {
			return nil, err
		}
		var shots []shot
		for _, n := range numbers {
			shots = append(shots, shot{&recs[0], []int{n}})
		}
		if len(shots) > 1 && !multi {
			return nil, &hub.Error{Kind: hub.Unsupported, Path: "Accept", Msg: "several frames are sent as multipart/related only"}
		}
		return shots, nil
	}
	var shots []shot
	for i := range recs {
		n := 0
		if recs[i].Blob != nil {
			n = recs[i].Blob.Parts.Len()
		}
		switch {
		case n == 0:
		case multi && len(recs) == 1:
			for f := range n {
				shots = append(shots, shot{&recs[i], []int{f}})
			}
		default:
			shots = append(shots, shot{&recs[i], everyFrame(n)})
		}
	}
	if decodable := func(s shot) bool { return becomesNative(syntaxOf(s.rec)) }; slices.ContainsFunc(shots, decodable) {
		shots = slices.DeleteFunc(shots, func(s shot) bool { return !decodable(s) })
	}
	switch {
	case len(shots) == 0:
		return nil, &hub.Error{Kind: hub.NotFound, Msg: "there is no image to render: no frames that can be told apart"}
	case !multi:
		return shots[len(shots)/2:][:1], nil
	case len(shots) > mostRendered:
		return nil, &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("%d images would be rendered, the limit is %d", len(shots), mostRendered), Hint: "ask series by series, or frame by frame"}
	}
	return shots, nil
}

func everyFrame(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// renderingOf reads the parameters of PS3.18 table 8.3.5-1; annotation and iccprofile are without effect.
func renderingOf(q url.Values, typ string) (rendering, error) {
	r := rendering{typ: typ}
	var err error
	if r.quality, err = number(q, "quality", defaultExport, 100); err != nil {
		return r, err
	}
	if w := q.Get("window"); w != "" {
		if r.view.Window, err = windowOf(w); err != nil {
			return r, err
		}
	}
	r.view.Viewport, err = viewportOf(q.Get("viewport"))
	return r, err
}

// windowOf reads center,width,function.
func windowOf(text string) (*pixels.Window, error) {
	wrong := &hub.Error{Kind: hub.Invalid, Path: "window", Msg: "is center,width,function: two numbers, and linear, linear-exact or sigmoid"}
	fields := strings.Split(text, ",")
	if len(fields) < 2 || len(fields) > 3 {
		return nil, wrong
	}
	numbers, err := floats(fields[:2])
	if err != nil || numbers[1] <= 0 {
		return nil, wrong
	}
	w := &pixels.Window{Center: numbers[0], Width: numbers[1]}
	if len(fields) == 3 {
		switch strings.ToLower(fields[2]) {
		case "linear":
		case "linear-exact", "linear_exact":
			w.Function = pixels.LinearExact
		case "sigmoid":
			w.Function = pixels.Sigmoid
		default:
			return nil, wrong
		}
	}
	return w, nil
}

// viewportOf reads width,height and a part of the image, x,y,width,height, each of which may be left out.
func viewportOf(text string) (v pixels.Viewport, err error) {
	if text == "" {
		return v, nil
	}
	wrong := &hub.Error{Kind: hub.Invalid, Path: "viewport", Msg: fmt.Sprintf("is width,height or width,height,x,y,width,height, at most %d pixels", largestView)}
	fields := strings.Split(text, ",")
	if len(fields) == 1 {
		fields = append(fields, fields[0])
	}
	if len(fields) > 6 {
		return v, wrong
	}
	for len(fields) > 2 && len(fields) < 6 { // commas at the end may be left out
		fields = append(fields, "")
	}
	for i := range fields {
		if fields[i] == "" {
			fields[i] = "0"
		}
	}
	n, err := floats(fields)
	if err != nil || n[0] < 0 || n[1] < 0 || n[0] > largestView || n[1] > largestView || n[0] != math.Trunc(n[0]) || n[1] != math.Trunc(n[1]) {
		return v, wrong
	}
	v.Width, v.Height = int(n[0]), int(n[1])
	if len(n) == 6 {
		v.X, v.Y, v.W, v.H = n[2], n[3], n[4], n[5]
	}
	return v, nil
}

func floats(texts []string) ([]float64, error) {
	all := make([]float64, len(texts))
	for i, t := range texts {
		f, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) > 1e9 {
			return nil, strconv.ErrSyntax
		}
		all[i] = f
	}
	return all, nil
}

// shoot makes one image, or a film where that is wanted and it has several frames.
func (s *Server) shoot(ctx context.Context, f file, of shot, r rendering) ([]byte, error) {
	img, err := f.image(ctx)
	if err != nil {
		return nil, err
	}
	room := surface(img, r.view.Viewport)
	if err := s.drawing.enter(ctx, room); err != nil {
		return nil, err
	}
	defer s.drawing.leave(room)
	if r.typ == typeGIF && len(of.frames) > 1 {
		return s.film(ctx, f, img, of, r)
	}
	picture, err := s.picture(ctx, f, img, of.frames[len(of.frames)/2], r.view)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	switch r.typ {
	case typePNG:
		err = pixels.WritePNG(&out, picture)
	case typeGIF:
		err = gif.Encode(&out, picture, nil)
	default:
		err = pixels.WriteJPEG(&out, picture, r.quality)
	}
	return out.Bytes(), err
}

// surface is about how many bytes an image and its rendering take, at four a pixel.
func surface(img *pixels.Image, v pixels.Viewport) int64 {
	own := int64(img.Rows) * int64(img.Columns)
	if v.Width == 0 && v.Height == 0 {
		return 4 * 2 * own
	}
	width, height := int64(cmp.Or(v.Width, v.Height)), int64(cmp.Or(v.Height, v.Width))
	return 4 * (own + width*height)
}

func (s *Server) picture(ctx context.Context, f file, img *pixels.Image, frame int, v pixels.View) (image.Image, error) {
	native, err := s.decode(ctx, f, img, frame)
	if err != nil {
		return nil, err
	}
	picture, err := pixels.Render(img, frame, native, v)
	return picture, notMade(err)
}

// native decodes one frame, counted from 0, for send. Clients that read slowly hold what they are sent, which is bounded, too.
func (s *Server) native(ctx context.Context, f file, n int, send func([]byte) error) error {
	img, err := f.image(ctx)
	if err != nil {
		return err
	}
	room := int64(img.Rows) * int64(img.Columns) * int64(img.Samples) * int64(img.Allocated+7) / 8
	if err := s.sending.enter(ctx, room); err != nil {
		return err
	}
	defer s.sending.leave(room)
	frame, err := s.decode(ctx, f, img, n)
	if err != nil {
		return err
	}
	return send(frame.Data)
}

func (s *Server) decode(ctx context.Context, f file, img *pixels.Image, n int) (*pixels.Native, error) {
	spans := f.rec.Blob.Parts.Spans(n)
	size := int64(0)
	for i := 1; i < len(spans); i += 2 {
		size += spans[i]
	}
	if size > largestFrame {
		return nil, &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the frame has %d bytes, the limit for decoding is %d", size, largestFrame)}
	}
	if err := s.decoding.enter(ctx, size); err != nil {
		return nil, err
	}
	defer s.decoding.leave(size)
	stored := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if err := f.copy(ctx, struct{ io.Writer }{stored}, spans); err != nil {
		return nil, err
	}
	native, err := s.Pixels.Frame(ctx, img, stored.Bytes())
	return native, notMade(err)
}
