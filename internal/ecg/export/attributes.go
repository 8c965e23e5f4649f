package export

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// attributes are a data set: DICOM JSON values (PS3.18 F.2.2) by tag.
type attributes map[uint32]string

// json is the data set in DICOM JSON, in the order of its tags.
func (a attributes) json() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, tag := range slices.Sorted(maps.Keys(a)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%08X":%s`, tag, a[tag])
	}
	b.WriteByte('}')
	return b.String()
}

// add sets an attribute that is left out when it is empty.
func (a attributes) add(tag uint32, vr, value string) {
	if value != "" {
		a[tag] = text(vr, value)
	}
}

// lengths are the most characters of a value (PS3.5 Table 6.2-1).
var lengths = map[string]int{"SH": 16, "LO": 64, "ST": 1024}

// text is a value of characters, cut to what its VR allows; without one, or with an empty one, the attribute is empty.
func text(vr string, values ...string) string {
	if len(values) == 0 || values[0] == "" {
		return `{"vr":"` + vr + `"}`
	}
	s := strings.Map(func(r rune) rune {
		switch {
		case r == '\\' && vr != "ST":
			return '/'
		case r < ' ' && vr != "ST", r == utf8.RuneError, r == 0x7f:
			return ' '
		}
		return r
	}, values[0])
	if n, ok := lengths[vr]; ok {
		s = first(s, n)
	}
	return `{"vr":"` + vr + `","Value":[` + quote(s) + `]}`
}

// name is a person's name in up to three writings: alphabetic, ideographic, phonetic.
func name(writings ...string) string {
	var parts []string
	for i, key := range []string{"Alphabetic", "Ideographic", "Phonetic"} {
		if i < len(writings) && writings[i] != "" {
			s := strings.Map(func(r rune) rune {
				if r == '\\' || r == '=' || r < ' ' || r == 0x7f {
					return ' '
				}
				return r
			}, writings[i])
			parts = append(parts, `"`+key+`":`+quote(first(s, 64)))
		}
	}
	if len(parts) == 0 {
		return `{"vr":"PN"}`
	}
	return `{"vr":"PN","Value":[{` + strings.Join(parts, ",") + `}]}`
}

func numbers(vr string, values ...float64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = decimal(v)
	}
	return `{"vr":"` + vr + `","Value":[` + strings.Join(texts, ",") + `]}`
}

// decimal is v in at most the sixteen characters of a DS.
func decimal(v float64) string {
	for digits := -1; ; {
		s := strconv.FormatFloat(v, 'f', digits, 64)
		if e := strconv.FormatFloat(v, 'g', digits, 64); len(e) < len(s) {
			s = e
		}
		if len(s) <= 16 {
			return s
		}
		if digits < 0 {
			digits = 15
		}
		digits--
		if digits == 0 {
			return strconv.FormatFloat(math.Round(v), 'e', 6, 64)
		}
	}
}

func items(list ...attributes) string {
	if len(list) == 0 {
		return `{"vr":"SQ"}`
	}
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.json()
	}
	return `{"vr":"SQ","Value":[` + strings.Join(texts, ",") + `]}`
}

// code is a coded entry (PS3.3 Table 8.8-1).
func code(scheme, value, meaning string) attributes {
	return attributes{0x00080100: text("SH", value), 0x00080102: text("SH", scheme), 0x00080104: text("LO", meaning)}
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

// first are the first n characters of s.
func first(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
