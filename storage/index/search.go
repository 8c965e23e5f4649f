package index

import (
	"context"
	"slices"
	"sync"
	"time"

	"concord/hub"
)

const (
	attempts  = 12      // of a search that commits overtake
	patience  = 400_000 // members that it may read in them altogether
	slack     = 8       // hits kept beyond the page, for those that are not visible yet
	many      = 2_000   // numbers that are asked about step by step rather than all at once, where the order allows it
	stepped   = 100_000 // numbers that a search fetches rather than walk the order of LastUpdated
	earlyRead = 1024    // heads that a search of one slot may read before it knows whether it needs them
	earlyMany = 256     // the same for all its slots, where one trip more costs little beside the heads
)

// search is one attempt to answer a query.
type search struct {
	*trips
	ix      *Index
	q       *hub.Query
	order   order
	top     top
	need    int      // hits wanted: skipped, shown, and one that says there are more
	early   int      // heads a shard may read early
	read    int      // members read
	rarest  int      // what it takes to read the rarest conditions of all slots; set by choosePace
	eager   int      // blocks that may still be read whole
	spans   []span   // space for what columns know
	unknown []uint64 // and do not know
	pace    func() int
	views   map[hub.Partition]meta
	names   map[*partition]*directory
	unseen  map[*partition]func() (meta, error) // views of the first trip, until it is made
	prelude []task                              // looks names up
	shards  []*shard
	// measured counts the shards that know their sizes.
	measured int
}

// Search answers q with the state at the visible mark it began with: a thing that a later commit added is left out,
// and when a later commit rewrote or removed anything in the slots asked, the search begins again. After twelve
// times it is Unavailable. A total that cannot be had at one mark because so much must be read for it may be off by what was written in that time; the page never is.
func (ix *Index) Search(ctx context.Context, ps []hub.Partition, q hub.Query) (hub.Page, error) {
	if !q.Plain() {
		return hub.Page{}, &hub.Error{Kind: hub.Internal, Msg: "search the index: the query reaches beyond what an index can answer"}
	}
	o := orderOf(q.Sort)
	var after *place
	if q.After != nil {
		a, err := o.placeOf(q.After)
		if err != nil {
			return hub.Page{}, err
		}
		after = &a
	}
	need, read, attempt, total := 0, 0, 0, int64(-1)
	if q.Limit > 0 {
		need = max(0, q.Skip) + q.Limit + 1 + slack
	} else if !q.Count {
		return hub.Page{Total: -1}, nil
	}
	for {
		s := &search{trips: ix.newTrips(ctx), ix: ix, q: &q, order: o, need: need, eager: wholeBlocks, names: map[*partition]*directory{}}
		s.top = top{order: o, after: after, need: need}
		if err := s.readBeside(ix, q.Beside); err != nil {
			return hub.Page{}, err
		}
		overtaken, err := s.run(ps)
		if err != nil {
			return hub.Page{}, asHub(ctx, "search the index", err)
		}
		attempt, read = attempt+1, read+s.read
		if overtaken != nil {
			if err := ix.settle(ctx, overtaken.p, overtaken.seq); err != nil {
				return hub.Page{}, asHub(ctx, "search the index", err)
			}
			switch spent := attempt >= attempts || read >= patience; {
			case !spent:
				continue
			case !q.Count:
				return hub.Page{}, errOvertaken(overtaken.p.name)
			case q.Limit == 0:
				page := hub.Page{Total: s.total(), Marks: s.marks()}
				return page, asHub(ctx, "search the index", s.tellBeside(ix, page.Marks))
			}
			total, attempt, read, q.Count = s.total(), 0, 0, false
			continue
		}
		page, short, err := s.page()
		if err != nil {
			return hub.Page{}, asHub(ctx, "search the index", err)
		}
		if !short {
			page.Total = max(page.Total, total)
			return page, asHub(ctx, "search the index", s.tellBeside(ix, page.Marks))
		}
		need *= 2
	}
}

// overtaken names a commit beyond the visible mark that changed what was read.
type overtaken struct {
	p   *partition
	seq uint64
}

