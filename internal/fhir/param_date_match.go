package fhir

import (
	"math"
	"slices"
	"strings"
	"time"

	"concord/hub"
)

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
		lo, hi = math.Floor(lo-tenth), math.Ceil(hi+tenth)
	}
	if p.Code == hub.LastUpdated { // points, of whole milliseconds
		zone = nil
	}
	return c.dates(lo, hi, zone), nil
}

// dates compares intervals of time, stored as compact does, with [lo, hi] as R4's table of prefixes says: eq is to be
// contained in it, gt to reach beyond its end, ge either of the two; sa is to begin beyond its end. A nil zone says that all
// that is stored are points.
//
// A lone millisecond is a whole second or day. As the milliseconds compare, so do the intervals, but for those that
// hold an end of what is asked for without ending there: these are added or taken out one by one. There are none
// when whole days are asked for; when seconds are, there is one day.
func (c comparator) dates(lo, hi float64, zone *time.Location) []hub.Match {
	before, starts := lo-half, lo // beyond a millisecond is half a millisecond on
	ends, beyond := hi+half, hi+half
	m := everything()
	switch c {
	case "eq":
		m.LoMin, m.HiMax = starts, ends
		return without(m, holding(hi, zone, func(start, end float64) bool { return start >= lo && end > hi }))
	case "ne":
		other := everything()
		m.LoMax, other.HiMin = before, beyond
		return with([]hub.Match{m, other}, holding(hi, zone, func(start, end float64) bool { return end > hi }))
	case "gt":
		m.HiMin = beyond
		return with([]hub.Match{m}, holding(hi, zone, func(start, end float64) bool { return end > hi }))
	case "ge":
		m.LoMin = starts
		return with([]hub.Match{m, around(lo, hi)}, holding(hi, zone, func(start, end float64) bool { return start < lo && end > hi }))
	case "lt":
		m.LoMax = before
	case "le":
		m.HiMax = ends
		return append(without(m, holding(hi, zone, func(start, end float64) bool { return start >= lo && end > hi })), around(lo, hi))
	case "sa":
		m.LoMin = beyond
	case "eb":
		m.HiMax = before
		return without(m, holding(lo, zone, func(start, end float64) bool { return start < lo }))
	case "co": // of a filter: to hold the interval
		m.LoMax, m.HiMin = lo, hi
		return with([]hub.Match{m}, holding(lo, zone, func(start, end float64) bool { return end >= hi }))
	case "ap", "po": // to overlap with it
		m.LoMax, m.HiMin = ends, starts
		return with([]hub.Match{m}, holding(lo, zone, func(start, end float64) bool { return start < lo }))
	}
	return []hub.Match{m}
}

// around matches what begins before lo and ends beyond hi.
func around(lo, hi float64) hub.Match {
	m := everything()
	m.LoMax, m.HiMin = lo-half, hi+half
	return m
}

// holding lists the lone milliseconds that stand for intervals that hold at and pass, in ascending order.
func holding(at float64, zone *time.Location, pass func(start, end float64) bool) []float64 {
	if zone == nil || math.Abs(at) >= endOfTime {
		return nil
	}
	var all []float64
	if start, end := dayOf(at, zone); pass(start, end) {
		all = append(all, start)
	}
	start := math.Floor(at/second) * second
	if _, end := holder(start, zone); end == start+second-1 && pass(start, end) {
		all = append(all, start)
	}
	slices.Sort(all)
	return all
}

// with adds the points.
func with(matches []hub.Match, points []float64) []hub.Match {
	for _, x := range points {
		matches = append(matches, hub.Match{Kind: hub.Within, LoMin: x, LoMax: x, HiMin: x, HiMax: x})
	}
	return matches
}

// without cuts the points out: nothing else ends where they do.
func without(m hub.Match, points []float64) []hub.Match {
	var all []hub.Match
	for _, x := range points {
		if x < m.HiMin || x > m.HiMax {
			continue
		}
		if low := m; x > m.LoMin {
			low.HiMax = x - quarter/2
			all = append(all, low)
		}
		m.HiMin = x + quarter/2
	}
	return append(all, m)
}
