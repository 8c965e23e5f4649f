package hl7

import (
	"iter"
	"strings"
	"time"

	"concord/hub"
)

// Message is one message as it was read. It is not changed after Parse, and may be read by many at once.
type Message struct {
	Delimiters Delimiters
	Charset    Charset
	// Segments are all of them, in the order sent; the first is MSH.
	Segments []Segment
	// Warnings are what Parse overlooked: nothing of it was lost. Each has a place in Path.
	Warnings []*hub.Error
}

// Segment is one segment.
type Segment struct {
	Name string
	// Index is its position in Message.Segments; Nth counts those of its name, from 1.
	Index, Nth int

	m      *Message
	fields []string // as sent but decoded; [0] is the name, so that MSH-1 is fields[1]
}

// First finds the first segment of a name; nil where there is none.
func (m *Message) First(name string) *Segment { return m.Segment(name, 1) }

// Segment finds the nth segment of a name, from 1; nil where there is none.
func (m *Message) Segment(name string, nth int) *Segment {
	for i := range m.Segments {
		if s := &m.Segments[i]; s.Name == name && s.Nth == nth {
			return s
		}
	}
	return nil
}

// At is the value at a place, absent where there is none.
func (m *Message) At(p Place) Value {
	s := m.Segment(p.Segment, max(p.Nth, 1))
	if s == nil || p.Field == 0 {
		return Value{at: p, m: m}
	}
	v := s.repetition(p.Field, max(p.Repetition, 1))
	if p.Component > 0 {
		v = v.Component(p.Component)
	}
	if p.Subcomponent > 0 {
		v = v.Subcomponent(p.Subcomponent)
	}
	return v
}

// Text is the text at a place such as "PID-5.1"; empty where there is none, and for what is no place.
func (m *Message) Text(place string) string {
	p, err := ParsePlace(place)
	if err != nil {
		return ""
	}
	return m.At(p).Text()
}

// Leaves yields all values without parts that are not empty, in order, except MSH-1 and MSH-2: all that the message says.
func (m *Message) Leaves() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for i := range m.Segments {
			s := &m.Segments[i]
			for f := 1; f <= s.Len(); f++ {
				if s.isHeader() && f <= 2 {
					continue
				}
				for v := range s.Each(f) {
					for l := range v.Leaves() {
						if !yield(l) {
							return
						}
					}
				}
			}
		}
	}
}

// Len is the number of the last field that was sent.
func (s *Segment) Len() int {
	if s == nil {
		return 0
	}
	return len(s.fields) - 1
}

// Place is the whole segment.
func (s *Segment) Place() Place { return Place{Segment: s.Name, Nth: s.Nth} }

// Field is the first repetition of a field, absent where there is none or s is nil.
func (s *Segment) Field(n int) Value { return s.repetition(n, 1) }

// Each yields all repetitions of a field, empty ones between others too; none if the field is empty.
func (s *Segment) Each(n int) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		raw := s.Raw(n)
		if raw == "" {
			return
		}
		at := Place{Segment: s.Name, Nth: s.Nth, Field: n}
		for more := true; more; {
			at.Repetition++
			var one string
			if s.whole(n) {
				one, more = raw, false
			} else {
				one, raw, more = cut(raw, s.m.Delimiters.Repetition)
			}
			if !yield(Value{raw: one, at: at, m: s.m}) {
				return
			}
		}
	}
}

// Raw is a field as sent, with all its repetitions, decoded but not unescaped.
func (s *Segment) Raw(n int) string {
	if s == nil || n < 1 || n >= len(s.fields) {
		return ""
	}
	return s.fields[n]
}

func (s *Segment) repetition(n, r int) Value {
	if s == nil {
		return Value{}
	}
	at := Place{Segment: s.Name, Nth: s.Nth, Field: n, Repetition: r}
	raw := s.Raw(n)
	if !s.whole(n) {
		raw = part(raw, s.m.Delimiters.Repetition, r)
	} else if r > 1 {
		raw = ""
	}
	return Value{raw: raw, at: at, m: s.m}
}

// isHeader tells whether the segment's first two fields are the delimiters.
func (s *Segment) isHeader() bool { return s.Name == "MSH" || s.Name == "BHS" || s.Name == "FHS" }

// whole tells whether a field is never taken apart.
func (s *Segment) whole(n int) bool { return n <= 2 && s.isHeader() }

// Value is a repetition, a component or a subcomponent as it was sent. The zero Value is absent.
type Value struct {
	raw string
	at  Place
	m   *Message
}

// Place is where the value is, or would be.
func (v Value) Place() Place { return v.at }

// Present tells whether anything was sent; the null value is something.
func (v Value) Present() bool { return v.raw != "" }

