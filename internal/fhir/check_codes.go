package fhir

import (
	"slices"
	"strings"
)

// codes are what a required binding admits.
type codes struct {
	name   string            // of the value set
	system string            // the one system they are from, empty when there are several
	values map[string]string // systems by code; none when the definitions do not list the codes
	// grammar stands in for the list: BCP 13, BCP 47, ISO 4217. Nil with no values admits all.
	grammar func(string) bool
}

// grammars are of the value sets whose codes R4 leaves to another standard. Not tested at all are UCUM units
// (ucum-units, all-time-units, all-distance-units) but for their system, and LOINC's answer list LL379-9.
var grammars = map[string]func(string) bool{
	"all-languages": isLanguageTag,
	"bcp13.txt":     isMediaType,
	"currencies":    isCurrency,
	"mimetypes":     isMediaType,
}

// addCodes reads one line of bindingTable.
func (s *specification) addCodes(fields []string) {
	c := &codes{name: fields[0], values: map[string]string{}, grammar: grammars[fields[0]]}
	s.bindings[c.name] = c
	for _, field := range fields[1:] {
		list := strings.Fields(field)
		if len(fields) == 2 {
			c.system = list[0]
		}
		for _, code := range list[1:] {
			c.values[code] = list[0]
		}
	}
}

// has tells whether a code of type code is one of them; its system is understood.
func (c *codes) has(code string) bool {
	switch {
	case c.grammar != nil:
		return c.grammar(code)
	case len(c.values) > 0:
		return c.values[code] != ""
	}
	return true
}

// hasCoding tells whether the code of a system is one of them.
func (c *codes) hasCoding(system, code string) bool {
	if len(c.values) > 0 {
		return system != "" && c.values[code] == system
	}
	return c.system == "" || system == c.system && code != "" && c.has(code)
}

// hint names the code that was probably meant.
func (c *codes) hint(code string) string {
	known := make([]string, 0, len(c.values))
	for value := range c.values {
		known = append(known, value)
	}
	slices.Sort(known)
	if len(known) > 0 && len(known) <= 8 {
		return "one of " + strings.Join(known, ", ")
	}
	return didYouMean(code, known)
}

// isLanguageTag is the shape of a tag of BCP 47: subtags of up to eight letters and digits, the first of letters.
func isLanguageTag(s string) bool {
	for i, tag := 0, ""; s != ""; i++ {
		more := false
		tag, s, more = strings.Cut(s, "-")
		if tag == "" || len(tag) > 8 || more && s == "" {
			return false
		}
		for j := range len(tag) {
			if !isLetter(tag[j]) && (i == 0 || !isDigit(tag[j])) {
				return false
			}
		}
	}
	return true
}

// isMediaType is the shape of a media type of BCP 13, with parameters or without. R4 also writes xml and json for its own.
func isMediaType(s string) bool {
	s, _, _ = strings.Cut(s, ";")
	typ, subtype, both := strings.Cut(strings.TrimSpace(s), "/")
	return isMediaName(typ) && (!both || isMediaName(subtype))
}

// isMediaName is the grammar of a restricted-name (RFC 6838 §4.2), of a type or subtype.
func isMediaName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && (i == 0 || strings.IndexByte("!#$&-^_.+", c) < 0) && c != '*' {
			return false
		}
	}
	return s != "" && len(s) <= 127
}

// isCurrency is the shape of a code of ISO 4217.
func isCurrency(s string) bool {
	return len(s) == 3 && isUpper(s[0]) && isUpper(s[1]) && isUpper(s[2])
}

func isUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func isLetter(c byte) bool { return isUpper(c &^ 0x20) }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
