package hl7map

import (
	"slices"

	"concord/internal/hl7"
)

// groupKind is one kind of group of a message type.
type groupKind struct {
	name   string
	begins []string
	holds  []*groupKind
	may    map[string]bool // the segments that it may have
	joins  *join
}

// join is when a segment goes on with the group before it.
type join struct {
	when cond
	same []*path
}

// group is one group of a message. Groups lie in the order in which they begin, each before those that it holds.
type group struct {
	kind     *groupKind
	around   int // the group that holds it; −1 for the message
	end      int // the first group behind it that it does not hold
	begun    int // the last of the segments that begin it
	segments []*hl7.Segment
}

// arrange puts the segments of a message into groups.
func (r *run) arrange(root *groupKind) {
	r.groups = append(r.groups[:0], group{kind: root, around: -1})
	now := 0
	for i := range r.m.Segments {
		now = r.place(now, &r.m.Segments[i])
	}
	for i := len(r.groups) - 1; i >= 0; i-- {
		g := &r.groups[i]
		if g.end = max(g.end, i+1); g.around >= 0 {
			r.groups[g.around].end = max(r.groups[g.around].end, g.end)
		}
	}
}

// place puts a segment into the innermost open group that takes it, and says which is the innermost then.
func (r *run) place(now int, s *hl7.Segment) int {
	for at := now; at >= 0; at = r.groups[at].around {
		g := &r.groups[at]
		if i := slices.Index(g.kind.begins, s.Name); i >= 0 {
			if i > g.begun || r.goesOn(at, s) {
				g.begun = max(i, g.begun)
				g.segments = append(g.segments, s)
				return at
			}
		} else if g.kind.may[s.Name] {
			g.segments = append(g.segments, s)
			return at
		}
		for _, k := range g.kind.holds {
			if i := slices.Index(k.begins, s.Name); i >= 0 {
				r.groups = append(r.groups, group{kind: k, around: at, begun: i, segments: []*hl7.Segment{s}})
				return len(r.groups) - 1
			}
		}
	}
	r.groups[now].segments = append(r.groups[now].segments, s)
	return now
}

// goesOn tells whether a segment belongs to a group although it begins groups of that kind.
func (r *run) goesOn(at int, s *hl7.Segment) bool {
	j := r.groups[at].kind.joins
	if j == nil {
		return false
	}
	before := r.groups[at].segments[0]
	if before.Name != s.Name || j.when != nil && (!j.when.holds(r, context{group: at, segment: s}) || !j.when.holds(r, context{group: at, segment: before})) {
		return false
	}
	for _, p := range j.same {
		if p.first(r, context{group: at, segment: s}) != p.first(r, context{group: at, segment: before}) {
			return false
		}
	}
	return true
}

// first is the first value as sent.
func (p *path) first(r *run, c context) (raw string) {
	p.values(r, c, func(v hl7.Value) bool { raw = v.Raw(); return false })
	return raw
}

// near are the groups of a name in this group or below, else in the nearest around that has any, but not in others of the
// kinds that this one is in.
func (r *run) near(name string, at int) []int {
	all := r.named[name]
	if all == nil {
		for i := range r.groups {
			if r.groups[i].kind.name == name {
				all = append(all, i)
			}
		}
		if all == nil {
			all = []int{}
		}
		r.named[name] = all
	}
	for from := -1; at >= 0 && len(all) > 0; from, at = at, r.groups[at].around {
		lo, _ := slices.BinarySearch(all, at)
		hi, _ := slices.BinarySearch(all, r.groups[at].end)
		if lo == hi {
			continue
		}
		if from < 0 {
			return all[lo:hi]
		}
		key := around{name, at, r.groups[from].kind}
		list, known := r.apart[key]
		if !known {
			for _, g := range all[lo:hi] {
				if !r.within(g, at, key.kind) {
					list = append(list, g)
				}
			}
			r.apart[key] = list
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}
