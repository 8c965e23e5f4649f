package mappings

import (
	"regexp"
	"slices"
	"strings"

	"concord/hub/identity"
)

func (f *identityTablesFile) lintHead(l *lint) {
	switch {
	case f.Version == "":
		l.fault("the tables need a version, for each judgement names it")
	case f.Population < 1000 || f.Relatives <= 0 || f.Relatives > 100:
		l.fault("population and relatives are the numbers of people a newcomer might be one of, and is related to")
	case !(0.5 <= f.Ask && f.Ask < f.Link && f.Link < 1):
		l.fault("0.5 ≤ ask < link < 1 does not hold")
	case f.KeyHolders < 2 || f.KeyHolders > 10_000 || f.KeyExpected <= 0:
		l.fault("key_holders lies between 2 and 10000, key_expected above 0")
	}
	for _, pair := range f.Sounds {
		if pair[0] == "" || pair[1] == "" {
			l.fault("sounds: a pair lacks one of its two")
		}
	}
	for _, ending := range f.Newborns {
		if strings.TrimSpace(ending) == "" {
			l.fault("newborns: an empty ending would make everybody a newborn")
		}
	}
	if !slices.ContainsFunc(f.Kinds, func(k identityKindRow) bool { return k.Resident }) {
		l.fault("no kind is that of citizen numbers")
	}
}

func (r *identityKindRow) kind(l *lint, seen map[string]string) identity.Kind {
	if !idForm.MatchString(r.Name) {
		l.fault("a name has lower-case letters, digits and hyphens")
	}
	once := func(what, value string) {
		if other, twice := seen[what+value]; twice {
			l.fault("%s %q belongs to kind %s already", what, value, other)
		}
		seen[what+value] = r.Name
	}
	once("name", r.Name)
	for _, s := range r.Systems {
		once("system", s)
		if !strings.Contains(s, ":") {
			l.fault("system %q is no URI", s)
		}
	}
	for _, t := range r.Types {
		once("type", t)
	}
	if len(r.Systems)+len(r.Types) == 0 {
		l.fault("neither a system nor a type says which identifiers these are")
	}
	if r.Resident && (r.Scoped || r.Form != "") {
		l.fault("a citizen number is not scoped and has its own form")
	}
	if !slices.Contains([]string{"V", "S", "D"}, r.Source) {
		l.fault("source %q is none of V (official text), S (secondary), D (default)", r.Source)
	}
	k := identity.Kind{Name: r.Name, Systems: r.Systems, Types: r.Types, Scoped: r.Scoped, Resident: r.Resident, Decides: r.Decides, Contradicts: r.Contradicts}
	if r.Form != "" {
		if forms := l.patterns([]string{r.Form}); len(forms) == 1 {
			k.Form = forms[0]
		}
	}
	return k
}

func (l *lint) patterns(texts []string) (out []*regexp.Regexp) {
	for _, text := range texts {
		re, err := regexp.Compile(text)
		if err != nil {
			l.fault("%q is no regular expression", text)
			continue
		}
		out = append(out, re)
	}
	return out
}

// lint checks that the weights are those of the fields and levels that are compared, and that each is a probability.
func (w *identityWeightsFile) lint(l *lint) {
	if w.Version == "" {
		l.fault("the weights need a version, for each judgement names it")
	}
	if !slices.Contains([]string{"V", "S", "D"}, w.Source) {
		l.fault("source %q is none of V (official text), S (secondary), D (default)", w.Source)
	}
	known := identity.FieldNames()
	for field := range w.Weights {
		if !slices.Contains(known[:], field) {
			l.fault("no field is called %s", field)
		}
	}
	for _, field := range known {
		levels := identity.LevelNames(field)
		var sum [3]float64
		for level, p := range w.Weights[field] {
			if !slices.Contains(levels, level) {
				l.fault("field %s has no level %s", field, level)
			}
			for i := range p {
				if p[i] <= 0 || p[i] > 1 {
					l.fault("%s %s: %g is no probability above 0", field, level, p[i])
				}
				sum[i] += p[i]
			}
		}
		if len(w.Weights[field]) != len(levels) {
			l.fault("field %s needs a weight for each of %s", field, strings.Join(levels, " "))
		}
		for i, class := range []string{"same", "relative", "stranger"} {
			if sum[i] < .98 || sum[i] > 1.02 {
				l.fault("%s: the probabilities for %s add up to %.3f, not to 1", field, class, sum[i])
			}
		}
	}
	for name, table := range map[string]map[string]float64{"surnames": w.Surnames, "givens": w.Givens, "characters": w.Characters} {
		for key, share := range table {
			if share <= 0 || share > 1 {
				l.fault("%s: %s has a share of %g", name, key, share)
			}
		}
	}
	if w.Single <= 0 || w.Single >= 1 || w.Rarest <= 0 || w.Rarest > .01 {
		l.fault("single and rarest are shares")
	}
}
