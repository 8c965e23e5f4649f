package index

import (
	"math"
	"math/bits"
	"strconv"
)

// A bucket is a share of the numbers: those whose sign, exponent and first bits of the fraction are the same. It is
// these bits, behind a one that tells how many they are. Buckets of one grain lie in order and never overlap.
type bucket uint64

const (
	grainBits  = 12 + 13 // sign, exponent and fraction of a bucket of grain 0
	coarseBits = 9       // of them, the last 9 are zero for small numbers
	large      = 1 << 32 // what has a larger magnitude is taken for an instant in milliseconds
	finest     = 10
)

// grainOf is how fine the buckets are of the values of a thing: finer, the more things came before it, so that a slot
// that has millions has no pages of as many.
func (p *partition) grainOf(num uint64) int {
	return min(finest, bits.Len64(num/uint64(p.slots)>>17))
}

// bucketOf: an instant between 2004 and 2039 shares its bucket of grain 0 with 36 hours, and with half as many for each
// grain more; a small number, in any grain, with a sixteenth of its magnitude.
func bucketOf(v float64, grain int) bucket {
	if math.Abs(v) < large {
		grain = 0
	}
	b := bucket(1)<<(grainBits+grain) | bucket(ordered(v)>>(64-grainBits-grain))
	if math.Abs(v) < large {
		b &^= 1<<coarseBits - 1
	}
	return b
}

func (b bucket) grain() int { return bits.Len64(uint64(b)) - 1 - grainBits }

// bounds are the least and the greatest number of the bucket.
func (b bucket) bounds() (from, to float64) {
	shift := 64 - grainBits - b.grain()
	from = numberAt(uint64(b) << shift) // the leading one falls off
	last := b
	if coarse := b | (1<<coarseBits - 1); b.grain() == 0 && bucketOf(numberAt(uint64(coarse)<<shift), 0) == b {
		last = coarse
	}
	return from, numberAt(uint64(last)<<shift | (1<<shift - 1))
}

// next is the bucket behind b, of the same grain.
func (b bucket) next() bucket {
	_, to := b.bounds()
	return bucketOf(math.Nextafter(to, math.Inf(1)), b.grain())
}

func (b bucket) String() string { return strconv.FormatUint(uint64(b), 10) }

// ordered maps numbers to integers of the same order.
func ordered(v float64) uint64 {
	raw := math.Float64bits(v + 0) // −0 is 0
	if raw>>63 == 1 {
		return ^raw
	}
	return raw | 1<<63
}

// numberAt is the inverse; beyond the infinities it is the infinity.
func numberAt(o uint64) float64 {
	raw := ^o
	if o>>63 == 1 {
		raw = o &^ (1 << 63)
	}
	v := math.Float64frombits(raw)
	switch {
	case math.IsNaN(v):
		return math.Inf(1 - 2*int(raw>>63))
	case v == 0 && raw != 0: // −0 is no number of its own
		return -math.SmallestNonzeroFloat64
	}
	return v
}
