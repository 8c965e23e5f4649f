package persons

import (
	"cmp"
	"slices"

	"concord/hub/identity"
)

// node is one Patient while groups are formed; nil Traits: there is no such Patient any more.
type node struct {
	id     string
	traits *identity.Traits
}

// groups joins Patients by the Pairs that want a link, the surest first, and leaves out each link by which a group would hold
// what cannot be one person. It sets the State of all pairs. It is pure: the order of nodes and pairs does not matter.
func groups(m *identity.Model, nodes map[string]*node, pairs []*Pair) [][]string {
	pairs = slices.Clone(pairs)
	slices.SortFunc(pairs, func(a, b *Pair) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Evidence.Bits, a.Evidence.Bits), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	in := map[string][]string{} // of each Patient, its group
	for id, n := range nodes {
		if n.traits != nil {
			in[id] = []string{id}
		}
	}
	apart := map[[2]string]bool{}
	for _, p := range pairs {
		if p.Decision != nil && !p.Decision.Link {
			apart[[2]string{p.A, p.B}], apart[[2]string{p.B, p.A}] = true, true
		}
	}
	for _, p := range pairs {
		a, b := in[p.A], in[p.B]
		switch {
		case a == nil || b == nil:
			p.State = Gone
		case p.Decision != nil && !p.Decision.Link:
			p.State = Separate
		case !p.wantsLink():
			p.State = stateOf(p.Verdict)
			p.Why = p.Evidence.Rule
		case slices.Contains(a, p.B):
			p.State, p.Why = Linked, p.Evidence.Rule
		default:
			if why := clash(m, nodes, apart, a, b, rank(p) < 2); why != "" {
				p.State, p.Why = Open, why
				continue
			}
			p.State, p.Why = Linked, p.Evidence.Rule
			joined := append(slices.Clip(a), b...)
			for _, id := range joined {
				in[id] = joined
			}
		}
	}
	var all [][]string
	for id, g := range in {
		if id == slices.Min(g) && len(g) > 1 {
			slices.Sort(g)
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return all
}

func stateOf(v identity.Verdict) State {
	switch v {
	case identity.Ask:
		return Open
	case identity.Contradiction:
		return Contradiction
	}
	return Gone
}

// rank orders links: a person's word, the sender's, numbers, weights.
func rank(p *Pair) int {
	switch {
	case p.Decision != nil:
		return 0
	case p.Evidence.Rule == ruleReplaced:
		return 1
	case p.Evidence.Grade == identity.Certain:
		return 2
	}
	return 3
}

// ruleReplaced is the rule of a Patient that its sender replaced by another one (R4 Patient.link, HL7 v2 A40).
const ruleReplaced = "replaced"

// Reasons for which a link is left to a person, besides the Clashes of hub/identity.
const (
	whyApart   = "said-to-be-two"
	whyRelated = "others-of-the-group"
	whyTooMany = "too-many"
)

// mostTogether is how many Patients a person may have before somebody has to look.
const mostTogether = 60

// clash says why two groups cannot be one; empty where nothing forbids it. Where somebody who knows said so, they are not held to be
// twins for their likeness.
func clash(m *identity.Model, nodes map[string]*node, apart map[[2]string]bool, a, b []string, said bool) string {
	if len(a)+len(b) > mostTogether {
		return whyTooMany
	}
	var group []*identity.Traits
	for _, id := range slices.Concat(a, b) {
		group = append(group, nodes[id].traits)
	}
	for i, x := range a {
		for j, y := range b {
			if apart[[2]string{x, y}] {
				return whyApart
			}
			if said {
				continue
			}
			switch e := m.Compare(group[i], group[len(a)+j]); e.Rule {
			case "twins", "newborn-mother": // whom a third Patient would join
				return whyRelated
			}
		}
	}
	for _, c := range m.Clashes(group) {
		if c.A < len(a) && c.B >= len(a) {
			return c.Reason
		}
	}
	return ""
}
