package fhir

import (
	"strconv"
	"strings"
	"time"

	"concord/hub"
)

// endOfTime stands for the open end of a Period, in milliseconds; −endOfTime for the open start. It is beyond every
// date of FHIR.
const endOfTime = 8.64e15

// date adds the terms of a value of a date parameter (R4 search.html#date). Of a Timing it takes the events and the
// bounding period.
func (t *terms) date(v Value, typ string) {
	switch typ {
	case "Period":
		t.period(v)
	case "Timing":
		for e := range v.Get("event").Items() {
			t.date(e, "dateTime")
		}
		if p := v.Get("repeat").Get("boundsPeriod"); p.Kind() == Object {
			t.period(p)
		}
	default:
		if lo, hi, ok := parseDate(v.Text(), t.zone); ok {
			t.between(lo, hi)
		}
	}
}

func (t *terms) period(v Value) {
	lo, _, okLo := parseDate(v.Get("start").Text(), t.zone)
	_, hi, okHi := parseDate(v.Get("end").Text(), t.zone)
	switch {
	case !okLo && !okHi:
		return
	case !okLo:
		lo = -endOfTime
	case !okHi:
		hi = endOfTime
	}
	t.between(lo, hi)
}

// between adds a Range term; an interval the wrong way round adds none.
func (t *terms) between(lo, hi float64) {
	if lo <= hi {
		t.list = append(t.list, hub.Term{Param: t.param.Code, Kind: hub.Range, Lo: lo, Hi: hi})
	}
}

// parseDate reads a date, dateTime or instant, of any precision from year to millisecond, as its first and last
// millisecond. What names no zone is in zone.
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
		year, ok = digits(date[:4], 0, 9999)
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

// parseClock reads hh:mm, hh:mm:ss or hh:mm:ss.fff, and a zone.
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
	second, millis, width := 0, 0, 60_000
	okS := true
	if len(s) > 5 {
		if len(s) < 8 || s[5] != ':' {
			return 0, 0, false
		}
		second, okS = digits(s[6:8], 0, 60)
		width = 1000
		if len(s) > 8 {
			if s[8] != '.' || len(s) == 9 {
				return 0, 0, false
			}
			fraction := s[9:]
			if _, isNumber := digits(fraction[:min(len(fraction), 9)], 0, 1<<30); !isNumber {
				return 0, 0, false
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
	start := time.Date(year, time.Month(month), day, hour, minute-offset, second, millis*1e6, zone)
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
