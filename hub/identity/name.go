package identity

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"concord/internal/fhir"
	"concord/internal/pinyin"
)

// Name is one name in the forms in which it is compared.
type Name struct {
	Text          string // folded: one form for variants of characters, no spaces
	Family, Given string // folded; Family is split off where the name came in one piece
	Use           string // FHIR's name-use
	Latin         bool   // it has no Chinese character

	familySounds, givenSounds []string // plain readings, the usual one first
	givenToned                string
	letters                   string // those of the whole reading, sorted: the same in whatever order the parts stand
	// The shares of people with the family name, one that reads like it, the given name, and one that reads like it.
	familyIs, familyReads, givenIs, givenReads float64
}

// readName adds a name, or learns that there is none yet.
func (m *Model) readName(t *Traits, v fhir.Value) {
	n, ok := m.nameOf(v)
	if !ok || len(t.Names) >= mostNames || n.Use == "anonymous" || matches(m.DummyNames, n.Text) {
		return
	}
	if mother, temporary := m.newborn(n.Text); temporary {
		t.Newborn = true
		if t.Mother.Name == "" {
			t.Mother.Name = mother
		}
		return
	}
	if !slices.ContainsFunc(t.Names, func(o Name) bool { return o.Text == n.Text && o.Family == n.Family }) {
		t.Names = append(t.Names, n)
	}
}

// nameOf brings a HumanName into its forms. Its parts go before its text.
func (m *Model) nameOf(v fhir.Value) (Name, bool) {
	n := Name{Use: strings.Clone(v.Get("use").Text())}
	var given []string
	for g := range v.Get("given").Items() {
		given = append(given, g.Text())
	}
	n.Family, n.Given = m.fold(v.Get("family").Text()), m.fold(strings.Join(given, " "))
	if n.Family == "" || n.Given == "" { // in one piece, wherever that stands
		text := v.Get("text").Text()
		if text == "" {
			text = v.Get("family").Text() + strings.Join(given, " ")
		}
		n.Family, n.Given = m.split(text)
	}
	n.Text = strings.Clone(n.Family + n.Given)
	n.Family, n.Given = n.Text[:len(n.Family)], n.Text[len(n.Family):]
	if n.Text == "" || utf8.RuneCountInString(n.Text) > 2*pinyin.MaxCharacters {
		return Name{}, false
	}
	n.Latin = !strings.ContainsFunc(n.Text, han)
	n.familySounds, n.givenSounds = sounds(n.Family), sounds(n.Given)
	n.givenToned = pinyin.Toned(n.Given)
	letters := []rune(n.familySounds[0] + n.givenSounds[0])
	slices.Sort(letters)
	n.letters = string(letters)
	n.familyReads, n.givenIs, n.givenReads = max(m.surnameSounds[n.familySounds[0]], m.Rarest), m.givenShare(n.Given), m.soundShare(n.Given)
	if n.familyIs = m.Surnames[n.Family]; n.familyIs == 0 {
		n.familyIs = m.Rarest
		if n.Latin {
			n.familyIs = n.familyReads
		}
	}
	return n, true
}

// matches tells whether one of the expressions matches.
func matches(all []*regexp.Regexp, text string) bool {
	return slices.ContainsFunc(all, func(r *regexp.Regexp) bool { return r.MatchString(text) })
}

func han(r rune) bool { return unicode.Is(unicode.Han, r) }

// fold brings a text into one form: width, case, accents, and variants of characters; nothing but letters stays.
func (m *Model) fold(text string) string {
	text, _, _ = strings.Cut(fhir.Normalise(text), "(") // a remark
	return strings.Map(func(r rune) rune {
		switch to, ok := m.Variants[r]; {
		case ok:
			return to
		case !unicode.IsLetter(r):
			return -1
		}
		return r
	}, text)
}

// split parts a name that came in one piece: at a point or space, behind a surname of two characters, else of one.
func (m *Model) split(text string) (family, given string) {
	if parts := strings.FieldsFunc(fhir.Normalise(text), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }); len(parts) > 1 {
		whole := m.fold(text)
		if !strings.ContainsFunc(whole, han) || strings.ContainsAny(text, "·•・.") {
			return m.fold(parts[len(parts)-1]), m.fold(strings.Join(parts[:len(parts)-1], ""))
		}
	}
	whole := m.fold(text)
	if !strings.ContainsFunc(whole, han) {
		return "", whole
	}
	_, first := utf8.DecodeRuneInString(whole)
	_, second := utf8.DecodeRuneInString(whole[first:])
	if first+second < len(whole) && m.compounds[whole[:first+second]] {
		first += second
	}
	return whole[:first], whole[first:]
}

func sounds(text string) []string {
	if whole, _ := pinyin.Spell(text); len(whole) > 0 {
		return whole[:min(len(whole), 3)]
	}
	return []string{text}
}

// newborn tells whether a name is that of a child without one, and whose child it is: 张丽之子 is 张丽's. An ending of one
// character needs three before it: 王丽子 may be a name.
func (m *Model) newborn(text string) (mother string, ok bool) {
	for _, ending := range m.Newborns {
		if rest, is := strings.CutSuffix(text, ending); is && utf8.RuneCountInString(rest) >= 4-min(2, utf8.RuneCountInString(ending)) {
			return rest, true
		}
	}
	return "", false
}
