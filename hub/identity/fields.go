package identity

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// The fields that are weighed, in the order in which their weights are added.
const (
	family = iota
	given
	birth
	sex
	phone
	address
	number
	fields
)

// FieldNames are the weighed fields in their order, as the model's data names them.
func FieldNames() [fields]string {
	return [fields]string{"family", "given", "birth", "sex", "phone", "address", "number"}
}

// LevelNames are the levels of a field, from the fullest agreement to none.
func LevelNames(field string) []string {
	switch field {
	case "family":
		return []string{"same", "homophone", "alike", "swapped", "differ"}
	case "given":
		return []string{"same", "toned", "homophone", "latin", "alike", "near", "part", "shared", "differ"}
	case "birth":
		return []string{"same", "placeholder", "digit", "swapped", "month", "year", "year-off", "lunar", "differ"}
	case "sex":
		return []string{"same", "differ"}
	case "phone":
		return []string{"same", "near", "differ"}
	case "address":
		return []string{"same", "place", "street", "region", "differ"}
	case "number":
		return []string{"citizen", "citizen-near", "other", "local", "differ"}
	}
	return nil
}

// Levels are how far each field of two Patients agrees; a field that one of them does not state has the level "".
type Levels [fields]string

// agreement is what a comparison finds before it judges.
type agreement struct {
	levels Levels
	// same, relative and stranger are the logarithms of how likely each level is for one person, relatives and strangers.
	same, relative, stranger [fields]float64
	former                   bool // a name that is not used any more agrees
}

// Levels compares field by field and judges nothing: what weights are learnt from.
func (m *Model) Levels(a, b *Traits) Levels {
	m.ready()
	g := m.compareFields(a, b)
	return g.levels
}

func (m *Model) compareFields(a, b *Traits) (g agreement) {
	m.compareNames(a, b, &g)
	g.set(m, birth, compareBirth(a.Birth, b.Birth))
	if binary(a.Sex) && binary(b.Sex) {
		level := "differ"
		if a.Sex == b.Sex {
			level = "same"
		}
		g.set(m, sex, level)
	}
	g.set(m, phone, comparePhones(a.Phones, b.Phones))
	g.set(m, address, compareAddresses(a.Addresses, b.Addresses))
	g.set(m, number, compareNumbers(a.Numbers, b.Numbers))
	return g
}

// binary: of any other code nobody knows whether it was chosen or is what a form had for "not known".
func binary(sex string) bool { return sex == "male" || sex == "female" }

// set notes a level with the model's weight for it.
func (g *agreement) set(m *Model, field int, level string) {
	g.levels[field] = level
	if level == "" {
		g.same[field], g.relative[field], g.stranger[field] = 0, 0, 0
		return
	}
	w := m.weights[FieldNames()[field]][level]
	g.same[field], g.relative[field], g.stranger[field] = w.same, w.relative, w.stranger
}

// bits is what the two names of an agreement weigh.
func (g *agreement) nameBits() float64 {
	return g.same[family] + g.same[given] - g.stranger[family] - g.stranger[given]
}

// compareNames keeps the best agreement among all pairs of names.
func (m *Model) compareNames(a, b *Traits, g *agreement) {
	found := false
	for i := range a.Names {
		for j := range b.Names {
			var this agreement
			m.compareName(&a.Names[i], &b.Names[j], &this)
			better := this.nameBits() - g.nameBits()
			if !found || better > 0 || better == 0 && this.levels[family]+this.levels[given] < g.levels[family]+g.levels[given] {
				*g = this
				g.former = retired(a.Names[i].Use) || retired(b.Names[j].Use)
			}
			found = true
		}
	}
}

func retired(use string) bool { return use == "old" || use == "maiden" }

