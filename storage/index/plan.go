package index

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"concord/hub"
)

// plan is all that a commit writes, by slot. Making it is pure. Every write sets or removes something by name, so
// that doing it twice is doing it once.
type plan struct {
	p *partition
	// slots holds the commit itself. arrivals and redirects hold once more what must be there before the other
	// slots follow, where a commit is not applied in one piece: content that comes from another slot, and then
	// the directory's new word for it. A reader that finds the old place empty reads the directory again.
	slots, arrivals, redirects units
	moves                      []move
	rolls                      map[rollEntry]float64 // with the time of the commit for an hour, NaN for the others
	changes                    int
	size                       int // members

	num   uint64  // that boxed is of
	boxed any     // as an argument of a command, of which a thing has many
	spare []write // made together: a commit has thousands
	key   []byte  // of the command that is being put
	// What is in rolls already, so that it is not spelt for each thing again: pages, and the hour of each type.
	paged map[typedPage]bool
	hours map[string]rollEntry
}

type typedPage struct {
	pageOf
	typ, param string
}

// move is a thing whose earlier versions must be copied from another slot.
type move struct {
	num      uint64
	from, to int
	below    uint64 // the first version that the commit itself brings
}

func planOf(p *partition, changes []hub.Change) *plan {
	const writes = 8 // that add to sets, of a thing, about
	pl := &plan{p: p, slots: newUnits(writes * len(changes)), arrivals: newUnits(0), redirects: newUnits(0), rolls: map[rollEntry]float64{}, changes: len(changes),
		paged: map[typedPage]bool{}, hours: map[string]rollEntry{}}
	for _, t := range fold(changes) {
		pl.thing(t)
	}
	return pl
}

func (pl *plan) thing(t *thing) {
	name, num, typ := t.first().Name, t.first().Num, t.first().Name.Type
	from, to := pl.p.contentSlot(name, t.old), pl.p.contentSlot(name, t.new)
	known := t.first().Version > 1
	moves := known && from != to
	if !known || moves {
		pl.direct(pl.slots, name, num, to)
	}
	pl.contents(pl.slots, t, to)
	if moves {
		pl.direct(pl.redirects, name, num, to)
		slot, _ := pl.p.directory(name)
		of(pl.redirects, slot).changed, of(pl.slots, slot).changed = true, true
		pl.contents(pl.arrivals, t, to)
		if t.first().Version > 2 {
			pl.moves = append(pl.moves, move{num, from, to, t.first().Version})
		}
		u := of(pl.slots, from)
		u.changed = true
		// The versions stay: a snapshot taken slot by slot may have the new slot from before the move and the old
		// one from after it, and then the replay copies them once more.
		pl.put(u, headLayer, hdel, pl.p.headKey(pl.key[:0], from, num), pl.member(num))
	}
	if t.old != nil {
		of(pl.slots, from).changed = true
	}
	before, after := factsOf(t.old), factsOf(t.new)
	if t.old != nil && t.new != nil { // to write what is new twice does no harm
		before.sort()
		after.sort()
	}
	if t.old != nil && t.new != nil && !moves {
		pl.postings(to, typ, num, before, after)
	} else {
		pl.postings(from, typ, num, before, facts{})
		pl.postings(to, typ, num, facts{}, after)
	}
	pl.rare(typ, num, before, after, from, to)
	pl.existence(t, from, to)
}

// direct writes the directory.
func (pl *plan) direct(units units, n hub.Name, num uint64, content int) {
	slot, bucket := pl.p.directory(n)
	pl.put(of(units, slot), postingLayer, hset, pl.p.nameKey(pl.key[:0], slot, bucket), nameField(n.String()), packPlace(num, content))
}

