package draw

// column is the width, in millimetres, within which a dense signal is drawn by its extremes alone: a pixel of a PNG of
// eight to the millimetre, half of what a pen on paper is wide.
const column = 0.125

// runs are the signal's points between from and to, as lines without gaps: x counts from x0 at the time from, y goes up
// from y0 with the voltage above level. Where four or more samples fall in one column, its first, lowest, highest and last stand for
// all, in the order in which they came, so that no spike is lost.
func (s signal) runs(from, to, x0, y0, level, speed, gain float64) [][]point {
	var all [][]point
	var run []point
	end := func() {
		if len(run) > 0 {
			all = append(all, run)
		}
		run = nil
	}
	first, last := s.between(from, to)
	dense := s.rate/speed*column >= 4
	var at int // column of the points held back
	var held extremes
	for i := first; i < last; i++ {
		mV, ok := s.mV(i)
		if !ok {
			run = held.flush(run)
			end()
			continue
		}
		p := point{x0 + (s.time(i)-from)*speed, y0 - (mV-level)*gain}
		if !dense {
			run = append(run, p)
			continue
		}
		if c := int((p.x - x0) / column); c != at {
			run = held.flush(run)
			at = c
		}
		held.add(p)
	}
	run = held.flush(run)
	end()
	return all
}

// extremes holds the points of one column back.
type extremes struct {
	n                    int
	first, low, hi, last point
}

func (e *extremes) add(p point) {
	if e.n == 0 {
		e.first, e.low, e.hi = p, p, p
	}
	if p.y < e.low.y {
		e.low = p
	}
	if p.y > e.hi.y {
		e.hi = p
	}
	e.last = p
	e.n++
}

func (e *extremes) flush(run []point) []point {
	if e.n == 0 {
		return run
	}
	a, b := e.low, e.hi
	if b.x < a.x {
		a, b = b, a
	}
	run = append(run, e.first)
	for _, p := range []point{a, b, e.last} {
		if p != run[len(run)-1] {
			run = append(run, p)
		}
	}
	e.n = 0
	return run
}
