package draw

import (
	"math"
	"slices"

	"concord/internal/ecg"
)

// signal is a lead, measured or computed from others, as a function of time.
type signal struct {
	code  ecg.LeadCode
	label string
	rate  float64
	start float64 // seconds from the group's start to sample 0
	n     int
	mV    func(i int) (float64, bool) // false where nothing was measured
}

func (s signal) time(i int) float64 { return s.start + float64(i)/s.rate }

// between are the samples taken in [from, to]: from the first to before the last.
func (s signal) between(from, to float64) (first, last int) {
	const hair = 1e-6 // of a sample: times are sums of rounded numbers
	first = int(math.Ceil((from-s.start)*s.rate - hair))
	last = int(math.Floor((to-s.start)*s.rate+hair)) + 1
	return min(max(first, 0), s.n), min(max(last, 0), s.n)
}

// measured tells whether there is a sample in [from, to].
func (s signal) measured(from, to float64) bool {
	first, last := s.between(from, to)
	for i := first; i < last; i++ {
		if _, ok := s.mV(i); ok {
			return true
		}
	}
	return false
}

// signals are the group's leads that are voltages, in its order, and behind them those limb leads that can be computed
// from I and II (Einthoven, Goldberger).
func signals(g ecg.Group) []signal {
	var all []signal
	for _, l := range g.Leads {
		scale, base, ok := l.Microvolts()
		if !ok || l.Samples.Len() == 0 {
			continue
		}
		samples := l.Samples
		all = append(all, signal{
			code: l.Code, label: plain(l.Label), rate: g.Rate, n: samples.Len(),
			start: float64(l.Start)/g.Rate + l.Skew.Seconds(),
			mV: func(i int) (float64, bool) {
				v := samples.At(i)
				mV := (float64(v)*scale + base) / 1000
				return mV, v != ecg.Missing && math.Abs(mV) < math.MaxInt32 // neither NaN nor infinite
			},
		})
	}
	one, hasOne := find(all, ecg.I)
	two, hasTwo := find(all, ecg.II)
	if !hasOne || !hasTwo || one.start != two.start {
		return all
	}
	for _, c := range []struct {
		code ecg.LeadCode
		a, b float64 // of I and of II
	}{{ecg.III, -1, 1}, {ecg.AVR, -0.5, -0.5}, {ecg.AVL, 1, -0.5}, {ecg.AVF, -0.5, 1}} {
		if _, there := find(all, c.code); there {
			continue
		}
		all = append(all, signal{
			code: c.code, label: c.code.String(), rate: g.Rate, start: one.start, n: min(one.n, two.n),
			mV: func(i int) (float64, bool) {
				x, ok := one.mV(i)
				y, too := two.mV(i)
				return c.a*x + c.b*y, ok && too
			},
		})
	}
	return all
}

func find(all []signal, code ecg.LeadCode) (signal, bool) {
	if i := slices.IndexFunc(all, func(s signal) bool { return s.code == code }); i >= 0 && code != 0 {
		return all[i], true
	}
	return signal{}, false
}

// level is what the signal rests at between from and to: the median of at most about a thousand of its samples.
func (s signal) level(from, to float64) float64 {
	first, last := s.between(from, to)
	step := max(1, (last-first)/1000)
	var values []float64
	for i := first; i < last; i += step {
		if v, ok := s.mV(i); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}
