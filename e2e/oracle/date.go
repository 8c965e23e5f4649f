package oracle

import (
	"math"
	"strings"
	"time"
)

// Span is an interval of time in microseconds since 1970 UTC, both ends inclusive.
type Span struct{ Lo, Hi int64 }

const (
	always = math.MinInt64
	ever   = math.MaxInt64
)

// zone is that of dates and times that name none.
var zone = time.FixedZone("UTC+8", 8*60*60)

// dateForms are the precisions a date can have, with the width of each (search.html#date).
var dateForms = []struct {
	layout string
	end    func(time.Time) time.Time
}{
	{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
	{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02T15:04Z07:00", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	{"2006-01-02T15:04:05Z07:00", func(t time.Time) time.Time { return t.Add(time.Second) }},
}

// parseSpan reads a date of any precision as the interval it stands for.
func parseSpan(text string) (Span, bool) {
	for _, form := range dateForms {
		if t, err := time.ParseInLocation(form.layout, text, zone); err == nil {
			end := form.end(t)
			if _, after, found := strings.Cut(text, "."); found { // a fraction of a second
				width := time.Second
				for i := 0; i < len(after) && after[i] >= '0' && after[i] <= '9'; i++ {
					width /= 10
				}
				end = t.Add(max(width, time.Microsecond))
			}
			return Span{t.UnixMicro(), end.UnixMicro() - 1}, true
		}
	}
	return Span{}, false
}

func (f *Facts) addDate(ev evaluator, n Node) {
	switch n.Type {
	case "Period":
		lo, okLo := parseSpan(n.get("start"))
		hi, okHi := parseSpan(n.get("end"))
		if !okLo {
			lo.Lo = always
		}
		if !okHi {
			hi.Hi = ever
		}
		if okLo || okHi {
			f.Spans = append(f.Spans, Span{lo.Lo, hi.Hi})
		}
	case "Timing": // only the outer limits matter
		limits := &Facts{}
		for _, e := range ev.children(n, "event") {
			limits.addDate(ev, e)
		}
		for _, r := range ev.children(n, "repeat") {
			for _, b := range ev.children(r, "bounds") {
				if b.Type == "Period" {
					limits.addDate(ev, b)
				}
			}
		}
		if len(limits.Spans) > 0 {
			all := limits.Spans[0]
			for _, s := range limits.Spans {
				all = Span{min(all.Lo, s.Lo), max(all.Hi, s.Hi)}
			}
			f.Spans = append(f.Spans, all)
		}
	case "instant":
		if s, ok := parseSpan(n.text()); ok {
			f.Spans = append(f.Spans, Span{s.Lo, s.Lo})
		}
	case "date", "dateTime":
		if s, ok := parseSpan(n.text()); ok {
			f.Spans = append(f.Spans, s)
		}
	}
}

// holds compares a target with the interval asked for (search.html#prefix).
func (s Span) holds(prefix string, asked Span, now time.Time) bool {
	switch prefix {
	case "eq":
		return asked.Lo <= s.Lo && s.Hi <= asked.Hi
	case "ne":
		return !s.holds("eq", asked, now)
	case "gt":
		return s.Hi > asked.Hi
	case "lt":
		return s.Lo < asked.Lo
	case "ge":
		return s.Hi > asked.Hi || s.holds("eq", asked, now)
	case "le":
		return s.Lo < asked.Lo || s.holds("eq", asked, now)
	case "sa":
		return s.Lo > asked.Hi
	case "eb":
		return s.Hi < asked.Lo
	}
	gap := now.UnixMicro() - (asked.Lo/2 + asked.Hi/2)
	if gap < 0 {
		gap = -gap
	}
	return s.Lo <= asked.Hi+gap/10 && s.Hi >= asked.Lo-gap/10 // ap
}
