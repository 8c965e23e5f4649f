package fhir

import "sync"

// shape is a complex type or backbone element as Check walks it.
type shape struct {
	name  string
	slots []slot // in the order of the definitions, the types of a choice in a row
	// table finds a slot by the hash of its name: one more than its place in slots, 0 for none. A name that is not
	// where its hash points lies in the next place that is.
	table []uint16
	due   uint64 // the bits of elements that must be there
	// resource says that it is a resource type.
	resource bool
}

// slot is a member of a shape.
type slot struct {
	name    string // in JSON
	form    form
	many    bool
	bit     uint8    // the element's number in its shape; the types of a choice share it
	choice  string   // the choice it is one type of, without [x]
	shape   *shape   // of complex forms
	codes   *codes   // of a required binding
	targets []string // resource types a reference may point to; none means any
}

// form is how a value is written in JSON.
type form uint8

const (
	formObject   form = iota // of the slot's shape
	formResource             // an object of the type it names itself
	formType                 // resourceType
	formXHTML
	formBoolean
	formInteger
	formPositive
	formUnsigned
	formDecimal
	formString
	formCode
	formID
	formElementID
	formURI
	formOID
	formUUID
	formDate
	formDateTime
	formInstant
	formTime
	formBase64
)

// primitiveForms are the forms of the primitive types (R4 datatypes.html#primitive).
var primitiveForms = map[string]form{
	"xhtml": formXHTML, "boolean": formBoolean, "integer": formInteger, "positiveInt": formPositive, "unsignedInt": formUnsigned,
	"decimal": formDecimal, "string": formString, "markdown": formString, "code": formCode, "id": formID, "uri": formURI,
	"url": formURI, "canonical": formURI, "oid": formOID, "uuid": formUUID, "date": formDate, "dateTime": formDateTime,
	"instant": formInstant, "time": formTime, "base64Binary": formBase64,
}

// The bits of the elements that every type has first.
const (
	bitID   = 0
	bitType = 63 // of resourceType
)

// maxElements is how many elements of a shape have a bit of their own. R4's largest type has 51.
const maxElements = bitType

// shapes compiles the element table for Check when it is first asked for (about 5 ms).
var shapes = sync.OnceValue(func() map[string]*shape {
	spec := definitions()
	all := make(map[string]*shape, len(spec.elements))
	for name := range spec.elements {
		all[name] = &shape{name: name, resource: spec.resources[name] != nil}
	}
	for name, s := range all {
		s.fill(spec.elements[name], all)
	}
	return all
})

func (s *shape) fill(t *elementType, all map[string]*shape) {
	bit, last := -1, ""
	for _, key := range t.order {
		m := t.members[key]
		if m.choice == "" || m.choice != last {
			bit++
		}
		last = m.choice
		next := slot{name: key, many: m.many, bit: uint8(bit), choice: m.choice, codes: m.codes, targets: m.targets}
		switch form, primitive := primitiveForms[m.typ]; {
		case m.typ == "Resource":
			next.form = formResource
		case key == "id" && s.resource:
			next.form = formID
		case key == "id":
			next.form = formElementID
		case key == "url" && s.name == "Extension":
			next.form = formURI
		case primitive:
			next.form = form
		default:
			next.shape = all[m.typ]
		}
		if m.due {
			s.due |= 1 << bit
		}
		s.slots = append(s.slots, next)
	}
	if s.resource {
		s.slots = append(s.slots, slot{name: "resourceType", form: formType, bit: bitType})
	}
	size := 4
	for size < 3*len(s.slots) {
		size *= 2
	}
	s.table = make([]uint16, size)
	for i := range s.slots {
		at := hashName(s.slots[i].name)
		for s.table[int(at)&(size-1)] != 0 {
			at++
		}
		s.table[int(at)&(size-1)] = uint16(i + 1)
	}
}

// find is the slot called name, nil when there is none.
func (s *shape) find(name string) *slot {
	if name == "" {
		return nil
	}
	for at := hashName(name); ; at++ {
		i := s.table[int(at)&(len(s.table)-1)]
		if i == 0 {
			return nil
		}
		if found := &s.slots[i-1]; found.name == name {
			return found
		}
	}
}

// hashName mixes the length and three bytes of a name that is not empty: the names of one type hardly ever agree in all.
func hashName(name string) uint32 {
	n := len(name)
	return uint32(n)*7 + uint32(name[0])*31 + uint32(name[n/2])*131 + uint32(name[n-1])*1031
}

// aside tells whether the slot may have a companion called _name for its id and extensions (R4 json.html#primitive):
// primitive elements do, but for those that XML writes as attributes or markup.
func (l *slot) aside(s *shape) bool {
	return l.form > formXHTML && l.name != "id" && !(s.name == "Extension" && l.name == "url")
}

// names lists the members, for hints.
func (s *shape) names() []string {
	all := make([]string, len(s.slots))
	for i := range s.slots {
		all[i] = s.slots[i].name
	}
	return all
}
