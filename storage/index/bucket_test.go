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
		if math.IsNaN(v) {
			continue
		}
		b := bucketOf(v)
		from, to := b.bounds()
		if !(from <= v && v <= to) || bucketOf(from) != b || bucketOf(to) != b {
			t.Fatalf("%g is in bucket %d of %g to %g, which are in %d and %d", v, b, from, to, bucketOf(from), bucketOf(to))
		}
		if !math.IsInf(to, 1) && bucketOf(math.Nextafter(to, math.Inf(1))) <= b {
			t.Fatalf("bucket %d ends at %g, and goes on behind it", b, to)
		}
		if w := points[(i+1)%len(points)]; v < w && b > bucketOf(w) || v > w && b < bucketOf(w) {
			t.Fatalf("%g and %g are in buckets %d and %d", v, w, b, bucketOf(w))
		}
	}
	if from, to := bucketOf(1.7e12).bounds(); to-from < 30*3.6e6 || to-from > 40*3.6e6 {
		t.Errorf("a bucket of our days is %g ms long", to-from)
	}
}
