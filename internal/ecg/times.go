package ecg

import (
	"strings"
	"time"
)

// parseTime reads YYYYMMDD[HH[MM[SS[.F…]]]][±ZZZZ], as DICOM's DT (PS3.5 6.2) and HL7's TS write it; a date must be whole.
func parseTime(s string) (t Time, ok bool) {
	s = strings.TrimSpace(s)
	body, zone := s, ""
	if i := strings.LastIndexAny(s, "+-"); i >= 8 {
		body, zone = s[:i], s[i:]
	} else if strings.HasSuffix(s, "Z") {
		body, zone = s[:len(s)-1], "+0000"
	}
	whole, fraction, hasFraction := strings.Cut(body, ".")
	layouts := map[int]string{8: "20060102", 10: "2006010215", 12: "200601021504", 14: "20060102150405"}
	layout := layouts[len(whole)]
	if layout == "" || hasFraction && (len(whole) != 14 || len(fraction) == 0 || len(fraction) > 9 || strings.Trim(fraction, "0123456789") != "") {
		return Time{}, false
	}
	if hasFraction {
		layout, body = layout+".000000000", whole+"."+fraction+strings.Repeat("0", 9-len(fraction))
	}
	t.Day = len(whole) == 8
	if zone != "" && !t.Day {
		layout, body, t.Zoned = layout+"-0700", body+zone, true
	}
	at, err := time.Parse(layout, body)
	if err != nil || at.Year() < 1850 {
		return Time{}, false
	}
	if t.Time = at; !t.Zoned {
		t.Time = at.UTC()
	} else {
		_, offset := at.Zone() // never the name of a zone that this machine happens to be in
		t.Time = at.In(time.FixedZone("", offset))
	}
	return t, true
}
