package hl7map

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"concord/hub"
	"concord/internal/fhir"
	"concord/internal/hl7"
)

func complexType(typ string) bool { return fhir.IsComplex(typ) }

var (
	decimalForm = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?$`)
	integerForm = regexp.MustCompile(`^-?(?:0|[1-9][0-9]{0,9})$`)
	fhirDate    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}|^[0-9]{4}$`)
)

// primitive writes a text as a value of a primitive type. What is none of that type is a fault and not written.
func (r *run) primitive(typ, s string, v hl7.Value) bool {
	ok := true
	switch typ {
	case "date", "dateTime", "instant":
		s, ok = r.time(typ, s)
	case "time":
		s, ok = clock(s)
	case "decimal":
		if s, ok = decimal(s); ok {
			r.separate()
			r.out = append(r.out, s...)
			return true
		}
	case "integer", "positiveInt", "unsignedInt":
		s = strings.TrimPrefix(s, "+")
		if t := strings.TrimLeft(s, "0"); t != "" && t[0] != '.' {
			s = t
		} else if s != "" {
			s = "0"
		}
		ok = integerForm.MatchString(s) && (typ == "integer" || s[0] != '-') && (typ != "positiveInt" || s != "0")
		if ok {
			r.separate()
			r.out = append(r.out, s...)
			return true
		}
	case "boolean":
		switch strings.ToUpper(s) {
		case "Y", "YES", "TRUE", "T", "1":
			s = "true"
		case "N", "NO", "FALSE", "F", "0":
			s = "false"
		default:
			ok = false
		}
		if ok {
			r.separate()
			r.out = append(r.out, s...)
			return true
		}
	case "code", "id":
		if strings.ContainsAny(s, " \t\r\n") {
			s = strings.Join(strings.Fields(s), " ")
		}
		if s == "" {
			return false
		}
		ok = typ == "code" || fhir.ValidID(s)
	case "uri", "url", "canonical", "oid", "uuid":
		ok = !strings.ContainsAny(s, " \t\r\n") && s != ""
	case "base64Binary":
	default:
		if strings.TrimSpace(s) == "" {
			return false
		}
	}
	if !ok {
		if s != "" {
			r.fault(v, "this is no "+typ)
		}
		return false
	}
	r.separate()
	r.out = appendString(r.out, s)
	return true
}

// decimal writes a number as JSON has them; what is before the first digit and trailing points are set right.
func decimal(s string) (string, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "+")
	if len(s) > 100 {
		return s, false
	}
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	if t := strings.TrimLeft(s, "0"); t != s {
		if s = t; t == "" || t[0] < '0' || t[0] > '9' {
			s = "0" + t
		}
	} else if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	s = sign + strings.TrimSuffix(s, ".")
	return s, decimalForm.MatchString(s)
}

// time writes a DTM, TS or DT as precise as it was said. A time of day without seconds gets them: FHIR has none without.
func (r *run) time(typ, s string) (string, bool) {
	t, ok := hl7.ParseTime(s, r.zone)
	if !ok {
		if clipped, cut := clip(s); cut {
			t, ok = hl7.ParseTime(clipped, r.zone)
		}
	}
	if !ok {
		return s, fhirDate.MatchString(s) && typ != "instant" // a constant, as FHIR has them
	}
	if t.Start.Year() < 1 {
		return s, false
	}
	layout := "2006-01-02"
	switch {
	case typ == "instant" && t.Precision < hl7.Day:
		return s, false
	case typ == "instant" || typ == "dateTime" && t.Precision > hl7.Day:
		layout = "2006-01-02T15:04:05Z07:00"
		if t.Precision == hl7.Fraction {
			layout = "2006-01-02T15:04:05.999999999Z07:00"
		}
	case t.Precision == hl7.Year:
		layout = "2006"
	case t.Precision == hl7.Month:
		layout = "2006-01"
	}
	return t.Start.Format(layout), true
}

// clip takes off a time what is no part of one: zeroes for a day or an hour that is not known (20140000).
func clip(s string) (string, bool) {
	if len(s) < 8 {
		return s, false
	}
	switch {
	case s[4:8] == "0000":
		return s[:4], true
	case s[6:8] == "00":
		return s[:6], true
	}
	return s, false
}

// clock writes a TM: HH[MM[SS[.S…]]], with or without colons, the zone left out.
func clock(s string) (string, bool) {
	s = strings.ReplaceAll(s, ":", "")
	if i := strings.IndexAny(s, "+-"); i >= 0 {
		s = s[:i]
	}
	whole, _, _ := strings.Cut(s, ".")
	for _, layout := range []string{"150405", "1504", "15"} {
		if t, err := time.Parse(layout, whole); err == nil && len(whole) == len(layout) {
			return t.Format("15:04:05"), true
		}
	}
	return s, false
}

func (r *run) fault(v hl7.Value, msg string) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, &hub.Error{Kind: hub.Invalid, Path: v.Place().String(), Msg: msg})
	}
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. Control characters that FHIR does not have in strings are left out.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf && c != 0x7f {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				if r == 0x2028 || r == 0x2029 {
					b = append(append(b, s[from:i]...), `\u202`...)
					b = append(b, hexDigits[r&15])
					i += n
					from = i
					continue
				}
				i += n
				continue
			}
			b = append(append(b, s[from:i]...), "\uFFFD"...)
			i++
			from = i
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		case '\r':
			if i+1 >= len(s) || s[i+1] != '\n' {
				b = append(b, '\\', 'n')
			}
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
