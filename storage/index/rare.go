package index

import (
	"encoding/binary"
	"strings"

	"github.com/redis/go-redis/v9"
)

// isRare says which Exact terms hardly two things share: a set of its own would cost each of them a hundred bytes, and asking all
// slots for it would cost more than what is found. They lie in the fields of small hashes, in the slot of the value, and
// tell the slot of the thing, as the directory does for names. It is part of the schema.
func isRare(param, value string) bool {
	switch param {
	case "_block", "_pair", "link":
		return true
	case "identifier":
		return !strings.HasSuffix(value, "|") // else it is a system that all have
	case "00080018": // SOP Instance UID
		return true
	}
	return false
}

// rareField is the field of num in a rare value's hash: 16 bytes of the value's SHA-256 and the number. Its value is the slot.
func rareField(value string, num uint64) string {
	return string(binary.AppendUvarint([]byte(digest(value)), num))
}

// queueRare queues the reading of a rare value; the result reads the reply.
func (t *trips) queueRare(p *partition, typ, param, value string) func() ([]spot, error) {
	slot, bucket := p.rareSlot(value)
	cmd := redis.NewMapStringStringCmd(t.ctx, "hgetall", string(p.rareKey(nil, slot, bucket, typ, param)))
	_ = t.pipe.Process(t.ctx, cmd)
	return func() (spots []spot, err error) {
		prefix := digest(value)
		for field, packed := range cmd.Val() {
			rest, is := strings.CutPrefix(field, prefix)
			if !is {
				continue
			}
			var s spot
			var at uint64
			if err = unpack(rest, &s.num); err == nil {
				err = unpack(packed, &at)
			}
			if err != nil || at >= uint64(p.slots) {
				return nil, errUnreadable
			}
			s.slot = int(at)
			spots = append(spots, s)
		}
		return spots, nil
	}
}
