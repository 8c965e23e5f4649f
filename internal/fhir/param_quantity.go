package fhir

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"

	"concord/hub"
)

// measure is one value of a number or quantity parameter: an interval, and what its unit is called.
type measure struct {
	low, high           string // as written; empty for an open end
	aboveLow, belowHigh bool   // the end itself does not belong to it
	system, code, unit  string
}

const sampledData = "SampledData"

// currencies is the code system of Money.currency.
const currencies = "urn:iso:std:iso:4217"

// quantity reads a value of a number or quantity parameter (R4 search.html#number, #quantity). A comparator or an absent
// limit makes an interval that is open at one end.
func (t *terms) quantity(v Value, typ string) {
	var m measure
	switch typ {
	case "Range":
		low, high := v.Get("low"), v.Get("high")
		m.low, m.high = low.Get("value").Text(), high.Get("value").Text()
		m.named(low)
		if m.low == "" {
			m.named(high)
		}
	case sampledData:
		t.list = append(t.list, hub.Term{Param: t.param.Code + sampledParam, Text: "true"})
		m.low, m.high = sampled(v)
		m.named(v.Get("origin"))
	case "Money":
		m.low = v.Get("value").Text()
		m.high, m.system, m.code = m.low, currencies, v.Get("currency").Text()
	case "Quantity", "Age", "Duration", "Distance", "Count":
		m.low = v.Get("value").Text()
		m.high = m.low
		m.named(v)
		if m.low != "" {
			m.compared(v.Get("comparator").Text())
		}
	default:
		m.low = v.Text()
		m.high = m.low
	}
	if lo, hi, ok := m.interval(nil); ok && lo <= hi {
		t.measures = append(t.measures, m)
	}
}

// sampled gives the bounds of sampled data (datatypes.html#SampledData): origin + factor × the least and the greatest number. A
// point below or above the detection limits leaves that end open.
func sampled(v Value) (low, high string) {
	var least, most *big.Rat
	var below, above bool
	for point := range strings.FieldsSeq(v.Get("data").Text()) {
		switch point {
		case "E":
		case "L":
			below = true
		case "U":
			above = true
		default:
			n, ok := exactDecimal(point)
			if !ok {
				return "", ""
			}
			if least == nil || n.Cmp(least) < 0 {
				least = n
			}
			if most == nil || n.Cmp(most) > 0 {
				most = n
			}
		}
	}
	origin, ok := exactDecimal(v.Get("origin").Get("value").Text())
	factor := big.NewRat(1, 1)
	if text := v.Get("factor").Text(); text != "" && ok {
		factor, ok = exactDecimal(text)
	}
	if !ok || least == nil {
		return "", ""
	}
	if factor.Sign() < 0 {
		least, most, below, above = most, least, above, below
	}
	end := func(n *big.Rat, open bool) string {
		if open {
			return ""
		}
		n = new(big.Rat).Add(origin, new(big.Rat).Mul(n, factor))
		digits, _ := n.FloatPrec()
		return n.FloatString(digits)
	}
	return end(least, below), end(most, above)
}

func (m *measure) named(v Value) {
	m.system, m.code, m.unit = v.Get("system").Text(), v.Get("code").Text(), v.Get("unit").Text()
}

func (m *measure) compared(comparator string) {
	switch comparator {
	case "<":
		m.low, m.belowHigh = "", true
	case "<=":
		m.low = ""
	case ">":
		m.high, m.aboveLow = "", true
	case ">=":
		m.high = ""
	}
}

// interval is the measure in numbers, converted into u's canonical unit unless u is nil. An open end is the largest
// number there is.
func (m *measure) interval(u *unit) (lo, hi float64, ok bool) {
	if m.low == "" && m.high == "" {
		return 0, 0, false
	}
	lo, hi, okLo, okHi := -math.MaxFloat64, math.MaxFloat64, true, true
	if m.low != "" {
		lo, okLo = u.canonical(m.low)
	}
	if m.high == m.low {
		hi, okHi = lo, okLo
	} else if m.high != "" {
		hi, okHi = u.canonical(m.high)
	}
	if m.aboveLow {
		lo = above(lo)
	}
	if m.belowHigh {
		hi = below(hi)
	}
	return lo, hi, okLo && okHi
}

