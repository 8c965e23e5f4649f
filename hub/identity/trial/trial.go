package trial

import (
	"cmp"
	"math"
	"slices"
	"time"

	"concord/hub/identity"
)

// Report is what was found.
type Report struct {
	People, Records int
	TruePairs       int // pairs of records of one person
	// Candidates are the pairs compared; Reached of the true pairs are among them. Hot keys were passed over.
	Candidates, Reached, Hot int
	// CandidatesMean and Candidates99 are how many others one record is compared with.
	CandidatesMean float64
	Candidates99   int
	// Links are linked without asking; False of them join two people.
	Links, FalseLinks int
	// Asks are the doubtful list; AsksTrue of them are one person.
	Asks, AsksTrue int
	// OpenAsks are those whose two records do not stand in one group anyway.
	OpenAsks, OpenAsksTrue int
	// Contradictions are quarantined pairs; ContradictionsTrue of them are one person after all.
	Contradictions, ContradictionsTrue int
	// AgainstNumbers are links between two different valid citizen numbers, which must not be.
	AgainstNumbers int
	TwinLinks      int // false links between two of twins
	// NothingElse are the true pairs that agree in nothing but name, birth date and sex: the rules forbid to link them.
	NothingElse int
	// Groups are what links join, no group holding a contradiction: pairs within them, and the false ones.
	Groups, GroupPairs, FalseGroupPairs, RefusedLinks int
	Rules                                             map[string]Tally
	// FalseExamples, MissedExamples are places of records, for looking at.
	FalseExamples, MissedExamples [][2]int
	Compare                       time.Duration // of one pair
}

// Tally is how often a rule had the word, and how often about one person.
type Tally struct{ All, True int }

// Precision of automatic links, pair by pair.
func (r *Report) Precision() float64 { return 1 - ratio(r.FalseLinks, r.Links) }

// Recall of automatic links, of all true pairs, pair by pair.
func (r *Report) Recall() float64 { return ratio(r.Links-r.FalseLinks, r.TruePairs) }

// GroupPrecision counts all pairs that stand in one group.
func (r *Report) GroupPrecision() float64 { return 1 - ratio(r.FalseGroupPairs, r.GroupPairs) }

// GroupRecall is what a search for a person finds: two records linked by way of others count.
func (r *Report) GroupRecall() float64 { return ratio(r.GroupPairs-r.FalseGroupPairs, r.TruePairs) }

