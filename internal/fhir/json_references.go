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
		w := referenceWalk{d, definitions(), yield}
		w.visit(d.Root(), d.Type())
	}
}

type referenceWalk struct {
	*Doc
	spec  *specification
	yield func(Span) bool
}

// visit goes through a value of FHIR type typ; false ends the walk.
func (w *referenceWalk) visit(v Value, typ string) bool {
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
		switch typ {
		case "uri", "url", "canonical", "oid", "uuid":
			if text := v.Text(); strings.HasPrefix(text, "urn:uuid:") || strings.HasPrefix(text, "urn:oid:") {
				return w.yield(v.span(text, false))
			}
		case "xhtml":
			return w.narrative(v)
		}
	}
	return true
}

func (w *referenceWalk) object(v Value, typ string) bool {
	if typ == "Resource" {
		typ = v.Get("resourceType").Text()
	}
	t := w.spec.elements[typ]
	if t == nil {
		return true
	}
	for name, m := range v.Members() {
		switch {
		case typ == "Reference" && name == "reference" && m.Kind() == String:
			if !w.yield(m.span(m.Text(), true)) {
				return false
			}
		case strings.HasPrefix(name, "_"): // extensions of a primitive element
			for item := range m.Items() {
				if !w.visit(item, "Element") {
					return false
				}
			}
		default:
			if !w.visit(m, t.members[name].typ) {
				return false
			}
		}
	}
	return true
}

// narrative finds the targets of href and src attributes in XHTML that is written as a JSON string.
func (w *referenceWalk) narrative(v Value) bool {
	n := v.node()
	text := w.text[n.start+1 : n.end-1]
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
		if !w.yield(Span{unescape(text[at : at+length]), start, start + uint32(length), false}) {
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
