package hl7

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"concord/hub"
)

// Charset is the character set that a message was read in.
type Charset struct {
	// Declared is MSH-18, its first repetition, as sent; empty if the sender says nothing, which means ASCII (2.14.9.18).
	Declared string
	// Used is the name of the one that the bytes were read as, in the words of table 0211.
	Used string

	of   encoding.Encoding // nil: UTF-8 or ASCII
	mark string            // the escape of ISO 2022 that is not in the bytes, since a sequence of HL7 stands for it
}

// charsets are those of table 0211 by their names as they are compared, and by what senders write for them.
var charsets = sync.OnceValue(func() map[string]Charset {
	return map[string]Charset{
		"":         {Used: "ASCII"},
		"ASCII":    {Used: "ASCII"},
		"ISOIR6":   {Used: "ASCII"},
		"USASCII":  {Used: "ASCII"},
		"88591":    {Used: "8859/1", of: charmap.Windows1252}, // those who write it mean that; the rest is the same
		"LATIN1":   {Used: "8859/1", of: charmap.Windows1252},
		"CP1252":   {Used: "8859/1", of: charmap.Windows1252},
		"88592":    {Used: "8859/2", of: charmap.ISO8859_2},
		"88593":    {Used: "8859/3", of: charmap.ISO8859_3},
		"88594":    {Used: "8859/4", of: charmap.ISO8859_4},
		"88595":    {Used: "8859/5", of: charmap.ISO8859_5},
		"88596":    {Used: "8859/6", of: charmap.ISO8859_6},
		"88597":    {Used: "8859/7", of: charmap.ISO8859_7},
		"88598":    {Used: "8859/8", of: charmap.ISO8859_8},
		"88599":    {Used: "8859/9", of: charmap.ISO8859_9},
		"885915":   {Used: "8859/15", of: charmap.ISO8859_15},
		"GB18030":  {Used: "GB 18030-2000", of: simplifiedchinese.GB18030},
		"BIG5":     {Used: "BIG-5", of: traditionalchinese.Big5},
		"KSX1001":  {Used: "KS X 1001", of: korean.EUCKR},
		"ISOIR14":  {Used: "ISO IR14", of: japanese.ShiftJIS},
		"ISOIR87":  {Used: "ISO IR87", of: japanese.ISO2022JP},
		"ISOIR159": {Used: "ISO IR159", of: japanese.ISO2022JP},
		"UTF8":     {Used: "UNICODE UTF-8"},
		"UTF16":    {Used: "UNICODE UTF-16", of: unicode.UTF16(unicode.BigEndian, unicode.UseBOM)},
		"UTF32":    {Used: "UNICODE UTF-32", of: utf32.UTF32(utf32.BigEndian, utf32.UseBOM)},
	}
})

// charsetOf finds the character set of a name; unknown ones are of no use.
func charsetOf(name string) (Charset, bool) {
	key := strings.Map(func(c rune) rune {
		if strings.ContainsRune(" -_/.", c) {
			return -1
		}
		return c
	}, strings.ReplaceAll(strings.ToUpper(name), ":1987", ""))
	key = strings.TrimPrefix(key, "UNICODE")
	if strings.HasPrefix(key, "ISO8859") {
		key = key[3:]
	}
	switch key {
	case "": // UNICODE alone, most often UTF-8
		if name != "" {
			key = "UTF8"
		}
	case "GB180302000", "GB180302005", "GB2312", "GB231280", "GBK", "CP936", "936", "ISOIR58", "EUCCN":
		key = "GB18030"
	case "BIG5HKSCS", "CP950":
		key = "BIG5"
	case "WINDOWS1252":
		key = "CP1252"
	}
	set, ok := charsets()[key]
	set.Declared = name
	return set, ok
}

