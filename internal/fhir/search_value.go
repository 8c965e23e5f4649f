package fhir

import (
	"math"
	"strconv"
	"strings"
	"time"

	"concord/hub"
)

// splitAlternatives cuts a value at the commas that no backslash escapes. The parts keep their escapes.
func splitAlternatives(text string) []string { return splitEscaped(text, ',') }

// splitValue cuts at unescaped separators and unescapes the parts.
func splitValue(text string, sep byte) []string {
	parts := splitEscaped(text, sep)
	for i := range parts {
		parts[i] = unescapeValue(parts[i])
	}
	return parts
}

func splitEscaped(text string, sep byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// unescapeValue resolves \, \| \$ and \\ (R4 search.html#escaping); any other backslash stands for itself.
func unescapeValue(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && strings.IndexByte(`,|$\`, text[i+1]) >= 0 {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// comparator is the prefix of a date, number or quantity (R4 search.html#prefix).
type comparator string

func cutComparator(value string) (comparator, string) {
	if len(value) > 2 {
		switch c := comparator(value[:2]); c {
		case "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap":
			return c, value[2:]
		}
	}
	return "eq", value
}

// compare compiles a comparison with the interval [lo, hi].
//
// ge and le hold when the value reaches the interval from the side asked for or touches it; the rest is R4's table.
func (c comparator) compare(lo, hi float64) []hub.Match {
	m := everything()
	switch c {
	case "eq":
		m.LoMin, m.HiMax = lo, hi
	case "ne":
		other := everything()
		m.LoMax, other.HiMin = below(lo), above(hi)
		return []hub.Match{m, other}
	case "gt":
		m.HiMin = above(hi)
	case "ge":
		m.HiMin = lo
	case "lt":
		m.LoMax = below(lo)
	case "le":
		m.LoMax = hi
	case "sa":
		m.LoMin = above(hi)
	case "eb":
		m.HiMax = below(lo)
	case "ap":
		m.LoMax, m.HiMin = hi, lo
	}
	return []hub.Match{m}
}

func everything() hub.Match {
	return hub.Match{Kind: hub.Within, LoMin: math.Inf(-1), LoMax: math.Inf(1), HiMin: math.Inf(-1), HiMax: math.Inf(1)}
}

func above(x float64) float64 { return math.Nextafter(x, math.Inf(1)) }
func below(x float64) float64 { return math.Nextafter(x, math.Inf(-1)) }

// dateMatches reads one alternative of a date parameter. ap widens by a tenth of the distance from now.
func (p *Param) dateMatches(value string, zone *time.Location, now time.Time) ([]hub.Match, error) {
	c, text := cutComparator(unescapeValue(value))
	// In a query a plus sign that was not encoded arrives as a space.
	if i := strings.LastIndexByte(text, ' '); i > 0 {
		text = text[:i] + "+" + text[i+1:]
	}
	lo, hi, ok := parseDate(text, zone)
	if !ok {
		return nil, p.invalid(value, "a date is yyyy[-mm[-dd[Thh:mm[:ss[.fff]][zone]]]], with a prefix like ge where wanted")
	}
	if c == "ap" {
		tenth := math.Abs(hub.Instant(now)-(lo+hi)/2) / 10
		lo, hi = lo-tenth, hi+tenth
	}
	return c.compare(lo, hi), nil
}

// quantityMatches reads one alternative of a number or quantity parameter: [prefix]number[|system|code]. A number with
// eq, ne or none stands for the interval of its precision; ap for a tenth more and less.
func (p *Param) quantityMatches(value string) (string, []hub.Match, error) {
	parts := splitValue(value, '|')
	param := p.Code
	switch {
	case p.Type == NumberParam && len(parts) > 1 || len(parts) == 2 || len(parts) > 3:
		return "", nil, p.invalid(value, "a number, or for quantities number|system|code or number||code, is due")
	case len(parts) == 3 && parts[2] != "":
		param += unitSuffix(parts[1], parts[2])
	case len(parts) == 3 && parts[1] != "":
		return "", nil, &hub.Error{Kind: hub.Unsupported, Path: p.Code, Msg: "search: a unit's system without its code"}
	}
	c, text := cutComparator(parts[0])
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !isDecimal(text) || math.IsInf(n, 0) {
		return "", nil, p.invalid(value, "the number is none")
	}
	lo, hi := n, n
	switch c {
	case "eq", "ne":
		half := precision(text) / 2
		lo, hi = n-half, below(n+half)
	case "ap":
		lo, hi = n-math.Abs(n)/10, n+math.Abs(n)/10
	}
	return param, c.compare(lo, hi), nil
}

// isDecimal refuses what ParseFloat reads beyond decimals: hexadecimals, underscores, names.
func isDecimal(s string) bool { return strings.Trim(s, "+-.0123456789eE") == "" }

// precision is the value of the last digit written: 1 for 100, 0.01 for 5.40, 100 for 1e2 (R4 search.html#number).
func precision(text string) float64 {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	exp, _ := strconv.Atoi(exponent)
	if _, fraction, ok := strings.Cut(mantissa, "."); ok {
		exp -= len(fraction)
	}
	return math.Pow10(exp)
}
