package fhir

import (
	"math/big"
	"strconv"
	"strings"

	"concord/hub"
)

// span is the interval of numbers that a search compares with.
type span struct {
	lo, hi *big.Rat
	open   bool // hi does not belong to it
}

// quantityAlternatives reads one alternative of a number or quantity parameter: [prefix]number[|system|code]. A number with
// eq, ne or no prefix stands for the interval of its precision; with ap for a tenth more and less; else for itself.
//
// A unit of UCUM is found in all units that measure the same.
func (p *Param) quantityAlternatives(value string) ([][]hub.Clause, error) {
	parts := splitValue(value, '|')
	if p.Type == NumberParam && len(parts) > 1 || len(parts) == 2 || len(parts) > 3 {
		return nil, p.invalid(value, "a number, or for quantities number|system|code or number||code, is due")
	}
	c, text := cutComparator(parts[0])
	asked, ok := readSpan(c, text)
	if !ok {
		return nil, p.invalid(value, "a number is due, such as 5.4 or 1e2, with a prefix like ge where wanted")
	}
	plain := hub.Clause{Param: p.Code, Any: c.numbers(asked)}
	if len(parts) == 1 || parts[1] == "" && parts[2] == "" {
		return [][]hub.Clause{{plain}}, nil
	}
	system, code := parts[1], parts[2]
	if code == "" {
		return nil, &hub.Error{Kind: hub.Unsupported, Path: p.Code, Msg: "search: a unit's system without its code", Hint: "number|system|code, or the number alone"}
	}
	equals := func(param, text string) hub.Clause {
		return hub.Clause{Param: p.Code + param, Any: []hub.Match{{Kind: hub.Equals, Term: hub.Exact, Text: text}}}
	}
	u := unitOf(system, code)
	if u == nil {
		return [][]hub.Clause{
			{equals(unitParam, system+"|"+escapeCode(code)), plain},
			{{Param: p.Code + unitSuffix(system, code), Any: plain.Any}},
		}, nil
	}
	return [][]hub.Clause{{{Param: p.Code + canonicalSuffix(u), Any: c.numbers(asked.through(u.Canonical))}}}, nil
}

func (s span) through(convert func(*big.Rat) *big.Rat) span {
	return span{convert(s.lo), convert(s.hi), s.open}
}

// readSpan reads the number behind a prefix (R4 search.html#number).
func readSpan(c comparator, text string) (span, bool) {
	n, ok := exactDecimal(text)
	if !ok || strings.HasPrefix(text, "+") {
		return span{}, false
	}
	switch c {
	case "eq", "ne":
		margin := precision(text)
		margin.Mul(margin, big.NewRat(1, 2))
		return span{new(big.Rat).Sub(n, margin), new(big.Rat).Add(n, margin), true}, true
	case "ap":
		margin := new(big.Rat).Mul(n, big.NewRat(1, 10))
		margin.Abs(margin)
		return span{new(big.Rat).Sub(n, margin), new(big.Rat).Add(n, margin), false}, true
	}
	return span{n, n, false}, true
}

// precision is the value of the last digit written: 1 for 100, 0.01 for 5.40, 100 for 1e2 (R4 search.html#number).
func precision(text string) *big.Rat {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	e, _ := strconv.Atoi(exponent)
	_, fraction, _ := strings.Cut(mantissa, ".")
	e -= len(fraction)
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(e, -e))), nil)
	if e < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), ten)
	}
	return new(big.Rat).SetInt(ten)
}

// numbers compares intervals of numbers with s as R4's table of prefixes says: see dates.
func (c comparator) numbers(s span) []hub.Match {
	lo, hi := nearest(s.lo), nearest(s.hi)
	last, beyond := hi, above(hi)
	if s.open {
		last, beyond = below(hi), hi
	}
	m := everything()
	switch c {
	case "eq":
		m.LoMin, m.HiMax = lo, last
	case "ne":
		other := everything()
		m.LoMax, other.HiMin = below(lo), beyond
		return []hub.Match{m, other}
	case "gt":
		m.HiMin = beyond
	case "ge":
		m.LoMin = lo
		return []hub.Match{m, acrossNumbers(lo, hi)}
	case "lt":
		m.LoMax = below(lo)
	case "le":
		m.HiMax = hi
		return []hub.Match{m, acrossNumbers(lo, hi)}
	case "sa":
		m.LoMin = beyond
	case "eb":
		m.HiMax = below(lo)
	case "ap":
		m.LoMax, m.HiMin = hi, lo
	}
	return []hub.Match{m}
}

// acrossNumbers matches what begins below lo and ends above hi.
func acrossNumbers(lo, hi float64) hub.Match {
	m := everything()
	m.LoMax, m.HiMin = below(lo), above(hi)
	return m
}
