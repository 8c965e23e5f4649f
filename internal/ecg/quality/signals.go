package quality

import (
	"math"
	"slices"

	"concord/internal/ecg"
)

// mostSeconds are looked at.
const mostSeconds = 300

// signals are a group's voltages, ready to be judged.
type signals struct {
	rate    float64
	seconds float64 // of the whole group
	leads   []lead
}

// lead is one signal in µV. Gaps are filled with what was before them, so that filters see no step.
type lead struct {
	code     ecg.LeadCode
	label    string
	start    int
	uV       []float64
	gap      []bool // which were filled; nil for none
	measured int    // samples that were not
	total    int
	hum      float64 // µV of mains
	flat     bool
}

func signalsOf(rec *ecg.Recording) (*signals, bool) {
	g, ok := rec.Rhythm()
	if !ok || !(g.Rate >= 1 && g.Rate <= 1e6) {
		return nil, false
	}
	s := &signals{rate: g.Rate, seconds: float64(g.Len()) / g.Rate}
	most := int(min(mostSeconds*g.Rate, 1<<22))
	for _, l := range g.Leads {
		scale, base, ok := l.Microvolts()
		if !ok || l.Samples.Len() == 0 {
			continue
		}
		n := min(l.Samples.Len(), most)
		v := lead{code: l.Code, label: l.Label, start: l.Start, uV: make([]float64, n), total: n}
		last, leading := math.NaN(), 0
		for i := range n {
			x := l.Samples.At(i)
			if uV := float64(x)*scale + base; x != ecg.Missing && math.Abs(uV) < math.MaxInt32 { // neither NaN nor infinite
				last = uV
				v.measured++
			} else {
				if v.gap == nil {
					v.gap = make([]bool, n)
				}
				v.gap[i] = true
			}
			if v.uV[i] = last; math.IsNaN(last) {
				leading = i + 1
			}
		}
		if v.measured == 0 {
			continue
		}
		for i := range leading {
			v.uV[i] = v.uV[leading]
		}
		s.leads = append(s.leads, v)
	}
	s.hums()
	return s, len(s.leads) > 0
}

func (s *signals) find(code ecg.LeadCode) (lead, bool) {
	for _, l := range s.leads {
		if l.code == code {
			return l, true
		}
	}
	return lead{}, false
}

// together finds several leads that were recorded at the same time.
func (s *signals) together(codes ...ecg.LeadCode) ([]lead, int, bool) {
	var all []lead
	n := math.MaxInt
	for _, c := range codes {
		l, ok := s.find(c)
		if !ok || len(all) > 0 && l.start != all[0].start {
			return nil, 0, false
		}
		all, n = append(all, l), min(n, len(l.uV))
	}
	return all, n, true
}

// extent is the distance between the extremes, without the most extreme 0.1 % at either end.
func extent(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	cut := len(sorted) / 1000
	return sorted[len(sorted)-1-cut] - sorted[cut]
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// smooth is the mean of the n values around each, fewer at the ends.
func smooth(values []float64, n int) []float64 {
	sums := make([]float64, len(values)+1)
	for i, v := range values {
		sums[i+1] = sums[i] + v
	}
	out := make([]float64, len(values))
	for i := range out {
		from, to := max(0, i-n/2), min(len(values), i-n/2+max(n, 1))
		out[i] = (sums[to] - sums[from]) / float64(to-from)
	}
	return out
}

// An oscillator measures one frequency in stretches of a second.
type oscillator struct{ cos, sin []float64 } // behind a Hann window, of an amplitude such that sums need no division

func oscillate(hz, rate float64) oscillator {
	n := int(rate)
	o := oscillator{make([]float64, n), make([]float64, n)}
	for i := range n {
		w := 2 * (1 - math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))) / float64(n)
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		o.cos[i], o.sin[i] = w*cos, w*sin
	}
	return o
}

func (o oscillator) amplitude(values []float64) float64 {
	re, im := 0.0, 0.0
	for i, v := range values {
		re += v * o.cos[i]
		im += v * o.sin[i]
	}
	return math.Hypot(re, im)
}

// hums sets each lead's hum: the amplitude of 50 or 60 Hz, whichever is stronger, above what the neighbouring frequencies
// have, which is how a QRS complex differs from it; the median over seconds.
func (s *signals) hums() {
	n := int(s.rate)
	for _, hz := range []float64{50, 60} {
		if s.rate < 2.5*hz {
			continue
		}
		at, below, above := oscillate(hz, s.rate), oscillate(hz-4, s.rate), oscillate(hz+4, s.rate)
		for k := range s.leads {
			l := &s.leads[k]
			var each []float64
			for i := 0; i+n <= len(l.uV); i += n {
				w := l.uV[i : i+n]
				each = append(each, max(0, at.amplitude(w)-max(below.amplitude(w), above.amplitude(w))))
			}
			l.hum = max(l.hum, median(each))
		}
	}
}
