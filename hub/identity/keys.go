package identity

import (
	"fmt"
	"slices"
	"strings"
)

// Keys are the blocking keys of a Patient, sorted, each once: two Patients of one person are likely to share one.
//
//	n|kind|system|value   each valid number, old ones too
//	p|digits              each phone (the last eight of a line at home)
//	d|letters|birth       the letters of the name's reading, in whatever order its parts stand, and the birth date
//	y|letters|year        … and the year; m|letters|month-day, where the day or the year was mistyped
//	f|reading|birth       family name and birth date; g|reading|birth, given name and birth date
//
// A key that is not a number is made only where no more than KeyExpected of the model's Population are likely to share it,
// so that 张伟 has no key of his name and a year, and a rare name has. A newborn has its mother's phones and numbers, no name.
func (m *Model) Keys(t *Traits) []string {
	m.ready()
	var keys []string
	for _, n := range t.Numbers {
		if n.Valid {
			keys = append(keys, "n|"+n.Kind+"|"+n.System+"|"+n.Value)
		}
	}
	if kind := m.residentKind(); kind != nil {
		for _, n := range t.Mother.Numbers {
			keys = append(keys, "n|"+kind.Name+"||"+n)
		}
	}
	for _, n := range slices.Concat(t.Phones, t.Mother.Phones) {
		keys = append(keys, "p|"+phoneTail(n))
	}
	for i := range t.Names {
		keys = m.nameKeys(keys, &t.Names[i], t.Birth)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (m *Model) nameKeys(keys []string, n *Name, b Birth) []string {
	if b.Year == 0 {
		return keys
	}
	family := n.familyReads
	given := n.givenReads
	whole := family * given
	if n.Latin {
		given = m.Rarest // of a reading without characters nobody knows how many names it stands for
		whole = m.Rarest
	}
	add := func(share float64, format string, parts ...any) {
		if share*m.Population <= m.KeyExpected {
			keys = append(keys, fmt.Sprintf(format, parts...))
		}
	}
	const years, days = 1.0 / 80, 1.0 / 365
	if b.Month > 0 && b.Day > 0 {
		share := years * days
		if placeholder(b) {
			share = years / 20
		}
		date := fmt.Sprintf("%04d%02d%02d", b.Year, b.Month, b.Day)
		add(whole*share, "d|%s|%s", n.letters, date)
		add(whole*days, "m|%s|%s", n.letters, date[4:])
		if n.Family != "" && n.Given != "" {
			add(family*share, "f|%s|%s", n.familySounds[0], date)
			for _, sound := range n.givenSounds[:min(2, len(n.givenSounds))] {
				add(given*share, "g|%s|%s", sound, date)
			}
		}
	}
	add(whole*years, "y|%s|%04d", n.letters, b.Year)
	return keys
}

// placeholder: the first of January is what is written when nobody knows the day.
func placeholder(b Birth) bool { return b.Month == 1 && b.Day == 1 }

// residentKind is the kind of citizen numbers.
func (m *Model) residentKind() *Kind {
	for i := range m.Kinds {
		if m.Kinds[i].Resident {
			return &m.Kinds[i]
		}
	}
	return nil
}

// IsNumberKey tells whether a key is that of a number: one that more than KeyHolders share is a fault worth reporting.
func IsNumberKey(key string) bool { return strings.HasPrefix(key, "n|") }
