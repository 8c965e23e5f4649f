package index

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// page is a set of the things that have a value between from and to: pageTail and hour.tail make its key.
type page struct {
	tail     string
	from, to float64
}

// book is what pages a Range parameter has in the slots of a partition, as of the beginning of a search. What a later
// commit adds to them is beyond the search's mark, and what it moves it marks as changed.
type book struct {
	near, wide, far []page // of LastUpdated only near
}

// queueBook queues the rolls of a parameter; the task reads them.
func (t *trips) queueBook(p *partition, typ, param string, into *book) task {
	if param == hub.LastUpdated {
		cmd := t.pipe.ZRangeWithScores(t.ctx, p.hoursKey(typ), 0, -1)
		return func(await func() bool) {
			if await() {
				var err error
				if into.near, err = hourPages(typ, cmd.Val()); err != nil {
					t.err = err
				}
			}
		}
	}
	var cmds [3]*redis.StringSliceCmd
	kinds := [3]byte{near, wide, far}
	for i, kind := range kinds {
		cmds[i] = t.pipe.SMembers(t.ctx, p.pagesKey(kind, typ, param))
	}
	return func(await func() bool) {
		if !await() {
			return
		}
		for i, pages := range []*[]page{&into.near, &into.wide, &into.far} {
			for _, m := range cmds[i].Val() {
				n, err := strconv.ParseUint(m, 10, 32)
				if err != nil {
					t.err = errUnreadable
					return
				}
				from, to := bucket(n).bounds()
				*pages = append(*pages, page{pageTail(kinds[i], typ, param, bucket(n)), from, to})
			}
			slices.SortFunc(*pages, func(a, b page) int { return cmp.Compare(a.from, b.from) })
		}
	}
}

// between leaves the pages that may have something from least to most.
func between(pages []page, least, most float64) []page {
	var some []page
	for _, pg := range pages {
		if pg.to >= least && pg.from <= most {
			some = append(some, pg)
		}
	}
	return some
}

// inOrder lists the pages from least to most by what may come first, descending when desc: behind pages[i] nothing
// comes before its from, or when desc behind its to.
func (b *book) inOrder(least, most float64, desc bool) []page {
	pages := slices.Concat(between(b.near, least, most), between(b.wide, least, most))
	slices.SortStableFunc(pages, func(x, y page) int {
		if desc {
			return cmp.Compare(y.to, x.to)
		}
		return cmp.Compare(x.from, y.from)
	})
	return pages
}

// candidates lists the pages of what may match m: those where everything does, if nothing has several values, and
// those whose things must be looked at.
func (b *book) candidates(m *hub.Match) (sure, unsure []page) {
	least, most := math.Max(m.LoMin, m.HiMin), math.Min(m.LoMax, m.HiMax)
	for _, pg := range between(b.near, least, most) {
		if pg.from >= least && pg.to <= most {
			sure = append(sure, pg)
		} else {
			unsure = append(unsure, pg)
		}
	}
	// What ends in another bucket than it begins in is found by its beginning or by its end, where there are fewer pages.
	begins, ends := between(b.wide, m.LoMin, most), between(b.far, least, m.HiMax)
	if len(ends) < len(begins) {
		begins = ends
	}
	return sure, append(unsure, begins...)
}
