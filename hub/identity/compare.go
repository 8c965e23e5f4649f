package identity

import (
	"cmp"
	"math"
	"slices"
)

// Compare judges whether two Patients are one person. It is symmetric and the same on every hub.
func (m *Model) Compare(a, b *Traits) Evidence {
	m.ready()
	g := m.compareFields(a, b)
	p := pair{m: m, a: a, b: b, agreement: &g}
	e := Evidence{Model: m.Version}
	e.Bits, e.Probability = m.weigh(&g)
	for _, r := range ruleTable() {
		if r.applies(&p, &e) {
			e.Rule, e.Verdict, e.Grade = r.name, r.verdict, r.grade
			break
		}
	}
	if e.Rule == "" {
		e.Rule, e.Verdict, e.Grade = "weights", Leave, Possible
		if e.Probability < m.Ask/1000 {
			e.Grade = CertainlyNot
		}
	}
	switch {
	case e.Verdict == Contradiction, e.Grade == CertainlyNot && e.Rule != "weights":
		e.Probability = 0
	case e.Grade == Certain:
		e.Probability = 1
	}
	e.Points = m.points(&g, &p)
	return e
}

// weigh adds the fields up (Fellegi and Sunter). Against one person stand strangers and, fewer but more alike, relatives:
// the odds are those of the model before anything was compared times the likelihood ratio.
func (m *Model) weigh(g *agreement) (total, probability float64) {
	var same, relative, stranger float64
	for f := range fields {
		same += g.same[f]
		relative += g.relative[f]
		stranger += g.stranger[f]
	}
	against := addLogs(stranger, relative+math.Log2(m.Relatives/m.Population))
	total = same - against
	return total, 1 / (1 + math.Exp2(-total)*m.Population)
}

// addLogs is log2(2^a + 2^b).
func addLogs(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	return a + math.Log2(1+math.Exp2(b-a))
}

// points are what the fields say, heaviest first. What relatives have in common is a point of its own.
func (m *Model) points(g *agreement, p *pair) []Point {
	names := FieldNames()
	out := make([]Point, 0, fields+2)
	var same, stranger, relative float64
	for f := range fields {
		if g.levels[f] == "" {
			continue
		}
		same, stranger, relative = same+g.same[f], stranger+g.stranger[f], relative+g.relative[f]
		out = append(out, Point{names[f], g.levels[f], g.same[f] - g.stranger[f]})
	}
	if household := stranger - addLogs(stranger, relative+math.Log2(m.Relatives/m.Population)); household < -.5 {
		out = append(out, Point{"household", "relative", household})
	}
	for _, s := range p.states() {
		out = append(out, Point{"state", s, 0})
	}
	slices.SortFunc(out, func(x, y Point) int {
		return cmp.Or(cmp.Compare(math.Abs(y.Bits), math.Abs(x.Bits)), cmp.Compare(x.Field, y.Field), cmp.Compare(x.Level, y.Level))
	})
	return out
}
