package hl7map

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"concord/internal/hl7"
)

// converter is one step of an expression: from a text, and the value that it is of, to another text; false where there is
// none.
type converter struct {
	whole bool // the text is the value with all its parts
	do    func(r *run, v hl7.Value, s, arg string) (string, bool)
}

// plain is a step that looks at the text alone.
func plain(f func(s, arg string) string) converter {
	return converter{do: func(_ *run, _ hl7.Value, s, arg string) (string, bool) {
		s = f(s, arg)
		return s, s != ""
	}}
}

// data is a step that reads data; what is none is a fault, for a document without its bytes is not to pass unseen.
func data(form string, read func(s string) string) converter {
	return converter{do: func(r *run, v hl7.Value, s, _ string) (string, bool) {
		out := read(s)
		if out == "" && s != "" {
			r.fault(v, "this is no "+form)
		}
		return out, out != ""
	}}
}

// converters are all steps but table, coding, join and lines (whole values, line by line).
var converters = map[string]converter{
	// whole is the value with its delimiters, for text whose sender did not escape them.
	"whole": {whole: true, do: func(_ *run, _ hl7.Value, s, _ string) (string, bool) { return s, s != "" }},
	"trim":  plain(func(s, _ string) string { return strings.TrimSpace(s) }),
	"upper": plain(func(s, _ string) string { return strings.ToUpper(s) }),
	"lower": plain(func(s, _ string) string { return strings.ToLower(s) }),
	// before and after cut at a text; nothing where it is not there.
	"before": plain(func(s, arg string) string {
		before, _, found := strings.Cut(s, unquoted(arg))
		if !found {
			return ""
		}
		return strings.TrimSpace(before)
	}),
	"after": plain(func(s, arg string) string {
		_, after, _ := strings.Cut(s, unquoted(arg))
		return strings.TrimSpace(after)
	}),
	"prefix": plain(func(s, arg string) string {
		if s == "" {
			return ""
		}
		return unquoted(arg) + s
	}),
	// comparator and number are the parts of "<0.5": FHIR's code and the number.
	"comparator": plain(func(s, _ string) string { c, _ := compared(s); return c }),
	"number":     plain(func(s, _ string) string { _, n := compared(s); return n }),
	// low and high are the bounds of a range: 3.5-5.5, <5, >= 10.
	"low":  plain(func(s, _ string) string { low, _ := bounds(s); return low }),
	"high": plain(func(s, _ string) string { _, high := bounds(s); return high }),
	// minutes is how long "2 h" or "90 s" is; nothing where it is no whole number of minutes.
	"minutes": plain(func(s, _ string) string { return minutes(s) }),
	// base64 is data that was sent in that, hex and encode such as were sent in hexadecimal or as text.
	"base64": data("base64", cleanBase64),
	"hex": data("hexadecimal", func(s string) string {
		b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
		if err != nil {
			return ""
		}
		return base64.StdEncoding.EncodeToString(b)
	}),
	"encode": {whole: true, do: func(_ *run, _ hl7.Value, s, _ string) (string, bool) {
		return base64.StdEncoding.EncodeToString([]byte(s)), s != ""
	}},
	// media tells the media type of data, as text or in base64, by how it begins.
	"media": plain(func(s, _ string) string { return sniff(s) }),
	// authority is the URI of an assigning authority (HD: namespace & universal id & type).
	"authority": {whole: true, do: func(r *run, v hl7.Value, _, _ string) (string, bool) {
		s := r.authority(v)
		return s, s != ""
	}},
	// system is the URI of a coding system by its name in table 0396.
	"system": {do: func(r *run, v hl7.Value, s, _ string) (string, bool) {
		s = r.codeSystem(s, v)
		return s, s != ""
	}},
	// uri is an OID, UUID or URI as a URI; what is none is nothing.
	"uri": plain(func(s, _ string) string { return uri(s) }),
	// local is the URI of a name: by the table authorities, else one that means something to this member alone.
	"local": {do: func(r *run, _ hl7.Value, s, _ string) (string, bool) {
		if s == "" {
			return "", false
		}
		return r.nameURI("authorities", s), true
	}},
	// key is what tells a thing from its likes: some components, "key 1 4", or all. Nothing if the first is empty.
	"key": {do: func(r *run, v hl7.Value, _, arg string) (string, bool) {
		s := keyOf(v, arg, r.m.Delimiters)
		return s, s != ""
	}},
}

