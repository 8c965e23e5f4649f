package keeper

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// A snapshot is
//
//	magic    8 bytes: name and version of the format
//	section  one for each space with keys: length of its body (8 bytes), CRC-32C of the body (4 bytes), body
//	end      a section of length 0, whose CRC field holds the number of sections before it
//
// numbers little-endian. A body is the number of keys and then each key: its kind, with the flag `expiring`; key;
// deadline, when it has one; value. Counts and lengths are unsigned varints. The value is, by kind,
//
//	rawText, smallIDs, smallMap   length, bytes as in memory
//	bigIDs                        count, differences
//	bigInts                       count, 8 bytes each
//	bigNames                      count, (length, bytes) each
//	bigMap                        count, (length, field, length, value) each
//	ordered                       form (zsetNames, zsetRanked), count; then each member in its order: the difference or
//	                              length and bytes; its score, 8 bytes, but for sets not ranked, which have one in front
const snapshotMagic = "CKEEPER1"

const sectionHead = 12

const (
	zsetNames  = 1
	zsetRanked = 2
)

// SnapshotTo writes all keys to w. Each space is read at one moment, those of Options.First before the others; what
// is written in the meantime may be in the snapshot or not, space by space. So a mark in a tag of First is never
// ahead of the entries it speaks of when those are written before it.
//
// Writers of a space wait while it is copied into a buffer, not while it goes to w.
func (k *Keeper) SnapshotTo(w io.Writer) error {
	if _, err := io.WriteString(w, snapshotMagic); err != nil {
		return fmt.Errorf("write the keeper's snapshot: %w", err)
	}
	var buf []byte
	sections := uint32(0)
	for _, i := range k.snapshotOrder() {
		buf = k.spaces[i].appendSection(buf[:0])
		if len(buf) == 0 {
			continue
		}
		sections++
		if _, err := w.Write(buf); err != nil {
			return fmt.Errorf("write the keeper's snapshot: %w", err)
		}
	}
	end := make([]byte, sectionHead)
	binary.LittleEndian.PutUint32(end[8:], sections)
	if _, err := w.Write(end); err != nil {
		return fmt.Errorf("write the keeper's snapshot: %w", err)
	}
	return nil
}

// snapshotOrder lists all spaces, those of Options.First in front.
func (k *Keeper) snapshotOrder() []int {
	order := make([]int, 0, spaceCount)
	var taken [spaceCount]bool
	for _, tag := range k.opts.First {
		if i := spaceOfTag(tag); !taken[i] {
			taken[i] = true
			order = append(order, i)
		}
	}
	for i := range taken {
		if !taken[i] {
			order = append(order, i)
		}
	}
	return order
}

// appendSection writes the space's section, nothing when it has no keys.
func (sp *space) appendSection(b []byte) []byte {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	if sp.keys.live == 0 {
		return b
	}
	start := len(b) + sectionHead
	b = append(b, make([]byte, sectionHead)...)
	b = binary.AppendUvarint(b, uint64(sp.keys.live))
	for i, s := range sp.keys.slots {
		if s.ref == 0 {
			continue
		}
		key := sp.keys.keyAt(i)
		b = append(b, sp.keys.at(i)[0])
		b = appendItem(b, key)
		v := sp.value(i)
		if at := v.deadline(key); at >= 0 {
			b = binary.AppendUvarint(b, uint64(at))
		}
		b = v.appendTo(b)
	}
	head := b[start-sectionHead:]
	binary.LittleEndian.PutUint64(head, uint64(len(b)-start))
	binary.LittleEndian.PutUint32(head[8:], checksum(b[start:]))
	return b
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func appendItem(b, item []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(item))), item...)
}

func (v *value) appendTo(b []byte) []byte {
	if v.kind < bigIDs {
		return appendItem(b, v.data)
	}
	switch o := v.object().(type) {
	case *idSet:
		b = binary.AppendUvarint(b, uint64(o.ids.n))
		last := uint32(0)
		for id := range o.ids.all() {
			b = binary.AppendUvarint(b, uint64(id-last))
			last = id
		}
	case *intSet:
		b = binary.AppendUvarint(b, uint64(o.ints.n))
		for n := range o.ints.all() {
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
	case *nameSet:
		b = binary.AppendUvarint(b, uint64(o.names.live))
		o.names.each(func(name, _ []byte) bool {
			b = appendItem(b, name)
			return true
		})
	case *bigHash:
		b = binary.AppendUvarint(b, uint64(o.fields.live))
		o.fields.each(func(field, val []byte) bool {
			b = appendItem(appendItem(b, field), val)
			return true
		})
	case *zset:
		b = o.appendTo(b)
	}
	return b
}

func (z *zset) appendTo(b []byte) []byte {
	form := byte(0)
	if z.names != nil {
		form |= zsetNames
	}
	if z.ranked {
		form |= zsetRanked
	}
	b = append(b, form)
	b = binary.AppendUvarint(b, uint64(z.len()))
	if !z.ranked {
		first, _ := z.members.at(place{})
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(first.score()))
	}
	last := uint32(0)
	for e := range z.members.all() {
		if z.names != nil {
			b = appendItem(b, z.names.bytes(ref(e.m)))
		} else {
			b = binary.AppendUvarint(b, uint64(e.m-last))
			last = e.m
		}
		if z.ranked {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e.score()))
		}
	}
	return b
}
