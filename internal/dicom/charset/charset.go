// Package charset decodes the text of DICOM data sets: Specific Character Set (0008,0005) of PS3.3 C.12.1.1.2 with the
// code extensions of PS3.5 6.1.2, and what the field really sends: GBK and UTF-8 that is declared wrongly or not at all.
package charset

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Repair says how the text read differs from what was declared.
type Repair uint8

const (
	AsDeclared Repair = iota
	AsGBK             // GBK bytes, declared as something else or not at all
	AsUTF8            // UTF-8 bytes, declared as something else or not at all
	AsLatin1          // bytes above 127 without a declaration that explains them, read as Latin-1
	Lossy             // bytes that no reading explains became U+FFFD
)

var repairNames = [...]string{"as declared", "read as GBK", "read as UTF-8", "read as Latin-1", "lossy"}

// String is a phrase for warnings.
func (r Repair) String() string { return repairNames[r] }

// plane is a coded character set that can stand in G0 or G1.
type plane uint8

const (
	none     plane = iota
	ascii          // ISO 646, also JIS X 0201 romaji
	katakana       // JIS X 0201, right half
	jis0208        // two bytes
	jis0212
	ksx1001
	gb2312
	latin // a right half of ISO 8859 or TIS 620, found in slot.table
)

// slot is what G0 or G1 holds.
type slot struct {
	plane plane
	table *charmap.Charmap
}

// Set is a Specific Character Set ready to decode. The zero Set is the default repertoire.
// A Set is not changed by decoding and may be used by several goroutines.
type Set struct {
	whole   encoding.Encoding // GB18030 (also GBK): no code extensions
	utf8    bool
	extends bool // escape sequences are honoured
	g1      slot
	// guess is set where bytes above 127 have no declared meaning, or only Latin-1, the commonest false one.
	guess bool
	// evidence is how other text of the same data set had to be read.
	evidence Repair
}

// Given returns the set for a data set in which some text was found to be as repair says: what else does not fit the
// declaration is then read the same way on weaker grounds.
func (s Set) Given(repair Repair) Set {
	s.evidence = repair
	return s
}

// New makes the set of the values of (0008,0005). Terms it does not know come back in unknown and count as undeclared.
func New(terms []string) (set Set, unknown []string) {
	d := declare(terms)
	set = Set{utf8: d.utf8, extends: d.extends, g1: d.g1, guess: !d.utf8 && d.whole == nil && (d.g1.plane == none || d.latin1)}
	if d.whole != nil {
		set.whole = simplifiedchinese.GB18030 // GBK is a part of it, and those who write GBK exceed it
	}
	return set, d.unknown
}

// Plain reports whether v is printable as it stands in every character set: no byte above 127, no escape.
func Plain(v []byte) bool {
	for _, c := range v {
		if c >= 0x80 || c == 0x1B {
			return false
		}
	}
	return true
}

// Append decodes the whole value field v, delimiters included, as UTF-8. The result is always valid UTF-8.
// Splitting at backslashes must come after decoding: GBK and ISO 2022 have them as second bytes.
func (s *Set) Append(dst, v []byte) ([]byte, Repair) {
	if Plain(v) {
		return append(dst, v...), AsDeclared
	}
	escapes := bytes.IndexByte(v, 0x1B) >= 0
	switch {
	case escapes && (s.extends || s.whole == nil && !s.utf8):
		return s.appendExtended(dst, v)
	case s.utf8:
		text, cut := fromUTF8(v)
		if text != nil && !(s.evidence == AsGBK && resemblesUTF8(v)) {
			if cut {
				return append(dst, text...), Lossy
			}
			return append(dst, text...), AsDeclared
		}
		if out, ok := appendGBK(dst, v, s.cutGBK(v)); ok {
			return out, AsGBK
		}
		return append(dst, bytes.ToValidUTF8(v, []byte("\uFFFD"))...), Lossy
	case s.whole != nil:
		if surelyUTF8(v) {
			return append(dst, v...), AsUTF8
		}
		out, ok := appendWhole(dst, v, s.whole)
		if !ok {
			return out, Lossy
		}
		return out, AsDeclared
	case s.guess:
		return s.appendGuess(dst, v)
	}
	out, repair := s.appendExtended(dst, v)
	if repair == Lossy || hasC1(v) || s.evidence == AsGBK {
		return s.reconsider(out, len(dst), v, repair)
	}
	return out, repair
}

