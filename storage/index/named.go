package index

import (
	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// spot is where the directory says that a thing is.
type spot struct {
	num  uint64
	slot int
}

// directory is what a search asked of the directory of a partition: the spots of the ids in its clauses, and the
// marks of the slots that know them, read behind them.
type directory struct {
	spots map[string]spot
	marks []mark
}

// queueDirectory queues the ids' names; the task reads the replies.
func (t *trips) queueDirectory(p *partition, typ string, ids map[string]struct{}, into *directory) task {
	cmds := make(map[string]*redis.StringCmd, len(ids))
	marks := map[int]*redis.SliceCmd{}
	for id := range ids {
		n := hub.Name{Type: typ, ID: id}
		slot, bucket := p.directory(n)
		cmds[id], marks[slot] = t.pipe.HGet(t.ctx, p.nameKey(slot, bucket), nameField(n.String())), nil
	}
	for slot := range marks {
		marks[slot] = t.slice("hmget", p.markKey(slot), "gen", "seq", "changed")
	}
	return func(await func() bool) {
		if !await() {
			return
		}
		into.spots = make(map[string]spot, len(ids))
		for id, cmd := range cmds {
			if cmd.Val() == "" {
				continue
			}
			num, slot, err := p.unpackPlace(cmd.Val())
			if err != nil {
				t.err = err
			}
			into.spots[id] = spot{num, slot}
		}
		for _, cmd := range marks {
			m, err := readMark(cmd.Val())
			if err != nil {
				t.err = err
			}
			into.marks = append(into.marks, m)
		}
	}
}

// namedPosting is what has one of the ids. The directory knows them, so they need no posting of their own; it also
// knows what was deleted, so what is found must be among the living.
type namedPosting struct {
	sh   *shard
	ids  []string
	here []uint64
}

func (n *namedPosting) measure(t *trips, await func() bool) {
	if !await() { // for the directory
		return
	}
	for _, id := range n.ids {
		if s, is := n.sh.names.spots[id]; is && s.slot == n.sh.slot {
			n.here = append(n.here, s.num)
		}
	}
	n.here = distinct(n.here)
}

func (n *namedPosting) size() (int, bool) { return len(n.here), len(n.here) == 0 }

func (n *namedPosting) members(t *trips, await func() bool) []uint64 {
	alive := make([]bool, len(n.here))
	n.sh.everything.probe(t, await, n.here, alive)
	nums, _ := choose(n.here, nil, alive)
	return nums
}

func (n *namedPosting) probe(_ *trips, _ func() bool, nums []uint64, hit []bool) {
	meet(n.here, nums, hit)
}
