package quality

import (
	"math"

	"concord/internal/ecg"
)

func slowSampling(s *signals, t Thresholds) []Finding {
	switch {
	case s.rate < t.LeastRate:
		return []Finding{found(VerySlow, "", s.rate, t.LeastRate)}
	case s.rate < t.GoodRate:
		return []Finding{found(Slow, "", s.rate, t.GoodRate)}
	}
	return nil
}

func shortRecording(s *signals, t Thresholds) []Finding {
	switch {
	case s.seconds < t.LeastSeconds:
		return []Finding{found(VeryShort, "", s.seconds, t.LeastSeconds)}
	case s.seconds < t.GoodSeconds:
		return []Finding{found(Short, "", s.seconds, t.GoodSeconds)}
	}
	return nil
}

// missingLeads counts a limb lead as there when it can be computed from I and II. Where most are missing, it was never
// meant to be a recording of twelve leads, and one finding says so.
func missingLeads(s *signals, _ Thresholds) []Finding {
	_, _, limbs := s.together(ecg.I, ecg.II)
	var missing []ecg.LeadCode
	for _, code := range ecg.Twelve() {
		if _, ok := s.find(code); !ok && !(limbs && derived(code)) {
			missing = append(missing, code)
		}
	}
	if n := len(ecg.Twelve()); len(missing) > n/2 {
		return []Finding{found(FewLeads, "", float64(n-len(missing)), float64(n))}
	}
	var all []Finding
	for _, code := range missing {
		all = append(all, found(MissingLead, code.String(), 0, 1))
	}
	return all
}

func derived(code ecg.LeadCode) bool {
	return code == ecg.III || code == ecg.AVR || code == ecg.AVL || code == ecg.AVF
}

// flatLeads marks the leads that are flat, of which later checks say nothing more.
func flatLeads(s *signals, t Thresholds) []Finding {
	var all []Finding
	flat, limb, highest := 0, 0, 0.0
	extents := make([]float64, len(s.leads))
	for i := range s.leads {
		l := &s.leads[i]
		extents[i] = extent(l.uV)
		highest = max(highest, extents[i])
		if l.flat = extents[i] < t.Flat; l.flat {
			flat++
			if bipolar(l.code) {
				limb++
			}
		}
	}
	if flat == len(s.leads) {
		return []Finding{found(AllFlat, "", highest, t.Flat)}
	}
	for i, l := range s.leads {
		switch longest := l.stillness(s.rate); {
		case l.flat && bipolar(l.code) && flat == 1 && limb == 1:
			all = append(all, found(FlatLimbLead, l.label, extents[i], t.Flat))
		case l.flat:
			all = append(all, found(FlatLead, l.label, extents[i], t.Flat))
		case longest > t.FlatSeconds:
			all = append(all, found(FlatStretch, l.label, longest, t.FlatSeconds))
		}
	}
	return all
}

func bipolar(code ecg.LeadCode) bool { return code == ecg.I || code == ecg.II || code == ecg.III }

// stillness is how many seconds the lead had one and the same value for, at the longest.
func (l lead) stillness(rate float64) float64 {
	longest, run := 0, 1
	for i := 1; i < len(l.uV); i++ {
		if run++; l.uV[i] != l.uV[i-1] || l.gap != nil && l.gap[i] {
			run = 1
		}
		longest = max(longest, run)
	}
	return float64(longest) / rate
}

func gaps(s *signals, t Thresholds) []Finding {
	var all []Finding
	for _, l := range s.leads {
		if share := 100 * float64(l.total-l.measured) / float64(l.total); share > t.MissingPercent {
			all = append(all, found(Gaps, l.label, share, t.MissingPercent))
		}
	}
	return all
}

// clipping adds up how long a lead stays at its highest or lowest value for 8 ms or more at a time, which a beat's peak does not, if that is
// half a millivolt or more away from where it rests.
func clipping(s *signals, t Thresholds) []Finding {
	var all []Finding
	for _, l := range s.leads {
		if l.flat {
			continue
		}
		low, high := l.uV[0], l.uV[0]
		for _, v := range l.uV {
			low, high = min(low, v), max(high, v)
		}
		rest := median(l.uV)
		count := 0
		for _, edge := range []float64{low, high} {
			if math.Abs(edge-rest) < 500 {
				continue
			}
			run := 0
			for i := 0; i <= len(l.uV); i++ {
				if i < len(l.uV) && l.uV[i] == edge {
					run++
					continue
				}
				if run >= 4 && float64(run)/s.rate >= 0.008 {
					count += run
				}
				run = 0
			}
		}
		if ms := float64(count) / s.rate * 1000; ms > t.ClippedMillis {
			all = append(all, found(Clipped, l.label, ms, t.ClippedMillis))
		}
	}
	return all
}

// wander looks at the mean over each second, in which beats hardly show.
func wander(s *signals, t Thresholds) []Finding {
	n := int(s.rate)
	var all []Finding
	for _, l := range s.leads {
		if l.flat || len(l.uV) < 3*n {
			continue
		}
		base := smooth(l.uV, n)
		if v := extent(base[n/2 : len(base)-n/2]); v > t.Wander {
			all = append(all, found(BaselineWander, l.label, v, t.Wander))
		}
	}
	return all
}

func mains(s *signals, t Thresholds) []Finding {
	var all []Finding
	for _, l := range s.leads {
		if !l.flat && l.hum > t.Mains {
			all = append(all, found(MainsNoise, l.label, l.hum, t.Mains))
		}
	}
	return all
}

// muscle looks at what moves faster than 25 ms, in tenths of a second, of which the median lies between the beats; mains
// hum is taken off.
func muscle(s *signals, t Thresholds) []Finding {
	n := int(s.rate / 10)
	if n < 8 {
		return nil
	}
	var all []Finding
	for _, l := range s.leads {
		if l.flat || len(l.uV) < 10*n {
			continue
		}
		slow := smooth(l.uV, max(3, int(s.rate*0.025)))
		var power []float64
		for i := 0; i+n <= len(slow); i += n {
			sum := 0.0
			for k := i; k < i+n; k++ {
				sum += (l.uV[k] - slow[k]) * (l.uV[k] - slow[k])
			}
			power = append(power, sum/float64(n))
		}
		if v := math.Sqrt(max(0, median(power)-l.hum*l.hum*0.75)); v > t.Muscle {
			all = append(all, found(MuscleNoise, l.label, v, t.Muscle))
		}
	}
	return all
}