// run does the reading: the shards side by side, then the heads and marks that they have not read themselves.
func (s *search) run(ps []hub.Partition) (*overtaken, error) {
	if err := s.enter(ps); err != nil {
		return nil, err
	}
	tasks := s.prelude
	for _, sh := range s.shards {
		tasks = append(tasks, sh.run)
	}
	if err := s.first(tasks...); err != nil {
		return nil, err
	}
	if err := s.rest(); err != nil {
		return nil, err
	}
	var last *overtaken
	for _, sh := range s.shards {
		view, seq := s.views[sh.p.name], sh.mark.changed
		if s.q.Count {
			seq = sh.mark.seq
		}
		if sh.mark.gen != view.Generation {
			return nil, errEmpty(sh.p.name)
		}
		if over := seq > view.Applied || sh.mark.changed != sh.began.changed; over && (last == nil || seq > last.seq) {
			last = &overtaken{sh.p, seq}
		}
	}
	for p, names := range s.names {
		for _, m := range names.marks {
			view := s.views[p.name]
			if m.gen != view.Generation {
				return nil, errEmpty(p.name)
			}
			seq := m.changed
			if s.q.Count {
				seq = m.seq
			}
			if seq > view.Applied && (last == nil || seq > last.seq) {
				last = &overtaken{p, seq}
			}
		}
	}
	if last == nil {
		for _, sh := range s.shards {
			sh.learn(s.views[sh.p.name].Applied)
		}
	}
	return last, nil
}

// first does tasks, and reads the visible marks behind the first trip, before any of the tasks goes on.
func (s *search) first(tasks ...task) error {
	await := func() bool { return s.trip() && s.see() }
	if s.together(await, tasks...) {
		await()
	}
	return s.err
}

// see reads the views that a trip has brought. It fails for a partition that cannot be served.
func (s *search) see() bool {
	for p, view := range s.unseen {
		if s.views[p.name], s.err = view(); s.err != nil {
			return false
		}
	}
	s.unseen = nil
	return s.err == nil
}

// enter reads the visible marks, before anything else, and makes the shards. On one Redis the marks travel at the
// head of the first trip; the nodes of a cluster keep no order among them, so there they take a trip of their own. Behind them
// go the ids' spots.
func (s *search) enter(ps []hub.Partition) error {
	s.views = make(map[hub.Partition]meta, len(ps))
	s.unseen = make(map[*partition]func() (meta, error), len(ps))
	var rest []task
	var parts []*partition
	for _, name := range ps {
		p, err := s.ix.partition(name)
		if err != nil {
			return err
		}
		parts = append(parts, p)
		s.unseen[p] = s.queueMeta(p)
	}
	if s.ix.cluster {
		if err := s.first(); err != nil {
			return err
		}
	}
	named := s.named()
	for _, p := range parts {
		s.names[p] = &directory{}
		if len(named) > 0 {
			rest = append(rest, s.queueDirectory(p, s.q.Type, named, s.names[p]))
		}
	}
	qs := map[*partition][]*question{}
	ahead := false // the directory tells which slots need not be asked
	for _, p := range parts {
		qs[p] = p.questionsOf(s.q.All)
		ahead = ahead || slices.ContainsFunc(qs[p], (*question).isNames) && len(p.slotsOf(s.q.Routes)) > 1
	}
	if ahead {
		if err := s.first(rest...); err != nil {
			return err
		}
		rest = nil
	}
	for _, p := range parts {
		books, slots := map[string]*book{}, p.slotsOf(s.q.Routes)
		if ahead {
			slots = s.names[p].within(qs[p], slots)
		}
		for _, slot := range slots {
			if sh := newShard(s, p, slot, qs[p]); sh != nil {
				sh.books, sh.names = books, s.names[p]
				s.shards = append(s.shards, sh)
			}
		}
	}
	s.pace = sync.OnceValue(s.choosePace)
	if s.early = earlyRead; len(s.shards) > 1 {
		s.early = earlyMany / len(s.shards)
	}
	s.prelude = rest
	return nil
}

// named lists the names that the directory must know.
func (s *search) named() map[name]struct{} {
	names := map[name]struct{}{}
	look(s.q.All, func(c *hub.Clause) {
		for i := range c.Any {
			if isNamed(c.Param, &c.Any[i]) {
				names[name{c.Param, c.Any[i].Text}] = struct{}{}
			}
		}
	})
	return names
}

// stride is how many members a walk of one shard reads at first; 0 when fetching the rarest clauses whole is the
// better way.
func (s *search) stride() int { return s.pace() }