// component is one of a value's parts one level down, as sent.
func component(v hl7.Value, n int) hl7.Value {
	if v.Place().Component == 0 {
		return v.Component(n)
	}
	return v.Subcomponent(n)
}

func keyOf(v hl7.Value, arg string, d hl7.Delimiters) string {
	if arg == "" {
		return strings.TrimRight(strings.Map(func(c rune) rune {
			switch {
			case c == rune(d.Component), c == rune(d.Subcomponent) && v.Place().Component > 0:
				return 0x1f
			}
			return c
		}, strings.TrimSpace(v.Raw())), "\x1f")
	}
	var b strings.Builder
	for i, n := range strings.Fields(arg) {
		s := strings.TrimSpace(component(v, number(n)).Whole())
		if i == 0 && s == "" {
			return ""
		}
		if i > 0 {
			b.WriteByte(0x1f)
		}
		b.WriteString(s)
	}
	return strings.TrimRight(b.String(), "\x1f")
}

var (
	oidForm   = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+$`)
	uuidForm  = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	tableForm = regexp.MustCompile(`^(?:HL7|hl7)[-_ ]?([0-9]{4})$`)
)

// uri is an identifier of the world as a URI; empty if it is none.
func uri(id string) string {
	switch {
	case oidForm.MatchString(id):
		return "urn:oid:" + id
	case uuidForm.MatchString(id):
		return "urn:uuid:" + strings.ToLower(id)
	case strings.ContainsAny(id, " \t\n"):
		return ""
	case strings.HasPrefix(id, "http://"), strings.HasPrefix(id, "https://"), strings.HasPrefix(id, "urn:"):
		return id
	}
	return ""
}

func (r *run) authority(v hl7.Value) string {
	if s := uri(strings.TrimSpace(component(v, 2).Whole())); s != "" {
		return s
	}
	name := strings.TrimSpace(component(v, 1).Whole())
	if name == "" {
		if name = strings.TrimSpace(component(v, 2).Whole()); name == "" {
			return ""
		}
	}
	return r.nameURI("authorities", name)
}

// nameURI is the URI of a name: by a table, by its own form, else the member's own.
func (r *run) nameURI(table, name string) string {
	key := [2]string{table, name}
	s, known := r.uris[key]
	if !known {
		s = r.newURI(table, name)
		r.uris[key] = s
	}
	return s
}

func (r *run) newURI(table, name string) string {
	if t := r.set.tables[table]; t != nil {
		if e, ok := t.find(name); ok {
			return e.code
		}
	}
	if g := tableForm.FindStringSubmatch(name); g != nil && table == "coding-systems" {
		return "http://terminology.hl7.org/CodeSystem/v2-" + g[1]
	}
	if s := uri(name); s != "" {
		return s
	}
	return r.local(name)
}

func (r *run) codeSystem(name string, v hl7.Value) string {
	if name == "" {
		return ""
	}
	s := r.nameURI("coding-systems", name)
	if strings.HasPrefix(s, "urn:concord:member:") && name != "L" && !strings.HasPrefix(name, "99") { // those say themselves that they are local
		r.unmapped("coding-systems", name, v)
	}
	return s
}

// local is the URI of a name of the member's own.
func (r *run) local(name string) string {
	return "urn:concord:member:" + url.PathEscape(r.member) + ":" + url.PathEscape(strings.Join(strings.Fields(strings.ToLower(name)), "-"))
}

// compared takes a number apart from the sign before it: "<0.5", "≥ 10". Empty where it is none.
func compared(s string) (comparator, n string) {
	s = strings.TrimSpace(s)
	comparator, rest := sign(s)
	n = strings.TrimSpace(rest)
	if size := numeral(n, true); size == 0 || size < len(n) {
		return "", ""
	}
	return comparator, n
}

// sign is the comparator at the beginning of a text, as FHIR has them; an equals sign says nothing.
func sign(s string) (comparator, rest string) {
	for _, c := range [...]struct{ sign, means string }{{"<=", "<="}, {">=", ">="}, {"＜=", "<="}, {"＞=", ">="}, {"≤=", "<="}, {"≥=", ">="}, {"≤", "<="}, {"≥", ">="},
		{"<", "<"}, {">", ">"}, {"＜", "<"}, {"＞", ">"}, {"=", ""}} {
		if rest, ok := strings.CutPrefix(s, c.sign); ok {
			return c.means, rest
		}
	}
	return "", s
}

// numeral is how many bytes at the beginning of a text are a number: 4, -4.10, .5, with an exponent where that may be.
func numeral(s string, exponent bool) int {
	i := 0
	if s != "" && (s[0] == '+' || s[0] == '-') {
		i++
	}
	whole := digits(s[i:])
	i += whole
	fraction := 0
	if i < len(s) && s[i] == '.' {
		if fraction = digits(s[i+1:]); fraction > 0 || exponent {
			i += 1 + fraction
		}
	}
	if whole+fraction == 0 {
		return 0
	}
	if exponent && i < len(s) && s[i]|0x20 == 'e' {
		at := i + 1
		if at < len(s) && (s[at] == '+' || s[at] == '-') {
			at++
		}
		if n := digits(s[at:]); n > 0 && n <= 3 {
			i = at + n
		}
	}
	return i
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// bounds are those of a range that is written as two numbers (3.5-5.5, 3.5～5.5 mmol/L) or as a bound (<5).
func bounds(s string) (low, high string) {
	s = strings.TrimSpace(s)
	first, rest := leading(s)
	if first == "" {
		_, after := sign(s)
		n, rest := leading(strings.TrimSpace(after))
		switch {
		case after == s || s[0] == '=' || n == "" || !ends(rest):
			return "", ""
		case strings.ContainsAny(s[:len(s)-len(after)], ">＞≥"):
			return n, ""
		}
		return "", n
	}
	rest = strings.TrimSpace(rest)
	for _, to := range [...]string{"-", "–", "—", "~", "～", "至", "to", ".."} {
		if second, ok := strings.CutPrefix(rest, to); ok {
			if n, after := leading(strings.TrimSpace(second)); n != "" && ends(after) {
				return first, n
			}
		}
	}
	return "", ""
}

// leading is the number that a text begins with, and what comes behind it.
func leading(s string) (n, rest string) {
	size := numeral(s, false)
	return s[:size], s[size:]
}

// ends tells whether a number ends there: a unit may follow, but no digit and no point.
func ends(rest string) bool {
	return rest == "" || rest[0] != '.' && (rest[0] < '0' || rest[0] > '9')
}

// cleanBase64 is base64 without line breaks, padded; empty if it is none.
func cleanBase64(s string) string {
	s = strings.TrimRight(strings.Map(func(c rune) rune {
		switch {
		case c <= ' ':
			return -1
		case c == '-':
			return '+'
		case c == '_':
			return '/'
		}
		return c
	}, s), "=")
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return ""
		}
	}
	if len(s)%4 == 1 {
		return ""
	}
	return s + "==="[:(4-len(s)%4)%4]
}

// beginnings are how data of some media types begin, as they are and in base64.
var beginnings = []struct{ begin, media string }{
	{"JVBERi0", "application/pdf"}, {"%PDF-", "application/pdf"},
	{"e1xydGY", "application/rtf"}, {`{\rtf`, "application/rtf"},
	{"/9j/", "image/jpeg"}, {"iVBORw0", "image/png"}, {"R0lGOD", "image/gif"}, {"SUkqA", "image/tiff"}, {"TU0AK", "image/tiff"},
	{"PD94bWw", "application/xml"}, {"<?xml", "application/xml"}, {"PENsaW5pY2FsRG9jdW1lbnQ", "application/xml"}, {"<ClinicalDocument", "application/xml"},
	{"PGh0bW", "text/html"}, {"<html", "text/html"}, {"UEsDB", "application/zip"},
}

func sniff(s string) string {
	s = strings.TrimSpace(s[:min(len(s), 64)])
	for _, b := range beginnings {
		if strings.HasPrefix(s, b.begin) {
			return b.media
		}
	}
	return ""
}

// minutes reads a time with its unit, as UCUM or HL7 v2 write it.
func minutes(s string) string {
	n, unit, _ := strings.Cut(s, " ")
	f, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return ""
	}
	switch strings.ToLower(unit) {
	case "s", "sec":
		f /= 60
	case "h", "hr", "hour":
		f *= 60
	case "d", "day":
		f *= 24 * 60
	case "min", "m", "minute":
	default:
		return ""
	}
	if f != math.Trunc(f) || f < 0 || f > 1e9 {
		return ""
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}
