package laboratory

import (
	"slices"
	"strings"

	"concord/internal/pinyin"
)

// Suggestion is a code that a sighting may mean.
type Suggestion struct {
	Coding
	Chinese string `json:"zh,omitempty"`
	// Score is from 0 to 1; Why says what agrees.
	Score float64  `json:"score"`
	Why   []string `json:"why"`
}

// Suggest finds the codes that a question may mean, the nearest first: by how near its names are to the analytes', in
// Chinese, English or pinyin, and whether specimen and unit agree. It is pure.
func Suggest(r *Rules, q Question, most int) []Suggestion {
	kind := r.kindOf(q.Specimen)
	var asked []string
	for _, name := range q.names() {
		for _, part := range nameParts(name) {
			for _, f := range []string{FoldName(part), r.bare(FoldName(part))} {
				if f != "" && !slices.Contains(asked, f) {
					asked = append(asked, f)
				}
			}
		}
	}
	var all []Suggestion
	for i := range r.Analytes {
		a := &r.Analytes[i]
		near, why := nearest(asked, a)
		if near < 0.5 {
			continue
		}
		for j := range a.Codes {
			all = append(all, a.Codes[j].suggestion(r, a, q.Unit, kind, near, why))
		}
	}
	slices.SortStableFunc(all, func(a, b Suggestion) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	return all[:min(most, len(all))]
}

// bare is a folded name without a specimen before it and without words for measuring behind it.
func (r *Rules) bare(name string) string {
	longest := ""
	for s := range r.specimens {
		if len(s) > len(longest) && len(s) > 3 && strings.HasPrefix(name, s) {
			longest = s
		}
	}
	name = strings.TrimPrefix(name, longest)
	for _, behind := range []string{"测定", "检测", "定量", "含量"} {
		name = strings.TrimSuffix(name, behind)
	}
	return name
}

func (c *Code) suggestion(r *Rules, a *Analyte, unit, kind string, near float64, why string) Suggestion {
	s := Suggestion{Coding: Coding{LOINC, c.LOINC, c.Display}, Chinese: a.Chinese, Score: 0.6 * near, Why: []string{why}}
	if s.Display == "" {
		s.Display = a.English
	}
	switch {
	case kind == "":
	case c.fits(kind):
		s.Score += 0.2
		s.Why = append(s.Why, "specimen")
	default:
		s.Score -= 0.2
	}
	switch {
	case r.unitFits(unit, c.Unit):
		s.Score += 0.2
		s.Why = append(s.Why, "unit")
	case unit != "":
		s.Score -= 0.1
	}
	s.Score = float64(int(max(s.Score, 0)*100+0.5)) / 100
	return s
}

// nearest is how near the nearest of the names asked for is to one of an analyte's, from 0 to 1, and how it was compared.
func nearest(asked []string, a *Analyte) (near float64, why string) {
	try := func(x, y, how string, most float64) {
		if s := likeness(x, y) * most; s > near {
			near, why = s, how
		}
	}
	for _, n := range append([]Name{{Text: a.Chinese}, {Text: a.English}}, a.Names...) {
		name := FoldName(n.Text)
		whole, initials := pinyin.Spell(name)
		for _, x := range asked {
			try(x, name, "name", 1)
			for _, y := range whole {
				try(x, y, "pinyin", 0.95)
			}
			for _, y := range initials {
				if x == y && len(y) > 1 {
					try(x, y, "pinyin", 0.85)
				}
			}
			spelled, _ := pinyin.Spell(x)
			for _, sx := range spelled {
				for _, y := range whole {
					try(sx, y, "pinyin", 0.9)
				}
			}
		}
	}
	return near, why
}

// likeness is 1 less the share of characters that have to be changed; names that hold one another are near, too.
func likeness(a, b string) float64 {
	if a == b {
		return 1
	}
	x, y := []rune(a), []rune(b)
	if len(x) == 0 || len(y) == 0 || len(x) > 64 || len(y) > 64 {
		return 0
	}
	longest, shortest := max(len(x), len(y)), min(len(x), len(y))
	if shortest > 1 && (strings.Contains(a, b) || strings.Contains(b, a)) {
		return 0.6 + 0.4*float64(shortest)/float64(longest)
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before := row[0]
		row[0] = i + 1
		for j := range y {
			cost := before
			if x[i] != y[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return 1 - float64(row[len(y)])/float64(longest)
}
