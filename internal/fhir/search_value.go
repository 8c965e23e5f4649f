package fhir

import (
	"math"
	"strings"

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

// everything matches all intervals.
func everything() hub.Match {
	return hub.Match{Kind: hub.Within, LoMin: math.Inf(-1), LoMax: math.Inf(1), HiMin: math.Inf(-1), HiMax: math.Inf(1)}
}
