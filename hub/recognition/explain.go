package recognition

// Rule numbers the rules in the order in which they are asked. All of them are, whatever the others found.
type Rule uint8

// The rules.
const (
	RuleIdentity      Rule = 1 + iota // the result is certainly this patient's
	RuleStatus                        // it is final
	RuleItem                          // it is of the same item
	RuleCatalogue                     // the item is in the catalogue
	RuleQualification                 // the producer was qualified when it was taken
	RuleTier                          // the tiers allow it
	RuleWindow                        // it was taken within the window
	RuleRetrieval                     // it can be fetched and is good enough
	RuleCaution                       // it changes fast, has moved far or is critical
	RuleExemption                     // the order may be repeated anyway
	RulePolicy                        // policy, consent or a label withholds it
)

// Names says what a rule is about; empty for no rule.
func (r Rule) Names() (chinese, english string) {
	if int(r) >= len(ruleNames()) {
		return "", ""
	}
	n := ruleNames()[r]
	return n.chinese, n.english
}

// Line is what one rule looked at and made of it, for one candidate or for an order as a whole.
type Line struct {
	// Item is the member of a panel that the line is about; nil outside panels.
	Item *Item
	// Candidate is the ID of the candidate; empty for the order.
	Candidate string
	Rule      Rule
	// Chinese and English name the rule.
	Chinese, English string
	// Effect is the worst of Findings: fail, unknown, warn, pass. A rule that found nothing passed.
	Effect   Effect
	Findings []Reason
}

// Explain lays a decision out by rules: for the order the exemptions, then for each candidate all eleven, whether they found
// anything or not. Of what is withheld from the caller nothing is told, not even that there is something: rule 11 reads the
// same for every decision.
func Explain(d Decision) []Line {
	all := []Line{line("", RuleExemption, d.Reasons)}
	for i := range d.Judgements {
		j := &d.Judgements[i]
		for rule := RuleIdentity; rule <= RulePolicy; rule++ {
			if rule != RuleExemption {
				all = append(all, line(j.ID, rule, j.Reasons))
			}
		}
	}
	for i := range d.Members {
		for _, l := range Explain(d.Members[i]) {
			l.Item = d.Members[i].Item
			all = append(all, l)
		}
	}
	return all
}

func line(candidate string, rule Rule, reasons []Reason) Line {
	l := Line{Candidate: candidate, Rule: rule, Effect: Pass}
	l.Chinese, l.English = rule.Names()
	for _, r := range reasons {
		if r.Rule() == rule {
			l.Findings = append(l.Findings, r)
			l.Effect = worse(l.Effect, r.Effect)
		}
	}
	return l
}

func worse(a, b Effect) Effect {
	for _, e := range []Effect{Fail, Open, Warn} {
		if a == e || b == e {
			return e
		}
	}
	return Pass
}
