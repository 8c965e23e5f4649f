package index

import (
	"slices"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// posting answers one match in one shard. There is one file a kind: exact.go, text.go, within.go.
//
// members and probe await trips; when await fails their result is worthless and trips.err is set.
type posting interface {
	// measure queues what size reads behind the next trip.
	measure(t *trips)
	// size is how many things match: exactly, or at most.
	size() (n int, exact bool)
	// members lists the things that match, ascending, none twice.
	members(t *trips, await func() bool) []uint64
	// probe sets hit[i] where nums[i] matches.
	probe(t *trips, await func() bool, nums []uint64, hit []bool)
}

// postingOf is nil for a match that nothing can fulfil.
func (p *partition) postingOf(slot int, typ, param string, m *hub.Match) posting {
	switch {
	case m.Kind == hub.Equals && m.Term == hub.Exact:
		return &exactPosting{key: p.exactKey(slot, typ, param, m.Text)}
	case m.Kind == hub.Equals && m.Term == hub.Text, m.Kind == hub.Prefix, m.Kind == hub.Pattern:
		return newTextPosting(p.textKey(slot, typ, param), m)
	case m.Kind == hub.Within && !(m.LoMin > m.LoMax) && !(m.HiMin > m.HiMax) && m.LoMin == m.LoMin && m.LoMax == m.LoMax && m.HiMin == m.HiMin && m.HiMax == m.HiMax:
		return newWithinPosting(p, slot, typ, param, m)
	}
	return nil
}

// clause is a hub.Clause in one shard.
type clause struct {
	any []posting
	not bool
}

func (c *clause) size() (n int, exact bool) {
	exact = len(c.any) == 1 && !c.not
	for _, m := range c.any {
		k, sure := m.size()
		n += k
		exact = exact && sure
	}
	return n, exact || (n == 0 && !c.not)
}

func (c *clause) members(t *trips, await func() bool) []uint64 {
	parts := make([][]uint64, len(c.any))
	tasks := make([]task, len(c.any))
	for i, m := range c.any {
		tasks[i] = func(await func() bool) { parts[i] = m.members(t, await) }
	}
	together(await, tasks...)
	if len(parts) == 1 {
		return parts[0]
	}
	return distinct(slices.Concat(parts...))
}

// probe says for each number whether the clause holds.
func (c *clause) probe(t *trips, await func() bool, nums []uint64) []bool {
	hit := make([]bool, len(nums))
	if len(nums) == 0 {
		return hit
	}
	tasks := make([]task, 0, len(c.any))
	for _, m := range c.any {
		if n, _ := m.size(); n > 0 {
			tasks = append(tasks, func(await func() bool) { m.probe(t, await, nums, hit) })
		}
	}
	together(await, tasks...)
	if c.not {
		for i := range hit {
			hit[i] = !hit[i]
		}
	}
	return hit
}

// distinct sorts nums and leaves each once.
func distinct(nums []uint64) []uint64 {
	if !slices.IsSorted(nums) {
		slices.Sort(nums)
	}
	return slices.Compact(nums)
}

// meet sets hit where a number is among the members, which are ascending.
func meet(members, nums []uint64, hit []bool) {
	for i, n := range nums {
		if _, there := slices.BinarySearch(members, n); there {
			hit[i] = true
		}
	}
}

// allPosting is what lives of a type.
func (p *partition) allPosting(slot int, typ string) posting {
	return &exactPosting{key: p.allKey(slot, typ)}
}

// found reads the gaps of a reply.
func found(cmd *redis.SliceCmd, i int) (string, bool) {
	vals := cmd.Val()
	if i >= len(vals) {
		return "", false
	}
	s, ok := vals[i].(string)
	return s, ok
}
