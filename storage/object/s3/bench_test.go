package s3

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"concord/storage/object/miniotest"
)

// BenchmarkPutNew has 8 writers, of CT slices and of small commits.
func BenchmarkPutNew(b *testing.B) {
	s := open(b, miniotest.Start(b), Options{})
	for _, size := range []int64{4 << 10, 526 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			body := make([]byte, size)
			round := fmt.Sprintf("bench/%d-%d/", size, b.N)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.SetBytes(size)
			for range 8 {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if err := s.PutNew(b.Context(), fmt.Sprint(round, i), size, bytes.NewReader(body)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "objects/s")
		})
	}
}
