package pixels

import (
	"encoding/binary"
	"iter"
	"math"
	"strconv"
	"strings"

	"concord/internal/dicom"
	"concord/internal/dicom/dict"
)

// shown is what a header says of how its pixels are to be shown (PS3.4 N.2). It is the whole image's; frames may differ.
type shown struct {
	modality transform
	voi      voi
	frames   []frameShown // of enhanced multi-frame images; nil where all are alike
	inverse  bool         // Presentation LUT Shape
	// padded are the stored values from low to high that are no part of the image (PS3.3 C.7.5.1.1.2).
	padded    bool
	low, high int64
	// aspect is how much taller than wide a pixel is.
	aspect  float64
	palette *palette
}

type frameShown struct {
	modality transform
	voi      voi
}

// transform makes modality values of stored ones (PS3.3 C.11.1): a table, or slope and intercept.
type transform struct {
	table            *table
	slope, intercept float64
}

// voi are the values of interest (PS3.3 C.11.2): a table, or a window, or neither.
type voi struct {
	table  *table
	window *Window
}

// table is a lookup table: values of stored numbers from first on, the ends going on for ever (PS3.3 C.11.1.1).
type table struct {
	first  int64
	top    uint32 // greatest value that its bits can have
	values []uint16
}

func (t *table) at(v int64) uint16 {
	return t.values[min(max(v-t.first, 0), int64(len(t.values)-1))]
}

const (
	tagSlope           dicom.Tag = 0x00281053
	tagIntercept       dicom.Tag = 0x00281052
	tagModalityLUT     dicom.Tag = 0x00283000
	tagDescriptor      dicom.Tag = 0x00283002
	tagTable           dicom.Tag = 0x00283006
	tagVOILUT          dicom.Tag = 0x00283010
	tagCenter          dicom.Tag = 0x00281050
	tagWidth           dicom.Tag = 0x00281051
	tagFunction        dicom.Tag = 0x00281056
	tagPadding         dicom.Tag = 0x00280120
	tagPaddingLimit    dicom.Tag = 0x00280121
	tagAspect          dicom.Tag = 0x00280034
	tagSpacing         dicom.Tag = 0x00280030
	tagImagerSpacing   dicom.Tag = 0x00181164
	tagShape           dicom.Tag = 0x20500020
	tagSharedGroups    dicom.Tag = 0x52009229
	tagPerFrameGroups  dicom.Tag = 0x52009230
	tagFrameVOI        dicom.Tag = 0x00289132
	tagFrameValues     dicom.Tag = 0x00289145
	tagFrameMeasures   dicom.Tag = 0x00289110
	maxShownFrames               = 1 << 16
	identitySlope      float64   = 1
	identityIntercept  float64   = 0
	identityAspect     float64   = 1
	greatestTableWidth int       = 1 << 16
)

// reader reads the values of a header's elements.
type reader struct {
	h   *dicom.Header
	img *Image
}

func readShown(h *dicom.Header, img *Image) shown {
	r := reader{h, img}
	root := collect(h.Elements())
	s := shown{aspect: identityAspect, inverse: r.text(root[tagShape]) == "INVERSE"}
	s.modality, s.voi = r.modality(root), r.voi(root)
	s.aspect = r.aspect(root, s.aspect)
	if e, ok := root[tagPadding]; ok {
		if v, ok := r.whole(e); ok {
			s.padded, s.low, s.high = true, v, v
			if limit, ok := r.whole(root[tagPaddingLimit]); ok {
				s.low, s.high = min(v, limit), max(v, limit)
			}
		}
	}
	if img.Photometric == "PALETTE COLOR" {
		s.palette = r.palette(root)
	}
	for item := range h.Items(root[tagSharedGroups]) {
		groups := collect(item)
		all := r.frame(groups, frameShown{s.modality, s.voi})
		s.modality, s.voi = all.modality, all.voi
		s.aspect = r.measures(groups, s.aspect)
		break
	}
	for item := range h.Items(root[tagPerFrameGroups]) {
		if len(s.frames) == maxShownFrames {
			break
		}
		groups := collect(item)
		if len(s.frames) == 0 {
			s.aspect = r.measures(groups, s.aspect)
		}
		s.frames = append(s.frames, r.frame(groups, frameShown{s.modality, s.voi}))
	}
	return s
}

// of is how one frame is shown.
func (s *shown) of(frame int) frameShown {
	if frame >= 0 && frame < len(s.frames) {
		return s.frames[frame]
	}
	return frameShown{s.modality, s.voi}
}

func collect(all iter.Seq[dicom.Element]) map[dicom.Tag]dicom.Element {
	m := map[dicom.Tag]dicom.Element{}
	for e := range all {
		if _, twice := m[e.Tag]; !twice {
			m[e.Tag] = e
		}
	}
	return m
}

// first are the elements of the first item of a sequence.
func (r reader) first(e dicom.Element) map[dicom.Tag]dicom.Element {
	for item := range r.h.Items(e) {
		return collect(item)
	}
	return nil
}

// frame reads functional groups (PS3.3 C.7.6.16.2.9, .10) over what is known already.
func (r reader) frame(groups map[dicom.Tag]dicom.Element, f frameShown) frameShown {
	if values := r.first(groups[tagFrameValues]); values != nil {
		f.modality = r.modality(values)
	}
	if windows := r.first(groups[tagFrameVOI]); windows != nil {
		f.voi = r.voi(windows)
	}
	return f
}

