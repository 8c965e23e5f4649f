package fhirpatch

import (
	"fmt"
	"strings"

	"concord/hub"
	"concord/internal/fhir"
)

// content is the value part of an operation: a value[x], or parts that name the elements of a type that value[x] does
// not have, such as a backbone element.
type content struct {
	typ   string // of value[x]; empty for parts and resources
	value fhir.Value
	aside fhir.Value // the primitive's id and extensions
	parts []fhir.Value
}

func contentOf(part fhir.Value) (content, error) {
	var c content
	for name, v := range part.Members() {
		plain, aside := strings.CutPrefix(name, "_")
		suffix, isValue := strings.CutPrefix(plain, "value")
		switch {
		case name == "resource":
			c.value = v
		case name == "part":
			for p := range v.Items() {
				c.parts = append(c.parts, p)
			}
		case isValue && suffix != "":
			if aside {
				c.aside = v
			} else {
				c.value = v
			}
			c.typ = typeOf(suffix)
		}
	}
	if c.value.Kind() == fhir.Absent && c.aside.Kind() == fhir.Absent && len(c.parts) == 0 {
		return c, invalid("the operation has no value")
	}
	return c, nil
}

// typeOf is the type that valueQuantity or valueDateTime has.
func typeOf(suffix string) string {
	if fhir.IsComplex(suffix) {
		return suffix
	}
	return strings.ToLower(suffix[:1]) + suffix[1:]
}

// choose is the element among the types of a choice that the value is for; any other element is itself.
func (c content) choose(typ string, el fhir.Element) (fhir.Element, error) {
	if el.Choice == "" {
		return el, nil
	}
	var types []string
	for _, one := range fhir.Choices(typ, el.Choice) {
		if one.Type == c.typ {
			return one, nil
		}
		types = append(types, one.Type)
	}
	return el, &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("%s[x] takes no %s", el.Choice, c.typ), Hint: "it takes " + strings.Join(types, ", ")}
}

// build makes the JSON of the content for an element.
func (c content) build(el fhir.Element) (value, aside *node, err error) {
	if len(c.parts) > 0 {
		value, err = assemble(el.Type, c.parts)
		return value, nil, err
	}
	if c.typ != "" && c.typ != el.Type && (!el.Primitive() || fhir.IsComplex(c.typ)) && !quantities(c.typ, el.Type) {
		return nil, nil, invalid("%s is a %s, the value is a %s", el.Key, el.Type, c.typ)
	}
	if c.value.Kind() != fhir.Absent {
		value = sent(c.value)
	}
	if c.aside.Kind() != fhir.Absent {
		aside = sent(c.aside)
	}
	return value, aside, nil
}

// quantities reports whether both types are Quantity or one of its specialisations, which have the same elements.
func quantities(a, b string) bool {
	const all = " Quantity SimpleQuantity MoneyQuantity Age Count Distance Duration "
	return strings.Contains(all, " "+a+" ") && strings.Contains(all, " "+b+" ")
}

// assemble makes an object of type typ of parts that are called like its elements.
func assemble(typ string, parts []fhir.Value) (*node, error) {
	if !fhir.IsComplex(typ) {
		return nil, invalid("a %s is given by value[x], not by parts", typ)
	}
	object := place{Element: fhir.Element{Type: typ}, index: -1, value: made(fhir.Object)}
	for _, part := range parts {
		name := strings.TrimSuffix(part.Get("name").Text(), "[x]")
		el, there, err := object.element(name)
		if err != nil {
			return nil, err
		}
		c, err := contentOf(part)
		if err == nil {
			el, err = c.choose(typ, el)
		}
		if err != nil {
			return nil, err
		}
		value, aside, err := c.build(el)
		switch {
		case err != nil:
			return nil, err
		case el.Many:
			if err := object.value.insertValue(el, object.value.count(el), value, aside); err != nil {
				return nil, err
			}
			continue
		case there:
			return nil, invalid("the part %s is there twice, and the element does not repeat", name)
		}
		object.value.put(el.Key, value)
		object.value.put("_"+el.Key, aside)
	}
	return object.value, nil
}
