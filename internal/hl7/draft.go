package hl7

import "strings"

// Draft is a message on its way out. Text goes in unescaped.
type Draft struct {
	Delimiters Delimiters
	segments   []*DraftSegment
}

// DraftSegment is a segment on its way out.
type DraftSegment struct {
	name   string
	fields [][]string // by number and repetition, encoded
	d      Delimiters
}

// NewDraft begins a message, without MSH.
func NewDraft(d Delimiters) *Draft { return &Draft{Delimiters: d} }

// Add appends a segment. MSH, BHS and FHS have their first two fields already.
func (m *Draft) Add(name string) *DraftSegment {
	s := &DraftSegment{name: name, d: m.Delimiters}
	m.segments = append(m.segments, s)
	return s
}

// Set replaces a field by one repetition with these components.
func (s *DraftSegment) Set(field int, components ...string) *DraftSegment {
	s.grow(field)
	s.fields[field] = nil
	return s.Repeat(field, components...)
}

// Repeat appends a repetition with these components to a field.
func (s *DraftSegment) Repeat(field int, components ...string) *DraftSegment {
	parts := make([][]string, len(components))
	for i, c := range components {
		parts[i] = []string{c}
	}
	return s.RepeatParts(field, parts...)
}

// RepeatParts appends a repetition whose components have subcomponents.
func (s *DraftSegment) RepeatParts(field int, components ...[]string) *DraftSegment {
	s.grow(field)
	encoded := make([]string, len(components))
	for i, subs := range components {
		escaped := make([]string, len(subs))
		for j, sub := range subs {
			escaped[j] = s.d.Escaped(sub)
		}
		encoded[i] = join(escaped, orStandard(s.d.Subcomponent, ' '))
	}
	s.fields[field] = append(s.fields[field], join(encoded, s.d.Component))
	return s
}

// SetRaw replaces a field by what is encoded already, in the draft's own delimiters.
func (s *DraftSegment) SetRaw(field int, raw string) *DraftSegment {
	s.grow(field)
	s.fields[field] = []string{raw}
	return s
}

func (s *DraftSegment) grow(field int) {
	for len(s.fields) <= field {
		s.fields = append(s.fields, nil)
	}
}

// String is the message, its segments ended with CR, what is empty at the end of anything left out.
func (m *Draft) String() string {
	var out strings.Builder
	for _, s := range m.segments {
		out.WriteString(s.name)
		line := make([]string, 0, len(s.fields)+1)
		first := 1
		if s.name == "MSH" || s.name == "BHS" || s.name == "FHS" {
			line, first = append(line, m.Delimiters.Encoding()), 3
		}
		for n := first; n < len(s.fields); n++ {
			line = append(line, join(s.fields[n], orStandard(s.d.Repetition, ' ')))
		}
		if rest := join(line, s.d.Field); rest != "" {
			out.WriteByte(s.d.Field)
			out.WriteString(rest)
		}
		out.WriteByte('\r')
	}
	return out.String()
}

// join joins what is not empty at the end.
func join(parts []string, by byte) string {
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, string(by))
}
