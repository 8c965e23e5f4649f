package index

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestBucketsLieInOrderAndHoldTheirBounds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	points := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64,
		large, -large, math.Nextafter(large, 0), math.Nextafter(-large, 0), 1.7e12, -62135596800000, 5.6, -5.6}
	for range 20000 {
		points = append(points, math.Float64frombits(rnd.Uint64()), rnd.NormFloat64()*100, 1.7e12+rnd.NormFloat64()*1e10)
	}
	for i, v := range points {
		grain := i % (finest + 1)
		if math.IsNaN(v) {
			continue
		}
		b := bucketOf(v, grain)
		from, to := b.bounds()
		if !(from <= v && v <= to) || bucketOf(from, grain) != b || bucketOf(to, grain) != b {
			t.Fatalf("%g is in bucket %d of %g to %g, which are in %d and %d", v, b, from, to, bucketOf(from, grain), bucketOf(to, grain))
		}
		if behind, _ := b.next().bounds(); !math.IsInf(to, 1) && behind != math.Nextafter(to, math.Inf(1)) {
			t.Fatalf("bucket %d ends at %g, and the next begins at %g", b, to, behind)
		}
	}
	if from, to := bucketOf(1.7e12, 0).bounds(); to-from < 30*3.6e6 || to-from > 40*3.6e6 {
		t.Errorf("a bucket of our days is %g ms long", to-from)
	}
	one, many := newPartition("audit", PartitionLayout{Tag: "u", Slots: 1}, ""), testPartition()
	for num, want := range map[uint64][2]int{1: {0, 0}, 100_000: {0, 0}, 1_000_000: {3, 0}, 10_000_000: {7, 1}, 1 << 40: {finest, finest}} {
		if got := [2]int{one.grainOf(num), many.grainOf(num)}; got != want {
			t.Errorf("the grain of number %d is %v in one slot and in 64, want %v", num, got, want)
		}
	}
}
