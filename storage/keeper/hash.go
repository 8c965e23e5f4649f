package keeper

import "encoding/binary"

// bigHash is the large form of a hash.
type bigHash struct{ fields table }

func (*bigHash) kind() kind  { return bigMap }
func (h *bigHash) size() int { return h.fields.size() }

// A hash lies in its key's block up to these many fields and bytes.
const (
	mostSmallFields = 128
	mostSmallBytes  = 8 << 10
)

// pair finds a field of a packed hash: data[start:mid] holds the field with its length, data[mid:end] the value
// with its length. n counts the fields looked at, all of them when there is none.
type pair struct{ start, mid, end, n int }

func packedItem(data []byte, at int) (item []byte, next int) {
	n, w := binary.Uvarint(data[at:])
	at += w
	return data[at : at+int(n)], at + int(n)
}

func findField(data, field []byte) (p pair, val []byte, found bool) {
	for at := 0; at < len(data); {
		p.n++
		p.start = at
		name, mid := packedItem(data, at)
		value, end := packedItem(data, mid)
		if string(name) == string(field) {
			p.mid, p.end = mid, end
			return p, value, true
		}
		at = end
	}
	return p, nil, false
}

func packedLen(n int) int {
	w := 1
	for ; n >= 0x80; n >>= 7 {
		w++
	}
	return w
}

func putItem(dst, item []byte) int {
	w := binary.PutUvarint(dst, uint64(len(item)))
	return w + copy(dst[w:], item)
}

// hashLen is the number of fields.
func (v *value) hashLen() (n int) {
	if v.kind == bigMap {
		return v.object().(*bigHash).fields.live
	}
	v.hashEach(func(_, _ []byte) bool { n++; return true })
	return n
}

// hashGet is the value of field, valid until the hash changes.
func (v *value) hashGet(field []byte) (val []byte, ok bool) {
	if v.kind == bigMap {
		return v.object().(*bigHash).fields.get(field)
	}
	_, val, ok = findField(v.data, field)
	return val, ok
}

// hashGetFrom is hashGet for who asks for one field after the other: it looks behind the last one first, at from, and says
// where to go on. Fields asked for in the order in which they were set cost one walk together.
func (v *value) hashGetFrom(from int, field []byte) (val []byte, ok bool, next int) {
	if v.kind == bigMap {
		val, ok = v.object().(*bigHash).fields.get(field)
		return val, ok, 0
	}
	p, val, ok := findField(v.data[from:], field)
	if ok {
		return val, ok, from + p.end
	}
	p, val, ok = findField(v.data[:from], field)
	if ok {
		return val, ok, p.end
	}
	return nil, false, from
}

// hashSet sets field and reports whether it is new.
func (v *value) hashSet(field, val []byte) (added bool) {
	if v.kind == bigMap {
		return v.object().(*bigHash).fields.put(field, val)
	}
	p, old, found := findField(v.data, field)
	if found && len(old) == len(val) {
		copy(old, val)
		return false
	}
	size := len(v.data)
	valSize := packedLen(len(val)) + len(val)
	fieldSize := packedLen(len(field)) + len(field)
	if !found && p.n >= mostSmallFields || size+fieldSize+valSize > mostSmallBytes {
		v.unpack()
		return v.object().(*bigHash).fields.put(field, val)
	}
	if found {
		tail := size - p.end
		if grow := valSize - (p.end - p.mid); grow > 0 {
			v.resize(size + grow)
			copy(v.data[p.mid+valSize:], v.data[p.end:p.end+tail])
		} else {
			copy(v.data[p.mid+valSize:], v.data[p.end:])
			v.resize(size + grow)
		}
		putItem(v.data[p.mid:], val)
		return false
	}
	v.resize(size + fieldSize + valSize)
	putItem(v.data[size+putItem(v.data[size:], field):], val)
	return true
}

// unpack changes a packed hash to its large form.
func (v *value) unpack() {
	fields := newTable(v.sp.keys.seed)
	v.hashEach(func(field, val []byte) bool {
		fields.put(field, val)
		return true
	})
	v.promote(&bigHash{fields})
}

// hashRemove removes field and reports whether it was there. The caller removes a key whose hash is empty.
func (v *value) hashRemove(field []byte) bool {
	if v.kind == bigMap {
		return v.object().(*bigHash).fields.remove(field)
	}
	p, _, found := findField(v.data, field)
	if found {
		copy(v.data[p.start:], v.data[p.end:])
		v.resize(len(v.data) - (p.end - p.start))
	}
	return found
}

// hashEach calls do for every field until it returns false; its arguments are valid during the call.
func (v *value) hashEach(do func(field, val []byte) bool) {
	if v.kind == bigMap {
		v.object().(*bigHash).fields.each(do)
		return
	}
	for at := 0; at < len(v.data); {
		field, mid := packedItem(v.data, at)
		val, end := packedItem(v.data, mid)
		if !do(field, val) {
			return
		}
		at = end
	}
}

// hashScan calls do for about n fields from cursor on and returns the next cursor; a small hash goes in one call.
func (v *value) hashScan(cursor uint64, n int, do func(field, val []byte)) uint64 {
	if v.kind == bigMap {
		return v.object().(*bigHash).fields.scan(cursor, n, do)
	}
	if cursor == 0 {
		v.hashEach(func(field, val []byte) bool { do(field, val); return true })
	}
	return 0
}
