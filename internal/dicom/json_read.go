package dicom

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"concord/internal/dicom/dict"
)

// JSONObject is one data set of metadata from outside.
type JSONObject struct {
	Raw  []byte // as it came
	Body []byte // in the form that AppendJSON gives; nil where Err says why not
	Err  error
}

// ReadJSON reads DICOM JSON from outside (PS3.18 annex F): one object or an array of them, each understood or refused by
// itself. A Body has its tags in order, is one line, strings decoded; group 2, group lengths and Specific Character Set, which
// JSON's own encoding overrules, are left out. A vr that is missing is the data dictionary's.
//
// What is no DICOM JSON is an Invalid error whose Path is the keyword of the attribute: keys that are no tag or come twice,
// values that their vr does not allow, a backslash inside one of several values, base64 that is none. Whether numbers fit
// their vr Encode says. What is no JSON at all is refused as a whole; so are sequences deeper than limits.Depth, as TooLarge.
func ReadJSON(data []byte, limits Limits) ([]JSONObject, error) {
	limits = limits.withDefaults()
	if !json.Valid(data) {
		return nil, invalid("", "the metadata is not JSON")
	}
	if nesting(data) > 3*limits.Depth+4 {
		return nil, tooLarge("", "sequences nest deeper than %d", limits.Depth)
	}
	var all []JSONObject
	for raw := range Objects(data) {
		o := JSONObject{Raw: raw}
		if o.Body, o.Err = appendRead(make([]byte, 0, len(raw)), raw); o.Err != nil {
			o.Body = nil
		}
		all = append(all, o)
	}
	return all, nil
}

