package identity

// Words is a text in both languages.
type Words struct{ Chinese, English string }

// Text says a point in words; the level's own name where there is no wording.
func (p Point) Text() Words {
	if w, ok := words()[p.Field+" "+p.Level]; ok {
		return w
	}
	return Words{p.Field + " " + p.Level, p.Field + " " + p.Level}
}

// Why says in words which rule decided.
func (e *Evidence) Why() Words { return RuleText(e.Rule) }

// RuleText is the wording of a rule or of a Clash's reason.
func RuleText(rule string) Words {
	if w, ok := words()["rule "+rule]; ok {
		return w
	}
	return Words{rule, rule}
}

// Rules are the names that Evidence.Rule may have.
func Rules() (names []string) {
	for _, r := range ruleTable() {
		names = append(names, r.name)
	}
	return names
}
