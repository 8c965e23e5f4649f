package index

// units are shares of slots, and their writes by key.
type units struct {
	bySlot map[int]*unit
	index  *index
}

// index finds writes by verb and key.
type index [len(verbs)]map[string]*write

// verb is the name of a command.
type verb uint8

const (
	hset verb = iota
	hdel
	sadd
	srem
	zadd
	zrem
)

// verbs are words of commands, made once.
var verbs = [...]any{hset: "hset", hdel: "hdel", sadd: "sadd", srem: "srem", zadd: "zadd", zrem: "zrem"}

// unit is the share of one slot.
type unit struct {
	layers  [3][]*write
	index   *index // that of the units
	changed bool   // something that was there before is rewritten or removed
}

// The layers are written in this order: who sees a head beyond the visible mark finds the versions before it.
const (
	versionLayer = iota
	headLayer
	postingLayer // and the directory
)

// write is one command with many members.
type write struct {
	args  []any  // verb, key and the members
	width int    // arguments a member has
	first [4]any // where args begins: most writes have one member
}

// opening is how many arguments come before the first member.
const opening = 2

func newUnits(writes int) units {
	all := units{map[int]*unit{}, &index{}}
	for v := range all.index {
		all.index[v] = map[string]*write{}
	}
	all.index[sadd] = make(map[string]*write, writes)
	return all
}

func of(units units, slot int) *unit {
	u := units.bySlot[slot]
	if u == nil {
		u = &unit{index: units.index} // a key tells its slot
		units.bySlot[slot] = u
	}
	return u
}

// put adds one member to the command for its key, which is copied.
func (pl *plan) put(u *unit, layer int, verb verb, key []byte, args ...any) {
	pl.key = key
	w := u.index[verb][string(key)]
	if w == nil {
		if len(pl.spare) == 0 {
			pl.spare = make([]write, 64)
		}
		w, pl.spare = &pl.spare[0], pl.spare[1:]
		name := string(key)
		w.width, w.args = len(args), append(w.first[:0], verbs[verb], name)
		u.index[verb][name] = w
		u.layers[layer] = append(u.layers[layer], w)
	}
	w.args = append(w.args, args...)
	pl.size++
}