// KeyRecall is how many of the true pairs have a key in common.
func (r *Report) KeyRecall() float64 { return ratio(r.Reached, r.TruePairs) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

type edge struct {
	a, b    int32
	certain bool
	bits    float64
}

// Run compares all candidates and judges the judgements.
func (p *Population) Run() *Report {
	r := &Report{Records: len(p.Traits), Rules: map[string]Tally{}}
	r.count(p)
	pairs, hot := p.pairs(p.Model.KeyHolders, p.Model.Keys)
	r.Candidates, r.Hot = len(pairs), hot
	perRecord := make([]int32, len(p.Traits))
	var links []edge
	var asks [][2]int32
	began := time.Now()
	for _, pair := range pairs {
		i, j := int(pair>>32), int(uint32(pair))
		perRecord[i]++
		perRecord[j]++
		one := p.Person[i] == p.Person[j]
		if one {
			r.Reached++
		}
		e := p.Model.Compare(&p.Traits[i], &p.Traits[j])
		r.judge(p, i, j, &e, one)
		if e.Verdict == identity.Link {
			links = append(links, edge{int32(i), int32(j), e.Grade == identity.Certain, e.Bits})
		}
		if e.Verdict == identity.Ask {
			asks = append(asks, [2]int32{int32(i), int32(j)})
		}
	}
	r.Compare = time.Since(began) / time.Duration(max(1, len(pairs)))
	slices.Sort(perRecord)
	r.CandidatesMean, r.Candidates99 = 2*ratio(len(pairs), len(perRecord)), int(perRecord[len(perRecord)*99/100])
	root := r.group(p, links)
	for _, ask := range asks {
		if root[ask[0]] == root[ask[1]] {
			continue
		}
		if r.OpenAsks++; p.Person[ask[0]] == p.Person[ask[1]] {
			r.OpenAsksTrue++
		}
	}
	return r
}

func (r *Report) count(p *Population) {
	each := map[int32]int{}
	for _, person := range p.Person {
		each[person]++
	}
	r.People = len(each)
	for _, n := range each {
		r.TruePairs += n * (n - 1) / 2
	}
}

func (r *Report) judge(p *Population, i, j int, e *identity.Evidence, one bool) {
	key := e.Rule + " " + string(e.Verdict)
	t := r.Rules[key]
	t.All++
	if one {
		t.True++
	}
	r.Rules[key] = t
	switch e.Verdict {
	case identity.Link:
		r.Links++
		if reason, clash := p.Model.Contradiction(&p.Traits[i], &p.Traits[j]); clash && reason == "different-citizen-numbers" {
			r.AgainstNumbers++
		}
		if !one {
			r.FalseLinks++
			r.FalseExamples = append(r.FalseExamples, [2]int{i, j})
			if p.Twin[i] && p.Twin[j] {
				r.TwinLinks++
			}
		}
	case identity.Ask:
		r.Asks++
		if one {
			r.AsksTrue++
		}
	case identity.Contradiction:
		r.Contradictions++
		if one {
			r.ContradictionsTrue++
		}
	}
	if one && e.Verdict != identity.Link && nothingElse(p.Model.Levels(&p.Traits[i], &p.Traits[j])) {
		r.NothingElse++
	}
	if one && e.Verdict != identity.Link && len(r.MissedExamples) < 100_000 {
		r.MissedExamples = append(r.MissedExamples, [2]int{i, j})
	}
}

// nothingElse: the number, the phone and the house say nothing for it.
func nothingElse(l identity.Levels) bool {
	for i, field := range identity.FieldNames() {
		if (field == "phone" || field == "address" || field == "number") && slices.Contains([]string{"same", "near", "place", "citizen", "citizen-near", "other", "local"}, l[i]) {
			return false
		}
	}
	return true
}

// group joins records by their links, the strongest first; a link that would bring a contradiction into a group is
// refused. root tells the group of each record.
func (r *Report) group(p *Population, links []edge) (root []int32) {
	slices.SortFunc(links, func(x, y edge) int {
		if x.certain != y.certain {
			if x.certain {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(y.bits, x.bits), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	root = make([]int32, len(p.Traits))
	members := make([][]int32, len(p.Traits))
	for i := range root {
		root[i], members[i] = int32(i), []int32{int32(i)}
	}
	for _, e := range links {
		x, y := root[e.a], root[e.b]
		if x == y {
			continue
		}
		both := slices.Concat(members[x], members[y])
		if len(both) > 2 && p.clash(members[x], members[y]) {
			r.RefusedLinks++
			continue
		}
		for _, i := range members[y] {
			root[i] = x
		}
		members[x], members[y] = both, nil
	}
	for _, group := range members {
		if len(group) > 0 {
			r.Groups++
		}
		for i := range group {
			for j := i + 1; j < len(group); j++ {
				r.GroupPairs++
				if p.Person[group[i]] != p.Person[group[j]] {
					r.FalseGroupPairs++
				}
			}
		}
	}
	return root
}

// clash tells whether two groups must not become one: by a hard contradiction, or since twins, or a newborn and its mother,
// would be joined by a third record.
func (p *Population) clash(a, b []int32) bool {
	var group []*identity.Traits
	for _, i := range slices.Concat(a, b) {
		group = append(group, &p.Traits[i])
	}
	for _, x := range group[:len(a)] {
		for _, y := range group[len(a):] {
			if rule := p.Model.Compare(x, y).Rule; rule == "twins" || rule == "newborn-mother" {
				return true
			}
		}
	}
	return len(p.Model.Clashes(group)) > 0
}

// Interval is the upper bound of the share of false links, at 95 %, so that a count of none is not taken for certainty.
func (r *Report) Interval() float64 {
	n := float64(max(1, r.Links))
	p, z := float64(r.FalseLinks)/n, 1.96
	return (p + z*z/(2*n) + z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))) / (1 + z*z/n)
}