// Text is a message as text for people, in its character set, one segment a line; also one that Parse refuses.
func Text(raw []byte) string {
	text, _, _ := decode(raw)
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// decode makes text of a message's bytes, by what MSH-18 says unless the bytes say otherwise.
func decode(raw []byte) (text string, set Charset, warnings []*hub.Error) {
	at := Place{Segment: "MSH", Nth: 1, Field: 18}.String()
	warn := func(msg, hint string) {
		warnings = append(warnings, &hub.Error{Kind: hub.Invalid, Path: at, Msg: msg, Hint: hint})
	}
	if wide, ok := wideMark(raw); ok {
		set, _ = charsetOf(wide)
		set.Declared = ""
		return set.text(raw), set, nil
	}
	name, others := declaration(raw)
	set, known := charsetOf(name)
	if !known {
		warn("the character set is not one that is known", "such as UNICODE UTF-8 or GB 18030-2000")
		set.Used, set.of = "ASCII", nil
	}
	if strings.HasPrefix(set.Used, "UNICODE UTF-") && set.of != nil { // said so, but the bytes have no mark: single ones
		set.Used, set.of = "UNICODE UTF-8", nil
	}
	switches := switchesIn(raw)
	if isPlain(raw) && !switches && set.of != japanese.ISO2022JP { // whose characters are pairs of bytes of ASCII
		return string(raw), set, warnings
	}
	if switches {
		text = set.switched(raw)
	} else {
		if other, ok := besides(raw, others); ok && set.Used == "ASCII" {
			set.Used, set.of = other.Used, other.of
		}
		if used := judge(raw, set); used.Used != set.Used {
			if known {
				warn("the text is not in the character set that is declared: it was read as "+used.Used, "declare "+used.Used)
			}
			set.Used, set.of = used.Used, used.of
		}
		text = set.text(raw)
	}
	if strings.ContainsRune(text, utf8.RuneError) && !bytes.Contains(raw, []byte("\ufffd")) {
		warn("some text is broken in its character set; each such character was replaced", "")
	}
	return text, set, warnings
}

// besides is the first of a message's other character sets that all its bytes can be in. Text is to be in the first one, but
// for what an escape sequence announces (2.14.9.18); those who send none mean that all of it is in the other.
func besides(raw []byte, others []string) (Charset, bool) {
	for _, name := range others {
		if set, ok := charsetOf(name); ok && set.Used != "ASCII" && set.of != japanese.ISO2022JP && (set.of != nil || utf8.Valid(raw)) && wholly(raw, set) {
			return set, true
		}
	}
	return Charset{}, false
}

// judge says which character set bytes beyond ASCII are in.
func judge(raw []byte, set Charset) Charset {
	gb, _ := charsetOf("GB 18030-2000")
	latin, _ := charsetOf("8859/1")
	u8, _ := charsetOf("UNICODE UTF-8")
	switch set.Used {
	case "UNICODE UTF-8":
		if !utf8.Valid(raw) && wholly(raw, gb) {
			return gb
		}
		return set
	case "GB 18030-2000", "BIG-5":
		if surelyUTF8(raw) {
			return u8
		}
		return set
	case "ASCII", "8859/1":
		switch {
		case utf8.Valid(raw):
			return u8
		case surelyGB(raw, set.Used != "ASCII") && wholly(raw, gb):
			return gb
		}
		return latin
	}
	return set
}

// declaration is MSH-18, its first repetition and those behind. It is looked for before the character set is known, and text
// in GB 18030 may hold what looks like delimiters: then MSH is read as that.
func declaration(raw []byte) (first string, others []string) {
	raw = bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), "\r\n\t \x00")
	if i := bytes.IndexAny(raw, "\r\n"); i >= 0 {
		raw = raw[:i]
	}
	if len(raw) < 8 {
		return "", nil
	}
	first, others = headerField(string(raw), 18)
	if _, ok := charsetOf(first); ok && first != "" || isPlain(raw) {
		return first, others
	}
	gb, _ := charsetOf("GB 18030-2000")
	if other, more := headerField(gb.text(raw), 18); other != "" {
		return other, more
	}
	return first, others
}

// mostOthers are how many repetitions of MSH-18 behind the first are looked at.
const mostOthers = 8

// headerField is the first repetition of a field of a header that is not parsed, and the others.
func headerField(line string, n int) (first string, others []string) {
	if len(line) < 8 {
		return "", nil
	}
	sep, rep := line[3], line[5]
	f := part(line, sep, n) // MSH-1 is the separator itself, so that MSH-18 is the eighteenth piece
	if !mayDelimit(rep) {
		return strings.TrimSpace(f), nil
	}
	first, rest, more := cut(f, rep)
	for more && len(others) < mostOthers {
		var one string
		one, rest, more = cut(rest, rep)
		others = append(others, strings.TrimSpace(one))
	}
	return strings.TrimSpace(first), others
}

