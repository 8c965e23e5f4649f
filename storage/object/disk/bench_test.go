package disk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

const ctSlice = 526 << 10 // a CT slice of 512² pixels in 16 bits

// BenchmarkWrite compares the store with the least that could be done: the same files with fsync and rename, without
// an fsync of the folder. Both have 8 writers; a folder holds 200 files.
func BenchmarkWrite(b *testing.B) {
	body := bytes.Repeat([]byte("concord "), ctSlice/8)
	b.Run("BareFsyncAndRename", func(b *testing.B) {
		root := b.TempDir()
		eightWriters(b, func(i int64) error {
			dir := filepath.Join(root, fmt.Sprint(i/200))
			if err := os.MkdirAll(dir, 0o750); err != nil {
				return err
			}
			path := filepath.Join(dir, fmt.Sprint(i))
			f, err := os.Create(path + ".tmp")
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := f.Write(body); err != nil {
				return err
			}
			if err := f.Sync(); err != nil {
				return err
			}
			return os.Rename(path+".tmp", path)
		})
	})
	b.Run("PutNew", func(b *testing.B) {
		s := open(b, b.TempDir())
		eightWriters(b, func(i int64) error {
			return s.PutNew(b.Context(), benchKey(i), ctSlice, bytes.NewReader(body))
		})
	})
	b.Run("StageAndPublish", func(b *testing.B) {
		s := open(b, b.TempDir())
		eightWriters(b, func(i int64) error {
			st, err := s.Stage(b.Context())
			if err != nil {
				return err
			}
			defer st.Discard()
			if _, err := st.Write(body); err != nil {
				return err
			}
			return st.Publish(b.Context(), benchKey(i))
		})
	})
}

func benchKey(i int64) string { return fmt.Sprintf("blob/%d/%d", i/200, i) }

func eightWriters(b *testing.B, write func(i int64) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.SetBytes(ctSlice)
	b.ResetTimer()
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				if err := write(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
}
