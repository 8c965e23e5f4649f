package charset

import (
	"bytes"
	"unicode/utf8"
)

// surelyGBK reports whether v reads as Chinese in GBK. Where Latin-1 was declared the evidence must be stronger: every
// run of bytes above 127 consists of whole characters of GB 2312, or of GBK where they do not begin like a letter, half of
// them of the common first level of GB 2312, and either there are two of them or no Latin letter is near; accented letters
// stand alone or are of the second level ("créée", "Größe").
func surelyGBK(v []byte, declaredLatin bool) bool {
	pairs, common, letters := 0, 0, false
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c < 0x80 {
			letters = letters || c|0x20 >= 'a' && c|0x20 <= 'z'
			continue
		}
		if i+1 == len(v) || c == 0x80 || c == 0xFF {
			return false
		}
		i++
		d := v[i]
		hanzi := c >= 0xB0 && c <= 0xF7 && d >= 0xA1 && d <= 0xFE
		symbol := c >= 0xA1 && c <= 0xA9 && d >= 0xA1 && d <= 0xFE
		extension := d >= 0x40 && d != 0x7F && d != 0xFF
		fourBytes := d >= '0' && d <= '9' && i+2 < len(v)
		switch {
		case hanzi && c <= 0xD7:
			common++
		case hanzi, symbol:
		case fourBytes && !declaredLatin:
			i += 2
		case !extension || declaredLatin && !beyondLatin(c, d):
			return false
		}
		pairs++
	}
	if declaredLatin {
		return common*2 >= pairs && (pairs >= 2 || !letters)
	}
	return common*3 >= pairs || !letters
}

// beyondLatin reports the characters of GBK outside of GB 2312, such as 喆 and 玥 in given names, whose first byte is a
// control character or a symbol in Latin-1.
func beyondLatin(c, d byte) bool { return c < 0xA0 || c >= 0xAA && c <= 0xAF && d <= 0xA0 }

// surelyUTF8 reports whether v, declared as GBK or GB18030, is UTF-8: valid, with three-byte ideographs and no
// two-byte sequence, which GBK text resembles by accident.
func surelyUTF8(v []byte) bool {
	ideographs := 0
	for i := 0; i < len(v); {
		r, n := utf8.DecodeRune(v[i:])
		switch {
		case r == utf8.RuneError && n == 3: // where fromUTF8 found half of a character
		case r == utf8.RuneError || n == 2:
			return false
		case r >= 0x3000 && r <= 0x9FFF || r >= 0xFF00 && r <= 0xFFEF:
			ideographs++
		case n >= 3:
			return false
		}
		i += n
	}
	return ideographs > 0
}

// fromUTF8 returns v if it is UTF-8, with U+FFFD for characters that were cut at the end of a component or value, where an
// attribute may have no more bytes; nil if it is none.
func fromUTF8(v []byte) (text []byte, cut bool) {
	if utf8.Valid(v) {
		return v, false
	}
	whole := 0
	for i := 0; i < len(v); {
		r, n := utf8.DecodeRune(v[i:])
		if r == utf8.RuneError && n == 1 {
			n = runLength(v[i:], func(b byte) bool { return b >= 0x80 })
			if utf8.FullRune(v[i:i+n]) || i+n < len(v) && bytes.IndexByte([]byte("\\^= \x00"), v[i+n]) < 0 {
				return nil, false
			}
		} else if n > 1 {
			whole++
		}
		i += n
	}
	if whole == 0 {
		return nil, false
	}
	return bytes.ToValidUTF8(v, []byte("\uFFFD")), true
}

// shortestCut is the length from which on a text may have been cut to what its attribute holds: SH has 16.
const shortestCut = 15

// cutGBK finds the first half of a character at the end of v, padding apart; len(v) where there is none.
func (s *Set) cutGBK(v []byte) int {
	if len(v) < shortestCut && s.evidence != AsGBK {
		return len(v)
	}
	text := bytes.TrimRight(v, " \x00")
	for i := 0; i < len(text); i++ {
		if text[i] < 0x80 {
			continue
		}
		if i+1 == len(text) {
			return i
		}
		i++
	}
	return len(v)
}

// resemblesUTF8 reports whether v, valid UTF-8, may be so by accident: it has two-byte sequences only, each of which is a
// character of the first level of GB 2312, too.
func resemblesUTF8(v []byte) bool {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c < 0x80:
			continue
		case c < 0xB0 || c > 0xD7 || i+1 == len(v) || v[i+1] < 0xA1:
			return false
		}
		i++
	}
	return true
}

// everydayUTF8 reports whether v, valid UTF-8 of two-byte sequences, is made of characters that people write: 头颅 in GBK is
// not, an archaic Greek letter and a soft hyphen.
func everydayUTF8(v []byte) bool {
	for _, r := range string(v) {
		switch {
		case r < 0x180 && r != 0xAD: // Latin
		case r >= 0x1CD && r <= 0x1DC: // Pinyin with tones
		case r >= 0x386 && r <= 0x3CE: // Greek
		case r >= 0x400 && r <= 0x45F: // Cyrillic
		case r >= 0x531 && r <= 0x586: // Armenian
		case r >= 0x5D0 && r <= 0x5EA: // Hebrew
		case r >= 0x621 && r <= 0x64A: // Arabic
		default:
			return false
		}
	}
	return true
}

// hasC1 reports control characters above 127, which DICOM text never has (PS3.5 6.1.3).
func hasC1(v []byte) bool {
	for _, c := range v {
		if c >= 0x80 && c < 0xA0 {
			return true
		}
	}
	return false
}