// canonical reads a decimal, in u, as the nearest float of its canonical value; of itself when u is nil.
func (u *unit) canonical(text string) (float64, bool) {
	if u == nil {
		n, err := strconv.ParseFloat(text, 64)
		return n, err == nil && isDecimal(text)
	}
	if u.tens != "" && len(text) <= maxDecimal && isDecimal(text) && !strings.ContainsAny(text, "eE") {
		n, err := strconv.ParseFloat(text+u.tens, 64) // nearest to the exact value, too, and infinite beyond all
		return min(max(n+0, -math.MaxFloat64), math.MaxFloat64), err == nil || errors.Is(err, strconv.ErrRange)
	}
	n, ok := exactDecimal(text)
	if !ok {
		return 0, false
	}
	return nearest(u.Canonical(n)), true
}

// What a parameter is called in the index when it is about a quantity's unit, behind the parameter's code.
const (
	unitParam = ":unit" // Exact: "system|code" where UCUM does not know better, "|code" and "|unit"
	ucumParam = ":ucum" // Range, with |dimension: the number in canonical units
	// sampledParam has the Exact term "true" where a value is sampled data.
	sampledParam = ":sampled"
)

// measured adds the terms of all values of the parameter.
//
// A number in a unit of UCUM is there twice: as written, and in canonical units, where all units that measure the same
// meet. When all values have one unit, as a single one does, the unit's names are facts about the entry, and the plain numbers
// together with them say everything; values of several units each get Ranges of their own.
func (t *terms) measured() {
	if len(t.measures) == 0 {
		return
	}
	first, same := t.measures[0], true
	for i := range t.measures {
		m := &t.measures[i]
		t.ranged("", m, nil)
		same = same && m.system == first.system && m.code == first.code && m.unit == first.unit
	}
	switch {
	case t.param.Type == NumberParam:
	case same:
		t.together(&first)
	default:
		for i := range t.measures {
			t.apart(&t.measures[i])
		}
	}
}

// together adds the one unit of all values.
func (t *terms) together(m *measure) {
	named := func(param, text string) {
		t.list = append(t.list, hub.Term{Param: t.param.Code + param, Text: text})
	}
	if m.code != "" {
		switch u := unitOf(m.system, m.code); {
		case u != nil:
			for i := range t.measures {
				t.ranged(canonicalSuffix(u), &t.measures[i], u)
			}
		case m.system != "":
			named(unitParam, m.system+"|"+escapeCode(m.code))
		}
		named(unitParam, "|"+escapeCode(m.code))
	}
	if m.unit != "" && m.unit != m.code {
		named(unitParam, "|"+escapeCode(m.unit))
	}
}

// apart adds a Range for each name of a value's unit.
func (t *terms) apart(m *measure) {
	if m.code != "" {
		if u := unitOf(m.system, m.code); u != nil {
			t.ranged(canonicalSuffix(u), m, u)
		} else if m.system != "" {
			t.ranged(unitSuffix(m.system, m.code), m, nil)
		}
		t.ranged(unitSuffix("", m.code), m, nil)
	}
	if m.unit != "" && m.unit != m.code {
		t.ranged(unitSuffix("", m.unit), m, nil)
	}
}

func (t *terms) ranged(suffix string, m *measure, u *unit) {
	if lo, hi, ok := m.interval(u); ok {
		t.list = append(t.list, hub.Term{Param: t.param.Code + suffix, Kind: hub.Range, Lo: lo, Hi: hi})
	}
}

func unitSuffix(system, code string) string { return "|" + system + "|" + escapeCode(code) }

func canonicalSuffix(u *unit) string { return ucumParam + "|" + u.dimension }