// contents writes head and versions. A thing with one version has no versions key: its head says it all.
func (pl *plan) contents(units units, t *thing, slot int) {
	num, u := t.first().Num, of(units, slot)
	if t.last().Version > 1 {
		key := pl.p.versionsKey(nil, slot, num)
		if t.first().Version == 2 { // a first version is never a deletion
			pl.put(u, versionLayer, hset, key, "1", packVersion(false, t.first().Prev))
		}
		for _, r := range t.records {
			pl.put(u, versionLayer, hset, key, strconv.FormatUint(r.Version, 10), packVersion(r.Deleted, r.Loc))
		}
	}
	last := t.last()
	pl.put(u, headLayer, hset, pl.p.headKey(pl.key[:0], slot, num), pl.member(num), packHead(head{last.Version, last.Deleted, last.Loc, last.Time.UnixMilli()}))
}

// existence writes what the index says of its own accord: that a thing lives, and in which hour it was updated.
func (pl *plan) existence(t *thing, from, to int) {
	num, typ := t.first().Num, t.first().Name.Type
	now := hourOf(t.last().Loc.Seq, pl.changes)
	if t.old != nil {
		u := of(pl.slots, from)
		if t.new == nil || from != to {
			pl.put(u, postingLayer, srem, pl.p.allKey(pl.key[:0], from, typ), pl.member(num))
		}
		for _, h := range hoursOf(t.first().Prev.Seq) {
			if t.new == nil || from != to || h != now {
				pl.put(u, postingLayer, srem, h.tail(pl.p.in(pl.key[:0], from), typ), pl.member(num))
			}
		}
	}
	if t.new != nil {
		hour, known := pl.hours[typ]
		if !known {
			hour = rollEntry{pl.p.hoursKey(typ), now.String()}
			pl.hours[typ] = hour
			pl.rolls[rollEntry{pl.p.typesKey(), typ}] = math.NaN()
		}
		pl.rolls[hour] = hub.Instant(t.last().Time)
		for i := range t.new.Terms {
			if term := &t.new.Terms[i]; term.Param == hub.Trait && term.Kind == hub.Exact {
				pl.rolls[rollEntry{pl.p.typesKey(), typ + "#" + term.Text}] = math.NaN()
			}
		}
		u := of(pl.slots, to)
		if t.old == nil || from != to {
			pl.put(u, postingLayer, sadd, pl.p.allKey(pl.key[:0], to, typ), pl.member(num))
		}
		pl.put(u, postingLayer, sadd, now.tail(pl.p.in(pl.key[:0], to), typ), pl.member(num))
	}
}

// postings replaces the facts before by the facts after, in one slot.
func (pl *plan) postings(slot int, typ string, num uint64, before, after facts) {
	if len(before.exact)+len(after.exact)+len(before.text)+len(after.text)+len(before.ranges)+len(after.ranges) == 0 {
		return
	}
	p, u := pl.p, of(pl.slots, slot)
	for _, f := range before.exact {
		if !f.among(after.exact) {
			pl.exact(u, slot, typ, f, num, false)
		}
	}
	for _, f := range after.exact {
		if !f.among(before.exact) {
			pl.exact(u, slot, typ, f, num, true)
		}
	}
	for _, f := range before.text {
		if !f.among(after.text) {
			pl.put(u, postingLayer, zrem, p.textKey(pl.key[:0], slot, typ, f.param), textMember(f.text, num))
		}
	}
	for _, f := range after.text {
		if !f.among(before.text) {
			pl.put(u, postingLayer, zadd, p.textKey(pl.key[:0], slot, typ, f.param), 0, textMember(f.text, num))
		}
	}
	for _, v := range before.ranges {
		if len(after.of(v.param)) == 0 {
			pl.spans(u, slot, typ, v.param, num, v.spans, nil)
		}
	}
	for _, v := range after.ranges {
		pl.spans(u, slot, typ, v.param, num, before.of(v.param), v.spans)
	}
}

