package fhir

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"concord/hub"
	"concord/internal/pinyin"
)

// maxText is how many bytes of a text are searchable; the rest is cut off.
const maxText = 1024

// Normalise brings text into the form in which strings are compared: compatibility forms decomposed (full width
// becomes half width), accents of Latin, Greek and Cyrillic letters dropped, case folded, white space collapsed to
// single spaces, 1,024 bytes at most.
func Normalise(text string) string {
	return truncate(strings.Join(strings.Fields(fold(truncate(text))), " "))
}

// fold drops what text search does not tell apart: width, accents and case.
func fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	text = norm.NFKD.String(text)
	text = strings.Map(func(r rune) rune {
		if r >= 0x300 && r <= 0x36F { // combining diacritical marks
			return -1
		}
		return r
	}, text)
	return norm.NFKC.String(cases.Fold().String(text))
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func truncate(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// text adds the terms of a value of a string parameter (R4 search.html#string).
func (t *terms) text(v Value, typ string) {
	switch typ {
	case "HumanName":
		whole := v.Get("text").Text()
		t.words(v, "family", "given", "prefix", "suffix")
		if whole == "" {
			whole = wholeName(v)
		}
		t.word(whole)
	case "Address":
		t.words(v, "text", "line", "city", "district", "state", "postalCode", "country")
	default:
		t.word(v.Text())
	}
}

func (t *terms) words(v Value, members ...string) {
	for _, m := range members {
		if slices.Contains(t.elsewhere, m) {
			continue
		}
		for item := range v.Get(m).Items() {
			t.word(item.Text())
		}
	}
}

func (t *terms) word(text string) {
	normal := Normalise(text)
	if normal == "" {
		return
	}
	t.list = append(t.list, hub.Term{Param: t.param.Code, Kind: hub.Text, Text: normal})
	t.exact(truncate(text))
	if isASCII(normal) {
		return
	}
	whole, initials := pinyin.Spell(normal)
	t.spelled = append(append(t.spelled, whole...), initials...)
}

// pinyinSuffix marks the Text terms that are spellings of Chinese texts. They are apart, so that they serve the plain search
// alone, which looks at how they begin.
const pinyinSuffix = ":pinyin"

// spellings adds the spellings of all values of the parameter. One that another begins with is found by that one.
func (t *terms) spellings() {
	if len(t.spelled) == 0 {
		return
	}
	slices.Sort(t.spelled)
	for i, text := range t.spelled {
		if i+1 == len(t.spelled) || !strings.HasPrefix(t.spelled[i+1], text) {
			t.list = append(t.list, hub.Term{Param: t.param.Code + pinyinSuffix, Kind: hub.Text, Text: text})
		}
	}
}

// wholeName joins the parts of a name as it is written: family name first and no space for Chinese, given names
// first else.
func wholeName(v Value) string {
	family := v.Get("family").Text()
	var given []string
	for g := range v.Get("given").Items() {
		given = append(given, g.Text())
	}
	if r, _ := utf8.DecodeRuneInString(family); unicode.Is(unicode.Han, r) {
		return family + strings.Join(given, "")
	}
	return strings.TrimSpace(strings.Join(given, " ") + " " + family)
}

// stringAlternatives reads one alternative. Without a modifier a text is found by how it begins or, when what is asked for
// has no Chinese character, by how its pinyin or the initials of its pinyin begin, spaces and apostrophes or not.
func (p *Param) stringAlternatives(modifier, value string) ([][]hub.Clause, error) {
	value = unescapeValue(value)
	normal := Normalise(value)
	if normal == "" {
		return nil, p.invalid(value, "the text is empty")
	}
	switch modifier {
	case "exact":
		return [][]hub.Clause{{p.having(equalTo(truncate(value)))}}, nil
	case "contains":
		literal := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(normal)
		return [][]hub.Clause{{p.having(hub.Match{Kind: hub.Pattern, Text: "*" + literal + "*"})}}, nil
	}
	begins := func(text string) []hub.Match { return []hub.Match{{Kind: hub.Prefix, Text: text}} }
	found := [][]hub.Clause{{p.having(begins(normal)...)}}
	if spelled, ok := asSpelled(normal); ok {
		found = append(found, []hub.Clause{{Param: p.Code + pinyinSuffix, Any: begins(spelled)}})
	}
	return found, nil
}

// asSpelled is a text as pinyin.Spell would write it, if it may be a spelling: letters and digits begin with a Latin letter.
func asSpelled(normal string) (string, bool) {
	latin := false
	spelled := strings.Map(func(r rune) rune {
		latin = latin || r >= 'a' && r <= 'z'
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, normal)
	return spelled, latin && !strings.ContainsFunc(normal, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}
