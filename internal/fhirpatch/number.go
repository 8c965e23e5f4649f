package fhirpatch

import (
	"strconv"
	"strings"
)

// sameNumber compares two JSON numbers by value, whatever their digits and exponents.
func sameNumber(a, b string) bool {
	da, ea, na := decimal(a)
	db, eb, nb := decimal(b)
	return da == db && ea == eb && na == nb
}

// decimal is a number as digits without zeros at either end, times ten to the power of exp.
func decimal(s string) (digits string, exp int64, negative bool) {
	s, negative = strings.CutPrefix(s, "-")
	mantissa, power, _ := strings.Cut(strings.ToLower(s), "e")
	exp, _ = strconv.ParseInt(power, 10, 64) // none is 0, one out of range its bound
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exp -= int64(len(fraction))
	short := strings.TrimRight(digits, "0")
	exp += int64(len(digits) - len(short))
	if short == "" {
		return "", 0, false
	}
	return short, exp, negative
}
