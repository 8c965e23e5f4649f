package dicom

import (
	"bytes"
	"iter"
	"slices"
)

// Attribute is one member of a stored DICOM JSON object. Raw, its value {"vr":…}, aliases the object.
type Attribute struct {
	Tag Tag
	Raw []byte
}

// Attributes walks the members of one DICOM JSON object as AppendJSON writes it. It stops where the bytes are not such
// an object.
func Attributes(body []byte) iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		for key, raw := range members(body) {
			if tag, ok := parseKey(key); ok && !yield(Attribute{tag, raw}) {
				return
			}
		}
	}
}

// VR is the attribute's value representation, 0 when none is named.
func (a Attribute) VR() VR {
	if v := a.member(`"vr"`); len(v) == 4 {
		return VR(v[1])<<8 | VR(v[2])
	}
	return 0
}

// BulkDataURI is where the value is found; empty when it is here.
func (a Attribute) BulkDataURI() string {
	uri, _ := unquote(a.member(`"BulkDataURI"`))
	return uri
}

// Items walks the items of a sequence, each a DICOM JSON object.
func (a Attribute) Items() iter.Seq[[]byte] { return elements(a.member(`"Value"`)) }

func (a Attribute) member(name string) []byte {
	for key, v := range members(a.Raw) {
		if string(key) == name {
			return v
		}
	}
	return nil
}

// Subset appends the DICOM JSON object that has only the attributes of body that keep admits.
func Subset(dst, body []byte, keep func(Tag) bool) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for a := range Attributes(body) {
		if !keep(a.Tag) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(a.Tag.AppendHex(append(dst, '"')), `":`...)
		dst = append(dst, a.Raw...)
	}
	return append(dst, '}')
}

// Strings are the string values of the attribute, numbers in their JSON form; nulls are left out. Of person names it
// yields the component groups of each, joined by "=".
func (a Attribute) Strings() []string {
	var all []string
	for raw := range a.Items() {
		switch raw[0] {
		case '"':
			if s, ok := unquote(raw); ok {
				all = append(all, s)
			}
		case '{':
			if s := joinGroups(raw); s != "" {
				all = append(all, s)
			}
		case 'n':
		default:
			all = append(all, string(raw))
		}
	}
	return all
}

func joinGroups(raw []byte) string {
	var groups [3]string
	for key, v := range members(raw) {
		i := slices.Index([]string{`"Alphabetic"`, `"Ideographic"`, `"Phonetic"`}, string(key))
		if i >= 0 {
			groups[i], _ = unquote(v)
		}
	}
	s := groups[0] + "=" + groups[1] + "=" + groups[2]
	for len(s) > 0 && s[len(s)-1] == '=' {
		s = s[:len(s)-1]
	}
	return s
}

func parseKey(key []byte) (Tag, bool) {
	if len(key) != 10 {
		return 0, false
	}
	var t Tag
	for _, c := range key[1:9] {
		switch {
		case c >= '0' && c <= '9':
			t = t<<4 | Tag(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			t = t<<4 | Tag(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return t, true
}

// members walks an object: keys with their quotes, values raw.
func members(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		if b = bytes.TrimSpace(b); len(b) < 2 || b[0] != '{' {
			return
		}
		for i := 1; i < len(b); {
			i = space(b, i)
			if i == len(b) || b[i] != '"' {
				return
			}
			k := skipJSON(b, i)
			colon := space(b, k)
			if colon >= len(b) || b[colon] != ':' {
				return
			}
			v := space(b, colon+1)
			end := skipJSON(b, v)
			if end <= v || end > len(b) || !yield(b[i:k], b[v:end]) {
				return
			}
			if i = space(b, end); i == len(b) || b[i] != ',' {
				return
			}
			i++
		}
	}
}

// elements walks an array: its values raw, none of them empty.
func elements(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(b) < 2 || b[0] != '[' {
			return
		}
		for i := 1; i < len(b); i++ {
			i = space(b, i)
			end := skipJSON(b, i)
			if end <= i || end > len(b) || !yield(b[i:end]) {
				return
			}
			if i = space(b, end); i == len(b) || b[i] != ',' {
				return
			}
		}
	}
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipJSON finds the end of the value that begins at i; it counts brackets and does not check what they enclose. Each header that is
// read passes through it, so it looks at a byte once.
func skipJSON(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			return skipString(b, i)
		case '{', '[':
			return skipNested(b, i)
		case '}', ']', ',', ' ', '\n', '\r', '\t', ':':
			return i
		}
	}
	return len(b)
}

// skipString finds the end of the string that begins at i, len(b) where it has none.
func skipString(b []byte, i int) int {
	for from := i + 1; ; {
		n := bytes.IndexByte(b[from:], '"')
		if n < 0 {
			return len(b)
		}
		end, escapes := from+n, 0
		for end-escapes > i+1 && b[end-escapes-1] == '\\' {
			escapes++
		}
		if from = end + 1; escapes%2 == 0 {
			return from
		}
	}
}

// skipNested is skipString for an object or an array.
func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			i = skipString(b, i) - 1
		case c|0x20 == '{': // [, too
			depth++
		case c|0x20 == '}': // ], too
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}
