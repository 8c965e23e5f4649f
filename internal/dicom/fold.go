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

// nameForms are the texts under which one component group is found: "wang^xiaodong", "wang xiaodong", and for
// ideographs also "王小东", since their readers write no space.
func nameForms(group string) []string {
	caret := foldName(group)
	if caret == "" {
		return nil
	}
	forms := []string{caret}
	if !strings.Contains(caret, "^") {
		return forms
	}
	parts := strings.FieldsFunc(caret, func(r rune) bool { return r == '^' })
	forms = append(forms, strings.Join(parts, " "))
	if ideographic(caret) {
		forms = append(forms, strings.Join(parts, ""))
	}
	return forms
}

// foldName folds a component group and drops padding around and empty components behind.
func foldName(group string) string {
	group = Fold(group)
	if strings.Contains(group, " ^") || strings.Contains(group, "^ ") {
		parts := strings.Split(group, "^")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		group = strings.Join(parts, "^")
	}
	return strings.TrimRight(group, "^ ")
}

func ideographic(s string) bool {
	for _, r := range s {
		if unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) {
			return true
		}
	}
	return false
}
