package hl7

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// isPlain tells whether all bytes are ASCII without escapes of ISO 2022.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// wholly tells whether bytes are text of a character set without anything broken.
func wholly(b []byte, c Charset) bool {
	return !strings.ContainsRune(c.text(b), utf8.RuneError)
}

// surelyUTF8 tells whether bytes that are declared as GB 18030 or Big5 are UTF-8: valid, with ideographs in three bytes,
// and nothing in two bytes, which GB 18030 resembles by accident.
func surelyUTF8(b []byte) bool {
	ideographs := 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError || n == 2:
			return false
		case r >= 0x3000 && r <= 0x9FFF || r >= 0xFF00 && r <= 0xFFEF:
			ideographs++
		}
		b = b[n:]
	}
	return ideographs > 0
}

// surelyGB tells whether bytes that are not UTF-8, declared as 8859/1 or as nothing, are Chinese in GBK or GB 18030. Accented
// letters stand alone among others; Chinese comes in pairs of bytes, of which most, in common text, are of GB 2312. Where
// 8859/1 is declared, all must be, and half of them of its first level, the common characters.
func surelyGB(b []byte, declared bool) bool {
	pairs, common, simple := 0, 0, 0
	for {
		i := bytes.IndexFunc(b, func(r rune) bool { return r >= 0x80 || r == utf8.RuneError })
		if i < 0 {
			break
		}
		if b = b[i:]; len(b) < 2 {
			return false
		}
		lead, trail := b[0], b[1]
		n := 2
		switch {
		case lead >= 0xA1 && lead <= 0xF7 && trail >= 0xA1 && trail <= 0xFE:
			simple++
			if lead >= 0xB0 && lead <= 0xD7 {
				common++
			}
		case trail >= '0' && trail <= '9' && len(b) >= 4 && b[2] >= 0x81 && b[3] >= '0' && b[3] <= '9':
			n = 4
		case lead == 0x80 || lead == 0xFF || trail < 0x40 || trail == 0x7F || trail == 0xFF:
			return false
		}
		pairs++
		b = b[n:]
	}
	if declared {
		return simple == pairs && common*2 >= pairs && pairs >= 2
	}
	return simple*2 >= pairs && common*3 >= pairs
}
