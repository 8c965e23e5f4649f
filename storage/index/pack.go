package index

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"concord/hub"
)

// Values are short runs of unsigned varints: a head takes about sixteen bytes.

type packed []uint64

func (v packed) String() string {
	b := make([]byte, 0, 20)
	for _, n := range v {
		b = binary.AppendUvarint(b, n)
	}
	return string(b)
}

// unpack reads exactly len(into) numbers.
func unpack(s string, into ...*uint64) error {
	b := []byte(s)
	for _, to := range into {
		n, w := binary.Uvarint(b)
		if w <= 0 {
			return errUnreadable
		}
		*to, b = n, b[w:]
	}
	if len(b) != 0 {
		return errUnreadable
	}
	return nil
}

var errUnreadable = &hub.Error{Kind: hub.Corrupt, Msg: "a value of the index is unreadable", Hint: "run `concord rebuild`"}

func flagged(n uint64, flag bool) uint64 {
	if flag {
		return n<<1 | 1
	}
	return n << 1
}

// head is the current version of a thing, and when it was written.
type head struct {
	version uint64
	deleted bool
	at      hub.Loc
	ms      int64 // of the record's time, since 1970
}

// packHead: version and whether it is a deletion, seq, offset, length, time.
func packHead(h head) string {
	return packed{flagged(h.version, h.deleted), h.at.Seq, uint64(h.at.Off), uint64(h.at.Len), uint64(h.ms<<1) ^ uint64(h.ms>>63)}.String()
}

func unpackHead(s string) (h head, err error) {
	var v, seq, off, length, ms uint64
	if err = unpack(s, &v, &seq, &off, &length, &ms); err == nil && (off|length)>>32 != 0 {
		err = errUnreadable
	}
	return head{v >> 1, v&1 == 1, hub.Loc{Seq: seq, Off: uint32(off), Len: uint32(length)}, int64(ms>>1) ^ -int64(ms&1)}, err
}

// packVersion: seq and whether it is a deletion, offset, length. The version itself is the hash's field.
func packVersion(deleted bool, at hub.Loc) string {
	return packed{flagged(at.Seq, deleted), uint64(at.Off), uint64(at.Len)}.String()
}

func unpackVersion(s string) (deleted bool, at hub.Loc, err error) {
	var seq, off, length uint64
	if err = unpack(s, &seq, &off, &length); err == nil && (off|length)>>32 != 0 {
		err = errUnreadable
	}
	return seq&1 == 1, hub.Loc{Seq: seq >> 1, Off: uint32(off), Len: uint32(length)}, err
}

// packPlace: what the directory says of a name.
func packPlace(num uint64, slot int) string { return packed{num, uint64(slot)}.String() }

func (p *partition) unpackPlace(s string) (num uint64, slot int, err error) {
	var at uint64
	if err = unpack(s, &num, &at); err == nil && at >= uint64(p.slots) {
		err = errUnreadable
	}
	return num, int(at), err
}

// Spans are the values of one Range parameter of one thing, in order. Each has a first byte that says how its Lo (low
// four bits) and its Hi (high four bits) are written: 0 to 6, as an integer of that many decimals, zigzag; 7, as eight
// bytes of IEEE 754; and for Hi 8, not at all, because it is Lo.
const (
	asFloat = 7
	asLow   = 8
)

func packSpans(spans []span) string {
	b := make([]byte, 0, 16)
	for _, s := range spans {
		at := len(b)
		b = append(b, 0)
		var form byte
		b, form = appendNumber(b, s.lo)
		b[at] = form
		if s.hi == s.lo {
			b[at] |= asLow << 4
			continue
		}
		b, form = appendNumber(b, s.hi)
		b[at] |= form << 4
	}
	return string(b)
}

func appendNumber(b []byte, v float64) ([]byte, byte) {
	if v == 0 {
		v = 0 // not −0
	}
	for decimals, scale := range powers {
		if n := math.Round(v * scale); math.Abs(n) < 1<<48 && n/scale == v {
			return binary.AppendVarint(b, int64(n)), byte(decimals)
		}
	}
	return binary.BigEndian.AppendUint64(b, math.Float64bits(v)), asFloat
}

var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6}

// unpackSpans gives the spans to each, until it returns false.
func unpackSpans(s string, each func(span) bool) error {
	b := []byte(s)
	number := func(form byte) (v float64, ok bool) {
		if form == asFloat && len(b) >= 8 {
			v, b = math.Float64frombits(binary.BigEndian.Uint64(b)), b[8:]
			return v, !math.IsNaN(v)
		}
		n, w := binary.Varint(b)
		if form >= asFloat || w <= 0 {
			return 0, false
		}
		b = b[w:]
		return float64(n) / powers[form], true
	}
	for len(b) > 0 {
		form := b[0]
		b = b[1:]
		lo, ok := number(form & 15)
		hi := lo
		if ok && form>>4 != asLow {
			hi, ok = number(form >> 4)
		}
		if !ok {
			return errUnreadable
		}
		if !each(span{lo, hi}) {
			return nil
		}
	}
	return nil
}

// digest stands for a text in 16 bytes.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return string(sum[:16])
}
