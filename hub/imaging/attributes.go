package imaging

import (
	"encoding/json"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/dicom"
)

// attributes are those of a stored DICOM JSON object, read loosely: values are taken as they come.
type attributes []dicom.Attribute

func parse(rec *hub.Record) attributes { return parseBody(rec.Body) }

func parseBody(body []byte) attributes {
	return slices.AppendSeq(make(attributes, 0, 32), dicom.Attributes(body))
}

// values are the JSON values of an attribute; none when it is not there.
func (a attributes) values(tag dicom.Tag) iter.Seq[[]byte] {
	for i := range a {
		if a[i].Tag == tag {
			return a[i].Items()
		}
	}
	return func(func([]byte) bool) {}
}

func (a attributes) text(tag dicom.Tag) string {
	for raw := range a.values(tag) {
		return plain(raw)
	}
	return ""
}

// plain is a JSON string's or number's text, and of a person name the ideographic group before the alphabetic one, without
// the control characters that FHIR's strings may not have.
func plain(raw []byte) string {
	var s string
	var name struct{ Alphabetic, Ideographic string }
	switch {
	case json.Unmarshal(raw, &s) == nil:
	case json.Unmarshal(raw, &name) != nil:
		s = string(raw)
	case name.Ideographic != "":
		s = name.Ideographic
	default:
		s = name.Alphabetic
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\r' && r != '\n' || r >= 0x7F && r < 0xA0 || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, s)
}

func (a attributes) number(tag dicom.Tag) *int {
	n, err := strconv.ParseFloat(a.text(tag), 64)
	if err != nil || n != math.Trunc(n) || n < 0 || n > math.MaxInt32 { // R4: unsignedInt
		return nil
	}
	i := int(n)
	return &i
}

// items are those of a sequence.
func (a attributes) items(tag dicom.Tag) iter.Seq[attributes] {
	return func(yield func(attributes) bool) {
		for raw := range a.values(tag) {
			if !yield(parseBody(raw)) {
				return
			}
		}
	}
}