func (m *Model) compareName(a, b *Name, g *agreement) {
	latin := a.Latin || b.Latin
	switch {
	case a.Family != "" && a.Family == b.Given && a.Given == b.Family && a.Family != a.Given:
		g.set(m, family, "swapped")
		g.set(m, given, "same")
		return
	case !latin && a.letters == b.letters && a.Family != b.Family && utf8.RuneCountInString(a.Text) >= 4: // a long name is divided in several ways
		g.set(m, family, "same")
		g.set(m, given, "same")
		g.rarer(family, m.Rarest)
		g.rarer(given, m.Rarest)
		return
	case latin && a.letters == b.letters: // whichever part stands first
		g.set(m, family, "homophone")
		g.set(m, given, "latin")
		n := a
		if n.Latin {
			n = b
		}
		g.rarer(family, n.familyReads)
		if !n.Latin {
			g.rarer(given, n.givenReads)
		}
		return
	case a.Family == "" || b.Family == "" || a.Given == "" || b.Given == "":
		level := "differ"
		if a.Text == b.Text {
			level = "same"
		} else if prefixed(a.Text, b.Text) {
			level = "part"
		}
		g.set(m, given, level)
		return
	case prefixed(a.Text, b.Text) && min(utf8.RuneCountInString(a.Text), utf8.RuneCountInString(b.Text)) >= 3:
		g.set(m, given, "part") // one of a long name in several parts
		return
	}
	m.compareFamily(a, b, g)
	m.compareGiven(a, b, g)
}

// rarer makes the chance of strangers to agree that of the value itself.
func (g *agreement) rarer(field int, share float64) { g.stranger[field] = bits(share) }

func (m *Model) compareFamily(a, b *Name, g *agreement) {
	switch {
	case a.Family == b.Family:
		g.set(m, family, "same")
		g.rarer(family, a.familyIs)
	case meet(a.familySounds, b.familySounds):
		g.set(m, family, "homophone")
		g.rarer(family, max(a.familyReads, b.familyReads))
	case m.lookAlike(a.Family, b.Family), m.soundAlike(a.familySounds[0], b.familySounds[0], a.Latin || b.Latin):
		g.set(m, family, "alike")
	default:
		g.set(m, family, "differ")
	}
}

func (m *Model) compareGiven(a, b *Name, g *agreement) {
	switch {
	case a.Given == b.Given:
		g.set(m, given, "same")
		g.rarer(given, a.givenIs)
	case meet(a.givenSounds, b.givenSounds):
		level := "homophone"
		if a.Latin || b.Latin {
			level = "latin"
		} else if a.givenToned == b.givenToned {
			level = "toned"
		}
		g.set(m, given, level)
		if !a.Latin || !b.Latin {
			g.rarer(given, max(a.readShare(), b.readShare()))
		}
	case m.lookAlike(a.Given, b.Given):
		g.set(m, given, "alike")
	case m.soundAlike(a.givenSounds[0], b.givenSounds[0], a.Latin || b.Latin):
		g.set(m, given, "near")
	case prefixed(a.Given, b.Given), (a.Latin || b.Latin) && prefixed(a.givenSounds[0], b.givenSounds[0]):
		g.set(m, given, "part")
	case shared(a.Given, b.Given):
		g.set(m, given, "shared")
	default:
		g.set(m, given, "differ")
	}
}

// readShare is none for a name in Latin letters: nobody knows which characters it stands for.
func (n *Name) readShare() float64 {
	if n.Latin {
		return 0
	}
	return n.givenReads
}

func meet(a, b []string) bool {
	for _, x := range a {
		if slices.Contains(b, x) {
			return true
		}
	}
	return false
}

func prefixed(a, b string) bool {
	return a != b && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// lookAlike: of the same length, and one character is taken for another that looks like it.
func (m *Model) lookAlike(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) != len(y) || len(x) == 0 {
		return false
	}
	differ := 0
	for i := range x {
		if x[i] == y[i] {
			continue
		}
		if differ++; differ > 1 || m.alike[x[i]] == 0 || m.alike[x[i]] != m.alike[y[i]] {
			return false
		}
	}
	return differ == 1
}

// soundAlike: the readings are the same but for what ears mix up or, where one was typed in Latin letters, for a letter.
func (m *Model) soundAlike(a, b string, latin bool) bool {
	if m.sounds.Replace(a) == m.sounds.Replace(b) {
		return true
	}
	return latin && min(len(a), len(b)) >= 5 && oneEdit(a, b)
}

// shared: of two characters one stands at the same place in both.
func shared(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) < 2 || len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] == y[i] {
			return true
		}
	}
	return false
}

// oneEdit: one letter changed, lost or added, or two neighbours exchanged.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if i == len(a) {
		return false // the same
	}
	return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
