package keeper

import (
	"bytes"
	"cmp"
	"iter"
	"math"
	"slices"
	"strconv"
)

// zset is a sorted set. Its members are numbers of 32 bits; the first member that is something else moves them all
// into blocks of an arena. Members are found in the run `members`, ordered by number or by bytes.
// The order of scores, equal ones by bytes, is the run `scores`; it stays empty while names all have one score,
// because `members` has their order then.
type zset struct {
	names   *arena // nil: members are numbers
	members run[entry]
	scores  run[entry]
	ranked  bool // scores is kept
}

// entry is one member with its score, without padding and pointers.
type entry struct {
	hi, lo uint32 // the score's bits
	m      uint32 // the number, or the ref of the name's block
}

func newEntry(score float64, m uint32) entry {
	b := math.Float64bits(score)
	return entry{uint32(b >> 32), uint32(b), m}
}

func (e entry) score() float64 { return math.Float64frombits(uint64(e.hi)<<32 | uint64(e.lo)) }

func newZset() *zset { return &zset{ranked: true} }

func (*zset) kind() kind { return ordered }

func (z *zset) size() int {
	n := z.members.size() + z.scores.size()
	if z.names != nil {
		n += z.names.size()
	}
	return n
}

func (z *zset) len() int { return z.members.n }

// order is the run in the order of scores.
func (z *zset) order() *run[entry] {
	if z.ranked {
		return &z.scores
	}
	return &z.members
}

// appendMember writes the member's text.
func (z *zset) appendMember(b []byte, e entry) []byte {
	if z.names != nil {
		return append(b, z.names.bytes(ref(e.m))...)
	}
	return strconv.AppendUint(b, uint64(e.m), 10)
}

// compareText orders e's member against member by bytes.
func (z *zset) compareText(e entry, member []byte) int {
	if z.names != nil {
		return bytes.Compare(z.names.bytes(ref(e.m)), member)
	}
	var buf [10]byte
	return bytes.Compare(strconv.AppendUint(buf[:0], uint64(e.m), 10), member)
}

// compare orders entries by score, then by the bytes of the member.
func (z *zset) compare(a, b entry) int {
	if c := cmp.Compare(a.score(), b.score()); c != 0 {
		return c
	}
	if z.names != nil {
		return bytes.Compare(z.names.bytes(ref(a.m)), z.names.bytes(ref(b.m)))
	}
	return compareDecimal(a.m, b.m)
}

// spot is where a member is, or belongs when it is not there. It is valid until the set changes.
type spot struct {
	place place
	entry entry
	found bool
}

// find looks member up. A text that is no number has no spot among numbers.
func (z *zset) find(member []byte) spot {
	if z.names == nil {
		id, ok := parseID(member)
		if !ok {
			return spot{}
		}
		p := z.members.search(func(have entry) bool { return have.m >= id })
		e, ok := z.members.at(p)
		return spot{p, e, ok && e.m == id}
	}
	p := z.members.search(func(have entry) bool { return z.compareText(have, member) >= 0 })
	e, ok := z.members.at(p)
	return spot{p, e, ok && z.compareText(e, member) == 0}
}

// score is member's score.
func (z *zset) score(member []byte) (float64, bool) {
	s := z.find(member)
	return s.entry.score(), s.found
}

// set gives member, whose spot is s, a score.
func (z *zset) set(s spot, member []byte, score float64) {
	e := newEntry(score, s.entry.m)
	if !s.found {
		id, ok := parseID(member)
		if !ok && z.names == nil {
			z.toNames()
			s = z.find(member)
		}
		if e.m = id; z.names != nil {
			r := z.names.alloc(len(member))
			copy(z.names.bytes(r), member)
			e.m = uint32(r)
		}
	}
	if !z.ranked && z.members.n > 0 {
		// A second score parts the two orders.
		if first, _ := z.members.at(place{}); first.score() != score && (!s.found || z.members.n > 1) {
			z.rank()
		}
	}
	if z.ranked {
		if s.found {
			z.scores.remove(z.placeOf(s.entry))
		}
		z.scores.insert(z.placeOf(e), e)
	}
	if s.found {
		z.members.set(s.place, e)
	} else {
		z.members.insert(s.place, e)
	}
}

// placeOf is where e is in the order of scores, or belongs.
func (z *zset) placeOf(e entry) place {
	return z.scores.search(func(have entry) bool { return z.compare(have, e) >= 0 })
}

