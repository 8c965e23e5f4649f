package fhir

import (
	"strconv"
	"strings"

	"concord/hub"
)

// Check compares the structure of the resource with R4's StructureDefinitions and finds every fault at once:
//
//   - a type or element that R4 does not have, or with another JSON type than its own;
//   - an element that must be there and is not; one whose value is missing but that has extensions is there;
//   - an array where an element may not repeat, none where it may; two types of a choice;
//   - what is empty or null; extensions (_given) that do not lie beside their values (json.html#primitive);
//   - a primitive value against its grammar (datatypes.html#primitive), dates against the calendar, narratives
//     against what they may hold (narrative.html);
//   - a code that is not in the value set of a required binding, a concept with none that is (terminologies.html#required);
//   - a literal reference that is malformed, names no contained resource, or is of a type that is not allowed
//     (references.html);
//   - a contained resource without id, or with contained ones of its own; an extension without url, or without either
//     value or extensions, or with both.
//
// It does not know profiles and invariants, what a canonical or a URN points to, nor the codes that R4 leaves to UCUM and
// LOINC; media types, language tags and currencies are tested by their shape.
//
// The error is hub.Faults, each Invalid, in the order of the text, the missing elements of an object behind its members; after the
// first 100 one more says how many are not shown. A path is written as in the JSON, with places from 0:
// Patient.contact[0].name.given[1], Observation.valueQuantity.value. Extensions of a primitive element are below the
// element (Patient.birthDate.extension[0]), a missing choice is MedicationRequest.medication[x]. No message repeats a value.
// Check allocates nothing for a resource that is right, but to decode codes, URIs and dates with escapes, and to find contained
// resources.
func (d *Doc) Check() error {
	c := checker{Doc: d, shapes: shapes()}
	c.resource(0, false)
	if len(c.faults) == 0 {
		return nil
	}
	if c.more > 0 {
		c.faults = append(c.faults, &hub.Error{Kind: hub.Invalid, Path: d.Type(), Msg: strconv.Itoa(c.more) + " more faults are not shown"})
	}
	return c.faults
}

// maxFaults is how many faults are shown.
const maxFaults = 100

// checker walks the tape of a Doc; nodes are named by their places on it.
type checker struct {
	*Doc
	shapes map[string]*shape
	faults hub.Faults
	more   int // faults that are not shown
	around container
}

func (c *checker) value(i uint32) Value { return Value{c.Doc, i} }

// fault notes what is wrong with node i.
func (c *checker) fault(i uint32, msg, hint string) { c.faultBelow(i, "", msg, hint) }

// faultBelow notes what is wrong with a member of node i, or with i itself when step is empty.
func (c *checker) faultBelow(i uint32, step, msg, hint string) {
	if c.full() {
		return
	}
	path := c.path(i)
	if step != "" {
		path = strings.TrimPrefix(path+"."+step, ".") // a root of no known type has no path
	}
	c.faults = append(c.faults, &hub.Error{Kind: hub.Invalid, Path: path, Msg: msg, Hint: hint})
}

// full counts a fault that is not shown any more. Ask before a hint is looked for: that takes longer than the fault.
func (c *checker) full() bool {
	if len(c.faults) < maxFaults {
		return false
	}
	c.more++
	return true
}

// path finds the way from the root down to node i.
func (c *checker) path(i uint32) string {
	path := c.Type()
	if !IsResourceType(path) {
		path = ""
	}
	for at := uint32(0); at != i; {
		array := c.nodes[at].kind == Array
		next := at + 1
		place := 0
		for ; next+c.nodes[next].size <= i; next += c.nodes[next].size {
			place++
		}
		if array {
			path += "[" + strconv.Itoa(place) + "]"
		} else {
			path += "." + strings.TrimPrefix(c.name(int(next)), "_")
		}
		at = next
	}
	return path
}

// resource checks an object that names its own type.
func (c *checker) resource(i uint32, contained bool) {
	if c.nodes[i].kind != Object {
		c.fault(i, "a resource is due: a JSON object", "")
		return
	}
	v := c.value(i)
	typ := v.Get("resourceType")
	s := c.shapes[typ.Text()]
	switch {
	case typ.Kind() == Absent:
		c.faultBelow(i, "resourceType", "a resource names its type here", "")
		return
	case typ.Kind() != String || s == nil || !s.resource:
		if !c.full() {
			c.faultBelow(i, "resourceType", "R4 has no such resource type", NearestType(typ.Text()))
		}
		return
	}
	if !contained {
		around := c.around
		c.around = container{node: i, typ: s.name}
		c.object(i, s)
		c.around = around
		return
	}
	c.object(i, s)
	if v.Get("id").Kind() == Absent {
		c.faultBelow(i, "id", "a contained resource has an id", "")
	}
	if inner := v.Get("contained"); inner.Kind() != Absent {
		c.fault(inner.i, "a contained resource contains no others", "")
	}
}

