package dicom

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold is the form in which text is compared: compatibility-composed, so that full-width letters equal plain ones, in
// lower case, with single spaces and none at the ends.
func Fold(s string) string {
	if ascii(s) {
		return strings.ToLower(squeeze(s))
	}
	return strings.ToLower(squeeze(norm.NFKC.String(s)))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func squeeze(s string) string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// nameForm is the text as which one component group, or a pattern for one, is compared: folded, with a caret between any
// two words, since many write a space there, and without any between ideographs, whose readers write none. Padding and empty
// components behind are dropped (PS3.5 6.2.1.1).
func nameForm(group string) string {
	group = Fold(group)
	if ideographic(group) {
		return strings.Map(func(r rune) rune {
			if r == '^' || r == ' ' {
				return -1
			}
			return r
		}, group)
	}
	for strings.Contains(group, " ^") || strings.Contains(group, "^ ") {
		group = strings.ReplaceAll(strings.ReplaceAll(group, " ^", "^"), "^ ", "^")
	}
	return strings.TrimRight(strings.ReplaceAll(group, " ", "^"), "^")
}

func ideographic(s string) bool {
	for _, r := range s {
		if unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) {
			return true
		}
	}
	return false
}
