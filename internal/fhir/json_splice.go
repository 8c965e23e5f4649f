package fhir

import (
	"encoding/json"
	"strconv"
	"time"
)

// InstantFormat is the layout of a FHIR instant with milliseconds.
const InstantFormat = "2006-01-02T15:04:05.000Z07:00"

// Splice is the resource as compact JSON: whitespace outside of strings gone, all else byte for byte as sent
// (number literals, escapes, order of members, unknown members), but for its id, set to id and put behind
// resourceType where there was none, and meta.versionId and meta.lastUpdated (R4 resource.html#Meta), with a meta
// behind the id where there was none. A meta that is no object is replaced. The root must be an object; the result
// of anything else is nil.
func (d *Doc) Splice(id string, version uint64, updated time.Time) []byte {
	if d.nodes[0].kind != Object {
		return nil
	}
	if !ValidID(id) {
		quoted := quote(id)
		id = quoted[1 : len(quoted)-1]
	}
	s := splicer{Doc: d, id: id, version: version, updated: updated.UTC()}
	const frame = `"id":"","meta":{"versionId":"18446744073709551615","lastUpdated":"` + InstantFormat + `"},`
	s.out = make([]byte, 0, d.compactSize(0)+len(id)+len(frame))
	s.resource()
	return s.out
}

// Compact is the value without whitespace outside of strings.
func (v Value) Compact() []byte {
	if v.d == nil {
		return nil
	}
	s := splicer{Doc: v.d, out: make([]byte, 0, v.d.compactSize(v.i))}
	s.copy(v.i)
	return s.out
}

type splicer struct {
	*Doc
	id      string // escaped for JSON
	version uint64
	updated time.Time
	out     []byte
}

func (s *splicer) resource() {
	root := s.Root()
	hasType := root.Get("resourceType").Kind() != Absent
	hasID := root.Get("id").Kind() != Absent
	hasMeta := root.Get("meta").Kind() != Absent
	addMissing := func() {
		if !hasID {
			s.setID()
			hasID = true
		}
		if !hasMeta {
			s.meta(Value{})
			hasMeta = true
		}
	}
	s.out = append(s.out, '{')
	if !hasType && !hasID {
		addMissing()
	}
	for name, v := range root.Members() {
		switch name {
		case "id":
			s.setID()
			addMissing()
		case "meta":
			s.meta(v)
		case "resourceType":
			s.copyMember(v)
			if !hasID {
				addMissing()
			}
		default:
			s.copyMember(v)
		}
	}
	s.out = append(s.out, '}')
}

// meta writes what was sent as meta with the version set.
func (s *splicer) meta(sent Value) {
	s.name("meta")
	s.out = append(s.out, '{')
	if sent.Get("versionId").Kind() == Absent {
		s.setVersion()
	}
	if sent.Get("lastUpdated").Kind() == Absent {
		s.setUpdated()
	}
	for name, v := range sent.Members() {
		switch name {
		case "versionId":
			s.setVersion()
		case "lastUpdated":
			s.setUpdated()
		default:
			s.copyMember(v)
		}
	}
	s.out = append(s.out, '}')
}

func (s *splicer) setID() {
	s.name("id")
	s.out = append(s.out, '"')
	s.out = append(s.out, s.id...)
	s.out = append(s.out, '"')
}

func (s *splicer) setVersion() {
	s.name("versionId")
	s.out = append(s.out, '"')
	s.out = strconv.AppendUint(s.out, s.version, 10)
	s.out = append(s.out, '"')
}

func (s *splicer) setUpdated() {
	s.name("lastUpdated")
	s.out = s.updated.AppendFormat(s.out, `"`+InstantFormat+`"`)
}

// name writes a member's name behind a comma where one is due.
func (s *splicer) name(name string) {
	if s.out[len(s.out)-1] != '{' {
		s.out = append(s.out, ',')
	}
	s.out = append(s.out, '"')
	s.out = append(s.out, name...)
	s.out = append(s.out, '"', ':')
}

func (s *splicer) copyMember(v Value) {
	n := v.node()
	s.name(s.text[n.key:n.keyEnd])
	s.copy(v.i)
}

// copy writes node i without whitespace.
func (s *splicer) copy(i uint32) {
	n := &s.nodes[i]
	if !s.spaced || n.kind != Object && n.kind != Array {
		s.out = append(s.out, s.data[n.start:n.end]...)
		return
	}
	end := i + n.size
	if n.kind == Object {
		s.out = append(s.out, '{')
		for m := i + 1; m < end; m += s.nodes[m].size {
			s.copyMember(Value{s.Doc, m})
		}
		s.out = append(s.out, '}')
		return
	}
	s.out = append(s.out, '[')
	for m := i + 1; m < end; m += s.nodes[m].size {
		if m > i+1 {
			s.out = append(s.out, ',')
		}
		s.copy(m)
	}
	s.out = append(s.out, ']')
}

// compactSize is an upper bound of the bytes that copy writes for node i, over by at most one a container.
func (d *Doc) compactSize(i uint32) int {
	root := &d.nodes[i]
	if !d.spaced {
		return int(root.end - root.start)
	}
	size := 0
	for j := i; j < i+root.size; j++ {
		n := &d.nodes[j]
		if n.keyEnd > 0 {
			size += int(n.keyEnd-n.key) + len(`"":`)
		}
		if n.kind == Object || n.kind == Array {
			size += len(`{}`)
		} else {
			size += int(n.end - n.start)
		}
		size++ // a comma
	}
	return size
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return string(b)
}
