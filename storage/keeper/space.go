package keeper

import (
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"strings"
	"sync"
)

// spaceCount is how many spaces there are. Two tags may share one; they then share its lock and nothing else.
const spaceCount = 1024

// spaceOf finds the space of a key: that of its hash tag, what stands between the first brace and the next closing
// one, else of the whole key (Redis Cluster specification, "Hash tags").
func spaceOf(key []byte) int { return spaceOfTag(tagOf(text(key))) }

func tagOf(key string) string {
	const short = 16
	if len(key) > 2 && key[0] == '{' && key[1] != '}' { // as nearly all are: {r07}:…
		for i := 2; i < len(key) && i < short; i++ {
			if key[i] == '}' {
				return key[1:i]
			}
		}
	}
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

func spaceOfTag(tag string) int {
	return int(crc32.ChecksumIEEE(bytesOf(tag)) % spaceCount)
}

// space holds the keys of some tags. Its methods want mu held: for reading where they say so, else for writing.
type space struct {
	mu       sync.RWMutex
	keys     table
	objects  []object
	holes    []uint32 // free places in objects
	expires  map[string]int64
	watchers map[string][]*watch
}

// object is a value too large for the block of its key.
type object interface {
	kind() kind
	size() int // bytes on the heap
}

// kind is the first byte of a key's value.
type kind byte

const (
	none     kind = iota
	rawText       // string: the bytes
	smallIDs      // set: ascending uint32, little-endian
	smallMap      // hash: fields and values, each with its length before it
	bigIDs        // from here on: number of the object
	bigInts
	bigNames
	bigMap
	ordered
	expiring kind = 0x80 // flag: the key is in expires
)

// kindTypes are the names that TYPE gives.
var kindTypes = [...]string{none: "none", rawText: "string", smallIDs: "set", smallMap: "hash", bigIDs: "set",
	bigInts: "set", bigNames: "set", bigMap: "hash", ordered: "zset"}

func (k kind) String() string { return kindTypes[k&^expiring] }

// value is a key's value as found: valid until another key of the space is added or removed.
type value struct {
	sp   *space
	slot int
	kind kind // without flags
	data []byte
}

func (sp *space) reset(seed maphash.Seed) {
	sp.keys = newTable(seed)
	sp.objects, sp.holes, sp.expires = nil, nil, nil
}

// get finds key for reading; a key past its time is not there. now is asked for only where a key has one.
func (sp *space) get(key []byte, now func() int64) (v value, ok bool) {
	i := sp.keys.find(key)
	if i < 0 {
		return value{sp: sp}, false
	}
	v = sp.value(i)
	if sp.expiredAt(i, key, now) {
		return value{sp: sp}, false
	}
	return v, true
}

func (sp *space) value(slot int) value {
	data := sp.keys.at(slot)
	return value{sp, slot, kind(data[0]) &^ expiring, data[1:]}
}

func (sp *space) expiredAt(slot int, key []byte, now func() int64) bool {
	return kind(sp.keys.at(slot)[0])&expiring != 0 && sp.expires[string(key)] <= now()
}

// claim finds key for writing and removes it when its time is past.
func (sp *space) claim(key []byte, now func() int64) (v value, ok bool) {
	v, ok = sp.get(key, now)
	if !ok && len(sp.expires) > 0 {
		if i := sp.keys.find(key); i >= 0 {
			sp.removeAt(i, key)
			sp.touch(key)
		}
	}
	return v, ok
}

// create adds key, which must not be there, with n bytes of data.
func (sp *space) create(key []byte, k kind, n int) value {
	i := sp.keys.add(key, 1+n)
	sp.keys.at(i)[0] = byte(k)
	return sp.value(i)
}

// createObject adds key, which must not be there, with an object.
func (sp *space) createObject(key []byte, o object) value {
	v := sp.create(key, o.kind(), 4)
	sp.store(&v, o)
	return v
}

// store writes the number of a new object into v, whose data has four bytes.
func (sp *space) store(v *value, o object) {
	var n uint32
	if last := len(sp.holes) - 1; last >= 0 {
		n, sp.holes = sp.holes[last], sp.holes[:last]
		sp.objects[n] = o
	} else {
		n = uint32(len(sp.objects))
		sp.objects = append(sp.objects, o)
	}
	binary.LittleEndian.PutUint32(v.data, n)
}

// object is what v stands for when it is large.
func (v *value) object() object { return v.sp.objects[binary.LittleEndian.Uint32(v.data)] }

// replace puts another object in place of v's.
func (v *value) replace(o object) {
	v.sp.objects[binary.LittleEndian.Uint32(v.data)] = o
	v.setKind(o.kind())
}

// promote turns a small value into an object.
func (v *value) promote(o object) {
	v.resize(4)
	v.sp.store(v, o)
	v.setKind(o.kind())
}

func (v *value) setKind(k kind) {
	head := v.sp.keys.at(v.slot)
	head[0] = head[0]&byte(expiring) | byte(k)
	v.kind = k
}

// resize gives v's data n bytes and keeps the first ones.
func (v *value) resize(n int) { v.data = v.sp.keys.resize(v.slot, 1+n)[1:] }

// remove takes key out, whatever its time; it reports whether it was there.
func (sp *space) remove(key []byte) bool {
	i := sp.keys.find(key)
	if i >= 0 {
		sp.removeAt(i, key)
	}
	return i >= 0
}

func (sp *space) removeAt(slot int, key []byte) {
	v := sp.value(slot)
	if v.kind >= bigIDs {
		n := binary.LittleEndian.Uint32(v.data)
		sp.objects[n] = nil
		sp.holes = append(sp.holes, n)
	}
	if kind(sp.keys.at(slot)[0])&expiring != 0 {
		delete(sp.expires, string(key))
	}
	sp.keys.removeAt(slot)
}

// deadline is when key expires, in Unix milliseconds; −1 for never. Reading is enough.
func (v *value) deadline(key []byte) int64 {
	if kind(v.sp.keys.at(v.slot)[0])&expiring == 0 {
		return -1
	}
	return v.sp.expires[string(key)]
}

// setDeadline makes key expire at the given time; −1 for never.
func (v *value) setDeadline(key []byte, at int64) {
	head := v.sp.keys.at(v.slot)
	if at < 0 {
		head[0] &^= byte(expiring)
		delete(v.sp.expires, string(key))
		return
	}
	head[0] |= byte(expiring)
	if v.sp.expires == nil {
		v.sp.expires = make(map[string]int64)
	}
	v.sp.expires[string(key)] = at
}

// tidy does a little housekeeping before a writing command.
func (sp *space) tidy(k *Keeper) {
	sp.keys.tidy()
	if len(sp.expires) > 0 {
		sp.sweep(k.now())
	}
}

// sweep removes a few keys whose time is past, so that those nobody asks for go too.
func (sp *space) sweep(now int64) {
	looks := 4
	for key, at := range sp.expires {
		if at <= now {
			sp.remove([]byte(key))
			sp.touch([]byte(key))
		}
		if looks--; looks == 0 {
			return
		}
	}
}

// watch is one key that a session watches.
type watch struct {
	s       *session
	key     string
	expired bool // its time was past already when it was watched
}

// touch tells those who watch key that it changed.
func (sp *space) touch(key []byte) {
	if len(sp.watchers) == 0 {
		return
	}
	for _, w := range sp.watchers[string(key)] {
		if w.expired {
			// The key that was gone by time is now gone for good: no change to the watcher.
			if sp.keys.find(key) < 0 {
				w.expired = false
				continue
			}
		}
		w.s.dirty.Store(true)
	}
}
