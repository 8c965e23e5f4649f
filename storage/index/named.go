package index

import (
	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// name is what the directory or the hashes of rare values know: an id, or a rare Exact term.
type name struct{ param, text string }

// isNamed reports whether a match is about a name.
func isNamed(param string, m *hub.Match) bool {
	return m.Kind == hub.Equals && m.Term == hub.Exact && (param == hub.ID || isRare(param, m.Text))
}

// spot is where something that has a name is.
type spot struct {
	num  uint64
	slot int
}

// directory is what a search asked of a partition about the names in its clauses, and the marks of the slots that know them,
// read behind them.
type directory struct {
	spots map[name][]spot
	marks []mark
}

// queueDirectory queues the names; the task reads the replies.
func (t *trips) queueDirectory(p *partition, typ string, names map[name]struct{}, into *directory) task {
	readers := make(map[name]func() ([]spot, error), len(names))
	marks := map[int]*redis.SliceCmd{}
	for n := range names {
		slot, _ := p.rareSlot(n.text)
		if n.param == hub.ID {
			var bucket int
			full := hub.Name{Type: typ, ID: n.text}
			slot, bucket = p.directory(full)
			cmd := t.pipe.HGet(t.ctx, string(p.nameKey(nil, slot, bucket)), nameField(full.String()))
			readers[n] = func() ([]spot, error) {
				if cmd.Val() == "" {
					return nil, nil
				}
				num, slot, err := p.unpackPlace(cmd.Val())
				return []spot{{num, slot}}, err
			}
		} else {
			readers[n] = t.queueRare(p, typ, n.param, n.text)
		}
		marks[slot] = nil
	}
	for slot := range marks {
		marks[slot] = t.slice("hmget", p.markKey(slot), "gen", "seq", "changed")
	}
	return func(await func() bool) {
		if !await() {
			return
		}
		into.spots = make(map[name][]spot, len(names))
		for n, read := range readers {
			spots, err := read()
			if err != nil {
				t.err = err
			}
			into.spots[n] = spots
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

// slots lists, of the given ones, those where all that has one of the names may be.
func (d *directory) slots(names []name, of []int) []int {
	there := map[int]bool{}
	for _, n := range names {
		for _, s := range d.spots[n] {
			there[s.slot] = true
		}
	}
	var slots []int
	for _, slot := range of {
		if there[slot] {
			slots = append(slots, slot)
		}
	}
	return slots
}

// namedPosting is what has one of the names. The directory also knows ids of what was deleted, so what is found by them must be among the
// living.
type namedPosting struct {
	sh    *shard
	names []name
	here  []uint64
}

func (n *namedPosting) measure(t *trips, await func() bool) {
	if !await() { // for the directory
		return
	}
	for _, name := range n.names {
		for _, s := range n.sh.names.spots[name] {
			if s.slot == n.sh.slot {
				n.here = append(n.here, s.num)
			}
		}
	}
	n.here = distinct(n.here)
}

func (n *namedPosting) size() (int, bool) { return len(n.here), len(n.here) == 0 }

func (n *namedPosting) members(t *trips, await func() bool) []uint64 {
	if n.names[0].param != hub.ID {
		return n.here
	}
	alive := make([]bool, len(n.here))
	n.sh.everything.probe(t, await, n.here, alive)
	nums, _ := choose(n.here, nil, alive)
	return nums
}

func (n *namedPosting) probe(_ *trips, _ func() bool, nums []uint64, hit []bool) {
	meet(n.here, nums, hit)
}
