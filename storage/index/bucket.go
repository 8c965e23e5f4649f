package index

import (
	"math"
	"strconv"
)

// A bucket is a share of the numbers: those whose sign, exponent and first bits of the fraction are the same. Its
// number grows with what it holds, so buckets lie in order and never overlap.
type bucket uint32

const (
	bucketShift = 39      // a bucket's number has sign, exponent and 13 bits of the fraction
	coarseBits  = 9       // of them, the last 9 are zero for small numbers
	large       = 1 << 32 // what has a larger magnitude is taken for an instant in milliseconds
)

// bucketOf: an instant between 2004 and 2039 shares its bucket with about 36 hours, a small number with a sixteenth
// of its magnitude.
func bucketOf(v float64) bucket {
	b := bucket(ordered(v) >> bucketShift)
	if math.Abs(v) < large {
		b &^= 1<<coarseBits - 1
	}
	return b
}

// bounds are the least and the greatest number of the bucket.
func (b bucket) bounds() (from, to float64) {
	from, to = numberAt(uint64(b)<<bucketShift), numberAt(uint64(b+1)<<bucketShift-1)
	if coarse := b | (1<<coarseBits - 1); bucketOf(numberAt(uint64(coarse)<<bucketShift)) == b {
		to = numberAt(uint64(coarse+1)<<bucketShift - 1)
	}
	return from, to
}

// next is the bucket behind b.
func (b bucket) next() bucket {
	_, to := b.bounds()
	return bucketOf(math.Nextafter(to, math.Inf(1)))
}

func (b bucket) String() string { return strconv.FormatUint(uint64(b), 10) }

// ordered maps numbers to integers of the same order.
func ordered(v float64) uint64 {
	bits := math.Float64bits(v + 0) // −0 is 0
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

// numberAt is the inverse; beyond the infinities it is the infinity.
func numberAt(o uint64) float64 {
	bits := ^o
	if o>>63 == 1 {
		bits = o &^ (1 << 63)
	}
	v := math.Float64frombits(bits)
	switch {
	case math.IsNaN(v):
		return math.Inf(1 - 2*int(bits>>63))
	case v == 0 && bits != 0: // −0 is no number of its own
		return -math.SmallestNonzeroFloat64
	}
	return v
}