func (r reader) measures(groups map[dicom.Tag]dicom.Element, otherwise float64) float64 {
	return r.aspect(r.first(groups[tagFrameMeasures]), otherwise)
}

func (r reader) modality(m map[dicom.Tag]dicom.Element) transform {
	t := transform{slope: identitySlope, intercept: identityIntercept}
	t.table = r.table(r.first(m[tagModalityLUT]), r.img.Signed)
	if slope, ok := r.number(m[tagSlope], 0); ok && slope != 0 {
		t.slope = slope
	}
	if intercept, ok := r.number(m[tagIntercept], 0); ok {
		t.intercept = intercept
	}
	return t
}

func (r reader) voi(m map[dicom.Tag]dicom.Element) voi {
	signed := r.img.Signed
	if intercept, ok := r.number(m[tagIntercept], 0); ok && intercept < 0 {
		signed = true // of what the table's first value is the sign depends on the modality's transformation
	}
	v := voi{table: r.table(r.first(m[tagVOILUT]), signed)}
	center, ok := r.number(m[tagCenter], 0)
	width, also := r.number(m[tagWidth], 0)
	if ok && also && width > 0 {
		w := &Window{Center: center, Width: width}
		switch r.text(m[tagFunction]) {
		case "LINEAR_EXACT":
			w.Function = LinearExact
		case "SIGMOID":
			w.Function = Sigmoid
		}
		if w.valid() {
			v.window = w
		}
	}
	return v
}

// aspect reads Pixel Aspect Ratio, which comes first, or a spacing.
func (r reader) aspect(m map[dicom.Tag]dicom.Element, otherwise float64) float64 {
	for _, tag := range []dicom.Tag{tagAspect, tagSpacing, tagImagerSpacing} {
		vertical, ok := r.number(m[tag], 0)
		horizontal, also := r.number(m[tag], 1)
		if ratio := vertical / horizontal; ok && also && ratio > 1.0/16 && ratio < 16 {
			return ratio
		}
	}
	return otherwise
}

// table reads a lookup table of one item. signed says how the descriptor's first value is meant.
func (r reader) table(m map[dicom.Tag]dicom.Element, signed bool) *table {
	d, data := m[tagDescriptor], m[tagTable]
	if len(d.Value) < 6 || data.Bulk {
		return nil
	}
	order := r.order(d)
	entries, bits := int(order.Uint16(d.Value)), int(order.Uint16(d.Value[4:]))
	if entries == 0 {
		entries = greatestTableWidth
	}
	t := &table{first: int64(order.Uint16(d.Value[2:]))}
	if signed || d.VR == dict.SS {
		t.first = int64(int16(order.Uint16(d.Value[2:])))
	}
	t.values = words(data.Value, entries, bits, r.order(data))
	if t.values == nil || bits < 1 || bits > 16 {
		return nil
	}
	t.top = 1<<bits - 1
	for _, v := range t.values {
		if uint32(v) > t.top {
			t.top = math.MaxUint16 // the descriptor is often wrong about bits
		}
	}
	return t
}

// words are the entries of a table: 16 bits each or, where there are only so many bytes, 8.
func words(b []byte, entries, bits int, order binary.ByteOrder) []uint16 {
	out := make([]uint16, 0, min(entries, len(b)))
	switch {
	case len(b) >= 2*entries:
		for i := range entries {
			out = append(out, order.Uint16(b[2*i:]))
		}
	case len(b) >= entries && bits <= 8:
		for i := range entries {
			out = append(out, uint16(b[i]))
		}
	default:
		return nil
	}
	return out
}

func (r reader) order(dicom.Element) binary.ByteOrder {
	if r.h.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (r reader) text(e dicom.Element) string {
	s, _, _ := strings.Cut(string(e.Value), `\`)
	return strings.Trim(s, " \x00")
}

// number is value i of a DS, IS, FD or FL element, finite.
func (r reader) number(e dicom.Element, i int) (float64, bool) {
	var v float64
	switch width := e.VR.Width(); e.VR {
	case dict.DS, dict.IS:
		all := strings.Split(string(e.Value), `\`)
		if i >= len(all) {
			return 0, false
		}
		var err error
		if v, err = strconv.ParseFloat(strings.Trim(all[i], " \x00"), 64); err != nil {
			return 0, false
		}
	case dict.FD, dict.FL:
		if len(e.Value) < (i+1)*width {
			return 0, false
		}
		if e.VR == dict.FD {
			v = math.Float64frombits(r.order(e).Uint64(e.Value[8*i:]))
		} else {
			v = float64(math.Float32frombits(r.order(e).Uint32(e.Value[4*i:])))
		}
	default:
		return 0, false
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// whole reads a stored value as the pixels have them (Pixel Padding Value: US or SS).
func (r reader) whole(e dicom.Element) (int64, bool) {
	if len(e.Value) < 2 {
		return 0, false
	}
	v := r.order(e).Uint16(e.Value)
	if r.img.Signed {
		return int64(int16(v)), true
	}
	return int64(v), true
}
