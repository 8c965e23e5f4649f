package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"concord/internal/pinyin"
)

// Model is what the judgement is made by. It is read-only once made and must not be copied. The mappings package loads
// one and lints it.
type Model struct {
	// Version is named in each Evidence.
	Version string
	// Population is the number of people that a newcomer might be one of, and Relatives how many of them are of the
	// newcomer's household: the odds before anything is compared.
	Population, Relatives float64
	// Link and Ask are the least probabilities for linking by weights, and for asking.
	Link, Ask float64
	// KeyHolders is the greatest number of Patients that one key may have for it to say something. A key of more is a
	// fault of its senders (a clinic's own phone for everybody) and is passed over by whoever looks for candidates.
	KeyHolders int
	// KeyExpected is how many of Population may be expected to share a key that is not a number; one that more would
	// share is not made.
	KeyExpected float64
	// Kinds of numbers, the most trusted first.
	Kinds []Kind
	// Variants maps a character to the form in which it is compared: 峯 to 峰, 張 to 张.
	Variants map[rune]rune
	// Alike groups characters that are taken for one another: look-alikes, and surnames written one for the other.
	Alike []string
	// Sounds are pairs of spellings that ears and input methods mix up: zh and z, ang and an.
	Sounds [][2]string
	// Compounds are the surnames of two characters.
	Compounds []string
	// Newborns are the endings of names of those who have none yet: 之子.
	Newborns []string
	// DummyNumbers, DummyPhones and DummyNames match what is written where a form insists; a phone is matched as digits, a
	// name in its folded form.
	DummyNumbers, DummyPhones, DummyNames []*regexp.Regexp
	// Mothers are codes of v3-RoleCode and v2-0131 for contacts that are the mother.
	Mothers []string
	// Weights by field and level.
	Weights map[string]map[string]Weight
	// Surnames, Characters and Givens are the shares of family names, of characters in given names, and of whole given
	// names that are common; Single is the share of given names of one character. Rarest is what any other has.
	Surnames, Characters, Givens map[string]float64
	Single, Rarest               float64

	once sync.Once
	compiled
}

// Kind is a kind of number.
type Kind struct {
	Name string
	// Systems and Types (of v2-0203) say which identifiers are of this kind.
	Systems, Types []string
	// Scoped numbers mean something only together with their system.
	Scoped bool
	// Resident numbers are citizen numbers (GB 11643); others are valid when they match Form, or always.
	Resident bool
	Form     *regexp.Regexp
	// Decides: two who share it are linked if name and birth date allow it.
	Decides bool
	// Contradicts: two who share it and agree in nothing else are quarantined.
	Contradicts bool
}

// Weight is how often a level is found where a field is stated by both: of one person, of relatives, of strangers.
type Weight struct{ Same, Relative, Stranger float64 }

// compiled is what a model works out once.
type compiled struct {
	bySystem, byType map[string]*Kind
	weights          map[string]map[string]logWeight
	alike            map[rune]int
	surnameSounds    map[string]float64 // by plain reading
	characterSounds  map[string]float64
	compounds        map[string]bool
	sounds           *strings.Replacer
	stamp            string
}

type logWeight struct{ same, relative, stranger float64 }

func (m *Model) ready() {
	m.once.Do(func() {
		m.bySystem, m.byType = map[string]*Kind{}, map[string]*Kind{}
		for i := range m.Kinds {
			for _, s := range m.Kinds[i].Systems {
				m.bySystem[s] = &m.Kinds[i]
			}
			for _, t := range m.Kinds[i].Types {
				m.byType[t] = &m.Kinds[i]
			}
		}
		m.weights = map[string]map[string]logWeight{}
		for field, levels := range m.Weights {
			m.weights[field] = map[string]logWeight{}
			for level, w := range levels {
				m.weights[field][level] = logWeight{bits(w.Same), bits(w.Relative), bits(w.Stranger)}
			}
		}
		m.alike = map[rune]int{}
		for i, group := range m.Alike {
			for _, r := range group {
				m.alike[r] = i + 1
			}
		}
		m.surnameSounds, m.characterSounds = map[string]float64{}, map[string]float64{}
		for name, share := range m.Surnames {
			m.surnameSounds[plain(name)] += share
		}
		for char, share := range m.Characters {
			m.characterSounds[plain(char)] += share
		}
		m.compounds = map[string]bool{}
		for _, c := range m.Compounds {
			m.compounds[c] = true
		}
		var pairs []string
		for _, s := range m.Sounds {
			pairs = append(pairs, s[0], s[1])
		}
		m.sounds = strings.NewReplacer(pairs...)
		m.stamp = m.stampOf()
	})
}

// bits is the logarithm to base 2 of a probability that is never taken for impossible.
func bits(p float64) float64 { return math.Log2(max(p, 1e-9)) }

func plain(text string) string {
	if whole, _ := pinyin.Spell(text); len(whole) > 0 {
		return whole[0]
	}
	return text
}

// Stamp names the rules and data by which Keys are made: another stamp means other keys, and another index.
func (m *Model) Stamp() string {
	m.ready()
	return m.stamp
}

func (m *Model) stampOf() string {
	text := func(all []*regexp.Regexp) (out []string) {
		for _, r := range all {
			out = append(out, r.String())
		}
		return out
	}
	type kind struct {
		Name           string
		Systems, Types []string
		Scoped         bool
		Form           string
	}
	var kinds []kind
	for _, k := range m.Kinds {
		form := ""
		if k.Form != nil {
			form = k.Form.String()
		}
		kinds = append(kinds, kind{k.Name, k.Systems, k.Types, k.Scoped, form})
	}
	data, _ := json.Marshal([]any{m.Population, m.KeyExpected, kinds, m.Variants, m.Compounds, m.Newborns, text(m.DummyNumbers),
		text(m.DummyPhones), text(m.DummyNames), m.Surnames, m.Characters, m.Givens, m.Single, m.Rarest}) // maps are sorted: it cannot fail
	sum := sha256.Sum256(data)
	return "identity-keys/1/" + hex.EncodeToString(sum[:6])
}

// givenShare is how many have a given name: that of the whole where it is common, else that of its characters.
func (m *Model) givenShare(given string) float64 {
	if p, ok := m.Givens[given]; ok {
		return p
	}
	n := utf8.RuneCountInString(given)
	p := m.lengthShare(n)
	for _, r := range given {
		p *= max(m.Characters[string(r)], m.Rarest)
	}
	return max(p, m.Rarest*m.Rarest)
}

// soundShare is how many have a given name that reads like the one given.
func (m *Model) soundShare(given string) float64 {
	p := m.lengthShare(utf8.RuneCountInString(given))
	for _, r := range given {
		p *= max(m.characterSounds[plain(string(r))], m.Rarest)
	}
	return max(p, m.givenShare(given))
}

func (m *Model) lengthShare(n int) float64 {
	switch n {
	case 1:
		return m.Single
	case 2:
		return 1 - m.Single
	}
	return .01
}
