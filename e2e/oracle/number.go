package oracle

import (
	"math/big"
	"strings"
)

// Quantity is a number or an interval of numbers with what its unit is called. A nil end is open to infinity.
type Quantity struct {
	Lo, Hi             *big.Rat
	LoOpen, HiOpen     bool // the end itself does not belong to it
	System, Code, Unit string
}

// decimal reads a FHIR decimal exactly, and how much half a unit of its last digit is.
func decimal(text string) (n, half *big.Rat, ok bool) {
	if text == "" || strings.Trim(text, "+-.0123456789eE") != "" {
		return nil, nil, false
	}
	n, ok = new(big.Rat).SetString(text)
	if !ok {
		return nil, nil, false
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(text), "e")
	_, fraction, _ := strings.Cut(mantissa, ".")
	unit := "1e"
	if !scientific {
		exponent = "0"
	}
	width, ok := new(big.Rat).SetString(unit + exponent)
	if !ok {
		return nil, nil, false
	}
	width.Quo(width, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil)))
	return n, width.Quo(width, big.NewRat(2, 1)), true
}

func (f *Facts) addQuantity(n Node) {
	number := func(m Node) *big.Rat {
		v, _, ok := decimal(m.get("value"))
		if !ok {
			return nil
		}
		return v
	}
	q := Quantity{System: n.get("system"), Code: n.get("code"), Unit: n.get("unit")}
	switch n.Type {
	case "Range":
		low, high := Node{Value: n.object()["low"]}, Node{Value: n.object()["high"]}
		q.Lo, q.Hi = number(low), number(high)
		named := low
		if q.Lo == nil {
			named = high
		}
		q.System, q.Code, q.Unit = named.get("system"), named.get("code"), named.get("unit")
		if q.Lo == nil && q.Hi == nil {
			return
		}
	case "Money":
		q.System, q.Code = "urn:iso:std:iso:4217", n.get("currency")
		fallthrough
	case "Quantity", "Age", "Duration", "Distance", "Count", "MoneyQuantity", "SimpleQuantity":
		q.Lo = number(n)
		if q.Hi = q.Lo; q.Lo == nil {
			return
		}
		switch c := n.get("comparator"); c {
		case "<", "<=":
			q.Lo, q.HiOpen = nil, c == "<"
		case ">", ">=":
			q.Hi, q.LoOpen = nil, c == ">"
		}
	case "SampledData":
		if !q.sampled(n) {
			return
		}
	case "integer", "positiveInt", "unsignedInt", "decimal":
		v, _, ok := decimal(n.text())
		if !ok {
			return
		}
		q = Quantity{Lo: v, Hi: v}
	default:
		return
	}
	f.Quantities = append(f.Quantities, q)
}

// sampled takes the bounds of the values of sampled data.
func (q *Quantity) sampled(n Node) bool {
	origin := Node{Value: n.object()["origin"]}
	q.System, q.Code, q.Unit = origin.get("system"), origin.get("code"), origin.get("unit")
	zero, _, known := decimal(origin.get("value"))
	factor, _, scaled := decimal(n.get("factor"))
	var loOpen, hiOpen bool
	for _, point := range strings.Fields(n.get("data")) {
		raw, _, ok := decimal(point)
		switch {
		case !known:
			return false
		case ok:
			value := new(big.Rat).Set(raw)
			if scaled {
				value.Mul(value, factor)
			}
			value.Add(value, zero)
			if q.Lo == nil || value.Cmp(q.Lo) < 0 {
				q.Lo = value
			}
			if q.Hi == nil || value.Cmp(q.Hi) > 0 {
				q.Hi = value
			}
		case point == "L" && scaled && factor.Sign() < 0, point == "U" && !(scaled && factor.Sign() < 0):
			hiOpen = true
		case point == "L" || point == "U":
			loOpen = true
		}
	}
	if q.Lo == nil {
		return false
	}
	if loOpen {
		q.Lo = nil
	}
	if hiOpen {
		q.Hi = nil
	}
	return q.Lo != nil || q.Hi != nil
}

// holds compares a target with the number asked for (search.html#number): eq and ne by the interval of its
// precision, half open; ap by a tenth more and less; the others by the number itself.
func (q Quantity) holds(prefix string, n, half *big.Rat) bool {
	switch prefix {
	case "eq":
		lo, hi := new(big.Rat).Sub(n, half), new(big.Rat).Add(n, half)
		return q.Lo != nil && q.Hi != nil && q.Lo.Cmp(lo) >= 0 && (q.Hi.Cmp(hi) < 0 || q.HiOpen && q.Hi.Cmp(hi) == 0)
	case "ne":
		return !q.holds("eq", n, half)
	case "gt":
		return q.Hi == nil || q.Hi.Cmp(n) > 0
	case "lt":
		return q.Lo == nil || q.Lo.Cmp(n) < 0
	case "ge":
		return q.holds("gt", n, half) || q.is(n)
	case "le":
		return q.holds("lt", n, half) || q.is(n)
	case "sa":
		return q.Lo != nil && (q.Lo.Cmp(n) > 0 || q.Lo.Cmp(n) == 0 && q.LoOpen)
	case "eb":
		return q.Hi != nil && (q.Hi.Cmp(n) < 0 || q.Hi.Cmp(n) == 0 && q.HiOpen)
	}
	tenth := new(big.Rat).Abs(new(big.Rat).Quo(n, big.NewRat(10, 1)))
	return !q.holds("eb", new(big.Rat).Sub(n, tenth), half) && !q.holds("sa", new(big.Rat).Add(n, tenth), half) // ap
}

// is reports whether the target is just the number asked for: an interval that only begins or ends there is neither
// contained in it nor does it overlap with what is below or above it.
func (q Quantity) is(n *big.Rat) bool {
	return q.Lo != nil && q.Hi != nil && q.Lo.Cmp(n) == 0 && q.Hi.Cmp(n) == 0
}

// named reports whether a quantity has the unit asked for by its very names: system and code, or, without a
// system, either its code or its human unit (search.html#quantity).
func (q Quantity) named(system, code string) bool {
	switch {
	case code == "" && system == "":
		return true
	case system == "":
		return q.Code == code || q.Unit == code
	case code == "":
		return q.System == system
	}
	return q.System == system && q.Code == code
}

// times scales a quantity into another unit.
func (q Quantity) times(factor *big.Rat) Quantity {
	if q.Lo != nil {
		q.Lo = new(big.Rat).Mul(q.Lo, factor)
	}
	if q.Hi != nil {
		q.Hi = new(big.Rat).Mul(q.Hi, factor)
	}
	return q
}
