package fhir

import (
	"math"
	"strconv"
	"strings"
	"time"

	"concord/hub"
)

// endOfTime stands for the open end of a Period, in milliseconds; −endOfTime for the open start. It is beyond every
// date of FHIR.
const endOfTime = 8.64e15

// date adds the terms of a value of a date parameter (R4 search.html#date). An instant is a point; of a Timing only the
// outer limits of its events and its bounding period count.
func (t *terms) date(v Value, typ string) {
	lo, hi, ok := interval(v, typ, t.zone)
	if !ok || lo > hi {
		return
	}
	lo, hi = compact(lo, hi, t.zone)
	t.between(lo, hi)
}

// interval is the first and the last millisecond of a value.
func interval(v Value, typ string, zone *time.Location) (lo, hi float64, ok bool) {
	switch typ {
	case "Period":
		return period(v, zone)
	case "Timing":
		lo, hi = math.Inf(1), math.Inf(-1)
		widen := func(l, h float64, valid bool) {
			if valid {
				lo, hi, ok = min(lo, l), max(hi, h), true
			}
		}
		for e := range v.Get("event").Items() {
			widen(parseDate(e.Text(), zone))
		}
		if p := v.Get("repeat").Get("boundsPeriod"); p.Kind() == Object {
			widen(period(p, zone))
		}
		return lo, hi, ok
	case "instant":
		lo, _, ok = parseDate(v.Text(), zone)
		return lo, lo, ok
	}
	return parseDate(v.Text(), zone)
}

func period(v Value, zone *time.Location) (lo, hi float64, ok bool) {
	lo, _, okLo := parseDate(v.Get("start").Text(), zone)
	_, hi, okHi := parseDate(v.Get("end").Text(), zone)
	if !okLo {
		lo = -endOfTime
	}
	if !okHi {
		hi = endOfTime
	}
	return lo, hi, okLo || okHi
}

// Bounds are the first and the last millisecond of a Period; an end that is not stated lies beyond all times. ok is false where
// neither is.
func Bounds(v Value, zone *time.Location) (lo, hi float64, ok bool) { return period(v, zone) }

// Extent is the interval that a Range term of a date stands for; zone is that of the projection.
func Extent(t hub.Term, zone *time.Location) (lo, hi float64) {
	if t.Lo == t.Hi {
		return holder(t.Lo, zone)
	}
	return t.Lo, t.Hi
}

// between adds a Range term; an interval the wrong way round adds none.
func (t *terms) between(lo, hi float64) {
	if lo <= hi {
		t.list = append(t.list, hub.Term{Param: t.param.Code, Kind: hub.Range, Lo: lo, Hi: hi})
	}
}

// A Range costs an index twice as much when its ends differ, and nearly every date is a whole second or a whole day. So
// these two are stored as their first millisecond alone, which nothing else is: an interval of another width that would
// end at the millisecond at which a second begins is stored as ending a quarter of a millisecond later.
const (
	second  = 1000.0
	quarter = 0.25
	half    = 0.5
)

// compact is the form in which the interval [lo, hi] of whole milliseconds is stored.
func compact(lo, hi float64, zone *time.Location) (float64, float64) {
	if start, end := holder(lo, zone); start == lo && end == hi {
		return lo, lo
	}
	if math.Mod(hi, second) == 0 && math.Abs(hi) < endOfTime {
		hi += quarter
	}
	return lo, hi
}

// holder is the interval that a lone millisecond at stands for: the day that begins there, else its second.
func holder(at float64, zone *time.Location) (start, end float64) {
	if start, end = dayOf(at, zone); start == at {
		return start, end
	}
	start = math.Floor(at/second) * second
	return start, start + second - 1
}

// dayOf is the day that holds a millisecond.
func dayOf(at float64, zone *time.Location) (start, end float64) {
	t := time.UnixMilli(int64(at)).In(zone)
	year, month, day := t.Date()
	from := time.Date(year, month, day, 0, 0, 0, 0, zone)
	return hub.Instant(from), hub.Instant(time.Date(year, month, day+1, 0, 0, 0, 0, zone)) - 1
}

