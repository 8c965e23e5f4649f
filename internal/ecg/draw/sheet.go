package draw

import (
	"fmt"
	"math"

	"concord/hub"
	"concord/internal/ecg"
)

// point is a place on the sheet in millimetres from its upper left corner.
type point struct{ x, y float64 }

// sheet is a picture in millimetres, before it is written.
type sheet struct {
	width, height float64
	grid          area
	traces        []trace
	rules         [][]point // pulses and marks, in the traces' ink
	words         []word
}

type area struct{ left, top, right, bottom float64 }

// trace is one lead in one place, in as many lines as gaps leave of it.
type trace struct {
	label string
	runs  [][]point
}

// word is one line of text whose base line begins at x, y.
type word struct {
	x, y, size float64
	text       string
}

const (
	margin    = 5.0  // around the grid
	pulseRoom = 15.0 // before the traces, for the pulse of one millivolt
	labelSize = 3.5
	textSize  = 2.9
	lineSize  = 4.0
	minWidth  = 210.0
	maxExcess = 6.0 // mV that a row shows above and below its base line; what goes further is drawn along the row's edge
	offCentre = 1.0 // mV that a lead may rest beside zero before its row follows it
)

// plan makes the sheet of a recording.
func plan(rec *ecg.Recording, o Options) (*sheet, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Group < 0 || o.Group >= len(rec.Groups) {
		return nil, &hub.Error{Kind: hub.NotFound, Path: "group", Msg: "the recording has no signals of that number"}
	}
	g := rec.Groups[o.Group]
	if !(g.Rate > 0) {
		return nil, &hub.Error{Kind: hub.Unprocessable, Path: "rate", Msg: "the recording does not say how fast it was sampled"}
	}
	all := signals(g)
	if len(all) == 0 {
		return nil, &hub.Error{Kind: hub.Unprocessable, Msg: "the recording has no voltages that could be drawn"}
	}
	rows, seconds := o.rows(g, all)
	if seconds <= 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "from", Msg: "lies behind the recording's end"}
	}
	if empty(rows) {
		return nil, &hub.Error{Kind: hub.Unprocessable, Path: "layout", Msg: "nothing was recorded of the leads that this layout shows at this time",
			Hint: "use strip, which shows the leads there are"}
	}
	if seconds*o.Speed > maxWidth {
		return nil, &hub.Error{Kind: hub.TooLarge, Path: "seconds", Msg: "the picture would be more than ten metres wide",
			Hint: "ask for fewer seconds or a lower speed"}
	}

	s := &sheet{width: max(minWidth, margin+pulseRoom+up(seconds*o.Speed, 5)+margin)}
	var p pen
	y := margin
	if !o.NoHeader {
		y = s.header(&p, rec, o, y)
	}
	s.grid = area{left: margin, top: y, right: s.width - margin}
	for i := range rows {
		y = s.row(&rows[i], o, y, len(rows) > 7)
	}
	s.grid.bottom = y
	s.footer(&p, g, o, y+lineSize)
	s.height = y + lineSize + margin
	return s, nil
}

func up(v, step float64) float64 { return math.Ceil(v/step-1e-9) * step }

// row draws one base line below y and returns where it ends. It is as high as its traces need, up to a limit, in steps of
// five millimetres, so that every base line lies on a line of the grid.
func (s *sheet) row(r *row, o Options, y float64, tight bool) float64 {
	above, below := 15.0, 15.0
	if tight {
		above, below = 10, 10
	}
	left := margin + pulseRoom
	above = max(above, o.Gain+5) // the pulse must fit, too
	for i := range r.cells {
		c := &r.cells[i]
		c.runs = c.signal.runs(c.from, c.to, left+c.at*o.Speed, 0, c.level, o.Speed, o.Gain)
		c.crest = -2.0
		for _, run := range c.runs {
			for _, p := range run {
				if math.Abs(p.y) > maxExcess*o.Gain {
					continue
				}
				above, below = max(above, -p.y+2), max(below, p.y+2)
				if p.x < left+c.at*o.Speed+c.labelWidth() {
					c.crest = min(c.crest, p.y)
				}
			}
		}
		above = max(above, -c.crest+labelSize+2)
	}
	above, below = up(above, 5), up(below, 5)
	base := y + above

	s.pulse(base, o)
	for i, c := range r.cells {
		x := left + c.at*o.Speed
		for _, run := range c.runs {
			for j := range run {
				run[j].y = min(max(run[j].y+base, y), base+below)
			}
		}
		s.traces = append(s.traces, trace{c.signal.label, c.runs})
		s.words = append(s.words, word{x + 0.8, max(base+c.crest-1.2, y+labelSize), labelSize, c.label()})
		if i > 0 {
			// at the row's edges, where no trace comes
			s.rules = append(s.rules, []point{{x, y}, {x, y + 2}}, []point{{x, base + below - 2}, {x, base + below}})
		}
	}
	return base + below
}

// pulse is one millivolt for 5 mm before a row, 200 ms at 25 mm/s.
func (s *sheet) pulse(base float64, o Options) {
	x := margin + 5
	s.rules = append(s.rules, []point{{x - 2.5, base}, {x, base}, {x, base - o.Gain}, {x + 5, base - o.Gain}, {x + 5, base}, {x + 7.5, base}})
}

func scaleMark(o Options) string {
	return fmt.Sprintf("%s mm/s %s mm/mV", number(o.Speed), number(o.Gain))
}
