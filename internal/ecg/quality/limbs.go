package quality

import (
	"math"
	"slices"

	"concord/internal/ecg"
)

// einthoven checks that I + III is II.
func einthoven(s *signals, t Thresholds) []Finding {
	l, n, ok := s.together(ecg.I, ecg.II, ecg.III)
	if !ok {
		return nil
	}
	return law(Einthoven, n, t, func(i int) float64 { return l[0].uV[i] + l[2].uV[i] - l[1].uV[i] })
}

// goldberger checks that aVR, aVL and aVF add up to nothing.
func goldberger(s *signals, t Thresholds) []Finding {
	l, n, ok := s.together(ecg.AVR, ecg.AVL, ecg.AVF)
	if !ok {
		return nil
	}
	return law(Goldberger, n, t, func(i int) float64 { return l[0].uV[i] + l[1].uV[i] + l[2].uV[i] })
}

// law finds that what should be zero is not, even without its mean and for the best 99 % of the time: leads have their own
// offsets, and a click is no proof.
func law(code Code, n int, t Thresholds, rest func(i int) float64) []Finding {
	values := make([]float64, n)
	for i := range values {
		values[i] = rest(i)
	}
	middle := median(values)
	for i := range values {
		values[i] = math.Abs(values[i] - middle)
	}
	slices.Sort(values)
	if v := values[n*99/100]; v > t.Disagreement {
		return []Finding{found(code, "", v, t.Disagreement)}
	}
	return nil
}

// swapped looks for leads that stand on their head. Exchanged arm electrodes turn I over and make aVR what aVL is; right arm
// and left leg exchanged turn II over. The heart alone can turn the QRS of one of them over, but then P stays upright: so
// P must agree where it can be seen.
func swapped(s *signals, t Thresholds) []Finding {
	l, n, ok := s.together(ecg.I, ecg.II)
	if !ok || l[0].flat || l[1].flat {
		return nil
	}
	one, two := l[0].uV[:n], l[1].uV[:n]
	right := make([]float64, n) // aVR
	for i := range right {
		right[i] = -(one[i] + two[i]) / 2
	}
	beats := qrs(s.rate, one, two)
	if len(beats) < 3 || polarity(right, beats, s.rate).net <= 0 {
		return nil
	}
	for _, c := range []struct {
		code  Code
		label string
		uV    []float64
	}{{LegSwapped, l[1].label, two}, {ArmsSwapped, l[0].label, one}} { // the first turns I over, too, where III was upright
		if p := polarity(c.uV, beats, s.rate); p.net < t.Inverted && p.upright < -p.net/20 {
			return []Finding{found(c.code, c.label, p.net, t.Inverted)}
		}
	}
	return nil
}

// qrs finds beats where the leads together move fastest: at least half as fast as in the fastest places, 250 ms or more
// apart.
func qrs(rate float64, leads ...[]float64) []int {
	n := len(leads[0])
	step := max(1, int(rate/100))
	if n < 3*step {
		return nil
	}
	speed := make([]float64, n)
	for _, l := range leads {
		for i := step; i < n; i++ {
			speed[i] += math.Abs(l[i] - l[i-step])
		}
	}
	speed = smooth(speed, max(1, int(rate*0.08)))
	sorted := slices.Sorted(slices.Values(speed))
	enough := sorted[n-1-n/50] / 2
	var beats []int
	for i := 0; i < n; i++ {
		if speed[i] < enough || enough == 0 {
			continue
		}
		best := i
		for ; i < n && speed[i] >= enough; i++ {
			if speed[i] > speed[best] {
				best = i
			}
		}
		if len(beats) == 0 || float64(best-beats[len(beats)-1]) > rate/4 {
			beats = append(beats, best)
		}
	}
	return beats
}

// shape is how a lead's beats stand: net is the sum of the highest and the lowest place of QRS, upright that of P, both
// from where the lead rests; medians over the beats.
type shape struct{ net, upright float64 }

func polarity(uV []float64, beats []int, rate float64) shape {
	at := func(ms float64) int { return int(ms / 1000 * rate) }
	sum := func(from, to int, rest float64) float64 {
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range uV[from:to] {
			low, high = min(low, v), max(high, v)
		}
		return low + high - 2*rest
	}
	var nets, ps []float64
	for _, b := range beats {
		if b-at(300) < 0 || b+at(80) >= len(uV) {
			continue
		}
		rest := median(uV[b-at(300) : b-at(60)])
		nets = append(nets, sum(b-at(80), b+at(80), rest))
		ps = append(ps, sum(b-at(250), b-at(80), rest))
	}
	return shape{median(nets), median(ps)}
}
