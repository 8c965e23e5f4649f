package hl7map

import (
	"regexp"
	"strconv"
	"strings"

	"concord/internal/hl7"
)

// path is where values come from.
type path struct {
	group      string // in the nearest groups of this name
	segment    string // empty: relative to the value at hand
	field      int    // 0: the segment
	repetition int    // 0: all
	down       [2]int // component and subcomponent, or two steps down from the value at hand
	where      cond
}

var (
	absolute = regexp.MustCompile(`^(?:([A-Z][A-Z0-9_]*)/)?([A-Z][A-Z0-9]{2})(?:-([1-9][0-9]{0,2})(?:\[([1-9][0-9]{0,2})\])?(?:\.([1-9][0-9]{0,2})(?:\.([1-9][0-9]{0,2}))?)?)?$`)
	relative = regexp.MustCompile(`^\.(?:([1-9][0-9]{0,2})(?:\.([1-9][0-9]{0,2}))?)?$`)
)

// parsePath reads a path without its "where".
func parsePath(text string) (*path, bool) {
	if g := relative.FindStringSubmatch(text); g != nil {
		return &path{down: [2]int{number(g[1]), number(g[2])}}, true
	}
	g := absolute.FindStringSubmatch(text)
	if g == nil {
		return nil, false
	}
	return &path{group: g[1], segment: g[2], field: number(g[3]), repetition: number(g[4]), down: [2]int{number(g[5]), number(g[6])}}, true
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// context is where a rule stands in the message.
type context struct {
	group   int          // its index
	segment *hl7.Segment // the one of its name that is meant, if one is
	value   hl7.Value    // the value at hand
	index   int          // among its likes, from 0
}

// values yields what is there, until yield says no.
func (p *path) values(r *run, c context, yield func(hl7.Value) bool) {
	if p.segment == "" {
		if v := p.descend(c.value); v.Present() && (p.where == nil || p.where.holds(r, c)) {
			yield(v)
		}
		return
	}
	switch {
	case p.field == 0:
	case p.group != "":
		p.segments(r, c, func(_ int, s *hl7.Segment) bool { return p.ofSegment(r, c, s, yield) })
	case c.segment != nil && c.segment.Name == p.segment:
		r.alone = false
		p.ofSegment(r, c, c.segment, yield)
	default:
		r.alone = false
		for g := c.group; g >= 0; g = r.groups[g].around {
			found := false
			for _, s := range r.groups[g].segments {
				if s.Name == p.segment {
					if found = true; !p.ofSegment(r, c, s, yield) {
						return
					}
				}
			}
			if found || r.groups[g].kind.may[p.segment] {
				return
			}
		}
	}
}

func (p *path) ofSegment(r *run, c context, s *hl7.Segment, yield func(hl7.Value) bool) bool {
	raw := s.Raw(p.field)
	if raw == "" {
		return true
	}
	if p.where == nil && p.repetition == 0 && !has(raw, r.m.Delimiters.Repetition) { // as nearly all are
		v := p.descend(s.Field(p.field))
		return !v.Present() || yield(v)
	}
	for v := range s.Each(p.field) {
		if !v.Present() || p.repetition > 0 && v.Place().Repetition != p.repetition {
			continue
		}
		if p.where != nil {
			at := c
			at.value = v
			if !p.where.holds(r, at) {
				continue
			}
		}
		if v = p.descend(v); v.Present() && !yield(v) {
			return false
		}
	}
	return true
}

func (p *path) descend(v hl7.Value) hl7.Value {
	for _, n := range p.down {
		if n == 0 {
			break
		}
		if v.Place().Component == 0 {
			v = v.Component(n)
		} else {
			v = v.Subcomponent(n)
		}
	}
	return v
}

// segments yields those that the path means, and the groups they are in: see "Paths" in the package's doc.
func (p *path) segments(r *run, c context, yield func(group int, s *hl7.Segment) bool) {
	r.alone = false
	if c.segment != nil && c.segment.Name == p.segment && p.group == "" {
		yield(c.group, c.segment)
		return
	}
	if p.group != "" {
		for _, g := range r.near(p.group, c.group) {
			for _, s := range r.groups[g].segments {
				if s.Name == p.segment && !yield(g, s) {
					return
				}
			}
		}
		return
	}
	for g := c.group; g >= 0; g = r.groups[g].around {
		found := false
		for _, s := range r.groups[g].segments {
			if s.Name == p.segment {
				found = true
				if !yield(g, s) {
					return
				}
			}
		}
		if found || r.groups[g].kind.may[p.segment] {
			return
		}
	}
}

// contexts yields a context for each segment or value of the path.
func (p *path) contexts(r *run, c context, yield func(context) bool) {
	n := 0
	if p.segment != "" && p.field == 0 {
		p.segments(r, c, func(g int, s *hl7.Segment) bool {
			at := c
			at.segment, at.index = s, n
			if p.group != "" {
				at.group = g
			}
			if p.where != nil && !p.where.holds(r, at) {
				return true
			}
			n++
			return yield(at)
		})
		return
	}
	p.values(r, c, func(v hl7.Value) bool {
		at := c
		at.value, at.index = v, n
		n++
		return yield(at)
	})
}

// there tells whether the path has anything, be it the null value.
func (p *path) there(r *run, c context) bool {
	found := false
	if p.segment != "" && p.field == 0 {
		p.segments(r, c, func(int, *hl7.Segment) bool { found = true; return false })
		return found
	}
	p.values(r, c, func(v hl7.Value) bool {
		found = !v.Null() && strings.TrimSpace(v.Raw()) != ""
		return !found
	})
	return found
}
