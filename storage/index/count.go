package index

import (
	"context"
	"maps"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// Counts answers all tallies in one trip, or without any where they are known of the marks at. Those of a partition that a commit overtakes are asked again when it is visible.
func (ix *Index) Counts(ctx context.Context, of []hub.Tally, beside hub.Partition, known map[hub.Partition]hub.Marks) ([]int64, map[hub.Partition]hub.Marks, error) {
	if counts, all := ix.recallAll(of, known); all {
		return counts, nil, nil
	}
	at := map[*partition][]int{} // positions in of
	for i := range of {
		p, err := ix.partition(of[i].Partition)
		if err != nil {
			return nil, nil, err
		}
		at[p] = append(at[p], i)
	}
	counts, marks := make([]int64, len(of)), make(map[hub.Partition]hub.Marks, len(at))
	for attempt := 1; len(at) > 0; attempt++ {
		again, err := ix.countOnce(ctx, of, at, counts, marks, attempt == 1, beside)
		if err != nil || attempt == attempts {
			return counts, marks, asHub(ctx, "count", err)
		}
		for p, seq := range again {
			if seq == 0 {
				continue
			}
			if err := ix.settle(ctx, p, seq); err != nil {
				return nil, nil, asHub(ctx, "count", err)
			}
		}
		maps.DeleteFunc(at, func(p *partition, _ []int) bool { _, is := again[p]; return !is })
	}
	return counts, marks, nil
}

// countOnce also says which partitions must be asked again: those that a commit overtook, and which commit, and, with 0, those of which
// something was remembered that is no longer true.
func (ix *Index) countOnce(ctx context.Context, of []hub.Tally, at map[*partition][]int, counts []int64, marks map[hub.Partition]hub.Marks, recall bool, beside hub.Partition) (again map[*partition]uint64, err error) {
	t := ix.newTrips(ctx)
	if err := t.readBeside(ix, beside); err != nil {
		return nil, err
	}
	views := make(map[*partition]func() (meta, error), len(at))
	for p := range at {
		views[p] = t.queueMeta(p)
	}
	if ix.cluster && !t.trip() {
		return nil, t.err
	}
	var sizes []func() error // each adds to its count
	slots := make(map[*partition][]*redis.SliceCmd, len(at))
	known := make(map[*partition]*remembered, len(at))
	for p, positions := range at {
		r := &remembered{unknown: positions}
		if recall {
			r = ix.tallies.recall(p, of, positions)
		}
		known[p] = r
		for _, i := range r.unknown {
			sizes = append(sizes, t.queueTally(p, &of[i], &counts[i])...)
		}
		for slot := range p.slots {
			slots[p] = append(slots[p], t.slice("hmget", p.markKey(slot), "gen", "seq", "changed"))
		}
	}
	if !t.trip() {
		return nil, t.err
	}
	for _, add := range sizes {
		if err := add(); err != nil {
			return nil, err
		}
	}
	again = map[*partition]uint64{}
	for p, cmds := range slots {
		view, err := views[p]()
		if err != nil {
			return nil, err
		}
		var last mark
		for _, cmd := range cmds {
			mark, err := readMark(cmd.Val())
			switch {
			case err != nil:
				return nil, err
			case mark.gen != view.Generation:
				return nil, errEmpty(p.name)
			case mark.seq > view.Applied:
				again[p] = max(again[p], mark.seq)
			}
			last = mark
		}
		marks[p.name] = view.Marks
		switch _, overtaken := again[p]; {
		case overtaken:
		case !known[p].holds(last, counts):
			again[p] = 0
		default:
			ix.tallies.remember(p, last, of, known[p].unknown, counts)
		}
	}
	return again, t.tellBeside(ix, marks)
}

// queueTally queues what a tally asks of each slot; the results add the replies to count, which begins with 0.
func (t *trips) queueTally(p *partition, of *hub.Tally, count *int64) []func() error {
	*count = 0
	if isRare(of.Param, of.Text) {
		read := t.queueRare(p, of.Type, of.Param, of.Text)
		return []func() error{func() error { spots, err := read(); *count = int64(len(spots)); return err }}
	}
	add := make([]func() error, p.slots)
	for slot := range p.slots {
		card := t.pipe.SCard(t.ctx, string(p.exactKey(nil, slot, of.Type, of.Param, of.Text)))
		add[slot] = func() error { *count += card.Val(); return nil }
	}
	return add
}
