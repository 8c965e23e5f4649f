package fhir

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"concord/hub"
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
		t.words(v.Get("family"), v.Get("given"), v.Get("prefix"), v.Get("suffix"))
		if whole == "" {
			whole = wholeName(v)
		}
		t.word(whole)
	case "Address":
		t.words(v.Get("text"), v.Get("line"), v.Get("city"), v.Get("district"), v.Get("state"), v.Get("postalCode"), v.Get("country"))
	default:
		t.word(v.Text())
	}
}

func (t *terms) words(values ...Value) {
	for _, v := range values {
		for item := range v.Items() {
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

// stringMatch reads one alternative.
func (p *Param) stringMatch(value, modifier string) (hub.Match, error) {
	value = unescapeValue(value)
	normal := Normalise(value)
	if normal == "" {
		return hub.Match{}, p.invalid(value, "the text is empty")
	}
	switch modifier {
	case "exact":
		return hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: truncate(value)}, nil
	case "contains":
		literal := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(normal)
		return hub.Match{Kind: hub.Pattern, Text: "*" + literal + "*"}, nil
	}
	return hub.Match{Kind: hub.Prefix, Text: normal}, nil
}
