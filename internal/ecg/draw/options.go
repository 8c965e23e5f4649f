package draw

import (
	"concord/hub"
	"concord/internal/ecg"
)

// Layout is an arrangement of leads on the sheet.
type Layout string

const (
	// Auto is ThreeByFour for twelve leads recorded together, else Strip.
	Auto Layout = ""
	// ThreeByFour is three rows of four leads, 2.5 s each, and a rhythm strip.
	ThreeByFour Layout = "3x4"
	// SixByTwo is six rows of two leads, 5 s each, and a rhythm strip.
	SixByTwo Layout = "6x2"
	// TwelveByOne is twelve rows of 10 s.
	TwelveByOne Layout = "12x1"
	// Strip is every lead there is, one row each.
	Strip Layout = "strip"
)

// Layouts are those that can be asked for by name.
func Layouts() []Layout { return []Layout{ThreeByFour, SixByTwo, TwelveByOne, Strip} }

// Language is of the words in the header.
type Language string

const (
	English Language = "en"
	Chinese Language = "zh"
)

// Options say how to draw. The zero value draws what most readers expect: 25 mm/s, 10 mm/mV, the layout that fits.
type Options struct {
	Layout Layout
	// Speed in mm/s, 25 when zero; Gain in mm/mV, 10 when zero. Speed lies in [1, 200], Gain in [1, 80].
	Speed, Gain float64
	// From is where the picture begins, in seconds from the group's first sample.
	From float64
	// Seconds is how much of the time the sheet shows, 10 when zero.
	Seconds float64
	// Group is the index in Recording.Groups; -1 or out of range is refused. Zero is the first, which is the rhythm.
	Group int
	// Rhythm is the lead of the rhythm strip: II when zero. NoRhythm leaves the strip out.
	Rhythm   ecg.LeadCode
	NoRhythm bool
	Language Language
	// NoHeader leaves out everything that tells who was recorded, and the header's place.
	NoHeader bool
	// PixelsPerMM is of the PNG: 8 (203 dpi) when zero, at most 24.
	PixelsPerMM int
}

const (
	maxSeconds = 3600
	maxWidth   = 10_000     // mm
	maxPixels  = 16_000_000 // of one PNG
)

func (o Options) withDefaults() Options {
	if o.Speed == 0 {
		o.Speed = 25
	}
	if o.Gain == 0 {
		o.Gain = 10
	}
	if o.Seconds == 0 {
		o.Seconds = 10
	}
	if o.Rhythm == 0 {
		o.Rhythm = ecg.II
	}
	if o.Language == "" {
		o.Language = English
	}
	if o.PixelsPerMM == 0 {
		o.PixelsPerMM = 8
	}
	return o
}

// check refuses what cannot be drawn. It is written so that NaN fails.
func (o Options) check() error {
	for _, r := range []struct {
		name      string
		v, lo, hi float64
	}{
		{"speed", o.Speed, 1, 200}, {"gain", o.Gain, 1, 80}, {"from", o.From, 0, 1e7},
		{"seconds", o.Seconds, 0.1, maxSeconds}, {"pixels", float64(o.PixelsPerMM), 2, 24},
	} {
		if !(r.v >= r.lo && r.v <= r.hi) {
			return &hub.Error{Kind: hub.Invalid, Path: r.name, Msg: "is out of range for a picture"}
		}
	}
	switch o.Layout {
	case Auto, ThreeByFour, SixByTwo, TwelveByOne, Strip:
	default:
		return &hub.Error{Kind: hub.Invalid, Path: "layout", Msg: "is none that is known", Hint: "use 3x4, 6x2, 12x1 or strip"}
	}
	if o.Language != English && o.Language != Chinese {
		return &hub.Error{Kind: hub.Invalid, Path: "language", Msg: "is none that is known", Hint: "use en or zh"}
	}
	return nil
}
