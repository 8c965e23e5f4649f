package draw

import (
	"fmt"
	"slices"

	"concord/internal/ecg"
)

// row is one base line of the sheet.
type row struct{ cells []cell }

// cell is one lead in its place: the samples taken in [from, to], drawn `at` seconds from the row's start.
type cell struct {
	signal   signal
	at       float64
	from, to float64
	level    float64 // mV that are drawn on the base line
	shifted  bool    // shown at another time than its place says
	missing  bool

	runs  [][]point
	crest float64 // the highest place of the trace near the label, from the base line
}

// label is what to call it, and what was done to it.
func (c *cell) label() string {
	s := c.signal.label
	switch {
	case c.missing:
		s += " –"
	case c.shifted:
		s += fmt.Sprintf(" (%s s)", number(c.from))
	}
	if c.level != 0 {
		s += fmt.Sprintf(" (at %+.1f mV)", c.level)
	}
	return s
}

func (c *cell) labelWidth() float64 { return 1 + 0.6*labelSize*float64(len([]rune(c.label()))) }

// columns are the leads of the arrangements of twelve, from left to right.
var columns = map[Layout][][]ecg.LeadCode{
	ThreeByFour: {{ecg.I, ecg.II, ecg.III}, {ecg.AVR, ecg.AVL, ecg.AVF}, {ecg.V1, ecg.V2, ecg.V3}, {ecg.V4, ecg.V5, ecg.V6}},
	SixByTwo:    {{ecg.I, ecg.II, ecg.III, ecg.AVR, ecg.AVL, ecg.AVF}, {ecg.V1, ecg.V2, ecg.V3, ecg.V4, ecg.V5, ecg.V6}},
	TwelveByOne: {ecg.Twelve()},
}

// rows arranges the signals and says how many seconds the sheet shows.
func (o Options) rows(g ecg.Group, all []signal) ([]row, float64) {
	end := g.Duration().Seconds()
	seconds := min(o.Seconds, end-o.From)
	if seconds <= 0 {
		return nil, seconds
	}
	layout := o.Layout
	if layout == Auto {
		layout = Strip
		if twelve(all) {
			layout = ThreeByFour
		}
	}
	if layout == Strip {
		var rows []row
		for _, s := range inOrder(all) {
			rows = append(rows, row{[]cell{place(s, 0, o.From, o.From+seconds, false)}})
		}
		return rows, seconds
	}

	order := columns[layout]
	width := seconds / float64(len(order))
	beat := g.Kind != ecg.Rhythm // every lead shows the same moment
	if beat {
		width = min(seconds, o.Seconds/float64(len(order)))
		seconds = width * float64(len(order))
	}
	pitch := max(width, leastColumn/o.Speed)
	rows := make([]row, len(order[0]))
	for i := range rows {
		for k, codes := range order {
			at, from := float64(k)*pitch, o.From+float64(k)*width
			if beat {
				from = o.From
			}
			s, ok := find(all, codes[i])
			if !ok {
				s = signal{label: codes[i].String(), rate: g.Rate}
			}
			rows[i].cells = append(rows[i].cells, place(s, at, from, from+width, !beat))
		}
	}
	if s, ok := find(all, o.Rhythm); ok && !o.NoRhythm && !beat && layout != TwelveByOne {
		rows = append(rows, row{[]cell{place(s, 0, o.From, o.From+seconds, false)}})
	}
	return rows, pitch * float64(len(order))
}

// leastColumn is how far apart columns are at least, in mm: however short a recording is, its labels can be read.
const leastColumn = 20

// inOrder are the signals with the standard leads first, as readers are used to, and the others behind them as they came.
func inOrder(all []signal) []signal {
	rank := func(s signal) int {
		if i := slices.Index(ecg.Twelve(), s.code); i >= 0 {
			return i
		}
		return len(ecg.Twelve())
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b signal) int { return rank(a) - rank(b) })
	return all
}

// empty tells that no row has anything to show.
func empty(rows []row) bool {
	for _, r := range rows {
		for _, c := range r.cells {
			if !c.missing {
				return false
			}
		}
	}
	return true
}

// twelve tells whether there is a signal for each of the standard leads.
func twelve(all []signal) bool {
	for _, code := range ecg.Twelve() {
		if _, ok := find(all, code); !ok {
			return false
		}
	}
	return true
}

// place makes a cell. A lead that was recorded at another time than its place shows (carts that switch through the leads)
// is shown from where it begins, if it may move.
func place(s signal, at, from, to float64, move bool) cell {
	c := cell{signal: s, at: at, from: from, to: to}
	if s.n == 0 {
		c.missing = true
		return c
	}
	if !s.measured(from, to) {
		if begins := s.time(0); move && s.measured(begins, begins+to-from) {
			c.from, c.to, c.shifted = begins, begins+to-from, true
		} else {
			c.missing = true
		}
	}
	if l := s.level(c.from, c.to); l > offCentre || l < -offCentre {
		c.level = l
	}
	return c
}
