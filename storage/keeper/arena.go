package keeper

import (
	"encoding/binary"
	"math/bits"
)

// ref names a block of an arena: chunk number and offset in units of eight bytes. The zero ref names none.
type ref uint32

// arena hands out blocks of bytes from slabs that hold no pointers. A freed block is used again for one of the
// same size class. Each block remembers its length, which decides its class.
type arena struct {
	chunks [][]byte
	free   []ref // by class: the first free block, which names the next in its first four bytes
	spare  int   // bytes in free blocks
	open   int   // the chunk being filled
	gaps   []int // numbers of chunks that were given back
}

const (
	blockHead  = 4
	unit       = 8
	chunkShift = 15 // units in a chunk: 256 KiB
	chunkBytes = unit << chunkShift
	// largestBlock is the greatest block that shares a chunk; a larger one is a chunk by itself.
	largestBlock = 32 << 10
	// fullArena leaves as many chunk numbers again for what one transaction may add.
	fullArena = 1 << (32 - chunkShift - 1)
)

// full reports that the arena has no room for more than one further transaction.
func (a *arena) full() bool { return len(a.chunks) > fullArena }

// used is the room that blocks take, free ones included.
func (a *arena) used() (n int) {
	for _, c := range a.chunks {
		n += len(c)
	}
	return n
}

// size is what the arena takes from the heap, in bytes.
func (a *arena) size() (n int) {
	for _, c := range a.chunks {
		n += cap(c)
	}
	return n + 24*cap(a.chunks)
}

// roundUp is the size of the class for n bytes: steps of eight up to 128, then eight steps an octave.
func roundUp(n int) int {
	if n <= 128 {
		return max(16, (n+unit-1)&^(unit-1))
	}
	step := 1 << (bits.Len(uint(n-1)) - 4)
	return (n + step - 1) &^ (step - 1)
}

// class numbers the sizes that roundUp returns.
func class(size int) int {
	if size <= 128 {
		return size / unit
	}
	octave := bits.Len(uint(size - 1))
	return 17 + (octave-8)*8 + (size-1)>>(octave-4)&7
}

// alloc makes a block of n bytes; their content is undefined.
func (a *arena) alloc(n int) ref {
	size := roundUp(blockHead + n)
	if size > largestBlock {
		return a.allocChunk(n, size)
	}
	if c := class(size); c < len(a.free) && a.free[c] != 0 {
		r := a.free[c]
		b := a.block(r)
		a.free[c] = ref(binary.LittleEndian.Uint32(b[blockHead:]))
		a.spare -= size
		binary.LittleEndian.PutUint32(b, uint32(n))
		return r
	}
	if len(a.chunks) == 0 {
		a.chunks = append(a.chunks, make([]byte, unit, 64)) // the first unit is taken, so that no block has ref 0
	}
	if len(a.chunks[a.open])+size > chunkBytes {
		a.open = a.number()
	}
	chunk := a.chunks[a.open]
	off := len(chunk)
	if need := off + size; need > cap(chunk) {
		least := 64
		if a.open > 0 {
			least = chunkBytes / 8
		}
		grown := make([]byte, off, min(chunkBytes, max(need, least, 2*cap(chunk))))
		copy(grown, chunk)
		chunk = grown
	}
	chunk = chunk[:off+size]
	binary.LittleEndian.PutUint32(chunk[off:], uint32(n))
	a.chunks[a.open] = chunk
	return ref(a.open<<chunkShift | off/unit)
}

// allocChunk makes a block that is a chunk of its own.
func (a *arena) allocChunk(n, size int) ref {
	if len(a.chunks) == 0 {
		a.chunks = append(a.chunks, make([]byte, unit, 64))
	}
	chunk := make([]byte, size)
	binary.LittleEndian.PutUint32(chunk, uint32(n))
	c := a.number()
	a.chunks[c] = chunk
	return ref(c << chunkShift)
}

// number finds a chunk number for a new chunk.
func (a *arena) number() int {
	if last := len(a.gaps) - 1; last >= 0 {
		c := a.gaps[last]
		a.gaps = a.gaps[:last]
		return c
	}
	a.chunks = append(a.chunks, nil)
	return len(a.chunks) - 1
}

// block is the memory from r on, with its head.
func (a *arena) block(r ref) []byte {
	return a.chunks[r>>chunkShift][int(r&(1<<chunkShift-1))*unit:]
}

// bytes is the content of block r. It is valid until r is freed or resized, or the arena grows.
func (a *arena) bytes(r ref) []byte {
	b := a.block(r)
	n := int(binary.LittleEndian.Uint32(b))
	return b[blockHead : blockHead+n : blockHead+n]
}

// resize gives block r length n and keeps its first bytes; the block may get another ref.
func (a *arena) resize(r ref, n int) ref {
	b := a.bytes(r)
	if roundUp(blockHead+len(b)) == roundUp(blockHead+n) {
		binary.LittleEndian.PutUint32(a.block(r), uint32(n))
		return r
	}
	moved := a.alloc(n)
	copy(a.bytes(moved), a.bytes(r))
	a.release(r)
	return moved
}

// release gives block r back.
func (a *arena) release(r ref) {
	b := a.block(r)
	size := roundUp(blockHead + int(binary.LittleEndian.Uint32(b)))
	if size > largestBlock {
		a.chunks[r>>chunkShift] = nil
		a.gaps = append(a.gaps, int(r>>chunkShift))
		return
	}
	c := class(size)
	if c >= len(a.free) {
		a.free = append(a.free, make([]ref, c+1-len(a.free))...)
	}
	binary.LittleEndian.PutUint32(b[blockHead:], uint32(a.free[c]))
	a.free[c] = r
	a.spare += size
}