// Null tells whether the sender says that what is known is to be deleted (2.5.3): two quotation marks.
func (v Value) Null() bool { return v.raw == `""` }

// Raw is what was sent, decoded but not unescaped.
func (v Value) Raw() string { return v.raw }

// Text is what the value says: its first leaf, unescaped, since what has parts in a later version is read by an older one
// as its first part (2.8.2). The null value says nothing.
func (v Value) Text() string {
	if v.at.Component == 0 {
		v = v.Component(1)
	}
	if v.at.Subcomponent == 0 {
		v = v.Subcomponent(1)
	}
	return v.Whole()
}

// Whole is all of the value, unescaped, its delimiters as sent: for text whose sender did not escape them.
func (v Value) Whole() string {
	if v.Null() || v.raw == "" {
		return ""
	}
	if v.m.Delimiters.Escape == 0 || strings.IndexByte(v.raw, v.m.Delimiters.Escape) < 0 {
		return v.raw
	}
	return v.m.unescape(v.raw)
}

// Component is the nth component of a repetition; a value without components is its own first one.
func (v Value) Component(n int) Value {
	if v.at.Component != 0 { // a component, or a part of one
		if n == 1 {
			return v
		}
		return Value{at: v.at, m: v.m}
	}
	v.at.Component = n
	if !v.whole() {
		v.raw = part(v.raw, v.m.Delimiters.Component, n)
	} else if n > 1 {
		v.raw = ""
	}
	return v
}

// Subcomponent is the nth subcomponent of a component, or of the first component of a repetition.
func (v Value) Subcomponent(n int) Value {
	if v.at.Component == 0 {
		v = v.Component(1)
	}
	if v.at.Subcomponent != 0 {
		if n == 1 {
			return v
		}
		return Value{at: v.at, m: v.m}
	}
	v.at.Subcomponent = n
	if !v.whole() {
		v.raw = part(v.raw, v.m.Delimiters.Subcomponent, n)
	} else if n > 1 {
		v.raw = ""
	}
	return v
}

// Components is the number of components that a repetition has, trailing empty ones too; 0 if it is absent.
func (v Value) Components() int {
	if v.raw == "" {
		return 0
	}
	if v.at.Component != 0 || v.whole() || v.m.Delimiters.Component == 0 {
		return 1
	}
	return 1 + strings.Count(v.raw, string(v.m.Delimiters.Component))
}

// Subcomponents is the number of subcomponents of a component.
func (v Value) Subcomponents() int {
	if v.raw == "" {
		return 0
	}
	if v.at.Subcomponent != 0 || v.whole() || v.m.Delimiters.Subcomponent == 0 {
		return 1
	}
	return 1 + strings.Count(v.raw, string(v.m.Delimiters.Subcomponent))
}

// Leaves yields the parts of a value that have no parts themselves and are not empty. The place of a component without
// subcomponents names no subcomponent, that of a field without components no component.
func (v Value) Leaves() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.raw == "" {
			return
		}
		if v.at.Component == 0 && v.Components() > 1 {
			for n, rest, more := 1, v.raw, true; more; n++ {
				c := v
				c.at.Component = n
				c.raw, rest, more = cut(rest, v.m.Delimiters.Component)
				for l := range c.Leaves() {
					if !yield(l) {
						return
					}
				}
			}
			return
		}
		if v.at.Subcomponent == 0 && v.Subcomponents() > 1 {
			v.at.Component = max(v.at.Component, 1)
			for n, rest, more := 1, v.raw, true; more; n++ {
				c := v
				c.at.Subcomponent = n
				if c.raw, rest, more = cut(rest, v.m.Delimiters.Subcomponent); c.raw != "" && !yield(c) {
					return
				}
			}
			return
		}
		yield(v)
	}
}

// whole tells whether the value is the delimiters of a header, which are never taken apart.
func (v Value) whole() bool {
	return v.m == nil || v.at.Field <= 2 && (v.at.Segment == "MSH" || v.at.Segment == "BHS" || v.at.Segment == "FHS")
}

// Time is the time that the value says (data types DTM, TS, DT), in zone where it names none; false where it says none.
func (v Value) Time(zone *time.Location) (time.Time, bool) {
	t, ok := ParseTime(v.Text(), zone)
	return t.Start, ok
}

// part is the nth of what d separates in s, from 1.
func part(s string, d byte, n int) string {
	for ; ; n-- {
		one, rest, more := cut(s, d)
		if n == 1 {
			return one
		}
		if !more {
			return ""
		}
		s = rest
	}
}

// cut is strings.Cut for a delimiter that may not exist.
func cut(s string, d byte) (before, after string, found bool) {
	if d == 0 {
		return s, "", false
	}
	if i := strings.IndexByte(s, d); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
