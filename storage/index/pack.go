package index

import (
	"encoding/binary"

	"concord/hub"
)

// Values are short runs of unsigned varints: a head takes about ten bytes.

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

// packHead: version and whether it is a deletion, seq, offset, length.
func packHead(version uint64, deleted bool, at hub.Loc) string {
	return packed{flagged(version, deleted), at.Seq, uint64(at.Off), uint64(at.Len)}.String()
}

func unpackHead(s string) (version uint64, deleted bool, at hub.Loc, err error) {
	var v, seq, off, length uint64
	if err = unpack(s, &v, &seq, &off, &length); err == nil && (off|length)>>32 != 0 {
		err = errUnreadable
	}
	return v >> 1, v&1 == 1, hub.Loc{Seq: seq, Off: uint32(off), Len: uint32(length)}, err
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
