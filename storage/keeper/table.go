package keeper

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// table maps byte strings to byte strings by open addressing. A slot holds the key's hash and the block with key
// and value, so a table has no pointers but to its slots and slabs.
//
// Slots are ordered by the upper bits of the hash, and a scan walks the hashes upwards: what is there throughout a
// scan is met once, however the table grows in the meantime.
type table struct {
	slots []slot
	shift uint8 // 32 − log2(len(slots))
	live  int
	mem   arena
	seed  maphash.Seed
}

type slot struct {
	hash uint32
	ref  ref // 0: empty
}

const leastSlots = 8

func newTable(seed maphash.Seed) table { return table{seed: seed} }

func (t *table) hash(key []byte) uint32 { return uint32(maphash.Bytes(t.seed, key) >> 32) }

// find returns the slot of key, or −1.
func (t *table) find(key []byte) int {
	if t.live == 0 {
		return -1
	}
	h := t.hash(key)
	mask := len(t.slots) - 1
	for i := int(h >> t.shift); ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.ref == 0 {
			return -1
		}
		if s.hash == h && string(t.keyAt(i)) == string(key) {
			return i
		}
	}
}

// keyAt is the key in slot i, valid until the table changes.
func (t *table) keyAt(i int) []byte {
	b := t.mem.bytes(t.slots[i].ref)
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)]
}

// at is the value in slot i, valid until the table changes. It may be written to.
func (t *table) at(i int) []byte {
	b := t.mem.bytes(t.slots[i].ref)
	n, w := binary.Uvarint(b)
	return b[w+int(n):]
}

// add puts in key, which must not be there, with a value of n bytes, and returns its slot; the value's content is undefined.
func (t *table) add(key []byte, n int) int {
	if t.live >= len(t.slots)/4*3 {
		t.rehash(max(leastSlots, 2*len(t.slots)))
	}
	var head [binary.MaxVarintLen64]byte
	w := binary.PutUvarint(head[:], uint64(len(key)))
	r := t.mem.alloc(w + len(key) + n)
	b := t.mem.bytes(r)
	copy(b, head[:w])
	copy(b[w:], key)
	t.live++
	return t.place(slot{t.hash(key), r})
}

func (t *table) place(s slot) int {
	mask := len(t.slots) - 1
	i := int(s.hash >> t.shift)
	for t.slots[i].ref != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
	return i
}

// reserve makes room for n keys.
func (t *table) reserve(n int) {
	size := max(leastSlots, len(t.slots))
	for size/4*3 < n {
		size *= 2
	}
	if size > len(t.slots) {
		t.rehash(size)
	}
}

func (t *table) rehash(size int) {
	old := t.slots
	t.slots = make([]slot, size)
	t.shift = uint8(33 - bits.Len(uint(size)))
	for _, s := range old {
		if s.ref != 0 {
			t.place(s)
		}
	}
}

// resize gives the value in slot i a length of n bytes, keeps its first ones, and returns it.
func (t *table) resize(i, n int) []byte {
	whole := t.mem.bytes(t.slots[i].ref)
	k, w := binary.Uvarint(whole)
	t.slots[i].ref = t.mem.resize(t.slots[i].ref, w+int(k)+n)
	return t.at(i)
}

// put sets the value of key and reports whether the key is new.
func (t *table) put(key, value []byte) bool {
	i := t.find(key)
	added := i < 0
	if added {
		i = t.add(key, len(value))
		copy(t.at(i), value)
	} else {
		copy(t.resize(i, len(value)), value)
	}
	t.tidy()
	return added
}

func (t *table) get(key []byte) (value []byte, ok bool) {
	i := t.find(key)
	if i < 0 {
		return nil, false
	}
	return t.at(i), true
}

// tidy moves the blocks together when free ones take more than a third of the room. Keys that grow side by side
// leave blocks behind that none of them needs any more.
func (t *table) tidy() {
	const least = 64 << 10
	if t.mem.spare < least || t.mem.spare < t.mem.used()/3 {
		return
	}
	var dense arena
	for i, s := range t.slots {
		if s.ref == 0 {
			continue
		}
		b := t.mem.bytes(s.ref)
		r := dense.alloc(len(b))
		copy(dense.bytes(r), b)
		t.slots[i].ref = r
	}
	t.mem = dense
}

// removeAt empties slot i and moves up those that were pushed past it.
func (t *table) removeAt(i int) {
	t.mem.release(t.slots[i].ref)
	t.live--
	mask := len(t.slots) - 1
	for j := i; ; {
		t.slots[i] = slot{}
		for {
			j = (j + 1) & mask
			if t.slots[j].ref == 0 {
				return
			}
			home := int(t.slots[j].hash >> t.shift)
			// Slot j may move to i when its home does not lie behind i, walking round the end.
			if (j-home)&mask >= (j-i)&mask {
				break
			}
		}
		t.slots[i] = t.slots[j]
		i = j
	}
}

func (t *table) remove(key []byte) bool {
	i := t.find(key)
	if i >= 0 {
		t.removeAt(i)
		t.tidy()
	}
	return i >= 0
}

// each calls do for every key and value until it returns false.
func (t *table) each(do func(key, value []byte) bool) {
	for i, s := range t.slots {
		if s.ref != 0 && !do(t.keyAt(i), t.at(i)) {
			return
		}
	}
}

// scan calls do for the keys whose hash is at least cursor, about n of them, and returns where to go on; 0 is the end.
func (t *table) scan(cursor uint64, n int, do func(key, value []byte)) uint64 {
	if cursor > 1<<32-1 || t.live == 0 {
		return 0
	}
	mask := len(t.slots) - 1
	for home := int(uint32(cursor) >> t.shift); home < len(t.slots); home++ {
		if n <= 0 {
			return uint64(home) << t.shift
		}
		for i := home; t.slots[i].ref != 0; i = (i + 1) & mask {
			s := t.slots[i]
			if int(s.hash>>t.shift) == home && uint64(s.hash) >= cursor {
				do(t.keyAt(i), t.at(i))
				n--
			}
		}
		n-- // a look at an empty slot counts too, so that a call is short
	}
	return 0
}

// size is what the table takes from the heap, in bytes.
func (t *table) size() int { return 8*cap(t.slots) + t.mem.size() }
