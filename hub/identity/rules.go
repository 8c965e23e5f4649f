package identity

// pair is what the rules look at.
type pair struct {
	m *Model
	*agreement
	a, b *Traits
}

// rule decides a pair that it applies to; the first that does has the word.
type rule struct {
	name    string
	verdict Verdict
	grade   Grade
	applies func(*pair, *Evidence) bool
}

// ruleTable stands above the weights, in this order.
func ruleTable() [12]rule {
	return [12]rule{
		{"newborn-mother", Leave, CertainlyNot, (*pair).newbornAndMother},
		{"same-number-other-person", Contradiction, CertainlyNot, func(p *pair, _ *Evidence) bool { return p.otherPerson() }},
		{"newborn", Ask, Possible, (*pair).newborn},
		{"newborn-unnamed", Leave, Possible, func(p *pair, _ *Evidence) bool { return p.a.Newborn || p.b.Newborn }},
		{"changed-number", Ask, Possible, (*pair).changedNumber},
		{"different-citizen-numbers", Leave, CertainlyNot, func(p *pair, _ *Evidence) bool { return p.differentNumbers() }},
		{"twins", Leave, CertainlyNot, (*pair).twins},
		{"citizen-number", Link, Certain, (*pair).citizenNumber},
		{"shared-number", Link, Certain, (*pair).decidingNumber},
		{"weights", Link, Probable, (*pair).heavyEnough},
		{"number-alone", Ask, Possible, (*pair).numberAlone},
		{"weights", Ask, Possible, func(p *pair, e *Evidence) bool { return e.Probability >= p.m.Ask }},
	}
}

// names say whether the given name is that of one person, of another, or not known.
func (p *pair) nameAgrees() bool {
	switch p.levels[given] {
	case "same", "toned", "homophone", "latin", "alike", "near":
		return p.levels[family] != "differ"
	case "part":
		return p.levels[family] == "" || p.levels[family] == "same" || p.levels[family] == "homophone"
	}
	return false
}

func (p *pair) nameDiffers() bool { return p.levels[given] == "differ" }

func (p *pair) birthDiffers() bool { return p.levels[birth] == "differ" }

// newbornAndMother: a child without a name is never its mother, whatever it has of hers.
func (p *pair) newbornAndMother(*Evidence) bool {
	if p.a.Newborn == p.b.Newborn {
		return false
	}
	return farApart(p.a.Birth, p.b.Birth) && (p.birthDiffers() || p.levels[birth] == "digit")
}

// otherPerson: one number, and name, birth date and sex are all different. A citizen number carries the birth date: of
// two who share it and have other names and birth dates one has somebody else's.
func (p *pair) otherPerson() bool {
	if !p.nameDiffers() || !p.birthDiffers() || p.a.Newborn || p.b.Newborn {
		return false
	}
	return sharesNumber(p.a, p.b, func(n *Number) bool {
		return n.contradicts && (n.resident || p.levels[sex] == "differ")
	})
}

// newborn: a child without a name is linked only by a number of its own; who was born on the same day and has the same
// mother may be it, unless each says another place among several.
func (p *pair) newborn(*Evidence) bool {
	if !p.a.Newborn && !p.b.Newborn || p.levels[birth] != "same" || p.levels[sex] == "differ" {
		return false
	}
	if p.a.Order != p.b.Order && p.a.MultipleBirth && p.b.MultipleBirth {
		return false
	}
	if p.a.Newborn && p.b.Newborn {
		return p.a.Mother.Name != "" && p.a.Mother.Name == p.b.Mother.Name || contains(p.a.Mother.Phones, p.b.Mother.Phones...) || contains(p.a.Mother.Numbers, p.b.Mother.Numbers...)
	}
	baby, other := p.a, p.b
	if other.Newborn {
		baby, other = other, baby
	}
	return sharesNumber(baby, other, func(n *Number) bool { return n.decides }) || contains(other.Phones, baby.Mother.Phones...) ||
		baby.Mother.Name != "" && baby.Mother.Name == other.Mother.Name
}

// differentNumbers: both have valid citizen numbers in force, and none in common, old ones included.
func (p *pair) differentNumbers() bool { return different(p.a, p.b) }

func different(a, b *Traits) bool {
	return len(residents(a, false)) > 0 && len(residents(b, false)) > 0 && !contains(residents(a, true), residents(b, true)...)
}

// changedNumber: the citizen numbers differ, but the name, the birth date and another number or the household are the
// same. A person looks.
func (p *pair) changedNumber(*Evidence) bool {
	if !p.differentNumbers() || !p.nameAgrees() || p.birthDiffers() || p.levels[birth] == "" || p.levels[sex] == "differ" {
		return false
	}
	household := p.levels[phone] == "same" || p.levels[address] == "same"
	return household && p.levels[given] == "same" || sharesNumber(p.a, p.b, func(n *Number) bool { return n.decides && !n.resident })
}

// twins: born on the same day into one family, and the names differ, if only in one character. Names that merely sound or
// look alike are left to a person where one of the two says that it is a twin.
func (p *pair) twins(*Evidence) bool {
	if p.a.MultipleBirth && p.b.MultipleBirth && p.a.Order > 0 && p.b.Order > 0 && p.a.Order != p.b.Order && p.levels[number] != "citizen" {
		return true
	}
	if p.levels[birth] != "same" || p.levels[number] == "citizen" || p.levels[number] == "citizen-near" {
		return false
	}
	household := p.levels[phone] == "same" || p.levels[address] == "same" || p.a.MultipleBirth || p.b.MultipleBirth
	return household && p.levels[family] != "differ" && (p.levels[given] == "shared" || p.levels[given] == "differ") && !p.sharesDeciding()
}

