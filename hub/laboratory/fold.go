package laboratory

import (
	"strings"
	"unicode"
)

// FoldName is the form in which names are compared: full-width letters as ASCII, lower case, without spaces and signs but #
// and %, which tell counts from shares (NEUT#, NEUT%).
func FoldName(name string) string {
	return strings.Map(func(c rune) rune {
		c = unicode.ToLower(narrow(c))
		if unicode.IsLetter(c) || unicode.IsDigit(c) || c == '#' || c == '%' {
			return c
		}
		return -1
	}, name)
}

// nameParts are the names that a text may hold: itself; and what stands before and in brackets, when there are some:
// 丙氨酸氨基转移酶(ALT).
func nameParts(text string) []string {
	outside, rest, found := strings.Cut(strings.Map(narrow, text), "(")
	inside, after, closed := strings.Cut(rest, ")")
	if !found || !closed || strings.TrimSpace(after) != "" {
		return []string{text}
	}
	return []string{text, outside, inside}
}

// FoldUnit is the form in which units are compared: signs that are written in several ways (×, µ, ⁹, ／) are written in
// one, spaces left out. Case is kept, for it tells units apart: mmol/L and Mmol/L.
func FoldUnit(unit string) string {
	var b strings.Builder
	raised := false
	for _, c := range unit {
		c = narrow(c)
		if d, ok := superscripts[c]; ok {
			if !raised {
				b.WriteByte('^')
			}
			raised = true
			b.WriteRune(d)
			continue
		}
		raised = false
		switch c {
		case '×', '✕', '╳', '·', '•', '∗', 'X':
			c = '*'
		case 'µ', 'μ':
			c = 'u'
		case '∕', '÷':
			c = '/'
		case '㎜':
			b.WriteString("mm")
			continue
		case '㎎':
			b.WriteString("mg")
			continue
		case 'ℓ', '㎖':
			if c == '㎖' {
				b.WriteByte('m')
			}
			c = 'L'
		}
		if unicode.IsSpace(c) {
			continue
		}
		b.WriteRune(c)
	}
	s := b.String()
	if rest, ok := strings.CutPrefix(s, "x10"); ok { // x10^9/L
		s = "*10" + rest
	}
	if rest, ok := strings.CutPrefix(s, "*10"); ok {
		s = "10" + rest
	}
	if rest, ok := strings.CutPrefix(s, "10^"); ok {
		s = "10*" + rest
	} else if rest, ok := strings.CutPrefix(s, "10E"); ok {
		s = "10*" + rest
	} else if rest, ok := strings.CutPrefix(s, "10e"); ok {
		s = "10*" + rest
	}
	return s
}

// narrow is the ASCII form of a full-width sign.
func narrow(c rune) rune {
	switch {
	case c >= '！' && c <= '～':
		return c - '！' + '!'
	case c == '　':
		return ' '
	}
	return c
}

var superscripts = map[rune]rune{'⁰': '0', '¹': '1', '²': '2', '³': '3', '⁴': '4', '⁵': '5', '⁶': '6', '⁷': '7', '⁸': '8', '⁹': '9', '⁻': '-'}