// wideMark tells UTF-16 and UTF-32 by their byte order mark.
func wideMark(raw []byte) (string, bool) {
	for _, m := range [...]struct{ mark, name string }{
		{"\x00\x00\xfe\xff", "UNICODE UTF-32"}, {"\xff\xfe\x00\x00", "UNICODE UTF-32"}, {"\xfe\xff", "UNICODE UTF-16"}, {"\xff\xfe", "UNICODE UTF-16"},
	} {
		if bytes.HasPrefix(raw, []byte(m.mark)) {
			return m.name, true
		}
	}
	return "", false
}

// text decodes bytes; what is broken becomes U+FFFD.
func (c Charset) text(b []byte) string {
	if c.of == nil {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	if c.mark != "" {
		b = append([]byte(c.mark), b...)
	}
	out, err := c.of.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	return string(out)
}

// Encode writes text in the character set; what it does not have becomes a question mark.
func (c Charset) Encode(text string) []byte {
	if c.of == nil {
		return []byte(text)
	}
	out, err := encoding.ReplaceUnsupported(c.of.NewEncoder()).Bytes([]byte(text))
	if err != nil {
		return []byte(text)
	}
	return bytes.ReplaceAll(out, []byte{0x1a}, []byte{'?'})
}

// switched decodes a message whose character set may change within a field by the escape sequences of 2.7.4, \Cxxyy\ and
// \Mxxyyzz\, until the next one or the field's end. The sequences stay; unescape takes them out.
func (c Charset) switched(raw []byte) string {
	if _, single := c.of.(*charmap.Charmap); c.of != nil && !single {
		return c.text(raw) // what looks like an escape may be half a character
	}
	escape, ends := raw[6], "\r\n"+string(raw[3:4])
	var out strings.Builder
	for now := c; ; {
		end, seq, next := nextSwitch(raw, escape, c)
		if now.Used != c.Used {
			if f := bytes.IndexAny(raw, ends); f >= 0 && f < end {
				out.WriteString(now.text(raw[:f]))
				raw, now = raw[f:], c
				continue
			}
		}
		out.WriteString(now.text(raw[:end]))
		if end == len(raw) {
			return out.String()
		}
		out.Write(raw[end : end+seq])
		raw, now = raw[end+seq:], next
	}
}

// switchesIn tells whether a message has sequences that change the character set.
func switchesIn(raw []byte) bool {
	if len(raw) < 8 {
		return false
	}
	where, _, _ := nextSwitch(raw, raw[6], Charset{})
	return where < len(raw)
}

// nextSwitch finds the next sequence that changes the character set: where, how long, and to what. Without one, where is
// the end.
func nextSwitch(raw []byte, escape byte, first Charset) (where, length int, next Charset) {
	for i := 0; i+2 < len(raw); i++ {
		j := bytes.IndexByte(raw[i:], escape)
		if j < 0 {
			break
		}
		if i += j; i+2 >= len(raw) || raw[i+1] != 'C' && raw[i+1] != 'M' {
			continue
		}
		n := bytes.IndexByte(raw[i+1:min(len(raw), i+12)], escape)
		if n < 0 {
			continue
		}
		if next, ok := switchTo(string(raw[i+1:i+1+n]), first); ok {
			return i, n + 2, next
		}
	}
	return len(raw), 0, first
}

// isSwitch tells whether a sequence changes the character set.
func isSwitch(seq string) bool {
	_, ok := switchTo(seq, Charset{})
	return ok
}

// switchTo says what a sequence changes to (2.7.4; table of ISO 2022 designations); first is the message's own set.
func switchTo(seq string, first Charset) (Charset, bool) {
	name := ""
	switch strings.ToUpper(seq) {
	case "C2842":
		return first, true
	case "C2D41":
		name = "8859/1"
	case "C2D42":
		name = "8859/2"
	case "C2D43":
		name = "8859/3"
	case "C2D44":
		name = "8859/4"
	case "C2D4C":
		name = "8859/5"
	case "C2D47":
		name = "8859/6"
	case "C2D46":
		name = "8859/7"
	case "C2D48":
		name = "8859/8"
	case "C2D4D":
		name = "8859/9"
	case "C284A", "C2949":
		name = "ISO IR14"
	case "M2442", "M242844":
		mark := "\x1b$B"
		if seq != "M2442" {
			mark = "\x1b$(D"
		}
		return Charset{Used: seq, of: japanese.ISO2022JP, mark: mark}, true
	default:
		return first, false
	}
	set, ok := charsetOf(name)
	return set, ok
}
