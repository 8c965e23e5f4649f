package export

import (
	"math"
	"strings"
	"time"

	"concord/internal/ecg"
)

// span is a stretch of samples, counted from the group's start, in which some leads have no gap.
type span struct {
	from, to int
	leads    []int
}

// stretches are the spans of a group, those with the same ends together, in the order in which their first leads come.
func stretches(g ecg.Group) []span {
	var spans []span
	index := map[[2]int]int{}
	add := func(from, to, lead int) {
		if from == to || len(spans) > maxSpans {
			return
		}
		at, ok := index[[2]int{from, to}]
		if !ok {
			at = len(spans)
			index[[2]int{from, to}] = at
			spans = append(spans, span{from: from, to: to})
		}
		spans[at].leads = append(spans[at].leads, lead)
	}
	for k, l := range g.Leads {
		from := l.Start
		for i, v := range l.Samples.All() {
			if v == ecg.Missing {
				add(from, l.Start+i, k)
				from = l.Start + i + 1
			}
		}
		add(from, l.Start+l.Samples.Len(), k)
	}
	return spans
}

func at(i int, rate float64) time.Duration {
	return time.Duration(math.Round(float64(i) / rate * float64(time.Second)))
}

// stamp is a time of HL7 V3 (TS), with a zone where there is one.
func stamp(t ecg.Time, after time.Duration) string {
	layout := "20060102150405.000"
	if when := t.Time.Add(after); when.Nanosecond()%1e6 != 0 {
		layout += "000"
	}
	if t.Zoned {
		layout += "-0700"
	}
	return t.Time.Add(after).Format(layout)
}

func isOID(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == "" && strings.Contains(s, ".")
}
