package keeper

import (
	"cmp"
	"encoding/binary"
	"strconv"
)

// idSet, intSet and nameSet are the large forms of a set. A set only goes from left to right through
// smallIDs → idSet → intSet → nameSet as its members ask for it.
type (
	idSet   struct{ ids run[uint32] }
	intSet  struct{ ints run[int64] }
	nameSet struct{ names table }
)

func (*idSet) kind() kind   { return bigIDs }
func (*intSet) kind() kind  { return bigInts }
func (*nameSet) kind() kind { return bigNames }

func (s *idSet) size() int   { return s.ids.size() }
func (s *intSet) size() int  { return s.ints.size() }
func (s *nameSet) size() int { return s.names.size() }

// mostSmallIDs is the greatest number of members that lie in the key's block.
const mostSmallIDs = 128

// search finds the first of ascending numbers that is not below n.
func search[T cmp.Ordered](r *run[T], n T) (p place, found bool) {
	p = r.search(func(have T) bool { return have >= n })
	have, ok := r.at(p)
	return p, ok && have == n
}

func insert[T cmp.Ordered](r *run[T], n T) bool {
	p, found := search(r, n)
	if !found {
		r.insert(p, n)
	}
	return !found
}

func remove[T cmp.Ordered](r *run[T], n T) bool {
	p, found := search(r, n)
	if found {
		r.remove(p)
	}
	return found
}