// nesting is how deep brackets of valid JSON nest.
func nesting(data []byte) int {
	depth, most, text := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// member is an attribute as it came.
type member struct {
	tag Tag
	raw []byte
}

func appendRead(dst, object []byte) ([]byte, error) {
	if object[0] != '{' {
		return nil, invalid("", "a data set in JSON is an object, not %.16s", object)
	}
	var all []member
	for key, raw := range members(object) {
		tag, ok := parseKey(key)
		if !ok {
			return nil, invalid("", "the key %.16s is no tag of 8 hexadecimal digits", key)
		}
		if !skipped(tag) && tag != tagCharset {
			all = append(all, member{tag, raw})
		}
	}
	slices.SortFunc(all, func(a, b member) int { return int(int64(a.tag) - int64(b.tag)) })
	dst = append(dst, '{')
	for i, m := range all {
		if i > 0 {
			if all[i-1].tag == m.tag {
				return nil, invalid(dict.Name(m.tag), "is there twice")
			}
			dst = append(dst, ',')
		}
		var err error
		if dst, err = m.append(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func (m member) append(dst []byte) ([]byte, error) {
	if m.raw[0] != '{' {
		return nil, invalid(dict.Name(m.tag), "is not an object with a vr")
	}
	vr, err := m.vr()
	if err != nil {
		return nil, err
	}
	dst = append(m.tag.AppendHex(append(dst, '"')), `":{"vr":"`...)
	dst = append(dst, byte(vr>>8), byte(vr), '"')
	a := Attribute{m.tag, m.raw}
	value, inline, uri := a.member(`"Value"`), a.member(`"InlineBinary"`), a.member(`"BulkDataURI"`)
	switch {
	case given(value)+given(inline)+given(uri) > 1:
		return nil, invalid(dict.Name(m.tag), "has two of Value, InlineBinary and BulkDataURI")
	case given(value) > 0:
		dst, err = m.values(dst, vr, value)
	case given(inline) > 0:
		text, ok := readString(inline)
		if !vr.Binary() || !ok {
			return nil, invalid(dict.Name(m.tag), "its InlineBinary is no string, or its vr not binary")
		}
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			return nil, invalid(dict.Name(m.tag), "its InlineBinary is no base64")
		}
		dst = appendString(append(dst, `,"InlineBinary":`...), []byte(text))
	case given(uri) > 0:
		text, ok := readString(uri)
		if vr == dict.SQ || !ok || text == "" {
			return nil, invalid(dict.Name(m.tag), "its BulkDataURI is no string, or it is a sequence")
		}
		dst = appendString(append(dst, `,"BulkDataURI":`...), []byte(text))
	}
	return append(dst, '}'), err
}

func given(raw []byte) int {
	if len(raw) == 0 || raw[0] == 'n' {
		return 0
	}
	return 1
}

func (m member) vr() (VR, error) {
	raw := (Attribute{m.tag, m.raw}).member(`"vr"`)
	if len(raw) == 0 {
		if d, ok := dict.Lookup(m.tag); ok && !m.tag.Private() {
			return d.VR, nil
		}
		return dict.UN, nil
	}
	if vr := (Attribute{m.tag, m.raw}).VR(); vr.Known() {
		return vr, nil
	}
	return 0, invalid(dict.Name(m.tag), "its vr is %.8s, which there is not", raw)
}

// values writes ,"Value":[…].
func (m member) values(dst []byte, vr VR, array []byte) ([]byte, error) {
	if array[0] != '[' || vr.Binary() {
		return nil, invalid(dict.Name(m.tag), "its Value is no array, or its vr binary")
	}
	back := len(dst)
	dst = append(dst, `,"Value":[`...)
	n := 0
	for raw := range elements(array) {
		if n++; n > 1 {
			dst = append(dst, ',')
		}
		var err error
		if vr == dict.SQ {
			if raw[0] == 'n' {
				raw = []byte("{}")
			}
			dst, err = appendRead(dst, raw)
		} else {
			dst, err = m.value(dst, vr, raw)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case n == 0:
		return dst[:back], nil
	case n > 1 && vr.Single():
		return nil, invalid(dict.Name(m.tag), "has several values, and vr %s one", vr)
	}
	return append(dst, ']'), nil
}

// value writes one value that is no item.
func (m member) value(dst []byte, vr VR, raw []byte) ([]byte, error) {
	switch {
	case raw[0] == 'n':
		return append(dst, "null"...), nil
	case vr == dict.PN:
		return m.name(dst, raw)
	case raw[0] == '"':
		s, ok := readString(raw)
		if !ok || vr.Characters() && !vr.Single() && strings.Contains(s, `\`) {
			return nil, invalid(dict.Name(m.tag), "has a backslash in a value, which would divide it")
		}
		return appendString(dst, []byte(s)), nil
	case raw[0] != '{' && raw[0] != '[' && raw[0] != 't' && raw[0] != 'f' && (!vr.Characters() || vr == dict.IS || vr == dict.DS):
		return append(dst, decimal(vr, string(raw))...), nil
	}
	return nil, invalid(dict.Name(m.tag), "has the value %.16s, which is no %s", raw, vr)
}

// name reads a person name: an object of component groups, or their text joined by "=".
func (m member) name(dst, raw []byte) ([]byte, error) {
	s, ok := "", true
	switch raw[0] {
	case '{':
		var groups [3]string
		for key, v := range members(raw) {
			i := slices.Index([]string{`"Alphabetic"`, `"Ideographic"`, `"Phonetic"`}, string(key))
			if i < 0 || given(v) == 0 {
				continue
			}
			var text bool
			groups[i], text = readString(v)
			ok = ok && text && !strings.Contains(groups[i], "=")
		}
		s = strings.TrimRight(strings.Join(groups[:], "="), "=")
	case '"':
		s, ok = readString(raw)
	default:
		ok = false
	}
	if !ok || strings.Contains(s, `\`) || strings.Count(s, "=") > 2 {
		return nil, invalid(dict.Name(m.tag), "has a value that is no person name")
	}
	if strings.Trim(s, "^= \x00") == "" { // delimiters alone say nothing (PS3.5 6.2.1.1)
		return append(dst, "null"...), nil
	}
	return appendName(dst, []byte(s)), nil
}

// decimal writes a number as an IS or DS may have it: whole without a point, in 16 bytes (PS3.5 6.2).
func decimal(vr VR, literal string) string {
	f, err := strconv.ParseFloat(literal, 64)
	switch {
	case err != nil:
	case vr == dict.IS && f == math.Trunc(f) && math.Abs(f) < 1<<31:
		return strconv.FormatInt(int64(f), 10)
	case vr == dict.DS && len(literal) > 16:
		for digits := 16; digits > 0; digits-- {
			if s := strconv.FormatFloat(f, 'g', digits, 64); len(s) <= 16 {
				return s
			}
		}
	}
	return literal
}

// readString reads any JSON string; what is no Unicode in it becomes U+FFFD.
func readString(raw []byte) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}
