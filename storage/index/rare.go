package index

import (
	"encoding/binary"
	"strings"

	"github.com/redis/go-redis/v9"
)

// isRare says which Exact terms hardly two things share: a set of its own would cost each of them a hundred bytes.
// They lie in the fields of small hashes, by their digests. It is part of the schema.
func isRare(param, value string) bool {
	switch param {
	case "identifier":
		return !strings.HasSuffix(value, "|") // else it is a system that all have
	case "00080018": // SOP Instance UID
		return true
	}
	return false
}

// rareField is the field of num in a rare value's hash.
func rareField(value string, num uint64) string {
	return string(binary.AppendUvarint([]byte(digest(value)), num))
}

// rarePosting is what has a rare value. It is read when it is measured.
type rarePosting struct {
	key, prefix string
	all         *redis.MapStringStringCmd
	known       []uint64
	whole       bool
}

func newRarePosting(key, value string) *rarePosting {
	return &rarePosting{key: key, prefix: digest(value)}
}

func (r *rarePosting) queueSize(t *trips) { r.all = t.pipe.HGetAll(t.ctx, r.key) }

func (r *rarePosting) measure(t *trips, await func() bool) { r.queueSize(t); await() }

func (r *rarePosting) size() (int, bool) { return len(r.members(nil, nil)), true }

func (r *rarePosting) members(*trips, func() bool) []uint64 {
	if r.whole {
		return r.known
	}
	for field := range r.all.Val() {
		if rest, is := strings.CutPrefix(field, r.prefix); is {
			if num, w := binary.Uvarint([]byte(rest)); w == len(rest) {
				r.known = append(r.known, num)
			}
		}
	}
	r.known, r.whole, r.all = distinct(r.known), true, nil
	return r.known
}

func (r *rarePosting) probe(_ *trips, _ func() bool, nums []uint64, hit []bool) {
	meet(r.members(nil, nil), nums, hit)
}
