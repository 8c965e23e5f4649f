package index

import (
	"slices"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// posting answers a condition in one shard. A match has one file a kind (exact.go, text.go, within.go); anyOf and
// allOf put them together, as tree.go says.
//
// All methods but size may await trips; when await fails their result is worthless and trips.err is set.
type posting interface {
	// measure reads what size says. It comes first.
	measure(t *trips, await func() bool)
	// size is how many things match: exactly, or at most.
	size() (n int, exact bool)
	// members lists the things that match, ascending, none twice.
	members(t *trips, await func() bool) []uint64
	// probe sets hit[i] where nums[i] matches, and leaves the others as they are.
	probe(t *trips, await func() bool, nums []uint64, hit []bool)
}

// quick is a posting that measures by what queueSize queues, so that many can be measured without a task for each.
type quick interface {
	posting
	queueSize(t *trips)
}

// postingOf is nil for a match that nothing can fulfil.
func (sh *shard) postingOf(param string, m *hub.Match) posting {
	switch {
	case m.Kind == hub.Equals && m.Term == hub.Exact:
		return &exactPosting{sh: sh, key: string(sh.p.exactKey(nil, sh.slot, sh.q.Type, param, m.Text))}
	case m.Kind == hub.Equals && m.Term == hub.Text, m.Kind == hub.Prefix, m.Kind == hub.Pattern:
		return newTextPosting(string(sh.p.textKey(nil, sh.slot, sh.q.Type, param)), m, max(fewTerms, earlyMany/max(1, len(sh.shards))))
	case m.Kind == hub.Within && !(m.LoMin > m.LoMax) && !(m.HiMin > m.HiMax) && m.LoMin == m.LoMin && m.LoMax == m.LoMax && m.HiMin == m.HiMin && m.HiMax == m.HiMax:
		return &withinPosting{sh: sh, param: param, match: m}
	}
	return nil
}

// distinct sorts nums and leaves each once.
func distinct(nums []uint64) []uint64 {
	if ends := runs(nums, mostRuns); len(ends) > mostRuns {
		slices.Sort(nums)
	} else {
		nums = mergeRuns(nums, ends)
	}
	return slices.Compact(nums)
}

// mostRuns is how many ascending runs are merged rather than sorted as if they were none: sets come ascending, one behind the other.
const mostRuns = 32

// runs tells where each ascending run ends, up to one more than most of them.
func runs(nums []uint64, most int) (ends []int) {
	for i := 1; i <= len(nums) && len(ends) <= most; i++ {
		if i == len(nums) || nums[i] < nums[i-1] {
			ends = append(ends, i)
		}
	}
	return ends
}

// mergeRuns sorts nums, two neighbouring runs at a time. The result may lie elsewhere.
func mergeRuns(nums []uint64, ends []int) []uint64 {
	if len(ends) < 2 {
		return nums
	}
	other := make([]uint64, len(nums))
	for len(ends) > 1 {
		from, k := 0, 0
		for i := 0; i < len(ends); i += 2 {
			mid, to := ends[i], ends[min(i+1, len(ends)-1)]
			merge(other[from:to], nums[from:mid], nums[mid:to])
			from, ends[k] = to, to
			k++
		}
		nums, other, ends = other, nums, ends[:k]
	}
	return nums
}

// merge fills into with two ascending runs.
func merge(into, a, b []uint64) {
	for k := range into {
		if len(b) == 0 || len(a) > 0 && a[0] <= b[0] {
			into[k], a = a[0], a[1:]
		} else {
			into[k], b = b[0], b[1:]
		}
	}
}

// meet sets hit where a number is among the members; both are ascending.
func meet(members, nums []uint64, hit []bool) {
	for i, n := range nums {
		if len(members) <= 4*(len(nums)-i) { // step, where many are asked
			for len(members) > 0 && members[0] < n {
				members = members[1:]
			}
			if len(members) > 0 && members[0] == n {
				hit[i] = true
			}
			continue
		}
		if _, there := slices.BinarySearch(members, n); there {
			hit[i] = true
		}
	}
}

// worthFetching says whether n members are better fetched than asked after k times.
func worthFetching(n, k int) bool { return n <= 2*k }

// allPosting is what lives of a type.
func (p *partition) allPosting(slot int, typ string) *exactPosting {
	return &exactPosting{key: string(p.allKey(nil, slot, typ))}
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
