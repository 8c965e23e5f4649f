package index

import (
	"github.com/redis/go-redis/v9"
)

// exactPosting is a set of numbers.
type exactPosting struct {
	key   string
	card  *redis.IntCmd
	known []uint64
	whole bool // known is everything
}

func (e *exactPosting) measure(t *trips) { e.card = t.pipe.SCard(t.ctx, e.key) }

func (e *exactPosting) size() (int, bool) { return int(e.card.Val()), true }

func (e *exactPosting) members(t *trips, await func() bool) []uint64 {
	if e.whole {
		return e.known
	}
	var nums []uint64
	if n, _ := e.size(); n <= 16*t.limits.Fetch {
		cmd := t.pipe.SMembers(t.ctx, e.key)
		if !await() {
			return nil
		}
		nums = appendNums(make([]uint64, 0, n), cmd.Val())
	} else {
		for cursor := uint64(0); ; {
			cmd := t.pipe.SScan(t.ctx, e.key, cursor, "", int64(4*t.limits.Fetch))
			if !await() {
				return nil
			}
			var page []string
			page, cursor = cmd.Val()
			nums = appendNums(nums, page)
			if cursor == 0 {
				break
			}
		}
	}
	e.known, e.whole = distinct(nums), true
	return e.known
}

func (e *exactPosting) probe(t *trips, await func() bool, nums []uint64, hit []bool) {
	if n, _ := e.size(); e.whole || t.limits.worthFetching(n, len(nums)) {
		meet(e.members(t, await), nums, hit)
		return
	}
	chunk := t.limits.Fetch
	var cmds []*redis.BoolSliceCmd
	for at := 0; at < len(nums); at += chunk {
		some := nums[at:min(at+chunk, len(nums))]
		args := make([]any, len(some))
		for i, n := range some {
			args[i] = n
		}
		cmds = append(cmds, t.pipe.SMIsMember(t.ctx, e.key, args...))
	}
	if !await() {
		return
	}
	for c, cmd := range cmds {
		for i, is := range cmd.Val() {
			if is {
				hit[c*chunk+i] = true
			}
		}
	}
}

func appendNums(to []uint64, members []string) []uint64 {
	for _, m := range members {
		if num, first := numOf(m); first {
			to = append(to, num)
		}
	}
	return to
}