func (p *pair) sharesDeciding() bool {
	return sharesNumber(p.a, p.b, func(n *Number) bool { return n.decides })
}

// citizenNumber: one valid number, whose birth date and sex are those of both, and the names do not speak against it.
func (p *pair) citizenNumber(*Evidence) bool {
	if !sharesNumber(p.a, p.b, func(n *Number) bool { return n.resident && n.Sound }) || p.birthDiffers() || p.levels[sex] == "differ" {
		return false
	}
	switch p.levels[given] {
	case "differ", "shared": // a brother's number brings his birth date along
		return false
	case "":
		return p.levels[birth] != "" && p.levels[family] == ""
	}
	return p.levels[family] != "differ" || p.levels[given] == "same"
}

// decidingNumber: another number that the model trusts, with the name and the birth date.
func (p *pair) decidingNumber(*Evidence) bool {
	if !sharesNumber(p.a, p.b, func(n *Number) bool { return n.decides && !n.resident }) || !p.nameAgrees() || p.cautious() {
		return false
	}
	switch p.levels[birth] {
	case "same", "placeholder", "digit", "swapped", "month", "year":
		return true
	}
	return false
}

// cautious: the names are not the same to the letter, and no number that decides agrees. A clerk's homophone then looks as
// twins do, who are called 子晨 and 子宸 and have the birth date, the phone and the home in common; where one says that it is
// a twin, a card that its twin might have used does not decide either. Of a name in pinyin nobody can tell.
func (p *pair) cautious() bool {
	switch p.levels[given] {
	case "same":
		return false
	case "latin":
		return (p.a.MultipleBirth || p.b.MultipleBirth) && p.levels[number] != "citizen"
	}
	switch p.levels[number] {
	case "citizen", "citizen-near":
		return false
	case "other", "local":
		return p.a.MultipleBirth || p.b.MultipleBirth
	}
	return true
}

// heavyEnough: the weights are, and more than a name and a birth date agrees: a number, a phone or the house.
func (p *pair) heavyEnough(e *Evidence) bool {
	if e.Probability < p.m.Link || !p.witnessed() || !p.nameAgrees() || p.birthDiffers() || p.levels[birth] == "" || p.cautious() {
		return false
	}
	if p.levels[sex] == "differ" { // mistyped, where the rest is the same to the letter, and both phone and house agree
		return p.levels[given] == "same" && p.levels[birth] == "same" && p.levels[phone] == "same" && (p.levels[address] == "same" || p.levels[address] == "place")
	}
	return true
}

// witnessed: something besides the name, the birth date and the sex agrees.
func (p *pair) witnessed() bool {
	switch p.levels[number] {
	case "citizen", "citizen-near", "other", "local":
		return true
	}
	return p.levels[phone] == "same" || p.levels[phone] == "near" || p.levels[address] == "same" || p.levels[address] == "place"
}

// numberAlone: a number that would decide is the same, and something else is not: a person looks.
func (p *pair) numberAlone(*Evidence) bool { return p.sharesDeciding() }

// states are remarks about the two that no weight tells.
func (p *pair) states() (out []string) {
	for _, s := range []struct {
		is   bool
		name string
	}{
		{p.a.Newborn || p.b.Newborn, "newborn"},
		{p.a.MultipleBirth || p.b.MultipleBirth, "multiple-birth"},
		{p.former, "former-name"},
		{p.a.Deceased != p.b.Deceased, "deceased"},
		{different(p.a, p.b), "different-citizen-numbers"},
	} {
		if s.is {
			out = append(out, s.name)
		}
	}
	return out
}

// Contradiction tells why two Patients cannot be one person, whatever else speaks for it: two different valid citizen
// numbers of which none is marked as old, or one number of what are clearly two people. ok is false where nothing forbids it.
func (m *Model) Contradiction(a, b *Traits) (reason string, ok bool) {
	if different(a, b) {
		return "different-citizen-numbers", true
	}
	m.ready()
	g := m.compareFields(a, b)
	if p := (pair{m: m, a: a, b: b, agreement: &g}); p.otherPerson() {
		return "same-number-other-person", true
	}
	return "", false
}

// Clashes are the contradictions within a group that is to become one person. A citizen number that one of the group marks
// as old, besides having a newer one, is old for all of them.
func (m *Model) Clashes(group []*Traits) (out []Clash) {
	old := map[string]bool{}
	for _, t := range group {
		for _, n := range t.Numbers {
			if n.resident && n.Valid && n.Old && len(residents(t, false)) > 0 {
				old[n.Value] = true
			}
		}
	}
	for i := range group {
		for j := i + 1; j < len(group); j++ {
			reason, is := m.Contradiction(group[i], group[j])
			if is && reason == "different-citizen-numbers" && (outdated(group[i], old) || outdated(group[j], old)) {
				continue
			}
			if is {
				out = append(out, Clash{i, j, reason})
			}
		}
	}
	return out
}

// outdated: all citizen numbers of a Patient are known as old to somebody in its group.
func outdated(t *Traits, old map[string]bool) bool {
	for _, n := range residents(t, false) {
		if !old[n] {
			return false
		}
	}
	return true
}
