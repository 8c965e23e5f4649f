package index

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"concord/hub"
)

const parallel = 8 // slots of a commit that are written at the same time

// Apply makes commit seq visible.
//
// On one Redis a commit is one MULTI, guarded by the partition's meta. On a cluster, and for commits of more
// members than Limits.Whole, every slot is a piece (or several) guarded by the slot's own mark, and the visible mark follows
// last; a hub that dies on the way leaves a commit that nobody sees and everybody can complete.
func (ix *Index) Apply(ctx context.Context, p hub.Partition, seq uint64, changes []hub.Change) error {
	return ix.Prepare(p, seq, changes)(ctx)
}

// Prepare makes the plan of a commit.
func (ix *Index) Prepare(p hub.Partition, seq uint64, changes []hub.Change) func(context.Context) error {
	part, err := ix.partition(p)
	if err != nil {
		return func(context.Context) error { return err }
	}
	pl := planOf(part, changes)
	return func(ctx context.Context) error {
		apply := ix.applyStaged
		if !ix.cluster && pl.size <= ix.limits.Whole {
			apply = ix.applyWhole
		}
		return asHub(ctx, fmt.Sprintf("apply commit %d of %s", seq, p), apply(ctx, pl, seq))
	}
}

// applyWhole does all in one unit: two trips.
func (ix *Index) applyWhole(ctx context.Context, pl *plan, seq uint64) error {
	histories := make([]*redis.MapStringStringCmd, len(pl.moves))
	read := func(pipe redis.Pipeliner) {
		for i, m := range pl.moves {
			histories[i] = pipe.HGetAll(ctx, string(pl.p.versionsKey(nil, m.from, m.num)))
		}
	}
	var m meta
	var added []rollEntry
	err := ix.guarded(ctx, pl.p.metaKey(), metaFields, read, func(vals []any) (transaction, error) {
		var due bool
		var err error
		if m, due, err = pl.p.due(vals, seq); !due {
			added = nil
			return nil, err
		}
		added = ix.rolls[pl.p.name].missing(pl.rolls, m)
		tx := make(transaction, 0, len(pl.slots.index[sadd])*3/2+len(pl.slots.bySlot)+len(added)+len(pl.moves)+1)
		for i, m := range pl.moves {
			m.history(pl.p, histories[i].Val()).copy(&tx)
		}
		for _, slot := range touched(pl.slots) {
			u := pl.slots.bySlot[slot]
			for w := range u.commands(ix.limits) {
				tx.add(w.args...)
			}
			tx.add(u.markAt(pl.p.markKey(slot), seq)...)
		}
		addRolls(&tx, added, pl.rolls)
		tx.add("hset", pl.p.metaKey(), "applied", seq)
		return tx, nil
	})
	if err == nil && len(added) > 0 {
		ix.rolls[pl.p.name].written(m.Generation, seq, added)
	}
	return err
}

