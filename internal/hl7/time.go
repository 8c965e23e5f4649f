package hl7

import (
	"strings"
	"time"
)

// Precision is how much of a time was said.
type Precision uint8

// The precisions.
const (
	Year Precision = iota
	Month
	Day
	Hour
	Minute
	Second
	Fraction
)

// Time is a point in time as precise as it was said (2.A.22 DTM: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]).
type Time struct {
	// Start is where what was said begins: 2014 is the first moment of it.
	Start     time.Time
	Precision Precision
	// Zoned tells whether the zone was said; else Start is in the zone that was assumed.
	Zoned bool
}

// ParseTime reads a DTM, TS or DT; zone is assumed where none is said, UTC if nil. Blanks at the end are overlooked, and so
// is the precision that 2.1 and 2.2 put into a second component.
func ParseTime(s string, zone *time.Location) (Time, bool) {
	s = strings.TrimSpace(s)
	if zone == nil {
		zone = time.UTC
	}
	t := Time{}
	if i := strings.IndexAny(s, "+-"); i >= 0 {
		off := s[i+1:]
		if !digits(off) || len(off) != 4 && len(off) != 2 {
			return t, false
		}
		hours, minutes := decimal(off[:2]), 0
		if len(off) == 4 {
			minutes = decimal(off[2:])
		}
		if hours > 14 || minutes > 59 {
			return t, false
		}
		seconds := hours*3600 + minutes*60
		if s[i] == '-' {
			seconds = -seconds
		}
		zone, t.Zoned, s = time.FixedZone("", seconds), true, s[:i]
	}
	s, fraction, dotted := strings.Cut(s, ".")
	if !digits(s) || dotted && (len(s) != 14 || !digits(fraction) || len(fraction) > 9) {
		return t, false
	}
	switch len(s) {
	case 4, 6, 8, 10, 12, 14:
	default:
		return t, false
	}
	t.Precision = Precision((len(s) - 4) / 2)
	n := [6]int{0, 1, 1, 0, 0, 0}
	n[0] = decimal(s[:4])
	for i := 1; 2+2*i < len(s); i++ {
		n[i] = decimal(s[2+2*i : 4+2*i])
	}
	nanos := 0
	if fraction != "" {
		t.Precision = Fraction
		nanos = decimal((fraction + "000000000")[:9])
	}
	if n[0] == 0 || n[1] < 1 || n[1] > 12 || n[2] < 1 || n[3] > 23 || n[4] > 59 || n[5] > 59 {
		return t, false
	}
	t.Start = time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], nanos, zone)
	return t, t.Start.Day() == n[2] // no thirty-first of February
}

// FormatTime writes a time to the second, with its zone (DTM).
func FormatTime(t time.Time) string { return t.Format("20060102150405-0700") }

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

func decimal(s string) int {
	n := 0
	for _, c := range []byte(s) {
		n = n*10 + int(c-'0')
	}
	return n
}
