package index

import (
	"context"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// Heads looks names up, in order. Two trips; more only for things that change slot at that moment.
func (ix *Index) Heads(ctx context.Context, p hub.Partition, names []hub.Name) ([]hub.Head, error) {
	part, err := ix.partition(p)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	l := &lookup{trips: ix.newTrips(ctx), p: part, heads: make([]hub.Head, len(names)), places: make([]string, len(names))}
	todo := make([]int, len(names))
	for i, n := range names {
		l.heads[i] = hub.Head{Partition: p, Name: n}
		todo[i] = i
	}
	if err = l.enter(ix.cluster); err == nil {
		err = l.all(ix, todo)
	}
	if err != nil {
		return nil, asHub(ctx, "look up heads", err)
	}
	for i := range l.heads {
		if h := &l.heads[i]; h.Version == 0 {
			h.Num, h.Slot = 0, 0
		}
	}
	return l.heads, nil
}

// lookup is one call of Heads.
type lookup struct {
	*trips
	p      *partition
	view   func() (meta, error)
	heads  []hub.Head
	places []string // what the directory said last
}

// enter reads the visible mark before anything else.
func (l *lookup) enter(cluster bool) error {
	l.view = l.queueMeta(l.p)
	if cluster {
		l.trip()
	}
	return l.err
}

// queueMeta queues the partition's meta; the result reads the reply and refuses a partition that cannot be served.
func (t *trips) queueMeta(p *partition) func() (meta, error) {
	cmd := t.slice("hmget", p.metaKey(), metaFields[0], metaFields[1], metaFields[2], metaFields[3])
	return func() (meta, error) {
		m, err := readMeta(cmd.Val())
		if err == nil {
			err = m.readable(p)
		}
		return m, err
	}
}

// all resolves the names of todo. A thing whose head is not where the directory says is new and not yet visible,
// or has just moved: then the directory has another place by now.
func (l *lookup) all(ix *Index, todo []int) error {
	for round := 0; len(todo) > 0; round++ {
		todo = l.direct(todo, round)
		if l.err != nil {
			return l.err
		}
		m, err := l.view()
		if err != nil {
			return err
		}
		packed, checked := l.fetch(todo)
		if l.err != nil {
			return l.err
		}
		for _, gen := range checked {
			if gen.Val() != m.Generation {
				return errEmpty(l.p.name)
			}
		}
		var late []*hub.Head
		var again []int
		for k, i := range todo {
			h := &l.heads[i]
			if packed[k] == "" {
				again = append(again, i)
				continue
			}
			now, err := unpackHead(packed[k])
			if err != nil {
				return err
			}
			h.Version, h.Deleted, h.Loc = now.version, now.deleted, now.at
			if h.Loc.Seq > m.Applied {
				late = append(late, h)
			}
		}
		if err := ix.resolve(l.trips, late, map[hub.Partition]meta{l.p.name: m}); err != nil {
			return err
		}
		todo = again
	}
	return nil
}

// direct reads the directory and leaves the names that have a place, and not the one that was tried in vain.
func (l *lookup) direct(todo []int, round int) []int {
	cmds := make([]*redis.StringCmd, len(todo))
	for k, i := range todo {
		slot, bucket := l.p.directory(l.heads[i].Name)
		cmds[k] = l.pipe.HGet(l.ctx, string(l.p.nameKey(nil, slot, bucket)), nameField(l.heads[i].Name.String()))
	}
	gens := map[int]*redis.StringCmd{}
	for _, i := range todo {
		slot, _ := l.p.directory(l.heads[i].Name)
		gens[slot] = nil
	}
	for slot := range gens {
		gens[slot] = l.pipe.HGet(l.ctx, l.p.markKey(slot), "gen")
	}
	if !l.trip() {
		return nil
	}
	var placed []int
	for k, i := range todo {
		place := cmds[k].Val()
		if place == "" || (round > 0 && place == l.places[i]) {
			continue
		}
		h := &l.heads[i]
		if h.Num, h.Slot, l.err = l.p.unpackPlace(place); l.err != nil {
			return nil
		}
		l.places[i] = place
		placed = append(placed, i)
	}
	m, err := l.view()
	for _, gen := range gens {
		if err == nil && gen.Val() != m.Generation {
			err = errEmpty(l.p.name)
		}
	}
	if err != nil {
		l.err = err
	}
	return placed
}

// fetch reads the heads, and the generation of the slots behind them.
func (l *lookup) fetch(todo []int) (packed []string, gens []*redis.StringCmd) {
	cmds := make([]*redis.StringCmd, len(todo))
	slots := map[int]bool{}
	for k, i := range todo {
		h := &l.heads[i]
		cmds[k] = l.pipe.HGet(l.ctx, string(l.p.headKey(nil, h.Slot, h.Num)), member(h.Num))
		slots[h.Slot] = true
	}
	for slot := range slots {
		gens = append(gens, l.pipe.HGet(l.ctx, l.p.markKey(slot), "gen"))
	}
	l.trip()
	packed = make([]string, len(todo))
	for k, cmd := range cmds {
		packed[k] = cmd.Val()
	}
	return packed, gens
}

// resolve turns heads beyond the visible mark into the visible version; Version is 0 where none is.
func (ix *Index) resolve(t *trips, heads []*hub.Head, views map[hub.Partition]meta) error {
	cmds := make([]*redis.MapStringStringCmd, len(heads))
	for i, h := range heads {
		if h.Version > 1 {
			cmds[i] = t.pipe.HGetAll(t.ctx, string(ix.partitions[h.Partition].versionsKey(nil, h.Slot, h.Num)))
		}
	}
	if !t.trip() {
		return t.err
	}
	for i, h := range heads {
		h.Version, h.Deleted, h.Loc = 0, false, hub.Loc{}
		if cmds[i] == nil {
			continue
		}
		vs, err := visibleVersions(cmds[i].Val(), views[h.Partition].Applied)
		if err != nil {
			return err
		}
		if len(vs) > 0 {
			last := vs[len(vs)-1]
			h.Version, h.Deleted, h.Loc = last.version, last.deleted, last.at
		}
	}
	return nil
}

type version struct {
	version uint64
	deleted bool
	at      hub.Loc
}

// visibleVersions reads a versions hash up to commit applied, oldest first.
func visibleVersions(fields map[string]string, applied uint64) ([]version, error) {
	vs := make([]version, 0, len(fields))
	for field, packed := range fields {
		v, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil, errUnreadable
		}
		deleted, at, err := unpackVersion(packed)
		if err != nil {
			return nil, err
		}
		if at.Seq <= applied {
			vs = append(vs, version{v, deleted, at})
		}
	}
	slices.SortFunc(vs, func(a, b version) int { return int(int64(a.version) - int64(b.version)) })
	return vs, nil
}

