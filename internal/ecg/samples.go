package ecg

import (
	"iter"
	"math"
)

// Missing is what At gives where no sample was taken: a gap, an electrode that fell off, padding.
const Missing = math.MinInt32

const narrowMissing = math.MinInt16

// Samples are whole numbers in the order they were taken. They take two bytes each until one does not fit; the zero
// value is empty and ready to use. Copies share what they hold, as slices do.
type Samples struct {
	narrow []int16
	wide   []int32
}

// SamplesOf holds values, of which Missing marks a gap.
func SamplesOf(values ...int32) Samples {
	var s Samples
	for _, v := range values {
		s.Append(v)
	}
	return s
}

// Len is how many there are, missing ones included.
func (s Samples) Len() int { return len(s.narrow) + len(s.wide) }

// At is sample i, or Missing. It panics, as an index does, when i is not in [0, Len).
func (s Samples) At(i int) int32 {
	if s.wide != nil {
		return s.wide[i]
	}
	if v := s.narrow[i]; v != narrowMissing {
		return int32(v)
	}
	return Missing
}

// All yields them in order.
func (s Samples) All() iter.Seq2[int, int32] {
	return func(yield func(int, int32) bool) {
		for i := range s.Len() {
			if !yield(i, s.At(i)) {
				return
			}
		}
	}
}

// Append adds one.
func (s *Samples) Append(v int32) {
	switch {
	case s.wide != nil:
		s.wide = append(s.wide, v)
	case v == Missing:
		s.narrow = append(s.narrow, narrowMissing)
	case v > narrowMissing && v <= math.MaxInt16:
		s.narrow = append(s.narrow, int16(v))
	default:
		s.wide = make([]int32, len(s.narrow), len(s.narrow)+64)
		for i := range s.narrow {
			s.wide[i] = Samples{narrow: s.narrow}.At(i)
		}
		s.narrow = nil
		s.wide = append(s.wide, v)
	}
}