// rare replaces the rare ones among the Exact terms, each in the slot of its value, by which a thing is found wherever it moved.
func (pl *plan) rare(typ string, num uint64, before, after facts, from, to int) {
	put := func(f fact, verb verb, args ...any) *unit {
		slot, bucket := pl.p.rareSlot(f.text)
		u := of(pl.slots, slot)
		pl.put(u, postingLayer, verb, pl.p.rareKey(pl.key[:0], slot, bucket, typ, f.param), append([]any{rareField(f.text, num)}, args...)...)
		return u
	}
	for _, f := range before.exact {
		if isRare(f.param, f.text) && !f.among(after.exact) {
			put(f, hdel).changed = true
		}
	}
	for _, f := range after.exact {
		if !isRare(f.param, f.text) {
			continue
		}
		if there := f.among(before.exact); !there || from != to {
			if u := put(f, hset, packed{uint64(to)}.String()); there {
				u.changed = true
			}
		}
	}
}

// exact adds or removes an Exact term that is not rare.
func (pl *plan) exact(u *unit, slot int, typ string, f fact, num uint64, add bool) {
	switch {
	case isRare(f.param, f.text):
	case add:
		pl.put(u, postingLayer, sadd, pl.p.exactKey(pl.key[:0], slot, typ, f.param, f.text), pl.member(num))
	default:
		pl.put(u, postingLayer, srem, pl.p.exactKey(pl.key[:0], slot, typ, f.param, f.text), pl.member(num))
	}
}

// spans replaces the values of one Range parameter.
func (pl *plan) spans(u *unit, slot int, typ, param string, num uint64, before, after []span) {
	if slices.Equal(before, after) {
		return
	}
	if column := pl.p.columnKey(pl.key[:0], slot, param, num); len(after) > 0 {
		pl.put(u, postingLayer, hset, column, pl.member(num), packSpans(after))
	} else {
		pl.put(u, postingLayer, hdel, column, pl.member(num))
	}
	was, is := placesOf(before, pl.p.grainOf(num)), placesOf(after, pl.p.grainOf(num))
	for _, at := range was {
		if !slices.Contains(is, at) {
			pl.put(u, postingLayer, srem, pageTail(pl.p.in(pl.key[:0], slot), at.kind, typ, param, at.bucket), pl.member(num))
		}
	}
	for _, at := range is {
		if page := (typedPage{at, typ, param}); !pl.paged[page] {
			pl.paged[page] = true
			pl.rolls[rollEntry{pl.p.pagesKey(at.kind, typ, param), at.bucket.String()}] = math.NaN()
		}
		if !slices.Contains(was, at) {
			pl.put(u, postingLayer, sadd, pageTail(pl.p.in(pl.key[:0], slot), at.kind, typ, param, at.bucket), pl.member(num))
		}
	}
	switch {
	case len(after) > 1 && len(before) <= 1:
		pl.put(u, postingLayer, sadd, pl.p.manyKey(pl.key[:0], slot, typ, param), pl.member(num))
	case len(after) <= 1 && len(before) > 1:
		pl.put(u, postingLayer, srem, pl.p.manyKey(pl.key[:0], slot, typ, param), pl.member(num))
	}
}

// pageOf is a page without its parameter.
type pageOf struct {
	kind   byte
	bucket bucket
}

// placesOf lists the pages where something with these values is found.
func placesOf(spans []span, grain int) []pageOf {
	pages := make([]pageOf, 0, 2*len(spans))
	add := func(at pageOf) {
		if !slices.Contains(pages, at) {
			pages = append(pages, at)
		}
	}
	for _, s := range spans {
		switch lo, hi := bucketOf(s.lo, grain), bucketOf(s.hi, grain); {
		case lo == hi:
			add(pageOf{near, lo})
		case lo.next() == hi:
			add(pageOf{next, lo})
		default:
			add(pageOf{wide, lo})
			add(pageOf{far, hi})
		}
	}
	return pages
}

// member is the argument that stands for num.
func (pl *plan) member(num uint64) any {
	if pl.boxed == nil || pl.num != num {
		pl.num, pl.boxed = num, member(num)
	}
	return pl.boxed
}

// touched lists the slots in order.
func touched(units units) []int { return slices.Sorted(maps.Keys(units.bySlot)) }
