package pinyin

import (
	"strings"
	"unicode"

	readings "github.com/mozillazg/go-pinyin"
)

// Toned spells a text in its usual reading with the marks of tones, without spaces: 张伟 is zhāngwěi. Texts of the same sound
// are so told from those of the same letters. Letters and digits stand for themselves, other signs for nothing.
func Toned(text string) string {
	var b strings.Builder
	count := 0
	for _, r := range text {
		if count++; count > MaxCharacters {
			break
		}
		switch {
		case unicode.Is(unicode.Han, r):
			usual, _, _ := strings.Cut(readings.PinyinDict[int(r)], ",")
			if usual == "" {
				usual = string(r)
			}
			b.WriteString(usual)
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}
