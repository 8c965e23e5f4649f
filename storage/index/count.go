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
	cards := make([]quick, 0, p.slots*len(texts))
	marks := make([]*redis.SliceCmd, p.slots)
	for slot := range p.slots {
		for _, text := range texts {
			card := p.exactOf(slot, typ, param, text)
			card.queueSize(t)
			cards = append(cards, card)
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
	for i, card := range cards {
		n, _ := card.size()
		counts[i%len(texts)] += int64(n)
	}
	return counts, over, nil
}
