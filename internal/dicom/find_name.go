package dicom

import (
	"slices"
	"strings"
	"unicode"

	"concord/hub"
	"concord/internal/pinyin"
)

// Names match without regard to case and width, as PS3.4 C.2.2.2.1 leaves it to us. A key of one component group is looked for
// in all groups of the name, alphabetic, ideographic and phonetic; one of several groups in each at its place, but for groups
// that are empty or "*". A space is as good as a caret, and ideographs need neither. "Wang^*" finds "Wang", too.

// nameTest compiles one value of a PN key.
func nameTest(key string, fuzzy bool) func(string) bool {
	if fuzzy {
		words := nameWords(key)
		return func(name string) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !wordOf(w, name) })
		}
	}
	groups := nameGroups(key)
	if !strings.Contains(key, "=") {
		return func(name string) bool {
			return slices.ContainsFunc(strings.Split(name, "="), func(group string) bool { return groupMeets(groups[0], group) })
		}
	}
	return func(name string) bool {
		have := strings.Split(name, "=")
		for i, patterns := range groups {
			if i >= len(have) || !groupMeets(patterns, have[i]) {
				return false
			}
		}
		return true
	}
}

// nameGroups are the patterns of those component groups of a key that select, by their place.
func nameGroups(key string) map[int][]string {
	groups := map[int][]string{}
	for i, group := range strings.Split(key, "=") {
		if strings.Trim(group, "*^ ") != "" {
			groups[i] = groupPatterns(group)
		}
	}
	return groups
}

// groupPatterns are the patterns of one component group.
func groupPatterns(group string) []string {
	pattern := nameForm(group)
	all := []string{pattern}
	for strings.HasSuffix(pattern, "^*") { // components behind may be empty, and are then not written
		pattern = strings.TrimRight(strings.TrimSuffix(pattern, "^*"), "^")
		all = append(all, pattern)
	}
	return all
}

func groupMeets(patterns []string, group string) bool {
	form := nameForm(group)
	return form != "" && slices.ContainsFunc(patterns, func(p string) bool {
		return form == p || wild(p) && hub.MatchPattern(escapeBackslash(p), form)
	})
}

// nameWords are the words of a fuzzy key.
func nameWords(key string) []string {
	return strings.FieldsFunc(Fold(key), func(r rune) bool { return strings.ContainsRune(` ,^=*?\`, r) })
}

// wordOf reports whether a word begins a word of the name, in any of its groups, or is a part of it that has ideographs, or
// is how a name begins when it is written as one word: a Chinese one spelled, by its initials, or its given name alone, too.
func wordOf(word, name string) bool {
	for group := range strings.SplitSeq(name, "=") {
		form := nameForm(group)
		if ideographic(word) && strings.Contains(form, word) || begins(word, form, '^') {
			return true
		}
		if slices.ContainsFunc(spellings(group), func(s string) bool { return begins(word, s, ' ') }) {
			return true
		}
	}
	return false
}

func begins(word, text string, between rune) bool {
	for w := range strings.SplitSeq(text, string(between)) {
		if strings.HasPrefix(w, word) {
			return true
		}
	}
	return false
}

// mostSpellings bounds the readings that are kept of one name.
const mostSpellings = 4

// spellings are the ways to type a component group as one word. A Chinese one is typed in Latin letters, each time with its
// words: the whole name, its initials, and the given name where it is set apart: "wangxiaodong wxd xiaodong". Of others the
// words are joined: "wangxiaodong".
func spellings(group string) []string {
	parts := strings.FieldsFunc(Fold(group), func(r rune) bool { return r == '^' || r == ' ' })
	if !strings.ContainsFunc(group, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		if len(parts) < 2 {
			return nil
		}
		return []string{strings.Join(parts, "")}
	}
	whole, initials := pinyin.Spell(strings.Join(parts, ""))
	var given []string
	if len(parts) > 1 {
		given, _ = pinyin.Spell(strings.Join(parts[1:], ""))
	}
	var all []string
	for i := range min(mostSpellings, max(len(whole), len(initials), len(given))) {
		var words []string
		for _, readings := range [][]string{whole, initials, given} {
			if i < len(readings) {
				words = append(words, readings[i])
			}
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}
