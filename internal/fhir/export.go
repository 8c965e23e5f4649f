package fhir

import (
	"strings"
	"time"
)

// NearestType is a hint with the resource type nearest to name, empty when none is near.
func NearestType(name string) string { return didYouMean(name, definitions().names) }

var escaper = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)

// Escape makes a value literal inside a search parameter (R4 search.html#escaping).
func Escape(value string) string { return escaper.Replace(value) }

// Unescape is the value that a part of a search parameter stands for.
func Unescape(value string) string { return unescapeValue(value) }

// Nearest is a hint with the one of known that is nearest to name, empty when none is near.
func Nearest(name string, known []string) string { return didYouMean(name, known) }

// Interval reads a date, dateTime or instant as the first and the last millisecond that it leaves open; one without a
// zone is in zone, or ChinaTime when that is nil.
func Interval(date string, zone *time.Location) (first, last time.Time, ok bool) {
	if zone == nil {
		zone = ChinaTime()
	}
	lo, hi, ok := parseDate(date, zone)
	return time.UnixMilli(int64(lo)), time.UnixMilli(int64(hi)), ok
}
