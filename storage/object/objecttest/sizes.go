package objecttest

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
)

// sizes stores and reads bodies from nothing to a gigabyte and watches the heap meanwhile.
func (s *suite) sizes() {
	list := []int64{0, 1, 4095, 64 << 10, 1<<20 + 1, 9 << 20, 20 << 20, 1 << 30}
	if testing.Short() {
		list = list[:len(list)-1]
	}
	const most = 48 << 20
	for _, size := range list {
		key := fmt.Sprintf("%s%d", s.at, size)
		heap := newHeapWatch()
		up := &generator{left: size, heap: heap}
		if err := s.PutNew(s.Context(), key, size, up); err != nil {
			s.Fatalf("%d bytes: %v", size, err)
		}
		f, err := s.Open(s.Context(), key, 0, -1)
		if err != nil {
			s.Fatal(err)
		}
		down := &checksum{heap: heap}
		n, err := io.Copy(down, f)
		f.Close()
		if err != nil || n != size || down.sum != up.sum {
			s.Errorf("%d bytes: read %d, checksum %08x instead of %08x, %v", size, n, down.sum, up.sum, err)
		}
		if heap.grown() > most {
			s.Errorf("%d bytes: the heap grew by %d bytes", size, heap.grown())
		}
		s.Logf("%10d bytes: the heap grew by %.1f MiB", size, float64(heap.grown())/(1<<20))
	}
}

// pattern is size bytes that repeat nowhere at a power of two.
func pattern(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i % 251)
	}
	return data
}

// generator is a body that exists nowhere as a whole.
type generator struct {
	left, count int64
	sum         uint32
	heap        *heapWatch
	block       []byte
}

func (g *generator) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	if g.block == nil {
		g.block = pattern(251 << 10)
	}
	off := g.count % int64(len(g.block))
	n := copy(p[:min(int64(len(p)), g.left)], g.block[off:])
	g.sum = crc32.Update(g.sum, crc32.IEEETable, p[:n])
	g.left, g.count = g.left-int64(n), g.count+int64(n)
	g.heap.pass(n)
	return n, nil
}

type checksum struct {
	sum  uint32
	heap *heapWatch
}

func (c *checksum) Write(p []byte) (int, error) {
	c.sum = crc32.Update(c.sum, crc32.IEEETable, p)
	c.heap.pass(len(p))
	return len(p), nil
}

// heapWatch looks at the heap every now and then.
type heapWatch struct {
	first, most uint64
	passed      int
}

func newHeapWatch() *heapWatch {
	runtime.GC()
	h := &heapWatch{first: heapNow()}
	h.most = h.first
	return h
}

func (h *heapWatch) pass(n int) {
	const every = 8 << 20
	if h.passed += n; h.passed >= every {
		h.passed = 0
		h.most = max(h.most, heapNow())
	}
}

func (h *heapWatch) grown() uint64 { return h.most - h.first }

func heapNow() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func (s *suite) put(key, body string) {
	s.Helper()
	if err := s.PutNew(s.Context(), key, int64(len(body)), strings.NewReader(body)); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) read(key string, offset, length int64) []byte {
	s.Helper()
	f, err := s.Open(s.Context(), key, offset, length)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(struct{ io.Reader }{f})
	if err != nil {
		s.Fatal(err)
	}
	return data
}

// copyOut reads as io.Copy does, by WriteTo where the reader has it.
func (s *suite) copyOut(key string, offset, length int64) string {
	s.Helper()
	f, err := s.Open(s.Context(), key, offset, length)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, f); err != nil {
		s.Fatal(err)
	}
	return b.String()
}

func (s *suite) list(prefix, after string) (keys []string) {
	s.Helper()
	for key, err := range s.List(s.Context(), prefix, after) {
		if err != nil {
			s.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

type onRead func()

func (f onRead) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
