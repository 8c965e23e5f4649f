package hl7map

import (
	"strings"

	"concord/internal/hl7"
)

// reading remembers what of a message has been made into something, leaf by leaf.
type reading struct {
	first []int    // of each segment, in fields
	field []uint64 // of first repetitions: bit n is component n's first leaf, 32+n all of it, 32 all of the field
	more  map[hl7.Place]bool
}

// wide is the first component that has no bit.
const wide = 32

func (d *reading) begin(m *hl7.Message) {
	total := 0
	d.first = make([]int, len(m.Segments))
	for i := range m.Segments {
		d.first[i] = total
		total += m.Segments[i].Len() + 1
	}
	d.field = make([]uint64, total)
	d.more = map[hl7.Place]bool{}
}

// reads notes that a value has come to something: its first leaf or all of it.
func (r *run) reads(v hl7.Value, whole bool) {
	p := v.Place()
	if p.Segment == "" || p.Field == 0 {
		return
	}
	if p.Repetition > 1 || p.Component >= wide || p.Subcomponent > 1 {
		if !whole && p.Subcomponent == 0 {
			p.Component, p.Subcomponent = max(p.Component, 1), 1
		}
		r.read.more[p] = true
		return
	}
	s := r.segmentAt(p)
	if s == nil || p.Field > s.Len() {
		return
	}
	at := &r.read.field[r.read.first[s.Index]+p.Field]
	switch {
	case whole && p.Subcomponent == 0:
		*at |= 1 << (wide + p.Component)
	default:
		*at |= 1 << max(p.Component, 1)
	}
}

// segmentAt finds a segment by name and number.
func (r *run) segmentAt(p hl7.Place) *hl7.Segment {
	list := r.byName[p.Segment]
	if p.Nth < 1 || p.Nth > len(list) {
		return nil
	}
	return list[p.Nth-1]
}

// was tells whether a leaf has been read.
func (r *run) was(p hl7.Place) bool {
	s := r.segmentAt(p)
	if s == nil {
		return false
	}
	c := max(p.Component, 1)
	if p.Repetition <= 1 && c < wide {
		bits := r.read.field[r.read.first[s.Index]+p.Field]
		if bits&(1<<wide) != 0 || bits&(1<<(wide+c)) != 0 || p.Subcomponent <= 1 && bits&(1<<c) != 0 {
			return true
		}
	}
	if len(r.read.more) == 0 {
		return false
	}
	p.Component, p.Subcomponent = c, max(p.Subcomponent, 1)
	p.Repetition = max(p.Repetition, 1)
	for range 3 {
		if r.read.more[p] {
			return true
		}
		if p.Subcomponent > 0 {
			p.Subcomponent = 0
		} else {
			p.Component = 0
		}
	}
	return false
}

// maxUnread is how many places are listed.
const maxUnread = 1000

// spot is a field of a segment; field 0 is all of it.
type spot struct {
	segment string
	field   int
}

// unread are the leaves that nothing was made of, but those that the rules say to pass over.
func (r *run) unread() (list []string) {
	for i := range r.m.Segments {
		s := &r.m.Segments[i]
		if r.set.pass[spot{segment: s.Name}] {
			continue
		}
		for f := 1; f <= s.Len() && len(list) < maxUnread; f++ {
			raw := s.Raw(f)
			if raw == "" || s.Name == "MSH" && f <= 2 {
				continue
			}
			at := hl7.Place{Segment: s.Name, Nth: s.Nth, Field: f}
			unread := func(p hl7.Place) {
				if !r.was(p) && !r.set.pass[spot{s.Name, f}] && len(list) < maxUnread {
					list = append(list, p.String())
				}
			}
			d := r.m.Delimiters
			split(raw, d.Repetition, func(n int, one string) {
				at.Repetition, at.Component, at.Subcomponent = n, 0, 0
				if !has(one, d.Component) && !has(one, d.Subcomponent) {
					unread(at)
					return
				}
				split(one, d.Component, func(n int, one string) {
					at.Component, at.Subcomponent = n, 0
					if !has(one, d.Subcomponent) {
						unread(at)
						return
					}
					split(one, d.Subcomponent, func(n int, _ string) {
						at.Subcomponent = n
						unread(at)
					})
				})
			})
		}
	}
	return list
}

// split calls what for each piece that is not empty, counting from 1.
func split(s string, d byte, what func(n int, one string)) {
	for n := 1; ; n++ {
		i := -1
		if d != 0 {
			i = strings.IndexByte(s, d)
		}
		if i < 0 {
			if s != "" {
				what(n, s)
			}
			return
		}
		if i > 0 {
			what(n, s[:i])
		}
		s = s[i+1:]
	}
}

func has(s string, d byte) bool { return d != 0 && strings.IndexByte(s, d) >= 0 }
