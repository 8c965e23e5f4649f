package recognition

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"concord/internal/ucum"
)

// measure is a value as the catalogue sees it.
type measure struct {
	unit   unitFact
	number float64 // in the item's first unit; NaN where there is none
}

// unitFact is how the unit of a value stands to those of its item.
type unitFact uint8

const (
	unitNone unitFact = iota // the item asks for none, or there is no item
	unitUnread
	unitSame
	unitConverted
	unitStrange
)

// scale turns a number of one unit into another: number*factor + offset.
type scale struct {
	fact           unitFact
	factor, offset float64
}

// valueOf converts a value into the item's unit.
func (c *Catalogue) valueOf(item *Item, v Value, scales map[scaleKey]scale) measure {
	if item == nil || len(item.Units) == 0 {
		return measure{number: math.NaN()}
	}
	key := scaleKey{item, v.Unit}
	s, known := scales[key]
	if !known {
		s = item.scale(v.Unit)
		scales[key] = s
	}
	n, err := strconv.ParseFloat(v.Number, 64)
	if err != nil || s.fact != unitSame && s.fact != unitConverted {
		return measure{unit: s.fact, number: math.NaN()}
	}
	return measure{unit: s.fact, number: n*s.factor + s.offset}
}

type scaleKey struct {
	item *Item
	unit string
}

// scale finds the way from a unit to the item's. The item's units stand for each other.
func (i *Item) scale(from string) scale {
	for _, to := range i.Units {
		if from == to {
			return scale{fact: unitSame, factor: 1}
		}
	}
	u, err := ucum.Parse(from)
	switch {
	case err != nil:
		return scale{fact: unitUnread}
	case i.Exact || strings.Contains(from, "eq"): // an equivalent is an amount of charges, which UCUM counts as one of substance
		return scale{fact: unitStrange}
	}
	for _, to := range i.Units {
		v, err := ucum.Parse(to)
		if err != nil {
			continue
		}
		zero, there := i.convert(u, v, new(big.Rat))
		if !there {
			continue
		}
		one, _ := i.convert(u, v, big.NewRat(1, 1))
		offset, _ := zero.Float64()
		factor, _ := new(big.Rat).Sub(one, zero).Float64()
		fact := unitConverted
		if factor == 1 && offset == 0 {
			fact = unitSame
		}
		return scale{fact: fact, factor: factor, offset: offset}
	}
	return scale{fact: unitStrange}
}

// convert is by UCUM within a dimension, and between mass and amount of substance in a volume by what a millimole weighs.
func (i *Item) convert(u, v ucum.Unit, value *big.Rat) (*big.Rat, bool) {
	if u.Dimension() == v.Dimension() {
		return v.FromCanonical(u.Canonical(value)), true
	}
	weight := new(big.Rat)
	if i.PerMillimole <= 0 || weight.SetFloat64(i.PerMillimole) == nil {
		return nil, false
	}
	mass, _ := ucum.Parse("mg/dL")
	amount, _ := ucum.Parse("mmol/L")
	switch {
	case u.Dimension() == mass.Dimension() && v.Dimension() == amount.Dimension():
		milligrams := mass.FromCanonical(u.Canonical(value))
		return v.FromCanonical(amount.Canonical(milligrams.Quo(milligrams, weight))), true
	case u.Dimension() == amount.Dimension() && v.Dimension() == mass.Dimension():
		millimoles := amount.FromCanonical(u.Canonical(value))
		return v.FromCanonical(mass.Canonical(millimoles.Mul(millimoles, weight))), true
	}
	return nil, false
}

// sameUnit asks for a number in a unit that can be converted to the catalogue's.
func (a *ask) sameUnit(c *Candidate, shown *reading) {
	have, asked := text(c.Value.Unit), text(a.wanted.item.Units[0])
	switch {
	case c.Value.Number == "":
		a.say(Open, ValueMissing)
	case shown.value.unit == unitSame:
		a.say(Pass, UnitSame, have, asked)
	case shown.value.unit == unitStrange:
		a.say(Fail, UnitOther, have, asked)
	case shown.value.unit == unitUnread || math.IsNaN(shown.value.number):
		a.say(Open, UnitUnknown, have, asked)
	default:
		a.say(Pass, UnitConvertible, text(c.Value.Number+" "+c.Value.Unit), text(rounded(shown.value.number)+" "+a.wanted.item.Units[0]))
	}
}

func rounded(n float64) string { return strconv.FormatFloat(n, 'g', 4, 64) }

// shownValue is a candidate's value for people.
func (a *ask) shownValue(i int) detail {
	v := a.results.list[i].Value
	return text(v.Number + " " + v.Unit)
}

// formerFar finds the patient's former value of the same item if the value at place i is further from it than the item's
// Delta allows; -1 where it is not. Values that may be somebody else's, were withdrawn or are not final are not looked at.
func (a *ask) formerFar(i int) int {
	item, delta := a.wanted.item, a.wanted.item.Delta
	now := a.results.shown[i].value.number
	if delta.Within <= 0 || math.IsNaN(now) || a.results.shown[i].item != item {
		return -1
	}
	taken := a.results.list[i].Taken
	former, at := -1, time.Time{}
	for k := range a.results.list {
		c, shown := &a.results.list[k], &a.results.shown[k]
		switch {
		case k == i || shown.item != item || math.IsNaN(shown.value.number) || c.Identity != Yes || !settled(c.Status):
		case !c.Taken.Known() || !c.Taken.Latest.Before(taken.Earliest) || taken.Earliest.Sub(c.Taken.Latest) > delta.Within:
		case former < 0 || c.Taken.Latest.After(at) || c.Taken.Latest.Equal(at) && c.ID < a.results.list[former].ID:
			former, at = k, c.Taken.Latest
		}
	}
	if former < 0 {
		return -1
	}
	before := a.results.shown[former].value.number
	moved := math.Abs(now - before)
	if moved > delta.Absolute && moved*100 > delta.Percent*math.Abs(before) {
		return former
	}
	return -1
}

func settled(status string) bool {
	switch status {
	case "final", "amended", "corrected", "appended":
		return true
	}
	return false
}
