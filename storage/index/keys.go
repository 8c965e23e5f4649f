package index

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// Every key of the index is made here; DESIGN.md has the table with a worked row for each.

// longest is how long the value of an Exact term may be in a key; a longer one is hashed.
const longest = 72

// metaKey: stamp, gen, applied, emptying.
func (p *partition) metaKey() string { return "{" + p.tag + "}:meta" }

// typesKey is the roll of the types.
func (p *partition) typesKey() string { return "{" + p.tag + "}:types" }

// at is the prefix of a slot's keys: "{r07}:".
func (p *partition) at(slot int) string {
	if p.slots == 1 {
		return "{" + p.tag + "}:"
	}
	return "{" + p.tag + string([]byte{'0' + byte(slot/10), '0' + byte(slot%10)}) + "}:"
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
func (p *partition) nameKey(slot, bucket int) string {
	return p.at(slot) + "k:" + strconv.Itoa(bucket)
}

// headKey is the hash of the heads around num.
func (p *partition) headKey(slot int, num uint64) string {
	return p.at(slot) + "h:" + strconv.FormatUint(num/p.block, 10)
}

// versionsKey is the hash of the versions of one thing.
func (p *partition) versionsKey(slot int, num uint64) string {
	return p.at(slot) + "v:" + strconv.FormatUint(num, 10)
}

// allKey is the set of what lives of a type.
func (p *partition) allKey(slot int, typ string) string { return p.at(slot) + "a:" + part(typ) }

// exactKey is the set of what has the Exact term.
func (p *partition) exactKey(slot int, typ, param, value string) string {
	if len(value) > longest || strings.HasPrefix(value, "#") {
		sum := sha256.Sum256([]byte(value))
		value = "#" + base64.RawURLEncoding.EncodeToString(sum[:24])
	}
	return p.at(slot) + "e:" + part(typ) + ":" + part(param) + ":" + value
}

// textKey is the sorted set of the Text terms of a parameter, in the order of their bytes.
func (p *partition) textKey(slot int, typ, param string) string {
	return p.at(slot) + "l:" + part(typ) + ":" + part(param)
}

// lowKey holds Range.Lo, highKey Range.Hi where it differs, manyKey how many further values a thing has.
func (p *partition) lowKey(slot int, typ, param string) string {
	return p.at(slot) + "n:" + part(typ) + ":" + part(param)
}

func (p *partition) highKey(slot int, typ, param string) string {
	return p.at(slot) + "x:" + part(typ) + ":" + part(param)
}

func (p *partition) manyKey(slot int, typ, param string) string {
	return p.at(slot) + "m:" + part(typ) + ":" + part(param)
}

// part keeps the colon for the key's own structure.
func part(s string) string {
	if !strings.ContainsAny(s, ":%") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "%", "%25"), ":", "%3A")
}

// Members: a number, "num:1" for the second value of a Range, "text\x00num" for a Text term.

func member(num uint64) string { return strconv.FormatUint(num, 10) }

func rangeMember(num uint64, i int) string {
	if i == 0 {
		return member(num)
	}
	return member(num) + ":" + strconv.Itoa(i)
}

// numOf reads the number of a set's or range's member; first is false for "num:1" and its like.
func numOf(m string) (num uint64, first bool) {
	digits, _, more := strings.Cut(m, ":")
	num, err := strconv.ParseUint(digits, 10, 64)
	return num, err == nil && !more
}

func textMember(text string, num uint64) string { return text + "\x00" + member(num) }

func splitText(m string) (text string, num uint64) {
	i := strings.LastIndexByte(m, 0)
	if i < 0 {
		return m, 0
	}
	num, _ = numOf(m[i+1:])
	return m[:i], num
}
