package index

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// page is a set of things that have a value whose Lo is between from and to, and whose Hi is at most reach. pageTail
// and hour.tail make its key.
type page struct {
	tail            string
	from, to, reach float64
	ended           bool // its things are among the ends of the book, too
}

// book is what pages a Range parameter has in the slots of a partition. What a later commit adds to them while a
// search reads is beyond the search's mark, and what it moves it marks as changed.
type book struct {
	keptBook

	found map[hub.Match][2][]page // by candidates
	said  map[hub.Match]*sample   // by sample

	read func() (bool, error) // the replies, in the trip that came when made trips had been made; false when another one is due
	made int
}

// book reads the book of a parameter, once for all shards of the partition.
func (sh *shard) book(await func() bool, param string) *book {
	b := sh.books[param]
	if b == nil {
		b = &book{made: sh.made}
		b.read = sh.queueBook(shelfMark{sh.p, sh.q.Type, param}, b)
		sh.books[param] = b
	}
	for b.read != nil {
		if b.made == sh.made { // asked again after each trip: another shard may have read it, or queued more
			if !await() {
				return b
			}
			continue
		}
		done, err := b.read()
		if err != nil {
			sh.err, b.read = err, nil
			return b
		}
		if done {
			b.read = nil
		}
	}
	return b
}

// bookSoon has the book of a parameter compared by its sizes with what is remembered, before the partition's generation is known.
func (sh *shard) bookSoon(param string, sizes func() rollSizes) {
	if sh.books[param] == nil {
		b := &book{made: sh.made}
		b.read = func() (bool, error) { return sh.compareBook(shelfMark{sh.p, sh.q.Type, param}, b, sizes()) }
		sh.books[param] = b
	}
}

// compareBook takes what is remembered of a book, or queues its rolls if they have grown.
func (sh *shard) compareBook(at shelfMark, into *book, now rollSizes) (done bool, err error) {
	kept, has := sh.ix.shelf.find(at, sh.began.gen)
	if has && now == kept.sizes {
		into.keptBook = kept
		return true, nil
	}
	into.made, into.read = sh.made, sh.queueRolls(at, sh.began.gen, into)
	return false, nil
}

// queueBook queues the rolls of a parameter, or only their sizes where the index remembers them: rolls only grow. The result
// reads the replies.
func (sh *shard) queueBook(at shelfMark, into *book) func() (bool, error) {
	gen := sh.began.gen
	if _, has := sh.ix.shelf.find(at, gen); !has {
		return sh.queueRolls(at, gen, into)
	}
	sizes := sh.queueSizes(at)
	return func() (bool, error) { return sh.compareBook(at, into, sizes()) }
}

// kindsOfPage are those that a roll each tells of.
var kindsOfPage = [...]byte{near, next, wide, far}

type rollSizes [len(kindsOfPage)]int64

func (sh *shard) queueSizes(at shelfMark) func() rollSizes {
	var cmds []*redis.IntCmd
	if at.param == hub.LastUpdated {
		cmds = append(cmds, sh.pipe.ZCard(sh.ctx, at.p.hoursKey(at.typ)))
	} else {
		for _, kind := range kindsOfPage {
			cmds = append(cmds, sh.pipe.SCard(sh.ctx, at.p.pagesKey(kind, at.typ, at.param)))
		}
	}
	return func() (sizes rollSizes) {
		for i, cmd := range cmds {
			sizes[i] = cmd.Val()
		}
		return sizes
	}
}

func (sh *shard) queueRolls(at shelfMark, gen string, into *book) func() (bool, error) {
	if at.param == hub.LastUpdated {
		cmd := sh.pipe.ZRangeWithScores(sh.ctx, at.p.hoursKey(at.typ), 0, -1)
		return func() (done bool, err error) {
			if into.pages, err = hourPages(at.typ, cmd.Val()); err != nil {
				return true, err
			}
			into.back, into.sizes = backwards(into.pages), rollSizes{int64(len(cmd.Val()))}
			sh.ix.shelf.keep(at, gen, into.keptBook)
			return true, nil
		}
	}
	var cmds [len(kindsOfPage)]*redis.StringSliceCmd
	for i, kind := range kindsOfPage {
		cmds[i] = sh.pipe.SMembers(sh.ctx, at.p.pagesKey(kind, at.typ, at.param))
	}
	return func() (bool, error) {
		for i, kind := range kindsOfPage {
			into.sizes[i] = int64(len(cmds[i].Val()))
			for _, m := range cmds[i].Val() {
				n, err := strconv.ParseUint(m, 10, 64)
				if err != nil || bucket(n).grain() < 0 || bucket(n).grain() > finest {
					return true, errUnreadable
				}
				into.add(kind, at.typ, at.param, bucket(n))
			}
		}
		slices.SortFunc(into.pages, func(a, b page) int { return cmp.Compare(a.from, b.from) })
		into.back = backwards(into.pages)
		sh.ix.shelf.keep(at, gen, into.keptBook)
		return true, nil
	}
}

