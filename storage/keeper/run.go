package keeper

import (
	"iter"
	"slices"
	"unsafe"
)

// run is an ordered list in chunks of a few kilobytes. Adding at the end fills chunks wholly; adding elsewhere
// moves half a chunk at most. The caller knows the order and finds places with search.
type run[T any] struct {
	chunks [][]T
	n      int
}

// place is a position in a run: before item i of chunk c. The end is (len(chunks), 0).
type place struct{ c, i int }

const runChunkBytes = 6144

func (r *run[T]) perChunk() int {
	var item T
	return runChunkBytes / int(unsafe.Sizeof(item))
}

// search finds the first item for which after is true; after must be false and then true along the run.
func (r *run[T]) search(after func(T) bool) place {
	lo, hi := 0, len(r.chunks)
	// Most additions belong at the end: look there first.
	if hi > 0 {
		if last := r.chunks[hi-1]; !after(last[len(last)-1]) {
			return place{hi, 0}
		}
		hi--
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if chunk := r.chunks[mid]; after(chunk[len(chunk)-1]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == len(r.chunks) {
		return place{lo, 0}
	}
	chunk := r.chunks[lo]
	i, j := 0, len(chunk)
	for i < j {
		mid := int(uint(i+j) >> 1)
		if after(chunk[mid]) {
			j = mid
		} else {
			i = mid + 1
		}
	}
	return place{lo, i}
}

// at is the item at p; ok is false at the end.
func (r *run[T]) at(p place) (item T, ok bool) {
	if p.c >= len(r.chunks) {
		return item, false
	}
	return r.chunks[p.c][p.i], true
}

// set replaces the item at p.
func (r *run[T]) set(p place, item T) { r.chunks[p.c][p.i] = item }

// insert puts item before p.
func (r *run[T]) insert(p place, item T) {
	r.n++
	per := r.perChunk()
	if p.c == len(r.chunks) {
		if p.c == 0 || len(r.chunks[p.c-1]) >= per {
			first := min(per, max(4, per/2))
			if p.c == 0 {
				first = 4
			}
			r.chunks = append(r.chunks, append(make([]T, 0, first), item))
			return
		}
		p.c--
		p.i = len(r.chunks[p.c])
	}
	chunk := r.chunks[p.c]
	if len(chunk) >= per {
		half := len(chunk) / 2
		right := append(make([]T, 0, per*3/4), chunk[half:]...)
		left := append(make([]T, 0, per*3/4), chunk[:half]...)
		r.chunks = append(r.chunks, nil)
		copy(r.chunks[p.c+2:], r.chunks[p.c+1:])
		r.chunks[p.c], r.chunks[p.c+1] = left, right
		if p.i > half {
			p.c, p.i = p.c+1, p.i-half
		}
		chunk = r.chunks[p.c]
	}
	if len(chunk) == cap(chunk) {
		grown := make([]T, len(chunk), min(per, cap(chunk)+max(4, cap(chunk)/2)))
		copy(grown, chunk)
		chunk = grown
	}
	chunk = chunk[:len(chunk)+1]
	copy(chunk[p.i+1:], chunk[p.i:])
	chunk[p.i] = item
	r.chunks[p.c] = chunk
}

// remove takes out the item at p. A chunk that is nearly empty joins its neighbour.
func (r *run[T]) remove(p place) {
	r.n--
	chunk := r.chunks[p.c]
	copy(chunk[p.i:], chunk[p.i+1:])
	chunk = chunk[:len(chunk)-1]
	r.chunks[p.c] = chunk
	switch per := r.perChunk(); {
	case len(chunk) == 0:
		r.drop(p.c)
	case len(chunk) < per/4 && p.c+1 < len(r.chunks) && len(chunk)+len(r.chunks[p.c+1]) <= per*3/4:
		r.chunks[p.c] = append(chunk, r.chunks[p.c+1]...)
		r.drop(p.c + 1)
	}
}

func (r *run[T]) drop(c int) {
	copy(r.chunks[c:], r.chunks[c+1:])
	r.chunks[len(r.chunks)-1] = nil
	r.chunks = r.chunks[:len(r.chunks)-1]
}

// rank is how many items lie before p.
func (r *run[T]) rank(p place) int {
	n := p.i
	for _, chunk := range r.chunks[:p.c] {
		n += len(chunk)
	}
	return n
}

// ranked is the place of the item with rank k, 0 ≤ k; the end when there are no more.
func (r *run[T]) ranked(k int) place {
	for c, chunk := range r.chunks {
		if k < len(chunk) {
			return place{c, k}
		}
		k -= len(chunk)
	}
	return place{len(r.chunks), 0}
}

// from yields the items from p to the end.
func (r *run[T]) from(p place) iter.Seq[T] {
	return func(yield func(T) bool) {
		for c, i := p.c, p.i; c < len(r.chunks); c, i = c+1, 0 {
			for _, item := range r.chunks[c][i:] {
				if !yield(item) {
					return
				}
			}
		}
	}
}

// before yields the items before p, the nearest first.
func (r *run[T]) before(p place) iter.Seq[T] {
	return func(yield func(T) bool) {
		for c, i := p.c, p.i; ; i = len(r.chunks[c]) {
			for i--; i >= 0; i-- {
				if !yield(r.chunks[c][i]) {
					return
				}
			}
			if c--; c < 0 {
				return
			}
		}
	}
}

// all yields every item in order.
func (r *run[T]) all() iter.Seq[T] { return r.from(place{}) }

// load makes a run of items that are in order already.
func load[T any](items []T) run[T] {
	r := run[T]{n: len(items)}
	per := r.perChunk()
	r.chunks = make([][]T, 0, (len(items)+per-1)/per)
	for chunk := range slices.Chunk(items, per) {
		r.chunks = append(r.chunks, slices.Clone(chunk))
	}
	return r
}

// size is what the run takes from the heap, in bytes.
func (r *run[T]) size() int {
	var item T
	n := 24 * cap(r.chunks)
	for _, chunk := range r.chunks {
		n += cap(chunk) * int(unsafe.Sizeof(item))
	}
	return n
}