// Versions lists where the versions of a thing lie, deletions too, oldest first, up to the visible mark. h comes
// from Heads or Search; when the thing has changed slot since, it is looked up again if h has its name.
func (ix *Index) Versions(ctx context.Context, h hub.Head) ([]hub.Loc, error) {
	p, err := ix.partition(h.Partition)
	if err != nil || h.Version == 0 {
		return nil, err
	}
	if h.Slot < 0 || h.Slot >= p.slots {
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "a head of another index"}
	}
	t := ix.newTrips(ctx)
	view := t.queueMeta(p)
	cmd := t.pipe.HGetAll(ctx, string(p.versionsKey(nil, h.Slot, h.Num)))
	head := t.pipe.HExists(ctx, string(p.headKey(nil, h.Slot, h.Num)), member(h.Num))
	gen := t.pipe.HGet(ctx, p.markKey(h.Slot), "gen")
	if !t.trip() {
		return nil, asHub(ctx, "list versions", t.err)
	}
	m, err := view()
	switch {
	case err != nil:
		return nil, err
	case gen.Val() != m.Generation:
		return nil, errEmpty(h.Partition)
	case !head.Val():
		return ix.movedVersions(ctx, h)
	case len(cmd.Val()) == 0:
		return []hub.Loc{h.Loc}, nil
	}
	vs, err := visibleVersions(cmd.Val(), m.Applied)
	locs := make([]hub.Loc, len(vs))
	for i, v := range vs {
		locs[i] = v.at
	}
	return locs, err
}

func (ix *Index) movedVersions(ctx context.Context, h hub.Head) ([]hub.Loc, error) {
	if h.Name.ID != "" {
		now, err := ix.Heads(ctx, h.Partition, []hub.Name{h.Name})
		if err != nil {
			return nil, err
		}
		if now[0].Slot != h.Slot {
			return ix.Versions(ctx, now[0])
		}
	}
	return nil, &hub.Error{Kind: hub.Unavailable, Msg: "the thing has just moved inside the index", Retry: retrySoon}
}
