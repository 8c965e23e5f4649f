package fhir

import (
	"slices"
	"strings"
	"unicode"

	"concord/hub"
	"concord/internal/pinyin"
)

// phonetic compiles the parameter of that name: each word asked for sounds like one of a name. Chinese texts sound alike
// that are spelled alike in pinyin without tones, words of other scripts that have one Soundex code.
func (s scope) phonetic(p *Param, modifier, text string) ([]hub.Clause, error) {
	name := s.resource.byCode["name"]
	if modifier == "missing" {
		return s.condition(name.Code+":missing", text)
	}
	if err := s.checkModifier(p.Code, modifier, nil); err != nil {
		return nil, err
	}
	as := s.projection()
	values, err := s.alternatives(p.Code, text)
	if err != nil {
		return nil, err
	}
	alternatives := make([][][]string, len(values)) // for each value, for each word, how it may sound
	for i, value := range values {
		for _, word := range strings.Fields(Normalise(unescapeValue(value))) {
			alternatives[i] = append(alternatives[i], sounds(word))
		}
		if len(alternatives[i]) == 0 {
			return nil, invalid(p.Code, "the text is empty")
		}
	}
	return s.narrowed(name, onRecord(func(root Value) bool {
		var heard []string
		for _, t := range name.terms(root, as) {
			if t.Kind == hub.Exact && t.Param == name.Code {
				for _, word := range strings.Fields(Normalise(t.Text)) {
					heard = append(heard, sounds(word)...)
				}
			}
		}
		alike := func(word []string) bool {
			return slices.ContainsFunc(word, func(sound string) bool { return slices.Contains(heard, sound) })
		}
		return slices.ContainsFunc(alternatives, func(words [][]string) bool {
			return !slices.ContainsFunc(words, func(word []string) bool { return !alike(word) })
		})
	}))
}

// sounds lists how a normalised word may sound.
func sounds(word string) []string {
	if strings.ContainsFunc(word, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		whole, _ := pinyin.Spell(word)
		return whole
	}
	return []string{soundex(word)}
}

// soundex is the American Soundex code of a word in lower case; what has no Latin letter is its own.
func soundex(word string) string {
	const digits = "01230120022455012623010202" // of a to z; 0 for vowels, h, w and y
	code := make([]byte, 0, 4)
	last := byte(0)
	for i := 0; i < len(word) && len(code) < 4; i++ {
		c := word[i]
		if c < 'a' || c > 'z' {
			continue
		}
		digit := digits[c-'a']
		switch {
		case len(code) == 0:
			code = append(code, c-'a'+'A')
		case digit != '0' && digit != last:
			code = append(code, digit)
		}
		if c != 'h' && c != 'w' { // letters with one of them between are as if next to each other
			last = digit
		}
	}
	if len(code) == 0 {
		return word
	}
	return (string(code) + "000")[:4]
}
