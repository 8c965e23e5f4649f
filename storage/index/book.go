package index

import (
	"cmp"
	"math"
	"slices"
	"strconv"

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
	pages []page // in the order of from
	ends  []page // from and to are of the Hi of what has any in pages that reach without bound

	found map[hub.Match][2][]page // by candidates
	way   *way                    // by ahead
	said  map[hub.Match]*sample   // by sample

	read func() error // the replies, in the trip that came when made trips had been made
	made int
}

// book reads the book of a parameter, once for all shards of the partition.
func (sh *shard) book(await func() bool, param string) *book {
	b := sh.books[param]
	if b == nil {
		b = &book{made: sh.made}
		b.read = sh.queueBook(sh.p, sh.q.Type, param, b)
		sh.books[param] = b
	}
	if b.made == sh.made && !await() {
		return b
	}
	if b.read != nil {
		if err := b.read(); err != nil {
			sh.err = err
		}
		b.read = nil
	}
	return b
}

// queueBook queues the rolls of a parameter; the result reads the replies.
func (t *trips) queueBook(p *partition, typ, param string, into *book) func() error {
	if param == hub.LastUpdated {
		cmd := t.pipe.ZRangeWithScores(t.ctx, p.hoursKey(typ), 0, -1)
		return func() (err error) {
			into.pages, err = hourPages(typ, cmd.Val())
			return err
		}
	}
	kinds := [...]byte{near, next, wide, far}
	var cmds [len(kinds)]*redis.StringSliceCmd
	for i, kind := range kinds {
		cmds[i] = t.pipe.SMembers(t.ctx, p.pagesKey(kind, typ, param))
	}
	return func() error {
		for i, kind := range kinds {
			for _, m := range cmds[i].Val() {
				n, err := strconv.ParseUint(m, 10, 64)
				if err != nil || bucket(n).grain() < 0 || bucket(n).grain() > finest {
					return errUnreadable
				}
				into.add(kind, typ, param, bucket(n))
			}
		}
		slices.SortFunc(into.pages, func(a, b page) int { return cmp.Compare(a.from, b.from) })
		return nil
	}
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
	pg := page{tail: pageTail(kind, typ, param, at), from: from, to: to, reach: to}
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

// way is an answer of ahead, which most shards ask alike.
type way struct {
	m           hub.Match
	least, most float64
	desc        bool
	pages       []page
}

// ahead lists, in the order that key says, the pages that may have a value for which m holds, and whose Lo is
// between least and most. Behind pages[i] nothing comes before bound(pages[i], key).
func (b *book) ahead(m *hub.Match, least, most float64, key hub.Sort) []page {
	if w := b.way; w != nil && w.m == *m && w.least == least && w.most == most && w.desc == key.Desc {
		return w.pages
	}
	var pages []page
	for _, pg := range b.pages {
		if pg.mayMeet(m) && pg.to >= least && pg.from <= most {
			pages = append(pages, pg)
		}
	}
	if key.Desc {
		slices.SortStableFunc(pages, func(x, y page) int { return cmp.Compare(y.to, x.to) })
	}
	b.way = &way{*m, least, most, key.Desc, pages}
	return pages
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