// shelf remembers books. Nobody writes to what it has.
type shelf struct {
	mu   sync.Mutex
	gens map[*partition]string
	kept map[shelfMark]keptBook
}

// shelfMark names a book: a Range parameter of a type in a partition.
type shelfMark struct {
	p          *partition
	typ, param string
}

// keptBook is what the rolls of a book told when they had these sizes.
type keptBook struct {
	sizes rollSizes
	pages []page // in the order of from
	back  []page // the same, from the greatest to
	ends  []page // from and to are of the Hi of what has any in pages that reach without bound
}

func backwards(pages []page) []page {
	return slices.SortedStableFunc(slices.Values(pages), func(a, b page) int { return cmp.Compare(b.to, a.to) })
}

func newShelf() *shelf { return &shelf{gens: map[*partition]string{}, kept: map[shelfMark]keptBook{}} }

func (s *shelf) find(at shelfMark, gen string) (keptBook, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, has := s.kept[at]
	return b, has && gen != "" && s.gens[at.p] == gen
}

// keep forgets what it has of another generation of the partition.
func (s *shelf) keep(at shelfMark, gen string, b keptBook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gens[at.p] != gen {
		maps.DeleteFunc(s.kept, func(k shelfMark, _ keptBook) bool { return k.p == at.p })
		s.gens[at.p] = gen
	}
	s.kept[at] = b
}

// sample is how much some slots have in an interval.
type sample struct{ slots, things int }

func (b *book) sample(m *hub.Match) *sample {
	if b.said == nil {
		b.said = map[hub.Match]*sample{}
	}
	if b.said[*m] == nil {
		b.said[*m] = &sample{}
	}
	return b.said[*m]
}

func (b *book) add(kind byte, typ, param string, at bucket) {
	from, to := at.bounds()
	pg := page{tail: string(pageTail(nil, kind, typ, param, at)), from: from, to: to, reach: to}
	switch kind {
	case next:
		_, pg.reach = at.next().bounds()
	case wide:
		pg.reach, pg.ended = math.Inf(1), true
	case far:
		b.ends = append(b.ends, pg)
		return
	}
	b.pages = append(b.pages, pg)
}

// path is a way through the pages of a book that may have a value for which m holds, and whose Lo is between least and most. Behind its
// first page nothing comes before bound(first, key).
type path struct {
	rest        []page
	m           hub.Match
	least, most float64
}

// ahead is the path in the order that key says.
func (b *book) ahead(m hub.Match, least, most float64, key hub.Sort) *path {
	pages := b.pages
	if key.Desc {
		pages = b.back
	}
	p := &path{pages, m, least, most}
	p.skip()
	return p
}

// skip goes on to the next page that may have something.
func (p *path) skip() {
	for len(p.rest) > 0 && !(p.rest[0].mayMeet(&p.m) && p.rest[0].to >= p.least && p.rest[0].from <= p.most) {
		p.rest = p.rest[1:]
	}
}

func (p *path) ended() bool { return len(p.rest) == 0 }

// next takes up to n pages.
func (p *path) next(n int) (some []page) {
	for ; len(some) < n && !p.ended(); p.skip() {
		some, p.rest = append(some, p.rest[0]), p.rest[1:]
	}
	return some
}

// bound is what nothing in the page comes before.
func bound(pg page, key hub.Sort) float64 {
	if key.Desc {
		return pg.to
	}
	return pg.from
}

// mayMeet: something in the page may match m. meets: everything does.
func (pg page) mayMeet(m *hub.Match) bool {
	return pg.to >= m.LoMin && pg.from <= math.Min(m.LoMax, m.HiMax) && pg.reach >= m.HiMin
}

func (pg page) meets(m *hub.Match) bool {
	return pg.from >= math.Max(m.LoMin, m.HiMin) && pg.to <= m.LoMax && pg.reach <= m.HiMax
}

// candidates lists the pages of what may match m: those where everything does, and those whose things must be looked
// at.
func (b *book) candidates(m *hub.Match) (sure, unsure []page) {
	if f, has := b.found[*m]; has {
		return f[0], f[1]
	}
	defer func() {
		if b.found == nil {
			b.found = map[hub.Match][2][]page{}
		}
		b.found[*m] = [2][]page{sure, unsure}
	}()
	var begins, ends []page
	for _, pg := range b.pages {
		switch {
		case !pg.mayMeet(m):
		case pg.meets(m):
			sure = append(sure, pg)
		case pg.ended:
			begins = append(begins, pg)
		default:
			unsure = append(unsure, pg)
		}
	}
	// What is wide is found by its beginning or by its end, where there are fewer pages.
	for _, pg := range b.ends {
		if pg.to >= math.Max(m.LoMin, m.HiMin) && pg.from <= m.HiMax {
			ends = append(ends, pg)
		}
	}
	if len(ends) < len(begins) {
		begins = ends
	}
	return sure, append(unsure, begins...)
}

// anything is the match of every value.
func anything() hub.Match {
	return hub.Match{Kind: hub.Within, LoMin: math.Inf(-1), LoMax: math.Inf(1), HiMin: math.Inf(-1), HiMax: math.Inf(1)}
}
