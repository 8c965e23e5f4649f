package hl7map

// Most elements of a rule are about fields that a message does not have. What an element can come from is known when the rules
// are read, so that these are passed over without a try.

// from of a list is known if that of each is. What is constant makes nothing missing.
func (l list) from() (all []*path, known bool) {
	for _, m := range l {
		paths, known := m.from()
		if !known {
			return nil, false
		}
		all = append(all, paths...)
	}
	return all, len(l) > 0
}

func (o *object) from() (all []*path, known bool) {
	switch {
	case o.each != nil:
		return from(o.each)
	case o.value != nil:
		return o.value.from()
	case o.fixed || o.choice != nil:
		return nil, false
	}
	for i := range o.members {
		m := &o.members[i]
		if m.fixed {
			continue // is not enough for an object
		}
		paths, known := m.maker.from()
		if !known {
			return nil, false
		}
		all = append(all, paths...)
	}
	return all, true
}

func (e *expr) from() (all []*path, known bool) {
	for _, p := range e.pipes {
		var of []*path
		switch {
		case p.refs != "":
			return nil, false
		case p.path != nil:
			of = []*path{p.path}
		default:
			for _, one := range p.text {
				if one.path != nil {
					of = append(of, one.path)
				}
			}
		}
		paths, known := from(of...)
		if !known {
			return nil, false
		}
		all = append(all, paths...)
	}
	return all, true
}

// from is paths, if they name segments: no path is a constant, and a path without one is about the value at hand.
func from(paths ...*path) ([]*path, bool) {
	for _, p := range paths {
		if p.segment == "" {
			return nil, false
		}
	}
	return paths, len(paths) > 0
}

// missing tells whether a message has nothing at any of these paths, as far as that is seen at once.
func (r *run) missing(paths []*path, c context) bool {
	for _, p := range paths {
		if p.group == "" && c.segment != nil && c.segment.Name == p.segment {
			if p.field == 0 || c.segment.Raw(p.field) != "" {
				return false
			}
		} else if len(r.byName[p.segment]) > 0 {
			return false
		}
	}
	r.alone = false
	return true
}
