package fhir

import (
	"iter"
	"strings"
)

// Span is a string of a Doc that names another resource.
type Span struct {
	Target     string // decoded
	Start, End uint32 // its bytes without quotes, as offsets into the Doc's text
	// Literal is true for Reference.reference, false for elements of type uri, url, canonical, oid or uuid that hold a
	// URN, and for links of a narrative.
	Literal bool
}

// References yields every Reference.reference, every value of an element of type uri, url, canonical, oid or uuid that
// begins with urn:uuid: or urn:oid:, and the href and src attributes of the narrative (R4 bundle.html#references); also
// those in contained resources and extensions. They come in the order of the text. The element types are those of R4:
// what it does not know is passed over.
func (d *Doc) References() iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for v, typ := range d.texts() {
			switch typ {
			case literalReference:
				if !yield(v.span(v.Text(), true)) {
					return
				}
			case "uri", "url", "canonical", "oid", "uuid":
				if text := v.Text(); (strings.HasPrefix(text, "urn:uuid:") || strings.HasPrefix(text, "urn:oid:")) && !yield(v.span(text, false)) {
					return
				}
			case "xhtml":
				if !v.narrative(yield) {
					return
				}
			}
		}
	}
}

// literalReference is the type that texts gives Reference.reference, to tell it from other strings.
const literalReference = "Reference.reference"

// texts yields every string in the text's order with its FHIR type, contained resources and extensions included; what
// is of no type that R4 knows is passed over.
func (d *Doc) texts() iter.Seq2[Value, string] {
	return func(yield func(Value, string) bool) {
		(&textWalk{definitions(), yield}).visit(d.Root(), d.Type())
	}
}

type textWalk struct {
	spec  *specification
	yield func(Value, string) bool
}

// visit goes through a value of FHIR type typ; false ends the walk.
func (w *textWalk) visit(v Value, typ string) bool {
	switch v.Kind() {
	case Object:
		return w.object(v, typ)
	case Array:
		for item := range v.children() {
			if !w.visit(item, typ) {
				return false
			}
		}
	case String:
		return typ == "" || w.yield(v, typ)
	}
	return true
}

func (w *textWalk) object(v Value, typ string) bool {
	if typ == "Resource" {
		typ = v.Get("resourceType").Text()
	}
	t := w.spec.elements[typ]
	if t == nil {
		return true
	}
	for name, m := range v.Members() {
		if strings.HasPrefix(name, "_") { // extensions of a primitive element
			for item := range m.Items() {
				if !w.visit(item, "Element") {
					return false
				}
			}
			continue
		}
		inner := t.members[name].typ
		if typ == "Reference" && name == "reference" {
			inner = literalReference
		}
		if !w.visit(m, inner) {
			return false
		}
	}
	return true
}

// narrative finds the targets of href and src attributes in XHTML that is written as a JSON string.
func (v Value) narrative(yield func(Span) bool) bool {
	n := v.node()
	text := v.d.text[n.start+1 : n.end-1]
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '=')
		if i < 0 {
			return true
		}
		name := text[at : at+i]
		at += i + 1
		if !strings.HasSuffix(name, "href") && !strings.HasSuffix(name, "src") {
			continue
		}
		quote := ""
		for _, q := range []string{`\"`, `'`} {
			if strings.HasPrefix(text[at:], q) {
				quote = q
			}
		}
		if quote == "" {
			continue
		}
		at += len(quote)
		length := strings.Index(text[at:], quote)
		if length < 0 {
			return true
		}
		start := n.start + 1 + uint32(at)
		if !yield(Span{unescape(text[at : at+length]), start, start + uint32(length), false}) {
			return false
		}
		at += length + len(quote)
	}
}

func (v Value) span(text string, literal bool) Span {
	n := v.node()
	return Span{text, n.start + 1, n.end - 1, literal}
}

// RewriteReferences is the text with every reference that is a key of targets replaced by its value, for the resolution
// of a transaction's references (R4 http.html#transaction). All else is as sent.
func (d *Doc) RewriteReferences(targets map[string]string) []byte {
	root := d.nodes[0]
	out := make([]byte, 0, int(root.end-root.start)+64)
	from := root.start
	for s := range d.References() {
		target, ok := targets[s.Target]
		if !ok {
			continue
		}
		out = append(out, d.data[from:s.Start]...)
		quoted := quote(target)
		out = append(out, quoted[1:len(quoted)-1]...)
		from = s.End
	}
	return append(out, d.data[from:root.end]...)
}