// choosePace compares, once all shards have measured their clauses, what the two ways would read: all of the
// rarest clauses, or so much of the order that the page is likely to be full if the clauses are independent. What is
// met on a walk is cheaper, because sort values are read only of what matches.
func (s *search) choosePace() int {
	everything, rarest, likely := 0, 0, 1.0
	sums := map[int]int{}
	for _, sh := range s.shards {
		n, _ := sh.everything.size()
		everything += n
		rarest += effort(sh.where.driver())
		for i, c := range sh.where.must {
			if !c.(*anyOf).isInterval(s.order[0].Param) { // else the walk is within it
				n, _ := c.size()
				sums[i] += n // in the shard's own order, the rarest first
			}
		}
	}
	for _, sum := range sums {
		likely *= min(1, float64(sum+1)/float64(everything+1))
	}
	s.rarest = rarest
	if s.stepwise() && rarest <= stepped {
		return 0
	}
	each := max(8, 2*float64(s.need)/likely/float64(len(s.shards)))
	if rarest <= s.ix.limits.Fetch/4 || each*float64(len(s.shards)) >= 2*float64(rarest) {
		return 0
	}
	return int(min(each, float64(s.ix.limits.Fetch)))
}

// stepwise reports whether the page can be found by going through the numbers as they come: in the order of LastUpdated.
func (s *search) stepwise() bool {
	return !s.q.Count && s.need > 0 && len(s.order) == 1 && s.order[0].Param == hub.LastUpdated && !s.order[0].Desc
}

// rest reads, in one trip, the heads of the hits and the marks that are still unknown.
func (s *search) rest() error {
	for _, c := range s.top.kept {
		if _, known := c.shard.heads[c.num]; !known {
			c.shard.wanted = append(c.shard.wanted, c.num)
		}
	}
	var readers []func()
	for _, sh := range s.shards {
		switch nums := sh.unknown(sh.wanted); {
		case len(nums) > 0:
			readers = append(readers, sh.queueHeads(nums))
		case !sh.marked:
			read := sh.queueMark()
			readers = append(readers, func() { sh.mark, sh.marked = read(), true })
		}
	}
	if !s.trip() {
		return s.err
	}
	for _, read := range readers {
		read()
	}
	return s.err
}

// page turns the hits into the answer. It is short when invisible ones took the place of others.
func (s *search) page() (page hub.Page, short bool, err error) {
	page.Total = -1
	page.Marks = s.marks()
	if s.q.Count {
		page.Total = s.total()
	}
	if s.need == 0 {
		return page, false, nil
	}
	hits, err := s.visible(s.top.sorted())
	if err != nil {
		return page, false, err
	}
	from := max(0, s.q.Skip)
	if len(hits) <= from+s.q.Limit && s.top.full() {
		return page, true, nil
	}
	page.More = len(hits) > from+s.q.Limit
	page.Hits = hits[min(from, len(hits)):min(from+s.q.Limit, len(hits))]
	return page, false, nil
}

// marks are the visible marks that the search began with.
func (s *search) marks() map[hub.Partition]hub.Marks {
	all := make(map[hub.Partition]hub.Marks, len(s.views))
	for p, view := range s.views {
		all[p] = view.Marks
	}
	return all
}

// total is the number of all that match.
func (s *search) total() (n int64) {
	for _, sh := range s.shards {
		n += int64(sh.total)
	}
	return n
}

// visible resolves the heads to what is visible, and leaves out what is not.
func (s *search) visible(cs []candidate) ([]hub.Hit, error) {
	hits := make([]hub.Hit, 0, len(cs))
	var late []int
	for _, c := range cs {
		now := c.shard.heads[c.num]
		if now.version == 0 {
			continue
		}
		h := hub.Head{Partition: c.shard.p.name, Num: c.num, Slot: c.shard.slot, Version: now.version, Deleted: now.deleted, Loc: now.at}
		if h.Loc.Seq > s.views[h.Partition].Applied {
			late = append(late, len(hits))
		}
		hits = append(hits, hub.Hit{Head: h, Pos: c.place().position()})
	}
	heads := make([]*hub.Head, len(late))
	for i, at := range late {
		heads[i] = &hits[at].Head
	}
	if err := s.ix.resolve(s.trips, heads, s.views); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(hits, func(h hub.Hit) bool { return h.Head.Version == 0 || h.Head.Deleted }), nil
}

// settle waits until the commit that overtook a search is visible; it is being applied right now.
func (ix *Index) settle(ctx context.Context, p *partition, seq uint64) error {
	for wait := time.Millisecond; ; wait *= 2 {
		vals, err := ix.client.HMGet(ctx, p.metaKey(), metaFields...).Result()
		if err != nil {
			return err
		}
		m, err := readMeta(vals)
		if err == nil {
			err = m.readable(p)
		}
		if err != nil || m.Applied >= seq {
			return err
		}
		if wait > 256*time.Millisecond {
			return errUnsettled(p.name)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
