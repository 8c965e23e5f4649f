package charset

import "unicode/utf8"

// surelyGBK reports whether v reads as Chinese in GBK. Where Latin-1 was declared the evidence must be stronger: every
// run of bytes above 127 consists of whole GB 2312 characters, half of them of its common first level, and either there
// are two of them or no Latin letter is near; accented letters stand alone or are of the second level ("créée", "Größe").
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
		case !extension || declaredLatin:
			return false
		}
		pairs++
	}
	if declaredLatin {
		return common*2 >= pairs && (pairs >= 2 || !letters)
	}
	return common*3 >= pairs || !letters
}

// surelyUTF8 reports whether v, declared as GBK or GB18030, is UTF-8: valid, with three-byte ideographs and no
// two-byte sequence, which GBK text resembles by accident.
func surelyUTF8(v []byte) bool {
	ideographs := 0
	for i := 0; i < len(v); {
		r, n := utf8.DecodeRune(v[i:])
		switch {
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
