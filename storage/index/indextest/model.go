package indextest

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"concord/hub"
)

// Log makes valid commits of one partition and remembers what they amount to.
type Log struct {
	Partition hub.Partition
	Commits   [][]hub.Change
	Things    map[hub.Name]*Thing
	open      []hub.Change
	nums      uint64
	clock     time.Time
}

// Thing is the state of one name after all commits.
type Thing struct {
	Name    hub.Name
	Num     uint64
	Entry   *hub.Entry // nil when deleted
	Time    time.Time
	History []hub.Loc
	Version uint64
}

// NewLog is an empty log.
func NewLog(p hub.Partition) *Log {
	return &Log{Partition: p, Things: map[hub.Name]*Thing{}, clock: firstCommit}
}

var firstCommit = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// Put adds a new version of name to the commit being made; a nil entry deletes. Deleting what is not there does nothing.
func (l *Log) Put(name hub.Name, e *hub.Entry) {
	t := l.Things[name]
	if t == nil {
		if e == nil {
			return
		}
		l.nums++
		t = &Thing{Name: name, Num: l.nums}
		l.Things[name] = t
	}
	t.Version++
	rec := &hub.Record{Name: name, Num: t.Num, Version: t.Version, Deleted: e == nil, Member: "m1", Time: l.clock,
		Loc: hub.Loc{Seq: uint64(len(l.Commits) + 1), Off: uint32(100 * (len(l.open) + 1)), Len: 90}}
	if n := len(t.History); n > 0 {
		rec.Prev = t.History[n-1]
	}
	l.open = append(l.open, hub.Change{Record: rec, Old: t.Entry, New: e})
	t.Entry, t.Time, t.History = e, l.clock, append(t.History, rec.Loc)
}

// Commit ends the commit being made, and returns its number and changes.
func (l *Log) Commit() (uint64, []hub.Change) {
	changes := l.open
	l.Commits, l.open = append(l.Commits, changes), nil
	l.clock = l.clock.Add(time.Second)
	return uint64(len(l.Commits)), changes
}

// hit is what the oracle says of one thing.
type hit struct {
	p      hub.Partition
	num    uint64
	values []float64 // NaN where missing
}

// expect answers q as the index must, without paging.
func expect(q hub.Query, logs ...*Log) []hit {
	sorts := q.Sort
	if len(sorts) == 0 {
		sorts = []hub.Sort{{Param: hub.LastUpdated}}
	}
	var hits []hit
	for _, l := range logs {
		for _, t := range l.Things {
			if t.Entry == nil || t.Name.Type != q.Type {
				continue
			}
			e := hub.Entry{Route: t.Entry.Route, Terms: append(slices.Clone(t.Entry.Terms),
				hub.Term{Param: hub.LastUpdated, Kind: hub.Range, Lo: hub.Instant(t.Time), Hi: hub.Instant(t.Time)})}
			if q.Matches(&e) {
				hits = append(hits, hit{l.Partition, t.Num, sortValues(&e, sorts)})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		for i, s := range sorts {
			x, y := a.values[i], b.values[i]
			switch {
			case math.IsNaN(x) && math.IsNaN(y) || x == y:
				continue
			case math.IsNaN(x):
				return 1
			case math.IsNaN(y):
				return -1
			case (x < y) != s.Desc:
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.num, b.num), cmp.Compare(a.p, b.p))
	})
	return hits
}

// sortValues: the least value of a parameter counts.
func sortValues(e *hub.Entry, sorts []hub.Sort) []float64 {
	values := make([]float64, len(sorts))
	for i, s := range sorts {
		values[i] = math.NaN()
		for _, t := range e.Terms {
			if t.Kind == hub.Range && t.Param == s.Param && !(t.Lo >= values[i]) {
				values[i] = t.Lo
			}
		}
	}
	return values
}

// names lists the things in a fixed order.
func (l *Log) names() []hub.Name {
	return slices.SortedFunc(maps.Keys(l.Things), func(a, b hub.Name) int { return cmp.Compare(a.String(), b.String()) })
}
