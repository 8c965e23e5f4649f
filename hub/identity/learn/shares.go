package learn

import (
	"unicode"
	"unicode/utf8"

	"concord/hub/identity"
)

// Shares are how common names are.
type Shares struct {
	Surnames, Characters, Givens map[string]float64
	Single, Rarest               float64
}

// Counter counts names, one Patient after the other. Its zero value is ready.
type Counter struct {
	surnames, characters, givens map[string]float64
	names, letters, single       float64
}

// Add counts the names of a Patient that are in Chinese characters.
func (c *Counter) Add(t *identity.Traits) {
	if c.surnames == nil {
		c.surnames, c.characters, c.givens = map[string]float64{}, map[string]float64{}, map[string]float64{}
	}
	for i := range t.Names {
		n := &t.Names[i]
		if n.Latin || n.Family == "" || n.Given == "" || utf8.RuneCountInString(n.Given) > 2 || n.Use == "old" || n.Use == "maiden" {
			continue
		}
		c.names++
		c.surnames[n.Family]++
		c.givens[n.Given]++
		if utf8.RuneCountInString(n.Given) == 1 {
			c.single++
		}
		for _, r := range n.Given {
			if unicode.Is(unicode.Han, r) {
				c.letters++
				c.characters[string(r)]++
			}
		}
	}
}

// Shares are those counted so far. What was seen fewer than five times counts as rare, and a given name of two characters
// is listed whole where it is clearly more common than its characters make it.
func (c *Counter) Shares() Shares {
	s := Shares{Surnames: map[string]float64{}, Characters: map[string]float64{}, Givens: map[string]float64{}, Single: round(c.single / c.names), Rarest: round(2 / c.names)}
	for name, n := range c.surnames {
		if n >= 5 {
			s.Surnames[name] = round(n / c.names)
		}
	}
	for char, n := range c.characters {
		if n >= 5 {
			s.Characters[char] = round(n / c.letters)
		}
	}
	for given, n := range c.givens {
		expected := s.Single
		if utf8.RuneCountInString(given) == 2 {
			expected = 1 - s.Single
		}
		for _, r := range given {
			expected *= max(s.Characters[string(r)], s.Rarest)
		}
		if n >= 20 && n/c.names > 2*expected && n/c.names > 1e-4 {
			s.Givens[given] = round(n / c.names)
		}
	}
	return s
}
