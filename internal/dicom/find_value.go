package dicom

import (
	"math"
	"strconv"
	"strings"
	"time"

	"concord/hub"
	"concord/internal/dicom/dict"
)

// wild reports whether a value has wildcards (PS3.4 C.2.2.2.4).
func wild(v string) bool { return strings.ContainsAny(v, "*?") }

// escapeBackslash makes a pattern of text in which a backslash is an ordinary character.
func escapeBackslash(v string) string { return strings.ReplaceAll(v, `\`, `\\`) }

// numberTest compares numbers by what they say, not by how they are written: 7 is 007 and 7.0.
func numberTest(k *Key, v string) (func(string) bool, error) {
	want, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return nil, invalid(k.Name(), "is matched by a number only")
	}
	return func(s string) bool {
		got, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return s == v || err == nil && got == want
	}, nil
}

// interval is a stretch of time, both ends included: milliseconds since 1970, or of the day.
type interval struct{ lo, hi float64 }

// meets reports whether two intervals have a moment in common.
func (a interval) meets(b interval) bool { return a.lo <= b.hi && b.lo <= a.hi }

const (
	dateHint = "a date is YYYYMMDD, a range YYYYMMDD-YYYYMMDD, either end may be missing"
	timeHint = "a time is HHMMSS.FFFFFF, shortened from the right, a range two of them with a hyphen"
)

type parse func(string) (lo, hi float64, ok bool)

func date(s string) (lo, hi float64, ok bool) {
	lo, ok = parseDate(s)
	return lo, lo, ok
}

// within compiles a single value or range (C.2.2.2.1 and C.2.2.2.5): what is written with less precision stands for all it
// may be.
func within(k *Key, v, hint string, read parse) (func(string) bool, error) {
	want, err := forwardRange(k.Name(), v, hint, read)
	return func(s string) bool {
		lo, hi, ok := read(s)
		return ok && want.meets(interval{lo, hi})
	}, err
}

// forward refuses a range that ends before it begins: it means nothing (C.2.2.2.5), and an empty answer would not tell.
func forward(name string, want interval) error {
	if want.lo > want.hi {
		return &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is a range that ends before it begins", Hint: "the earlier end comes first; hours around midnight are two queries"}
	}
	return nil
}

func forwardRange(name, v, hint string, read parse) (interval, error) {
	want, err := rangeOf(name, v, hint, read)
	if err == nil {
		err = forward(name, want)
	}
	return want, err
}

// rangeOf reads a single value or a range, which may end before it begins: the times of combined ones do.
func rangeOf(name, v, hint string, read parse) (interval, error) {
	from, to, isRange := strings.Cut(v, "-")
	if !isRange {
		to = from
	}
	all := interval{math.Inf(-1), math.Inf(1)}
	okFrom, okTo := from != "" || to != "", true
	if from = strings.TrimSpace(from); from != "" {
		all.lo, _, okFrom = read(from)
	}
	if to = strings.TrimSpace(to); to != "" {
		_, all.hi, okTo = read(to)
	}
	if !okFrom || !okTo {
		return all, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is no valid value or range", Hint: hint}
	}
	return all, nil
}

// dateTimePairs are the dates whose time is an attribute of its own.
func dateTimePairs() map[Tag]Tag {
	return map[Tag]Tag{
		0x00080012: 0x00080013, 0x00080020: 0x00080030, 0x00080021: 0x00080031, 0x00080022: 0x00080032,
		0x00080023: 0x00080033, 0x00080024: 0x00080034, 0x00080025: 0x00080035, 0x00100030: 0x00100032,
		0x00181012: 0x00181014, 0x00181200: 0x00181201, 0x00400002: 0x00400003, 0x00400004: 0x00400005,
		0x00400244: 0x00400245, 0x00400250: 0x00400251, 0x00402004: 0x00402005, 0x21000040: 0x21000050,
	}
}

// partner is the key of the time that belongs to a date; nil when there is none.
func partner(list []Key, date Tag) *Key {
	time := dateTimePairs()[date]
	for i := range list {
		if time != 0 && list[i].Tag == time && list[i].Selects() {
			return &list[i]
		}
	}
	return nil
}

// combinedTime reports whether k is the time of a date among list with which it forms one range.
func combinedTime(list []Key, k *Key) bool {
	if k.VR != dict.TM {
		return false
	}
	for i := range list {
		if p := partner(list, list[i].Tag); p != nil && p.Tag == k.Tag {
			return sameRanges(&list[i], k)
		}
	}
	return false
}

// sameRanges reports whether a date and a time are ranges of the same form, as combined matching demands.
func sameRanges(date, time *Key) bool {
	if len(date.Values) != 1 || len(time.Values) != 1 {
		return false
	}
	from, to, isRange := strings.Cut(date.Values[0], "-")
	fromTime, toTime, alsoRange := strings.Cut(time.Values[0], "-")
	return isRange && alsoRange && (from == "") == (fromTime == "") && (to == "") == (toTime == "")
}

// combine compiles two ranges as one. A data set without a time of the day may be at any.
func combine(dates, times *Key) (condition, error) {
	days, err := rangeOf(dates.Name(), dates.Values[0], dateHint, date)
	if err != nil {
		return condition{}, err
	}
	hours, err := rangeOf(times.Name(), times.Values[0], timeHint, parseTime)
	want := interval{days.lo + hours.lo, days.hi + hours.hi}
	if err == nil {
		err = forward(dates.Name(), want)
	}
	return condition{tag: dates.Tag, time: times.Tag, moment: func(d, t string) bool {
		day, ok := parseDate(d)
		lo, hi, timed := parseTime(t)
		if !timed {
			lo, hi = 0, 24*3600_000-1
		}
		return ok && want.meets(interval{day + lo, day + hi})
	}}, err
}

// momentTest compiles a DT, single or a range. A hyphen before four digits at the end of a value is an offset from UTC, if it
// can be one; a moment without offset is taken as UTC, on both sides.
func momentTest(k *Key, v string) (func(string) bool, error) {
	want, ok := momentRange(v)
	if !ok {
		return nil, &hub.Error{Kind: hub.Invalid, Path: k.Name(), Msg: "is no valid value or range",
			Hint: "a date and time is YYYYMMDDHHMMSS.FFFFFF&ZZXX, shortened from the right, a range two of them with a hyphen"}
	}
	return func(s string) bool {
		lo, hi, ok := parseMoment(s)
		return ok && want.meets(interval{lo, hi})
	}, forward(k.Name(), want)
}

func momentRange(v string) (interval, bool) {
	if lo, hi, ok := parseMoment(v); ok {
		return interval{lo, hi}, true
	}
	for i := range len(v) {
		if v[i] != '-' || len(v) == 1 {
			continue
		}
		all := interval{math.Inf(-1), math.Inf(1)}
		okFrom, okTo := true, true
		if i > 0 {
			all.lo, _, okFrom = parseMoment(v[:i])
		}
		if i+1 < len(v) {
			_, all.hi, okTo = parseMoment(v[i+1:])
		}
		if okFrom && okTo {
			return all, true
		}
	}
	return interval{}, false
}

// parseMoment reads a DT (PS3.5 6.2) as the milliseconds since 1970 UTC that it covers: a year alone is a year.
func parseMoment(s string) (lo, hi float64, ok bool) {
	var offset float64
	if n := len(s) - 5; n >= 4 && (s[n] == '+' || s[n] == '-') {
		minutes, err := strconv.ParseUint(s[n+3:], 10, 8)
		hours, err2 := strconv.ParseUint(s[n+1:n+3], 10, 8)
		if err != nil || err2 != nil || hours > 14 || minutes > 59 {
			return 0, 0, false
		}
		if offset = float64(hours*60+minutes) * 60_000; s[n] == '-' {
			offset = -offset
		}
		s = s[:n]
	}
	layout := "20060102"
	head := s[:min(len(s), len(layout))]
	if len(head) != 4 && len(head) != 6 && len(head) != 8 {
		return 0, 0, false
	}
	day, err := time.Parse(layout[:len(head)], head)
	if err != nil {
		return 0, 0, false
	}
	lo = hub.Instant(day) - offset
	switch len(head) {
	case 4:
		return lo, hub.Instant(day.AddDate(1, 0, 0)) - offset - 0.001, true
	case 6:
		return lo, hub.Instant(day.AddDate(0, 1, 0)) - offset - 0.001, true
	}
	if len(s) == 8 {
		return lo, lo + 24*3600_000 - 0.001, true
	}
	from, to, ok := parseTime(s[8:])
	return lo + from, lo + to, ok
}
