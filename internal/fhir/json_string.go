package fhir

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads a string, its quotes included, and says whether it has escapes.
func (p *parser) str() (ok, escaped bool) {
	data, i := p.data, p.pos+1
	for i < len(data) {
		switch c := data[i]; {
		case c == '"':
			p.pos = i + 1
			return true, escaped
		case c == '\\':
			w := escapeWidth(data[i:])
			if w == 0 {
				p.pos = i
				return p.stop("an escape that is none, or an unpaired surrogate"), false
			}
			escaped = true
			i += w
		case c < 0x20:
			p.pos = i
			return p.stop("a control character inside a string"), false
		default:
			i++
		}
	}
	p.pos = i
	return p.stop("the text ends inside a string"), false
}

// escapeWidth is the length of the escape sequence that s begins with, a surrogate pair counted as one; 0 if it is none.
func escapeWidth(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r := hex4(s)
		switch {
		case r < 0:
			return 0
		case !utf16.IsSurrogate(r):
			return 6
		case len(s) >= 12 && s[6] == '\\' && s[7] == 'u' && utf16.DecodeRune(r, hex4(s[6:])) != utf8.RuneError:
			return 12
		}
	}
	return 0
}

// hex4 is the code unit of the sequence \uXXXX that s begins with, −1 if it is none.
func hex4[S []byte | string](s S) rune {
	if len(s) < 6 {
		return -1
	}
	var r rune
	for i := 2; i < 6; i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unescape decodes the escapes of a string that was scanned before.
func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		if s[1] != 'u' {
			b.WriteByte(escapes[s[1]])
			s = s[2:]
			continue
		}
		r := hex4(s)
		s = s[6:]
		if utf16.IsSurrogate(r) {
			r = utf16.DecodeRune(r, hex4(s))
			s = s[6:]
		}
		b.WriteRune(r)
	}
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
