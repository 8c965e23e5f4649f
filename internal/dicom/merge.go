package dicom

import (
	"cmp"
	"slices"
)

// Merge appends the DICOM JSON object that has the attributes of all bodies, in the order of their tags, but for those that
// keep does not admit; nil admits all. Where several have one, that of the first counts.
func Merge(dst []byte, keep func(Tag) bool, bodies ...[]byte) []byte {
	return new(Merger).Append(dst, keep, bodies...)
}

// Merger is Merge for many matches of one answer.
type Merger struct {
	// Else is a body of which all is told that no other has. It stays as it is.
	Else []byte

	sources []merged // Else is the last; used again and again
}

// merged is a body on its way into the whole: those of its members that are kept, and how many of them are told or passed over.
type merged struct {
	body    []byte
	members []extent
	next    int
}

// extent is where an attribute lies in its body, from the key to the end of the value.
type extent struct {
	tag      Tag
	from, to int
}

// Append is Merge. Members that lie side by side are copied as they lie.
func (m *Merger) Append(dst []byte, keep func(Tag) bool, bodies ...[]byte) []byte {
	if len(m.sources) != len(bodies)+1 {
		m.sources = make([]merged, len(bodies)+1)
		m.sources[len(bodies)].read(m.Else, nil)
	}
	for i, body := range bodies {
		m.sources[i].read(body, keep)
	}
	m.sources[len(bodies)].next = 0
	dst = append(dst, '{')
	start := len(dst)
	var of *merged // whose bytes [from, to) come next
	from, to := 0, 0
	for {
		s := m.first()
		if s != nil && s == of && s.members[s.next].from == to+1 { // nothing but a comma is between
			to = s.members[s.next].to
		} else {
			if of != nil {
				if len(dst) > start {
					dst = append(dst, ',')
				}
				dst = append(dst, of.body[from:to]...)
			}
			if s == nil {
				return append(dst, '}')
			}
			of, from, to = s, s.members[s.next].from, s.members[s.next].to
		}
		m.pass(s.members[s.next].tag)
	}
}

// first is the body of the next attribute, nil when there is none.
func (m *Merger) first() (first *merged) {
	least := Tag(0)
	for i := range m.sources {
		s := &m.sources[i]
		if s.next < len(s.members) && (first == nil || s.members[s.next].tag < least) {
			first, least = s, s.members[s.next].tag
		}
	}
	return first
}

// pass goes on behind an attribute that is told.
func (m *Merger) pass(tag Tag) {
	for i := range m.sources {
		if s := &m.sources[i]; s.next < len(s.members) && s.members[s.next].tag == tag {
			s.next++
		}
	}
}

// read finds the members of a body that are kept.
func (s *merged) read(body []byte, keep func(Tag) bool) {
	s.body, s.next = body, 0
	if s.scan(keep) {
		return
	}
	var own []Attribute
	for a := range Attributes(body) {
		if keep == nil || keep(a.Tag) {
			own = append(own, a)
		}
	}
	slices.SortStableFunc(own, func(x, y Attribute) int { return cmp.Compare(x.Tag, y.Tag) })
	own = slices.CompactFunc(own, func(x, y Attribute) bool { return x.Tag == y.Tag })
	s.body = []byte{'{'}
	for i, a := range own {
		if i > 0 {
			s.body = append(s.body, ',')
		}
		s.body = append(a.Tag.AppendHex(append(s.body, '"')), `":`...)
		s.body = append(s.body, a.Raw...)
	}
	s.body = append(s.body, '}')
	s.scan(nil)
}

// scan is read for a body in the form that AppendJSON gives it, without blanks and with its tags ascending; false for any other.
func (s *merged) scan(keep func(Tag) bool) bool {
	s.members = s.members[:0]
	b := s.body
	if len(b) == 0 || string(b) == "{}" {
		return true
	}
	if b[0] != '{' {
		return false
	}
	if s.members == nil {
		s.members = make([]extent, 0, 24)
	}
	const key = len(`"00080005":`)
	last := Tag(0)
	for i := 1; i+key < len(b); {
		if b[i] != '"' || b[i+9] != '"' || b[i+10] != ':' {
			return false
		}
		tag, ok := upperHex(b[i+1 : i+9])
		end := skipAttribute(b, i+key)
		if !ok || i > 1 && tag <= last || end <= i+key || end >= len(b) {
			return false
		}
		if keep == nil || keep(tag) {
			s.members = append(s.members, extent{tag, i, end})
		}
		switch last = tag; b[end] {
		case ',':
			i = end + 1
		case '}':
			return end == len(b)-1
		default:
			return false
		}
	}
	return false
}

// skipAttribute is skipJSON for what most attributes are: an object of a VR and one string.
func skipAttribute(b []byte, i int) int {
	const head, vr = `{"vr":"--","Value":["`, len(`{"vr":"`)
	if len(b)-i > len(head) && string(b[i:i+vr]) == head[:vr] && string(b[i+vr+2:i+len(head)]) == head[vr+2:] {
		if end := skipString(b, i+len(head)-1); len(b)-end > 1 && b[end] == ']' && b[end+1] == '}' {
			return end + 2
		}
	}
	return skipJSON(b, i)
}

// upperHex reads a tag as AppendHex writes it.
func upperHex(b []byte) (t Tag, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			t = t<<4 | Tag(c-'0')
		case c >= 'A' && c <= 'F':
			t = t<<4 | Tag(c-'A'+10)
		default:
			return 0, false
		}
	}
	return t, true
}
