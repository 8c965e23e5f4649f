package index

import (
	"fmt"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

// textPosting is a stretch of a sorted set whose members are "text\x00num", in the order of their bytes.
type textPosting struct {
	key      string
	match    *hub.Match
	from, to string // bounds in Redis' notation
	count    *redis.IntCmd
	few      int                   // so many are read with the count: mostly there are no more
	first    *redis.StringSliceCmd // nil once they are looked at
	known    []uint64
	whole    bool
}

const (
	fewTerms   = 16   // that each slot reads with their count, at least
	earlyTerms = 1024 // that a search reads with their counts
)

func newTextPosting(key string, m *hub.Match, few int) *textPosting {
	p := &textPosting{key: key, match: m, few: few}
	switch m.Kind {
	case hub.Equals:
		p.from, p.to = "["+m.Text+"\x00", "("+m.Text+"\x01"
	case hub.Prefix:
		p.from, p.to = prefixBounds(m.Text)
	default:
		p.from, p.to = prefixBounds(hub.LiteralPrefix(m.Text))
	}
	return p
}

// prefixBounds covers everything that begins with prefix.
func prefixBounds(prefix string) (from, to string) {
	end := []byte(prefix)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	from, to = "["+prefix, "+"
	if prefix == "" {
		from = "-"
	}
	if len(end) > 0 {
		end[len(end)-1]++
		to = "(" + string(end)
	}
	return from, to
}

func (p *textPosting) measure(t *trips, await func() bool) { p.queueSize(t); await() }

func (p *textPosting) queueSize(t *trips) {
	p.count = t.pipe.ZLexCount(t.ctx, p.key, p.from, p.to)
	if p.from != "-" && t.termsAhead >= p.few {
		t.termsAhead -= p.few
		p.first = p.queueTerms(t, p.from, p.few)
	}
}

func (p *textPosting) queueTerms(t *trips, from string, most int) *redis.StringSliceCmd {
	return t.pipe.ZRangeArgs(t.ctx, redis.ZRangeArgs{Key: p.key, Start: from, Stop: p.to, ByLex: true, Count: int64(most)})
}

// recall reports whether the few that were read with the count are all.
func (p *textPosting) recall() bool {
	if p.first != nil && len(p.first.Val()) < p.few {
		p.known, p.whole = distinct(p.matching(nil, p.first.Val())), true
	}
	p.first = nil
	return p.whole
}

// matching appends those of terms for which the match holds.
func (p *textPosting) matching(nums []uint64, terms []string) []uint64 {
	for _, m := range terms {
		text, num := splitText(m)
		if p.match.Matches(&hub.Term{Kind: hub.Text, Text: text}) {
			nums = append(nums, num)
		}
	}
	return nums
}

func (p *textPosting) size() (int, bool) {
	if p.recall() {
		return len(p.known), true
	}
	return int(p.count.Val()), false
}

func (p *textPosting) members(t *trips, await func() bool) []uint64 {
	if p.recall() {
		return p.known
	}
	var nums []uint64
	step := 4 * t.limits.Fetch
	for from := p.from; ; {
		cmd := p.queueTerms(t, from, step)
		if !await() {
			return nil
		}
		got := cmd.Val()
		if p.match.Kind != hub.Equals {
			if t.terms += len(got); t.terms > t.limits.Terms {
				t.err = &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the pattern %s meets too many values to look through", quality(p.match)),
					Hint: "give more of the beginning, or limit the search to a patient"}
				return nil
			}
		}
		nums = p.matching(nums, got)
		if len(got) < step {
			break
		}
		from = "(" + got[len(got)-1]
	}
	p.known, p.whole = distinct(nums), true
	return p.known
}

// quality describes a match without what it says: the text may be a patient's name.
func quality(m *hub.Match) string {
	if m.Kind == hub.Prefix {
		return fmt.Sprintf("(a beginning of %d bytes)", len(m.Text))
	}
	return fmt.Sprintf("(a pattern with a beginning of %d bytes)", len(hub.LiteralPrefix(m.Text)))
}

func (p *textPosting) probe(t *trips, await func() bool, nums []uint64, hit []bool) {
	if n, _ := p.size(); p.whole || p.match.Kind != hub.Equals || worthFetching(n, len(nums)) {
		meet(p.members(t, await), nums, hit)
		return
	}
	chunk := t.limits.Fetch
	var cmds []*redis.SliceCmd
	for at := 0; at < len(nums); at += chunk {
		some := nums[at:min(at+chunk, len(nums))]
		members := make([]string, len(some))
		for i, n := range some {
			members[i] = textMember(p.match.Text, n)
		}
		cmds = append(cmds, t.scores(p.key, members))
	}
	if !await() {
		return
	}
	for i := range nums {
		if _, is := found(cmds[i/chunk], i%chunk); is {
			hit[i] = true
		}
	}
}
