package fhir

import (
	"slices"
	"strings"
)

// reference looks at a Reference (R4 references.html): that it says something, that its literal reference is well-formed,
// that a fragment names a contained resource, and that a type it tells is one that the element may point to. What a URN
// or a URL that is not of the form [base]/Type/id points to is not known.
func (c *checker) reference(i uint32, l *slot) {
	var literal, typ uint32
	says := false
	end := i + c.nodes[i].size
	for m := i + 1; m < end; m += c.nodes[m].size {
		switch name := c.name(int(m)); name {
		case "reference":
			literal, says = m, true
		case "type":
			typ = m
		default:
			says = says || name != "id" && name != "_type"
		}
	}
	if !says {
		c.fault(i, "the reference has neither reference nor identifier nor display", "")
		return
	}
	said := ""
	if literal != 0 && c.nodes[literal].kind == String {
		said = c.literal(literal, l)
	}
	if typ == 0 || c.nodes[typ].kind != String {
		return
	}
	switch name := c.value(typ).Text(); {
	case strings.Contains(name, ":"): // the URL of a type that is not R4's own
	case !IsResourceType(name):
		if !c.full() {
			c.fault(typ, "R4 has no such resource type", NearestType(name))
		}
	case said != "" && said != name:
		c.fault(typ, "the reference is to a "+said, "")
	case said == "":
		c.target(typ, name, l)
	}
}

// literal looks at Reference.reference and returns the type it points to, empty when that is not known or wrong.
func (c *checker) literal(i uint32, l *slot) string {
	text := c.value(i).Text()
	if uuid, is := strings.CutPrefix(text, "urn:uuid:"); is && isUUID(uuid, true) { // most often, in a transaction
		return ""
	}
	typ, ok := referredType(text)
	if fragment, is := strings.CutPrefix(text, "#"); is {
		if typ, ok = c.containedType(fragment); !ok {
			c.fault(i, "no contained resource has this id", "")
			return ""
		}
	}
	switch {
	case ok && slices.Contains(l.targets, typ):
		return typ
	case !ok:
		c.fault(i, "a reference is Type/id, #id, a URL or a URN", "")
		return ""
	case typ == "" || !IsResourceType(typ) && strings.Contains(text, ":"):
		return ""
	case !IsResourceType(typ):
		if !c.full() {
			c.fault(i, "R4 has no such resource type", NearestType(typ))
		}
		return ""
	}
	c.target(i, typ, l)
	return typ
}

func (c *checker) target(i uint32, typ string, l *slot) {
	if len(l.targets) > 0 && !slices.Contains(l.targets, typ) {
		c.fault(i, "the element may not refer to a "+typ, "to one of "+strings.Join(l.targets, ", "))
	}
}

// referredType is the type in a literal reference Type/id, Type/id/_history/version or, for a transaction, Type?query,
// with or without a base URL. It is empty when text is a URL of another form or a URN, and not ok when it is none of these.
func referredType(text string) (typ string, ok bool) {
	if text == "" || hasSpace(text) {
		return "", false
	}
	scheme := strings.IndexByte(text, ':')
	absolute := scheme > 0 && strings.IndexByte(text[:scheme], '/') < 0 && strings.IndexByte(text[:scheme], '?') < 0
	if absolute && !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
		return "", isURI(text)
	}
	if typ, _, conditional := strings.Cut(text, "?"); conditional {
		return restingType(typ, absolute), absolute || isTypeName(typ)
	}
	if at := strings.Index(text, "/_history/"); at >= 0 {
		if version := text[at+len("/_history/"):]; !isID(version) {
			return "", absolute
		}
		text = text[:at]
	}
	path, id, ok := cutLastByte(text, '/')
	if !ok || !isID(id) || !absolute && !isTypeName(path) {
		return "", absolute
	}
	return restingType(path, absolute), true
}

// restingType is the type that the path of a reference ends with.
func restingType(path string, absolute bool) string {
	if absolute {
		_, path, _ = cutLastByte(path, '/')
	}
	return path
}

// isTypeName is the shape of a resource type's name.
func isTypeName(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) {
			return false
		}
	}
	return s != "" && isUpper(s[0])
}

func cutLastByte(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// container is the resource whose contained ones a fragment names.
type container struct {
	node uint32
	typ  string
	byID map[string]string // types of the contained resources, once they are asked for
}

// containedType is the type of the contained resource with an id; that of the container itself for none.
func (c *checker) containedType(id string) (typ string, ok bool) {
	around := &c.around
	if id == "" {
		return around.typ, true
	}
	if around.byID == nil {
		around.byID = map[string]string{}
		for r := range c.value(around.node).Get("contained").Items() {
			around.byID[r.Get("id").Text()] = r.Get("resourceType").Text()
		}
	}
	typ, ok = around.byID[id]
	return typ, ok
}
