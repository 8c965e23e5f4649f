package index

import (
	"context"
	"maps"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// Counts answers all tallies in one trip. Those of a partition that a commit overtakes are asked again when it is visible.
func (ix *Index) Counts(ctx context.Context, of []hub.Tally) ([]int64, map[hub.Partition]hub.Marks, error) {
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
		over, err := ix.countOnce(ctx, of, at, counts, marks)
		if err != nil || attempt == attempts {
			return counts, marks, asHub(ctx, "count", err)
		}
		for p, seq := range over {
			if err := ix.settle(ctx, p, seq); err != nil {
				return nil, nil, asHub(ctx, "count", err)
			}
		}
		maps.DeleteFunc(at, func(p *partition, _ []int) bool { return over[p] == 0 })
	}
	return counts, marks, nil
}

// countOnce also says which partitions a commit overtook, and which commit.
func (ix *Index) countOnce(ctx context.Context, of []hub.Tally, at map[*partition][]int, counts []int64, marks map[hub.Partition]hub.Marks) (over map[*partition]uint64, err error) {
	t := ix.newTrips(ctx)
	views := make(map[*partition]func() (meta, error), len(at))
	for p := range at {
		views[p] = t.queueMeta(p)
	}
	if ix.cluster && !t.trip() {
		return nil, t.err
	}
	var sizes []func() error // each adds to its count
	slots := map[*partition][]*redis.SliceCmd{}
	for p, positions := range at {
		for _, i := range positions {
			sizes = append(sizes, t.queueTally(p, &of[i], &counts[i])...)
		}
		for slot := range p.slots {
			slots[p] = append(slots[p], t.slice("hmget", p.markKey(slot), "gen", "seq", "changed"))
		}
	}
	if !t.trip() {
		return nil, t.err
	}
	over = map[*partition]uint64{}
	for p, cmds := range slots {
		view, err := views[p]()
		if err != nil {
			return nil, err
		}
		for _, cmd := range cmds {
			mark, err := readMark(cmd.Val())
			switch {
			case err != nil:
				return nil, err
			case mark.gen != view.Generation:
				return nil, errEmpty(p.name)
			case mark.seq > view.Applied:
				over[p] = max(over[p], mark.seq)
			}
		}
		marks[p.name] = view.Marks
	}
	for _, add := range sizes {
		if err := add(); err != nil {
			return nil, err
		}
	}
	return over, nil
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
		card := t.pipe.SCard(t.ctx, p.exactKey(slot, of.Type, of.Param, of.Text))
		add[slot] = func() error { *count += card.Val(); return nil }
	}
	return add
}
