// Package learn works out the weights of a model from records, without being told which of them are of one person.
//
// How often a level is found among strangers is counted in pairs drawn at random. For the other two classes, one person
// and relatives, mixtures are fitted by expectation and maximisation to pairs that have one thing in common, and each run
// says something only of fields other than that thing:
//
//	pairs with one phone               name, birth date, sex of one person; all but the phone of relatives
//	pairs with one address             the phone of relatives
//	pairs with one name and birth      phone, address and numbers of one person
package learn

import (
	"math"
	"slices"

	"concord/hub/identity"
)

// Patterns count how often each combination of levels was found.
type Patterns map[identity.Levels]float64

// Samples are what is learnt from.
type Samples struct {
	Random, SamePhone, SameAddress, SameNameAndBirth Patterns
}

// Weights are by field and level, as a model has them.
type Weights = map[string]map[string]identity.Weight

// The places of the classes in a distribution.
const (
	same = iota
	relative
	stranger
	classes
)

// distribution is how often each level is found, by field, level and class.
type distribution [len(identity.Levels{})]map[string]*[classes]float64

const (
	rounds    = 60
	smoothing = .5
)

// Strangers leaves out of pairs drawn at random those that are hardly strangers: in a small population one person and
// relatives are met so often that a phone would seem to be shared by many.
func Strangers(random Patterns) Patterns {
	out := Patterns{}
	for levels, n := range random {
		agree := 0
		for f, field := range identity.FieldNames() {
			first := levels[f] == identity.LevelNames(field)[0]
			switch field {
			case "phone", "address", "number":
				if first || levels[f] == "other" {
					agree += 2
				}
			case "given", "birth", "family":
				if first {
					agree++
				}
			}
		}
		if agree < 3 {
			out[levels] += n
		}
	}
	return out
}

// Learn fits the weights. It is deterministic.
func Learn(s Samples) Weights {
	start := beginning(s.Random)
	phone := fit(start, s.SamePhone, "phone")
	address := fit(start, s.SameAddress, "address")
	names := fit(start, s.SameNameAndBirth, "family", "given", "birth")
	out := Weights{}
	for f, field := range identity.FieldNames() {
		out[field] = map[string]identity.Weight{}
		for _, level := range identity.LevelNames(field) {
			w := identity.Weight{Same: phone[f][level][same], Relative: phone[f][level][relative], Stranger: start[f][level][stranger]}
			switch field {
			case "phone":
				w.Same, w.Relative = names[f][level][same], address[f][level][relative]
			case "address", "number":
				w.Same = names[f][level][same]
			}
			out[field][level] = identity.Weight{Same: round(w.Same), Relative: round(w.Relative), Stranger: round(w.Stranger)}
		}
	}
	return out
}

// round keeps three digits that matter.
func round(p float64) float64 {
	scale := math.Pow(10, 2-math.Floor(math.Log10(p)))
	return math.Round(p*scale) / scale
}

// beginning counts strangers, and guesses for the others: one person agrees, relatives have the family name, phone and
// home in common and differ in the rest.
func beginning(random Patterns) *distribution {
	d := &distribution{}
	for f, field := range identity.FieldNames() {
		d[f] = map[string]*[classes]float64{}
		levels := identity.LevelNames(field)
		for k, level := range levels {
			d[f][level] = &[classes]float64{.1 / float64(len(levels)), .2 / float64(len(levels)), smoothing}
			if k == 0 {
				d[f][level][same] += .9
			}
			shared := field == "family" || field == "phone" || field == "address"
			if shared && k == 0 || !shared && k == len(levels)-1 {
				d[f][level][relative] += .8
			}
		}
		for levels, n := range random {
			if p := d[f][levels[f]]; p != nil {
				p[stranger] += n
			}
		}
		normalise(d[f])
	}
	return d
}

func normalise(levels map[string]*[classes]float64) {
	var sum [classes]float64
	for _, p := range levels {
		for c := range sum {
			sum[c] += p[c]
		}
	}
	for _, p := range levels {
		for c := range sum {
			p[c] /= sum[c]
		}
	}
}

// fit finds the mixture of the three classes that explains the patterns best. Strangers stay as they were counted; the
// fields that all the pairs have in common are not looked at.
func fit(start *distribution, patterns Patterns, common ...string) *distribution {
	names := identity.FieldNames()
	d := copied(start)
	share := [classes]float64{.5, .4, .1}
	keys := sorted(patterns)
	for range rounds {
		next := &distribution{}
		var weight [classes]float64
		for f := range next {
			next[f] = map[string]*[classes]float64{}
			for level := range d[f] {
				next[f][level] = &[classes]float64{smoothing, smoothing, smoothing}
			}
		}
		for _, levels := range keys {
			p := share
			for f, level := range levels {
				if level == "" || slices.Contains(common, names[f]) {
					continue
				}
				for c := range p {
					p[c] *= d[f][level][c]
				}
			}
			total := p[same] + p[relative] + p[stranger]
			if total == 0 {
				continue
			}
			for c := range p {
				n := patterns[levels] * p[c] / total
				weight[c] += n
				for f, level := range levels {
					if level != "" {
						next[f][level][c] += n
					}
				}
			}
		}
		all := weight[same] + weight[relative] + weight[stranger]
		if all == 0 {
			return d
		}
		for f := range next {
			normalise(next[f])
			for level, p := range next[f] {
				p[stranger] = start[f][level][stranger]
			}
		}
		for c := range share {
			share[c] = weight[c] / all
		}
		d = next
	}
	return d
}

func copied(from *distribution) *distribution {
	d := &distribution{}
	for f := range from {
		d[f] = map[string]*[classes]float64{}
		for level, p := range from[f] {
			q := *p
			d[f][level] = &q
		}
	}
	return d
}

// sorted puts patterns in an order, so that sums are the same on every run.
func sorted(p Patterns) []identity.Levels {
	keys := make([]identity.Levels, 0, len(p))
	for k := range p {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b identity.Levels) int { return slices.Compare(a[:], b[:]) })
	return keys
}
