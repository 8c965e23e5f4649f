package dicom

import (
	"bytes"
	"iter"
)

// InlineBinary is the attribute's base64 text; empty when its value is not in this form.
func (a Attribute) InlineBinary() string {
	s, _ := unquote(a.member(`"InlineBinary"`))
	return s
}

// ValueText is one value of an attribute, as Items yields it, in words: a string without its quotes, a number's digits, the
// component groups of a person name joined by "="; empty for null.
func ValueText(raw []byte) string {
	switch raw[0] {
	case '"':
		s, _ := unquote(raw)
		return s
	case '{':
		return joinGroups(raw)
	case 'n':
		return ""
	}
	return string(raw)
}

// Objects walks DICOM JSON: the objects of an array, or the one that there is.
func Objects(data []byte) iter.Seq[[]byte] {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '[' {
		return elements(data)
	}
	return func(yield func([]byte) bool) { yield(data) }
}
