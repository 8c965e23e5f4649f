package charset

import (
	"bytes"

	"golang.org/x/text/encoding/charmap"
)

// escape is one designating sequence of PS3.3 Tables C.12-3 and C.12-4: the ISO-IR number of the term that allows it, and
// what follows ESC.
type escape struct {
	ir, seq string
	g1      bool
	to      slot
}

func escapes() []escape {
	return []escape{
		{"87", "$B", false, slot{plane: jis0208}}, {"159", "$(D", false, slot{plane: jis0212}},
		{"149", "$)C", true, slot{plane: ksx1001}}, {"58", "$)A", true, slot{plane: gb2312}},
		{"13", ")I", true, slot{plane: katakana}},
		{"100", "-A", true, slot{latin, charmap.ISO8859_1}}, {"101", "-B", true, slot{latin, charmap.ISO8859_2}},
		{"109", "-C", true, slot{latin, charmap.ISO8859_3}}, {"110", "-D", true, slot{latin, charmap.ISO8859_4}},
		{"144", "-L", true, slot{latin, charmap.ISO8859_5}}, {"127", "-G", true, slot{latin, charmap.ISO8859_6}},
		{"126", "-F", true, slot{latin, charmap.ISO8859_7}}, {"138", "-H", true, slot{latin, charmap.ISO8859_8}},
		{"148", "-M", true, slot{latin, charmap.ISO8859_9}}, {"203", "-b", true, slot{latin, charmap.ISO8859_15}},
		{"166", "-T", true, slot{latin, charmap.Windows874}},
		{"", "(B", false, slot{plane: ascii}}, {"", "(J", false, slot{plane: ascii}},
		// Not in the standard, and written all the same: JIS C 6226 of 1978, and GB 2312 in G0.
		{"", "$@", false, slot{plane: jis0208}}, {"", "$A", false, slot{plane: gb2312}},
	}
}

// appendExtended decodes with the escape sequences of ISO 2022 (PS3.5 6.1.2.4 and 6.1.2.5).
//
// Delimiters and line ends bring the initial state back (6.1.2.5.3). Where nothing is in G1 initially its last content
// stays: files whose writers did not designate again after "^" read well so, and conformant ones are not affected.
func (s *Set) appendExtended(dst, v []byte) ([]byte, Repair) {
	table := escapes()
	g0, g1 := slot{plane: ascii}, s.g1
	clean, guessed := true, AsDeclared
	for i := 0; i < len(v); {
		c := v[i]
		switch {
		case c == 0x1B:
			e, ok := match(table, v[i+1:])
			if !ok {
				dst = append(dst, "\uFFFD"...)
				clean = false
				i++
				continue
			}
			if e.g1 {
				g1 = e.to
			} else {
				g0 = e.to
			}
			i += 1 + len(e.seq)
		case c >= 0x80:
			n := runLength(v[i:], func(b byte) bool { return b >= 0x80 })
			if g1.plane == none {
				out, repair := s.appendGuess(dst, v[i:i+n])
				dst, clean = out, clean && repair != AsLatin1
				guessed = max(guessed, repair)
			} else {
				var ok bool
				dst, ok = g1.run(dst, v[i:i+n])
				clean = clean && ok
			}
			i += n
		case g0.plane == ascii || c <= 0x20:
			dst = append(dst, c)
			if resets(c) {
				g0 = slot{plane: ascii}
				if s.g1.plane != none {
					g1 = s.g1
				}
			}
			i++
		default:
			n := runLength(v[i:], func(b byte) bool { return b > 0x20 && b < 0x7F })
			n -= n % 2
			if n == 0 {
				dst = append(dst, "\uFFFD"...)
				clean = false
				i++
				continue
			}
			var ok bool
			dst, ok = g0.run(dst, v[i:i+n])
			clean = clean && ok
			i += n
		}
	}
	if !clean {
		return dst, Lossy
	}
	return dst, guessed
}

// resets reports the characters before which the initial state is back. "^" and "=" delimit only in PN, but elsewhere
// a designation in front of them is repeated by every known writer, and G0 is ASCII here anyway.
func resets(c byte) bool {
	switch c {
	case '\\', '^', '=', '\r', '\n', '\f', '\t':
		return true
	}
	return false
}

func match(table []escape, v []byte) (escape, bool) {
	for _, e := range table {
		if bytes.HasPrefix(v, []byte(e.seq)) {
			return e, true
		}
	}
	return escape{}, false
}

func runLength(v []byte, in func(byte) bool) int {
	for i, c := range v {
		if !in(c) {
			return i
		}
	}
	return len(v)
}