// object checks the members of a JSON object against a shape and returns the bits of the elements that are there, all when
// something is there that R4 does not know.
func (c *checker) object(i uint32, s *shape) (seen uint64) {
	if c.nodes[i].kind != Object {
		c.fault(i, "a JSON object is due", "")
		return ^uint64(0)
	}
	unknown := false
	end := i + c.nodes[i].size
	for m := i + 1; m < end; m += c.nodes[m].size {
		name := c.name(int(m))
		l := s.find(name)
		if l == nil {
			if plain, is := strings.CutPrefix(name, "_"); is {
				if l = s.find(plain); l != nil && !l.aside(s) {
					l = nil
				}
			}
			if l == nil {
				unknown = true
				if !c.full() {
					c.faultBelow(i, name, s.name+" has no such element", didYouMean(name, s.names()))
				}
				continue
			}
			c.aside(i, m, l)
		} else {
			c.element(i, m, l)
		}
		bit := uint64(1) << l.bit
		if seen&bit != 0 && l.choice != "" {
			c.secondType(i, m, l, s)
		}
		seen |= bit
	}
	if s.due&^seen != 0 {
		c.missing(i, s, seen)
	}
	if unknown {
		return ^uint64(0)
	}
	return seen
}

// missing notes the elements that must be there and are not.
func (c *checker) missing(i uint32, s *shape, seen uint64) {
	for k := range s.slots {
		l := &s.slots[k]
		if bit := uint64(1) << l.bit; s.due&^seen&bit != 0 {
			seen |= bit
			name := l.name
			if l.choice != "" {
				name = l.choice + "[x]"
			}
			c.faultBelow(i, name, "the element must be there", "")
		}
	}
}

// secondType notes that member m of node i is of a choice that another type of is there.
func (c *checker) secondType(i, m uint32, l *slot, s *shape) {
	for o := i + 1; o < m; o += c.nodes[o].size {
		if other := s.find(strings.TrimPrefix(c.name(int(o)), "_")); other != nil && other.bit == l.bit && other != l {
			c.fault(m, "another type of "+l.choice+"[x] is there already: "+other.name, "")
			return
		}
	}
}

// element checks member m of node i: one value, or an array of them.
func (c *checker) element(i, m uint32, l *slot) {
	n := &c.nodes[m]
	switch {
	case n.kind != Array:
		if l.many {
			c.fault(m, "the element may repeat: an array is due", "")
		}
		c.one(m, l)
		return
	case !l.many:
		c.fault(m, "the element may not repeat: no array is due", "")
		return
	case n.size == 1:
		c.fault(m, "the array is empty", "")
		return
	}
	end, extended := m+n.size, false
	for item := m + 1; item < end; item += c.nodes[item].size {
		if c.nodes[item].kind != Null || l.form < formXHTML {
			c.one(item, l)
			continue
		}
		// null keeps the place of a value that has extensions only; aside compares the two arrays.
		if extended = extended || c.value(i).Get("_"+l.name).Kind() != Absent; !extended {
			c.fault(item, "null has extensions beside it", "leave it out")
			return
		}
	}
}

// one checks one value.
func (c *checker) one(i uint32, l *slot) {
	switch n := &c.nodes[i]; {
	case l.form == formObject:
		c.complex(i, l)
	case l.form == formResource:
		c.resource(i, l.name == "contained")
	case l.form == formType: // resource looked at it
	case l.form == formXHTML && n.kind == String:
		if fault := narrativeFault(c.text[n.start+1 : n.end-1]); fault != "" {
			c.fault(i, fault, "")
		}
	case !c.primitive(n, l.form):
		c.fault(i, wanted[l.form], "")
	case l.codes != nil && !l.codes.has(c.value(i).Text()) && !c.full():
		c.fault(i, "the code is not in the value set "+l.codes.name+", which binds the element", l.codes.hint(c.value(i).Text()))
	}
}
