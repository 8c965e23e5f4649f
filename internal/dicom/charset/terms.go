package charset

import (
	"strings"
	"unicode"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// declared is what the values of Specific Character Set say (PS3.3 C.12.1.1.2).
type declared struct {
	utf8       bool
	whole      encoding.Encoding // GB18030 or GBK, which have no code extensions
	g1         slot              // what the first value puts there
	latin1     bool              // and that is Latin-1
	extends    bool              // escape sequences are honoured
	extensions []string          // the ISO-IR numbers that may then be designated, in order
	unknown    []string
}

// declare reads the terms. GBK and GB18030 behind the default repertoire, where the standard does not have them, count as
// the first value.
func declare(terms []string) declared {
	var d declared
	first := true // so far the terms are of the default repertoire
	for i, term := range terms {
		name, ok := canonical(term)
		if !ok {
			d.unknown = append(d.unknown, term)
			continue
		}
		d.extends = d.extends || i > 0 || strings.Contains(term, "2022")
		d.extensions = append(d.extensions, name)
		switch {
		case name == "6":
			continue
		case first && name == "GB18030":
			d.whole = simplifiedchinese.GB18030
		case first && name == "GBK":
			d.whole = simplifiedchinese.GBK
		case i == 0 && name == "192":
			d.utf8 = true
		case i == 0:
			if half, ok := rightHalf(name); ok { // the Japanese sets of two bytes stand in G0 only
				d.g1 = half
			}
			d.latin1 = name == "100"
		}
		first = false
	}
	return d
}

// canonical reduces the spellings of a term, the defined ones and those of the field, to its ISO-IR number, "GB18030" or
// "GBK".
func canonical(term string) (string, bool) {
	t := strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-/ \x00", r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, term)
	t = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(t, "ISO"), "2022"), "IR")
	switch t {
	case "", "6", "646", "ASCII", "USASCII":
		return "6", true
	case "192", "UTF8":
		return "192", true
	case "GB18030", "GB180302000", "GB180302005", "GB180302022":
		return "GB18030", true
	case "GBK", "GB2312", "GB231280", "CP936", "EUCCN":
		return "GBK", true
	case "LATIN1":
		return "100", true
	case "87", "159":
		return t, true
	}
	if ir, ok := parts8859()[t]; ok {
		return ir, true
	}
	_, ok := rightHalf(t)
	return t, ok
}

// parts8859 are the ISO-IR numbers of right halves by their names in ISO/IEC 8859, which some devices write.
func parts8859() map[string]string {
	return map[string]string{"88591": "100", "88592": "101", "88593": "109", "88594": "110", "88595": "144", "88596": "127",
		"88597": "126", "88598": "138", "88599": "148", "885911": "166", "885915": "203"}
}

// rightHalf is what a term as first value puts into G1 (PS3.3 Tables C.12-2 to C.12-4).
func rightHalf(ir string) (slot, bool) {
	switch ir {
	case "13":
		return slot{plane: katakana}, true
	case "149":
		return slot{plane: ksx1001}, true
	case "58":
		return slot{plane: gb2312}, true
	}
	var table *charmap.Charmap
	switch ir {
	case "100":
		table = charmap.ISO8859_1
	case "101":
		table = charmap.ISO8859_2
	case "109":
		table = charmap.ISO8859_3
	case "110":
		table = charmap.ISO8859_4
	case "144":
		table = charmap.ISO8859_5
	case "127":
		table = charmap.ISO8859_6
	case "126":
		table = charmap.ISO8859_7
	case "138":
		table = charmap.ISO8859_8
	case "148":
		table = charmap.ISO8859_9
	case "203":
		table = charmap.ISO8859_15
	case "166":
		table = charmap.Windows874
	}
	return slot{latin, table}, table != nil
}