// smallIndex finds the first of packed ascending numbers that is not below id.
func smallIndex(data []byte, id uint32) (i int, found bool) {
	n := len(data) / 4
	if n > 0 && binary.LittleEndian.Uint32(data[4*n-4:]) < id {
		return n, false
	}
	lo, hi := 0, n
	for lo < hi {
		mid := (lo + hi) / 2
		if binary.LittleEndian.Uint32(data[4*mid:]) < id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < n && binary.LittleEndian.Uint32(data[4*lo:]) == id
}

func unpackIDs(data []byte) []uint32 {
	ids := make([]uint32, len(data)/4)
	for i := range ids {
		ids[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return ids
}

// setLen is the number of members.
func (v *value) setLen() int {
	if v.kind == smallIDs {
		return len(v.data) / 4
	}
	switch s := v.object().(type) {
	case *idSet:
		return s.ids.n
	case *intSet:
		return s.ints.n
	case *nameSet:
		return s.names.live
	}
	return 0
}

// setHas reports whether member is in the set.
func (v *value) setHas(member []byte) bool {
	switch v.kind {
	case smallIDs:
		if id, ok := parseID(member); ok {
			_, found := smallIndex(v.data, id)
			return found
		}
	case bigIDs:
		if id, ok := parseID(member); ok {
			_, found := search(&v.object().(*idSet).ids, id)
			return found
		}
	case bigInts:
		if n, ok := parseInt(member); ok {
			_, found := search(&v.object().(*intSet).ints, n)
			return found
		}
	case bigNames:
		return v.object().(*nameSet).names.find(member) >= 0
	}
	return false
}

// setAdd adds member and reports whether it was not there.
func (v *value) setAdd(member []byte) bool {
	if v.kind == smallIDs || v.kind == bigIDs {
		if id, ok := parseID(member); ok {
			return v.addID(id)
		}
		v.widen(member)
	}
	if v.kind == bigInts {
		if n, ok := parseInt(member); ok {
			return insert(&v.object().(*intSet).ints, n)
		}
		v.widen(member)
	}
	names := &v.object().(*nameSet).names
	if names.find(member) >= 0 {
		return false
	}
	names.add(member, 0)
	return true
}

func (v *value) addID(id uint32) bool {
	if v.kind == bigIDs {
		return insert(&v.object().(*idSet).ids, id)
	}
	i, found := smallIndex(v.data, id)
	if found {
		return false
	}
	n := len(v.data)
	if n/4 >= mostSmallIDs {
		ids := load(unpackIDs(v.data))
		insert(&ids, id)
		v.promote(&idSet{ids})
		return true
	}
	v.resize(n + 4)
	copy(v.data[4*i+4:], v.data[4*i:n])
	binary.LittleEndian.PutUint32(v.data[4*i:], id)
	return true
}

// widen changes a set of numbers to the form that can hold member too.
func (v *value) widen(member []byte) {
	var wide object
	if _, ok := parseInt(member); ok && v.kind != bigInts {
		ints := make([]int64, 0, v.setLen())
		v.eachInt(func(n int64) bool {
			ints = append(ints, n)
			return true
		})
		wide = &intSet{load(ints)}
	} else {
		names := newTable(v.sp.keys.seed)
		names.reserve(v.setLen() + 1)
		v.setEach(func(m []byte) bool {
			names.add(m, 0)
			return true
		})
		wide = &nameSet{names}
	}
	if v.kind == smallIDs {
		v.promote(wide)
	} else {
		v.replace(wide)
	}
}

// setRemove removes member and reports whether it was there. The caller removes a key whose set is empty.
func (v *value) setRemove(member []byte) bool {
	switch v.kind {
	case smallIDs:
		id, ok := parseID(member)
		i, found := smallIndex(v.data, id)
		if !ok || !found {
			return false
		}
		copy(v.data[4*i:], v.data[4*i+4:])
		v.resize(len(v.data) - 4)
		return true
	case bigIDs:
		id, ok := parseID(member)
		return ok && remove(&v.object().(*idSet).ids, id)
	case bigInts:
		n, ok := parseInt(member)
		return ok && remove(&v.object().(*intSet).ints, n)
	}
	return v.object().(*nameSet).names.remove(member)
}

// eachInt calls do for the members of a set of numbers, ascending, until it returns false.
func (v *value) eachInt(do func(int64) bool) {
	switch v.kind {
	case smallIDs:
		for i := 0; i < len(v.data); i += 4 {
			if !do(int64(binary.LittleEndian.Uint32(v.data[i:]))) {
				return
			}
		}
	case bigIDs:
		for id := range v.object().(*idSet).ids.all() {
			if !do(int64(id)) {
				return
			}
		}
	case bigInts:
		for n := range v.object().(*intSet).ints.all() {
			if !do(n) {
				return
			}
		}
	}
}

// setEach calls do for every member until it returns false: numbers ascending, names in no order.
// The member is valid during the call.
func (v *value) setEach(do func(member []byte) bool) {
	if v.kind == bigNames {
		v.object().(*nameSet).names.each(func(key, _ []byte) bool { return do(key) })
		return
	}
	buf := make([]byte, 0, 20)
	v.eachInt(func(n int64) bool { return do(strconv.AppendInt(buf, n, 10)) })
}

// setScan calls do for about n members from cursor on and returns the next cursor. A set of numbers is walked by
// number, one of names by hash; either way a member that stays is met.
func (v *value) setScan(cursor uint64, n int, do func(member []byte)) uint64 {
	switch v.kind {
	case bigNames:
		return v.object().(*nameSet).names.scan(cursor, n, func(key, _ []byte) { do(key) })
	case bigIDs:
		return scanIDs(&v.object().(*idSet).ids, cursor, n, func(id uint32) uint32 { return id }, func(id uint32) {
			do(strconv.AppendUint(nil, uint64(id), 10))
		})
	}
	if cursor == 0 {
		v.setEach(func(m []byte) bool { do(m); return true })
	}
	return 0
}

// scanIDs walks a run ordered by id from id = cursor on.
func scanIDs[T any](r *run[T], cursor uint64, n int, id func(T) uint32, do func(T)) uint64 {
	for item := range r.from(r.search(func(have T) bool { return uint64(id(have)) >= cursor })) {
		if n <= 0 {
			return uint64(id(item))
		}
		do(item)
		n--
	}
	return 0
}