// parseDate reads a date, dateTime or instant, of any precision from year to millisecond, as its first and last
// millisecond. Years go from 0001 to 9999. What names no zone is in zone; what lies below a millisecond is cut off.
func parseDate(s string, zone *time.Location) (lo, hi float64, ok bool) {
	date, clock, hasClock := strings.Cut(s, "T")
	year, month, day := 0, 1, 1
	precision := len(date)
	switch precision {
	case 10:
		day, ok = digits(date[8:], 1, 31)
		if !ok || date[7] != '-' {
			return 0, 0, false
		}
		fallthrough
	case 7:
		month, ok = digits(date[5:7], 1, 12)
		if !ok || date[4] != '-' {
			return 0, 0, false
		}
		fallthrough
	case 4:
		year, ok = digits(date[:4], 1, 9999)
	}
	if !ok || hasClock && precision != 10 {
		return 0, 0, false
	}
	if day > 28 && time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() != day {
		return 0, 0, false
	}
	if hasClock {
		return parseClock(year, month, day, clock, zone)
	}
	start := time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone)
	var end time.Time
	switch precision {
	case 4:
		end = time.Date(year+1, 1, 1, 0, 0, 0, 0, zone)
	case 7:
		end = time.Date(year, time.Month(month)+1, 1, 0, 0, 0, 0, zone)
	case 10:
		end = time.Date(year, time.Month(month), day+1, 0, 0, 0, 0, zone)
	}
	return hub.Instant(start), hub.Instant(end) - 1, true
}

// parseClock reads hh:mm, hh:mm:ss or hh:mm:ss.fff, and a zone. It refuses leap seconds: the index's time has none.
func parseClock(year, month, day int, s string, zone *time.Location) (lo, hi float64, ok bool) {
	offset := 0
	hasZone := false
	if rest, found := strings.CutSuffix(s, "Z"); found {
		s, hasZone = rest, true
	} else if n := len(s) - 6; n > 0 && (s[n] == '+' || s[n] == '-') && s[n+3] == ':' {
		h, okH := digits(s[n+1:n+3], 0, 14)
		m, okM := digits(s[n+4:], 0, 59)
		if !okH || !okM {
			return 0, 0, false
		}
		offset = h*60 + m
		if s[n] == '-' {
			offset = -offset
		}
		s, hasZone = s[:n], true
	}
	if hasZone {
		zone = time.UTC
	}
	if len(s) < 5 || s[2] != ':' {
		return 0, 0, false
	}
	hour, okH := digits(s[:2], 0, 23)
	minute, okM := digits(s[3:5], 0, 59)
	seconds, millis, width := 0, 0, 60_000
	okS := true
	if len(s) > 5 {
		if len(s) < 8 || s[5] != ':' {
			return 0, 0, false
		}
		seconds, okS = digits(s[6:8], 0, 59)
		width = 1000
		if len(s) > 8 {
			if s[8] != '.' || len(s) == 9 {
				return 0, 0, false
			}
			fraction := s[9:]
			for i := range len(fraction) {
				if fraction[i]-'0' > 9 {
					return 0, 0, false
				}
			}
			for i := range 3 {
				millis *= 10
				if i < len(fraction) {
					millis += int(fraction[i] - '0')
					width /= 10
				}
			}
		}
	}
	if !okH || !okM || !okS {
		return 0, 0, false
	}
	start := time.Date(year, time.Month(month), day, hour, minute-offset, seconds, millis*1e6, zone)
	lo = hub.Instant(start)
	return lo, lo + float64(width) - 1, true
}

// digits reads a number that consists of digits only and lies in [low, high].
func digits(s string, low, high int) (int, bool) {
	for i := 0; i < len(s); i++ {
		if s[i]-'0' > 9 {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= low && n <= high
}
