package fhir

// Element is what R4 says of one element of a type.
type Element struct {
	Key    string // its member name in JSON: valueQuantity, where the element is value[x]
	Type   string // a primitive or complex type, or the path of a backbone element
	Many   bool   // it may repeat: an array in JSON
	Choice string // value, where the element is one type of value[x]
}

// Primitive reports whether the element's values are JSON primitives, with their extensions in a member of their own.
func (e Element) Primitive() bool { return !IsComplex(e.Type) }

// IsComplex reports whether typ is a complex type, a backbone element's path or a resource type.
func IsComplex(typ string) bool { return typ == "Resource" || definitions().elements[typ] != nil }

// ElementOf finds an element of a type by its member name in JSON.
func ElementOf(typ, key string) (Element, bool) {
	t := definitions().elements[typ]
	if t == nil {
		return Element{}, false
	}
	m, ok := t.members[key]
	return Element{m.key, m.typ, m.many, m.choice}, ok
}

// Choices lists the types of a choice element of typ by its name without [x]; none when it is no choice.
func Choices(typ, name string) []Element {
	t := definitions().elements[typ]
	if t == nil {
		return nil
	}
	var list []Element
	for _, m := range t.choices[name] {
		list = append(list, Element{m.key, m.typ, m.many, m.choice})
	}
	return list
}

// NearestElement is a hint with the element of typ that is nearest to name, empty when none is near.
func NearestElement(typ, name string) string {
	if t := definitions().elements[typ]; t != nil {
		return didYouMean(name, t.names())
	}
	return ""
}

// RawName is the name of the member that v is the value of, as sent, without quotes; nil where v is no member.
func (v Value) RawName() []byte {
	if v.d == nil || v.node().keyEnd == 0 {
		return nil
	}
	n := v.node()
	return v.d.data[n.key:n.keyEnd:n.keyEnd]
}

// Admits reports whether the required binding of an element of type code admits a code (R4 terminologies.html#required); if
// not, hint names what was probably meant. What is bound to nothing admits all.
func Admits(typ, key, code string) (ok bool, hint string) {
	t := definitions().elements[typ]
	if t == nil || t.members[key].codes == nil || t.members[key].codes.has(code) {
		return true, ""
	}
	return false, t.members[key].codes.hint(code)
}
