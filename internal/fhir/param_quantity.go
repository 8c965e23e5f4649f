package fhir

import (
	"math"
	"strconv"

	"concord/hub"
)

// quantity adds the terms of a value of a number or quantity parameter (R4 search.html#number, #quantity). A
// comparator or an absent limit makes an interval that is open at one end, written with the largest number there is.
func (t *terms) quantity(v Value, typ string) {
	switch typ {
	case "Range":
		t.interval(v.Get("low"), v.Get("high"))
	case "Money":
		if n, ok := decimal(v.Get("value")); ok {
			t.measured(n, n, "urn:iso:std:iso:4217", v.Get("currency").Text(), "")
		}
	case "Quantity", "Age", "Duration", "Distance", "Count":
		n, ok := decimal(v.Get("value"))
		if !ok {
			return
		}
		lo, hi := n, n
		switch v.Get("comparator").Text() {
		case "<", "<=":
			lo = -math.MaxFloat64
		case ">", ">=":
			hi = math.MaxFloat64
		}
		t.measured(lo, hi, v.Get("system").Text(), v.Get("code").Text(), v.Get("unit").Text())
	default:
		if n, ok := decimal(v); ok {
			t.between(n, n)
		}
	}
}

func (t *terms) interval(low, high Value) {
	lo, okLo := decimal(low.Get("value"))
	hi, okHi := decimal(high.Get("value"))
	unit := low
	switch {
	case !okLo && !okHi:
		return
	case !okLo:
		lo, unit = -math.MaxFloat64, high
	case !okHi:
		hi = math.MaxFloat64
	}
	t.measured(lo, hi, unit.Get("system").Text(), unit.Get("code").Text(), unit.Get("unit").Text())
}

// measured adds an interval without and with its unit.
func (t *terms) measured(lo, hi float64, system, code, unit string) {
	if lo > hi {
		return
	}
	t.between(lo, hi)
	if t.param.Type != QuantityParam {
		return
	}
	within := func(suffix string) {
		t.list = append(t.list, hub.Term{Param: t.param.Code + suffix, Kind: hub.Range, Lo: lo, Hi: hi})
	}
	if system != "" && code != "" {
		within(unitSuffix(system, code))
	}
	if code != "" {
		within(unitSuffix("", code))
	}
	if unit != "" && unit != code {
		within(unitSuffix("", unit))
	}
}

func unitSuffix(system, code string) string { return "|" + system + "|" + escapeCode(code) }

func decimal(v Value) (float64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.Text(), 64)
	return n, err == nil
}
