package index

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Every key of the index is made here; DESIGN.md has the table with a worked row for each. A plan makes thousands, most of them
// several times: such keys are appended to bytes, by which it looks them up.

// longest is how long the value of an Exact term may be in a key; a longer one is hashed.
const longest = 72

// metaKey: stamp, gen, applied, emptying.
func (p *partition) metaKey() string { return "{" + p.tag + "}:meta" }

// typesKey is the roll of the types.
func (p *partition) typesKey() string { return "{" + p.tag + "}:types" }

// at is the prefix of a slot's keys: "{r07}:".
func (p *partition) at(slot int) string { return p.prefixes[slot] }

// in begins a key of a slot.
func (p *partition) in(b []byte, slot int) []byte {
	if b == nil {
		b = make([]byte, 0, 64)
	}
	return append(b, p.at(slot)...)
}

func (pl PartitionLayout) prefixes() []string {
	if pl.Slots == 1 {
		return []string{"{" + pl.Tag + "}:"}
	}
	all := make([]string, pl.Slots)
	for i := range all {
		all[i] = fmt.Sprintf("{%s%02d}:", pl.Tag, i)
	}
	return all
}

// patterns match all keys of the partition in a SCAN.
func (p *partition) patterns() []string {
	if p.slots == 1 {
		return []string{"{" + p.tag + "}:*"}
	}
	return []string{"{" + p.tag + "}:*", "{" + p.tag + "[0-9][0-9]}:*"}
}

// markKey: gen, seq, changed of one slot.
func (p *partition) markKey(slot int) string { return p.at(slot) + "mark" }

// nameKey is the directory hash of one bucket.
func (p *partition) nameKey(b []byte, slot, bucket int) []byte {
	return strconv.AppendInt(append(p.in(b, slot), "k:"...), int64(bucket), 10)
}

// nameField is a name in the directory: as it is when it is short, so that it never looks like a digest.
func nameField(name string) string {
	if len(name) < 16 {
		return name
	}
	return digest(name)
}

// headKey is the hash of the heads around num.
func (p *partition) headKey(b []byte, slot int, num uint64) []byte {
	return strconv.AppendUint(append(p.in(b, slot), "h:"...), num/p.block, 10)
}

// versionsKey is the hash of the versions of one thing.
func (p *partition) versionsKey(b []byte, slot int, num uint64) []byte {
	return strconv.AppendUint(append(p.in(b, slot), "v:"...), num, 10)
}

// allKey is the set of what lives of a type.
func (p *partition) allKey(b []byte, slot int, typ string) []byte {
	return append(append(p.in(b, slot), "a:"...), part(typ)...)
}

// exactKey is the set of what has the Exact term.
func (p *partition) exactKey(b []byte, slot int, typ, param, value string) []byte {
	b = p.of(b, slot, 'e', typ, param)
	if len(value) > longest || strings.HasPrefix(value, "#") {
		sum := sha256.Sum256([]byte(value))
		return base64.RawURLEncoding.AppendEncode(append(b, ":#"...), sum[:24])
	}
	return append(append(b, ':'), value...)
}

// of begins a key about a parameter of a type: "{r07}:e:Observation:status".
func (p *partition) of(b []byte, slot int, kind byte, typ, param string) []byte {
	b = append(p.in(b, slot), kind, ':')
	return append(append(append(b, part(typ)...), ':'), part(param)...)
}

// textKey is the sorted set of the Text terms of a parameter, in the order of their bytes.
func (p *partition) textKey(b []byte, slot int, typ, param string) []byte {
	return p.of(b, slot, 'l', typ, param)
}

// rareSlot says in which slot and bucket a rare value is looked up.
func (p *partition) rareSlot(value string) (slot, bucket int) {
	h := spread(value)
	return int(h % uint64(p.slots)), int(h / uint64(p.slots) % uint64(p.buckets))
}

// rareKey is the hash of one bucket of Exact terms that hardly two things share.
func (p *partition) rareKey(b []byte, slot, bucket int, typ, param string) []byte {
	return strconv.AppendInt(append(p.of(b, slot, 'i', typ, param), ':'), int64(bucket), 10)
}

// columnKey is the hash of the values that the things around num have for a Range parameter.
func (p *partition) columnKey(b []byte, slot int, param string, num uint64) []byte {
	b = append(append(p.in(b, slot), "c:"...), part(param)...)
	return strconv.AppendUint(append(b, ':'), num/p.block, 10)
}

// manyKey is the set of what has several values of a Range parameter.
func (p *partition) manyKey(b []byte, slot int, typ, param string) []byte {
	return p.of(b, slot, 'm', typ, param)
}

// A page is the set of what has a value in a bucket: near, with both its ends in it; next, with its Lo in it and its Hi
// in the bucket behind it; wide, with its Lo in it and its Hi further off; far, with the Hi of what is wide in it.
// pageTail is its key without the slot's prefix.
const (
	near = 'n'
	next = 'o'
	wide = 'w'
	far  = 'y'
)

func pageTail(b []byte, kind byte, typ, param string, at bucket) []byte {
	b = append(append(append(b, kind, ':'), part(typ)...), ':')
	return strconv.AppendUint(append(append(b, part(param)...), ':'), uint64(at), 10)
}

// pagesKey is the roll of a parameter's buckets that have, or had, a page of this kind in any slot.
func (p *partition) pagesKey(kind byte, typ, param string) string {
	return "{" + p.tag + "}:" + string(kind-'a'+'A') + ":" + part(typ) + ":" + part(param)
}

// hoursKey is the roll of a type's hours, with the time of the first commit of each.
func (p *partition) hoursKey(typ string) string { return "{" + p.tag + "}:U:" + part(typ) }

// part keeps the colon for the key's own structure.
func part(s string) string {
	if strings.IndexByte(s, ':') < 0 && strings.IndexByte(s, '%') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "%", "%25"), ":", "%3A")
}

// Members: a number, "text\x00num" for a Text term.

func member(num uint64) string { return strconv.FormatUint(num, 10) }

func textMember(text string, num uint64) string { return text + "\x00" + member(num) }

func splitText(m string) (text string, num uint64) {
	i := strings.LastIndexByte(m, 0)
	if i < 0 {
		return m, 0
	}
	num, _ = strconv.ParseUint(m[i+1:], 10, 64)
	return m[:i], num
}