// applyStaged does it slot by slot: first what arrives from other slots, then the directory's word for it, then
// the commit itself, last the visible mark.
func (ix *Index) applyStaged(ctx context.Context, pl *plan, seq uint64) error {
	vals, err := ix.client.HMGet(ctx, pl.p.metaKey(), metaFields...).Result()
	if err != nil {
		return err
	}
	m, due, err := pl.p.due(vals, seq)
	if !due {
		return err
	}
	histories, err := ix.histories(ctx, pl)
	if err != nil {
		return err
	}
	s := &staged{ix: ix, p: pl.p, seq: seq, gen: m.Generation}
	err = s.each(ctx, pl.arrivals, func(ctx context.Context, slot int, u *unit) error {
		return s.pieces(ctx, slot, u, histories[slot], false)
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, pl.redirects, func(ctx context.Context, slot int, u *unit) error {
		return s.pieces(ctx, slot, u, nil, false)
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, pl.slots, func(ctx context.Context, slot int, u *unit) error {
		return s.pieces(ctx, slot, u, nil, true)
	})
	if err != nil {
		return err
	}
	var added []rollEntry
	err = ix.guarded(ctx, pl.p.metaKey(), metaFields, nil, func(vals []any) (transaction, error) {
		now, due, err := pl.p.due(vals, seq)
		if !due {
			added = nil
			return nil, err
		}
		if now.Generation != m.Generation {
			return nil, errEmpty(pl.p.name)
		}
		added = ix.rolls[pl.p.name].missing(pl.rolls, now)
		var tx transaction
		addRolls(&tx, added, pl.rolls)
		tx.add("hset", pl.p.metaKey(), "applied", seq)
		return tx, nil
	})
	if err == nil && len(added) > 0 {
		ix.rolls[pl.p.name].written(m.Generation, seq, added)
	}
	return err
}

// due says whether commit seq is the next one; it is an error when commits before it are missing.
func (p *partition) due(vals []any, seq uint64) (meta, bool, error) {
	m, err := readMeta(vals)
	if err == nil {
		err = m.readable(p)
	}
	switch {
	case err != nil || m.Applied >= seq:
		return m, false, err
	case m.Applied != seq-1:
		return m, false, &hub.Error{Kind: hub.Conflict, Msg: fmt.Sprintf("commit %d of %s cannot be applied: the index is at %d", seq, p.name, m.Applied),
			Hint: "apply the commits between first"}
	}
	return m, true, nil
}

// histories reads the versions that change slot, by the slot they go to.
func (ix *Index) histories(ctx context.Context, pl *plan) (map[int][]history, error) {
	if len(pl.moves) == 0 {
		return nil, nil
	}
	cmds := make([]*redis.MapStringStringCmd, len(pl.moves))
	pipe := ix.client.Pipeline()
	for i, m := range pl.moves {
		cmds[i] = pipe.HGetAll(ctx, string(pl.p.versionsKey(nil, m.from, m.num)))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	to := map[int][]history{}
	for i, m := range pl.moves {
		to[m.to] = append(to[m.to], m.history(pl.p, cmds[i].Val()))
	}
	return to, nil
}

// history is what a thing that changes slot takes with it.
type history struct {
	key      string
	versions map[string]string
}

// history leaves out later versions, which the old slot has when this is a replay.
func (m move) history(p *partition, versions map[string]string) history {
	maps.DeleteFunc(versions, func(field, _ string) bool {
		v, err := strconv.ParseUint(field, 10, 64)
		return err != nil || v >= m.below
	})
	return history{string(p.versionsKey(nil, m.to, m.num)), versions}
}

func (h history) copy(tx *transaction) {
	if len(h.versions) == 0 {
		return
	}
	words := []any{"hset", h.key}
	for version, v := range h.versions {
		words = append(words, version, v)
	}
	tx.add(words...)
}

// staged is one commit on its way slot by slot.
type staged struct {
	ix  *Index
	p   *partition
	seq uint64
	gen string
}

func (s *staged) each(ctx context.Context, units units, do func(context.Context, int, *unit) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, slot := range touched(units) {
		group.Go(func() error { return do(ctx, slot, units.bySlot[slot]) })
	}
	return group.Wait()
}

// pieces writes one slot's unit. Each piece is skipped when the slot has the commit already (another hub was
// faster). The first one says that the slot is being changed; the last one, if final, that it has the commit.
func (s *staged) pieces(ctx context.Context, slot int, u *unit, before []history, final bool) error {
	for piece, last := range u.split(s.ix.limits) {
		err := s.ix.guarded(ctx, s.p.markKey(slot), markFields, nil, func(vals []any) (transaction, error) {
			m, err := readMark(vals)
			if err == nil && m.gen != s.gen {
				err = errEmpty(s.p.name)
			}
			if err != nil || m.seq >= s.seq {
				return nil, err
			}
			tx := make(transaction, 0, len(before)+len(piece)+1)
			for _, h := range before {
				h.copy(&tx)
			}
			for _, w := range piece {
				tx.add(w.args...)
			}
			switch {
			case final && last:
				tx.add(u.markAt(s.p.markKey(slot), s.seq)...)
			case u.changed:
				tx.add("hset", s.p.markKey(slot), "changed", s.seq)
			}
			return tx, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// markAt is the command that says at key, the slot's mark, that it has the commit.
func (u *unit) markAt(key string, seq uint64) []any {
	if u.changed {
		return []any{"hset", key, "seq", seq, "changed", seq}
	}
	return []any{"hset", key, "seq", seq}
}

// commands yields the unit's commands, none with too many members.
func (u *unit) commands(l Limits) iter.Seq[*write] {
	return func(yield func(*write) bool) {
		for _, layer := range u.layers {
			for _, w := range layer {
				step := max(1, w.width) * l.command()
				if len(w.args) <= opening+step {
					if !yield(w) {
						return
					}
					continue
				}
				for some := range slices.Chunk(w.args[opening:], step) {
					if !yield(&write{args: slices.Concat(w.args[:opening], some), width: w.width}) {
						return
					}
				}
			}
		}
	}
}

// split yields the unit in pieces that are not too big, and which is the last; an empty unit is one piece.
func (u *unit) split(l Limits) iter.Seq2[[]*write, bool] {
	return func(yield func([]*write, bool) bool) {
		var piece []*write
		size := 0
		for w := range u.commands(l) {
			if size += 1 + w.members(); size > l.piece() && len(piece) > 0 {
				if !yield(piece, false) {
					return
				}
				piece, size = nil, w.members()
			}
			piece = append(piece, w)
		}
		yield(piece, true)
	}
}

func (w *write) members() int { return (len(w.args) - opening) / max(1, w.width) }

// score writes a sorted set's score or bound with all its digits; infinities are "+Inf" and "-Inf".
func score(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
