package oracle

import (
	"fmt"
	"strconv"
	"strings"
)

// Node is a JSON value with its FHIR type: a resource type, a data type, or the path of a backbone element.
type Node struct {
	Type  string
	Value any // map[string]any, string, bool, json.Number; nil for a primitive that has extensions only
	// Bound is the value set of a required binding, empty for none.
	Bound string
	extra map[string]any // the _name object beside a primitive
}

func (n Node) object() map[string]any { m, _ := n.Value.(map[string]any); return m }

// text is a primitive's text, empty for anything else.
func (n Node) text() string {
	switch v := n.Value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case fmt.Stringer: // json.Number
		return v.String()
	}
	return ""
}

// get is the text of a primitive member.
func (n Node) get(name string) string { return Node{Value: n.object()[name]}.text() }

// evaluator runs paths on one resource.
type evaluator struct {
	defs     *Definitions
	resource Node
}

// eval returns the collection that e yields from focus.
func (ev evaluator) eval(e *path, focus Node) []Node {
	switch e.op {
	case "$this":
		return []Node{focus}
	case "%resource":
		return []Node{ev.resource}
	case "literal":
		if s, quoted := strings.CutPrefix(e.text, "'"); quoted {
			return []Node{{Type: "string", Value: strings.TrimSuffix(s, "'")}}
		}
		return []Node{{Type: "boolean", Value: e.text == "true"}}
	case "name": // a type's name stands for the resource itself when that is of the type
		first := e.text[0]
		if first >= 'A' && first <= 'Z' {
			if focus.Type == e.text || e.text == "Resource" || e.text == "DomainResource" {
				return []Node{focus}
			}
			return nil
		}
		return ev.children(focus, e.text)
	case "|":
		return append(ev.eval(e.args[0], focus), ev.eval(e.args[1], focus)...)
	case "and", "or":
		a, b := isTrue(ev.eval(e.args[0], focus)), isTrue(ev.eval(e.args[1], focus))
		return []Node{{Type: "boolean", Value: e.op == "and" && a && b || e.op == "or" && (a || b)}}
	case "=", "!=":
		a, b := ev.eval(e.args[0], focus), ev.eval(e.args[1], focus)
		if len(a) == 0 || len(b) == 0 {
			return nil
		}
		return []Node{{Type: "boolean", Value: (len(a) == 1 && len(b) == 1 && a[0].Value == b[0].Value) == (e.op == "=")}}
	}
	var out []Node
	in := ev.eval(e.args[0], focus)
	switch e.op {
	case "index":
		if i, err := strconv.Atoi(e.text); err == nil && i < len(in) {
			out = in[i : i+1]
		}
	case "member":
		for _, n := range in {
			out = append(out, ev.children(n, e.text)...)
		}
	case "as":
		for _, n := range in {
			if isA(n, e.text) {
				out = append(out, n)
			}
		}
	case "is":
		for _, n := range in {
			out = append(out, Node{Type: "boolean", Value: isA(n, e.text)})
		}
	case "call":
		return ev.call(e, in, focus)
	}
	return out
}

func (ev evaluator) call(e *path, in []Node, focus Node) (out []Node) {
	switch e.text {
	case "exists":
		return []Node{{Type: "boolean", Value: len(in) > 0}}
	case "where":
		for _, n := range in {
			if isTrue(ev.eval(e.args[1], n)) {
				out = append(out, n)
			}
		}
	case "extension", "hasExtension":
		url := ev.eval(e.args[1], focus)[0].text()
		for _, n := range in {
			for _, x := range ev.children(n, "extension") {
				if x.get("url") == url {
					out = append(out, x)
				}
			}
		}
		if e.text == "hasExtension" {
			return []Node{{Type: "boolean", Value: len(out) > 0}}
		}
	case "resolve":
		for _, n := range in {
			if t := ev.referredType(n); t != "" {
				out = append(out, Node{Type: t})
			}
		}
	default:
		panic("the oracle does not know the function " + e.text)
	}
	return out
}

// referredType says of what type a reference's target is, as far as the reference itself tells.
func (ev evaluator) referredType(n Node) string {
	ref := n.text()
	if n.Type == "Reference" {
		ref = n.get("reference")
	}
	if id, local := strings.CutPrefix(ref, "#"); local {
		if c := containedIn(ev.resource.object(), id); c != nil {
			t, _ := c["resourceType"].(string)
			return t
		}
	}
	if typ, _, ok := typeAndID(ref); ok && ev.defs.IsType(typ) {
		return typ
	}
	return n.get("type")
}

// containedIn finds a contained resource; the empty id is the container itself.
func containedIn(resource map[string]any, id string) map[string]any {
	if id == "" {
		return resource
	}
	list, _ := resource["contained"].([]any)
	for _, c := range list {
		if m, ok := c.(map[string]any); ok && m["id"] == id {
			return m
		}
	}
	return nil
}

// typeAndID reads the last two segments of a literal reference, without its version.
func typeAndID(ref string) (typ, id string, ok bool) {
	ref, _, _ = strings.Cut(ref, "/_history/")
	parts := strings.Split(ref, "/")
	if len(parts) < 2 {
		return "", "", false
	}
	return parts[len(parts)-2], parts[len(parts)-1], true
}

// children are the values of a member, or of a choice element by its name without [x].
func (ev evaluator) children(n Node, name string) []Node {
	m := n.object()
	if m == nil && n.extra == nil {
		return nil
	}
	if m == nil {
		m = n.extra
	}
	at := n.Type + "." + name
	if el := ev.defs.elements[at]; el != nil {
		typ := at // a backbone element
		switch {
		case el.same != "":
			typ = el.same
		case len(el.types) == 1 && el.types[0] != "BackboneElement" && el.types[0] != "Element":
			typ = el.types[0]
		}
		return ev.items(m, name, typ, el.valueSet)
	}
	if el := ev.defs.elements[at+"[x]"]; el != nil {
		var out []Node
		for _, t := range el.types {
			out = append(out, ev.items(m, name+strings.ToUpper(t[:1])+t[1:], t, el.valueSet)...)
		}
		return out
	}
	if name == "extension" {
		return ev.items(m, name, "Extension", "")
	}
	return nil
}

func (ev evaluator) items(m map[string]any, key, typ, bound string) []Node {
	value, there := m[key]
	beside := m["_"+key]
	if !there && beside == nil {
		return nil
	}
	values, many := value.([]any)
	extras, manyExtras := beside.([]any)
	if !many && !manyExtras {
		values, extras = []any{value}, []any{beside}
	}
	var out []Node
	for i := range max(len(values), len(extras)) {
		n := Node{Type: typ, Bound: bound}
		if i < len(values) {
			n.Value = values[i]
		}
		if i < len(extras) {
			n.extra, _ = extras[i].(map[string]any)
		}
		if typ == "Resource" {
			n.Type = n.get("resourceType")
		}
		out = append(out, n)
	}
	return out
}

// isA compares type names; definitions write DateTime for dateTime.
func isA(n Node, typ string) bool { return strings.EqualFold(n.Type, typ) }

func isTrue(nodes []Node) bool { return len(nodes) == 1 && nodes[0].Value == true }