// remove takes member out and reports whether it was there.
func (z *zset) remove(member []byte) bool {
	s := z.find(member)
	if !s.found {
		return false
	}
	if z.ranked {
		z.scores.remove(z.placeOf(s.entry))
	}
	z.members.remove(s.place)
	if z.names != nil {
		z.names.release(ref(s.entry.m))
	}
	return true
}

// rank begins to keep the order of scores.
func (z *zset) rank() {
	all := slices.AppendSeq(make([]entry, 0, z.members.n), z.members.all())
	slices.SortFunc(all, z.compare)
	z.scores, z.ranked = load(all), true
}

// toNames moves the members, which are numbers, into blocks.
func (z *zset) toNames() {
	names := &zset{names: new(arena)}
	var buf []byte
	all := make([]entry, 0, z.members.n)
	same := true
	for e := range z.members.all() {
		buf = z.appendMember(buf[:0], e)
		r := names.names.alloc(len(buf))
		copy(names.names.bytes(r), buf)
		all = append(all, newEntry(e.score(), uint32(r)))
		same = same && e.score() == all[0].score()
	}
	slices.SortFunc(all, func(a, b entry) int { return names.compareText(a, names.names.bytes(ref(b.m))) })
	names.members = load(all)
	if !same {
		names.rank()
	}
	*z = *names
}

// span is a range of a sorted set; both ends are tests along the order: an item is inside when it is not below the
// range and not beyond it.
type span struct {
	below  func(entry) bool // true, …, true, false, …
	beyond func(entry) bool // false, …, false, true, …
	empty  bool
}

// scoreSpan is the range of two scores.
func scoreSpan(lo float64, loOpen bool, hi float64, hiOpen bool) span {
	return span{
		below:  func(e entry) bool { return e.score() < lo || loOpen && e.score() == lo },
		beyond: func(e entry) bool { return e.score() > hi || hiOpen && e.score() == hi },
		empty:  lo > hi || lo == hi && (loOpen || hiOpen),
	}
}

// textBound is one end of a lexical range.
type textBound struct {
	text []byte
	open bool
	inf  int // −1: below all, 1: above all
}

// compareBounds orders two ends by their place alone.
func compareBounds(a, b textBound) int {
	if a.inf != 0 || b.inf != 0 {
		return cmp.Compare(a.inf, b.inf)
	}
	return bytes.Compare(a.text, b.text)
}

// textSpan is the range between two texts; the members should all have one score.
func (z *zset) textSpan(lo, hi textBound) span {
	c := compareBounds(lo, hi)
	return span{
		below: func(e entry) bool {
			if lo.inf != 0 {
				return lo.inf > 0
			}
			c := z.compareText(e, lo.text)
			return c < 0 || c == 0 && lo.open
		},
		beyond: func(e entry) bool {
			if hi.inf != 0 {
				return hi.inf < 0
			}
			c := z.compareText(e, hi.text)
			return c > 0 || c == 0 && hi.open
		},
		empty: c > 0 || c == 0 && (lo.open || hi.open),
	}
}

// places are the first place inside s and the first beyond it.
func (z *zset) places(s span) (first, end place) {
	if s.empty {
		return place{}, place{}
	}
	return z.order().search(func(e entry) bool { return !s.below(e) }), z.order().search(s.beyond)
}

// count is the number of members inside s.
func (z *zset) count(s span) int {
	first, end := z.places(s)
	return max(0, z.order().rank(end)-z.order().rank(first))
}

// within yields the members inside s, the greatest first when reverse is set.
func (z *zset) within(s span, reverse bool) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		if s.empty {
			return
		}
		first, end := z.places(s)
		if reverse {
			for e := range z.order().before(end) {
				if s.below(e) || !yield(e) {
					return
				}
			}
			return
		}
		for e := range z.order().from(first) {
			if s.beyond(e) || !yield(e) {
				return
			}
		}
	}
}

// ranks yields n members from rank k on, counted from the end when reverse is set.
func (z *zset) ranks(k, n int, reverse bool) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		items := z.order().from(z.order().ranked(k))
		if reverse {
			items = z.order().before(z.order().ranked(z.len() - k))
		}
		for e := range items {
			if n--; n < 0 || !yield(e) {
				return
			}
		}
	}
}

// scan calls do for about n members from cursor on and returns the next cursor; names go in one call.
func (z *zset) scan(cursor uint64, n int, do func(entry)) uint64 {
	if z.names == nil {
		return scanIDs(&z.members, cursor, n, func(e entry) uint32 { return e.m }, do)
	}
	if cursor == 0 {
		for e := range z.members.all() {
			do(e)
		}
	}
	return 0
}