// reconsider looks for another reading of v than the declared one, which stands in dst from from on and does not explain v.
func (s *Set) reconsider(dst []byte, from int, v []byte, repair Repair) ([]byte, Repair) {
	if text, _ := fromUTF8(v); surelyUTF8(text) {
		return append(dst[:from], text...), AsUTF8
	}
	at := s.cutGBK(v)
	chinese := s.g1.plane == gb2312 && repair == Lossy // beyond GB 2312
	if chinese || s.g1.plane != ksx1001 && surelyGBK(v[:at], true) {
		if out, ok := appendGBK(nil, v, at); ok {
			return append(dst[:from], out...), AsGBK
		}
	}
	return dst, repair
}

// appendGuess reads bytes that were declared Latin-1 or not at all.
func (s *Set) appendGuess(dst, v []byte) ([]byte, Repair) {
	declared := s.g1.plane == latin
	text, cut := fromUTF8(v)
	switch {
	case text == nil:
	case cut && (s.evidence == AsGBK || !surelyUTF8(text)):
	case !cut && resemblesUTF8(v) && (s.evidence == AsGBK || surelyGBK(v, true) && !everydayUTF8(v)): // by accident
	default:
		return append(dst, text...), AsUTF8
	}
	if at := s.cutGBK(v); s.evidence == AsGBK || surelyGBK(v[:at], declared) {
		if out, ok := appendGBK(dst, v, at); ok {
			return out, AsGBK
		}
	}
	for _, c := range v {
		dst = utf8.AppendRune(dst, rune(c))
	}
	if declared {
		return dst, AsDeclared
	}
	return dst, AsLatin1
}

// appendGBK decodes what was guessed to be GBK; the byte at cut, where that is none behind the end, is half of a character.
func appendGBK(dst, v []byte, cut int) (out []byte, ok bool) {
	out, ok = appendWhole(dst, v[:cut], simplifiedchinese.GB18030)
	if cut < len(v) {
		out = append(append(out, "\uFFFD"...), v[cut+1:]...)
	}
	return out, ok
}

// appendWhole decodes with e; ok is false when some bytes had no meaning.
func appendWhole(dst, v []byte, e encoding.Encoding) (out []byte, ok bool) {
	text, err := e.NewDecoder().Bytes(v)
	if err != nil {
		return append(dst, bytes.ToValidUTF8(v, []byte("\uFFFD"))...), false
	}
	return append(dst, text...), !bytes.ContainsRune(text, utf8.RuneError)
}

// run decodes bytes of one plane; two-byte planes go through their EUC form, all bytes above 127.
func (p slot) run(dst, v []byte) ([]byte, bool) {
	switch p.plane {
	case katakana:
		ok := true
		for _, c := range v {
			r := rune(c)
			if c >= 0x80 {
				r = 0xFF61 + rune(c) - 0xA1
				if c < 0xA1 || c > 0xDF {
					r, ok = utf8.RuneError, false
				}
			}
			dst = utf8.AppendRune(dst, r)
		}
		return dst, ok
	case latin:
		ok := true
		for _, c := range v {
			r := p.table.DecodeByte(c)
			ok = ok && r != utf8.RuneError
			dst = utf8.AppendRune(dst, r)
		}
		return dst, ok
	case jis0208, jis0212:
		euc := make([]byte, 0, len(v)*3/2+1)
		for i, c := range v {
			if p.plane == jis0212 && i%2 == 0 {
				euc = append(euc, 0x8F)
			}
			euc = append(euc, c|0x80)
		}
		return appendWhole(dst, euc, japanese.EUCJP)
	case ksx1001:
		return appendWhole(dst, v, korean.EUCKR)
	case gb2312:
		return appendWhole(dst, v, simplifiedchinese.GBK)
	}
	return append(dst, bytes.Repeat([]byte("\uFFFD"), len(v))...), len(v) == 0
}
