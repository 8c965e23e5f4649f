package index

import (
	"context"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// Counts says for each text how many entries of type typ have the Exact term param = text.
func (ix *Index) Counts(ctx context.Context, p hub.Partition, typ, param string, texts []string) ([]int64, error) {
	part, err := ix.partition(p)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		counts, over, err := ix.counts(ctx, part, typ, param, texts)
		if err == nil && over > 0 && attempt < attempts {
			if err = ix.settle(ctx, part, over); err == nil {
				continue
			}
		}
		return counts, asHub(ctx, "count", err)
	}
}

// counts also returns a commit that overtook it, if any.
func (ix *Index) counts(ctx context.Context, p *partition, typ, param string, texts []string) (counts []int64, over uint64, err error) {
	t := newTrips(ctx, ix.client, ix.limits)
	view := t.queueMeta(p)
	if ix.cluster && !t.trip() {
		return nil, 0, t.err
	}
	sizes := make([][]func() (int, error), len(texts))
	for i, text := range texts {
		if isRare(param, text) {
			read := t.queueRare(p, typ, param, text)
			sizes[i] = append(sizes[i], func() (int, error) { spots, err := read(); return len(spots), err })
		}
	}
	marks := make([]*redis.SliceCmd, p.slots)
	for slot := range p.slots {
		for i, text := range texts {
			if !isRare(param, text) {
				card := t.pipe.SCard(ctx, p.exactKey(slot, typ, param, text))
				sizes[i] = append(sizes[i], func() (int, error) { return int(card.Val()), nil })
			}
		}
		marks[slot] = t.slice("hmget", p.markKey(slot), "gen", "seq", "changed")
	}
	if !t.trip() {
		return nil, 0, t.err
	}
	m, err := view()
	if err != nil {
		return nil, 0, err
	}
	for _, cmd := range marks {
		mark, err := readMark(cmd.Val())
		switch {
		case err != nil:
			return nil, 0, err
		case mark.gen != m.Generation:
			return nil, 0, errEmpty(p.name)
		case mark.seq > m.Applied:
			over = max(over, mark.seq)
		}
	}
	counts = make([]int64, len(texts))
	for i, parts := range sizes {
		for _, size := range parts {
			n, err := size()
			if err != nil {
				return nil, 0, err
			}
			counts[i] += int64(n)
		}
	}
	return counts, over, nil
}
