package fhirpatch

import (
	"encoding/json"
	"slices"
	"strings"

	"concord/internal/fhir"
)

// node is one JSON value. Its children are read when it is opened; it is written as sent until it is changed.
type node struct {
	value   fhir.Value // as sent; absent for what the patch made
	kind    fhir.Kind
	opened  bool
	changed bool
	kids    []kid
	up      *node
}

// kid is a member of an object or a value of an array.
type kid struct {
	name string // decoded; empty in an array
	raw  []byte // the name as sent
	*node
}

func sent(v fhir.Value) *node { return &node{value: v, kind: v.Kind()} }

// made is a new empty object or array.
func made(kind fhir.Kind) *node { return &node{kind: kind, opened: true, changed: true} }

func null() *node { return &node{kind: fhir.Null, changed: true} }

func (n *node) open() []kid {
	if n.opened {
		return n.kids
	}
	n.opened = true
	switch n.kind {
	case fhir.Object:
		for name, v := range n.value.Members() {
			child := sent(v)
			child.up = n
			n.kids = append(n.kids, kid{name, v.RawName(), child})
		}
	case fhir.Array:
		for v := range n.value.Items() {
			child := sent(v)
			child.up = n
			n.kids = append(n.kids, kid{node: child})
		}
	}
	return n.kids
}

// text is a string's text, the literal of a number or boolean.
func (n *node) text() string { return n.value.Text() }

// find is the position of an object's member, −1 when there is none.
func (n *node) find(name string) int {
	if n.kind != fhir.Object {
		return -1
	}
	return slices.IndexFunc(n.open(), func(k kid) bool { return k.name == name })
}

// get is a member's value, nil when there is none.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	if i := n.find(name); i >= 0 {
		return n.kids[i].node
	}
	return nil
}

// touch says that n is not as it was sent, nor what contains it.
func (n *node) touch() {
	for ; n != nil; n = n.up {
		n.changed = true
	}
}

// set gives an object's member a value, in its place or at the end.
func (n *node) set(name string, child *node) {
	child.up = n
	if i := n.find(name); i >= 0 {
		n.kids[i].node = child
	} else {
		n.kids = append(n.kids, kid{name, quoted(name), child})
	}
	n.touch()
}

// drop removes an object's member, if there is one.
func (n *node) drop(name string) {
	if i := n.find(name); i >= 0 {
		n.remove(i)
	}
}

// rename gives the member at i another name.
func (n *node) rename(i int, name string) {
	n.kids[i].name, n.kids[i].raw = name, quoted(name)
	n.touch()
}

func (n *node) insert(i int, child *node) {
	child.up = n
	n.open()
	n.kids = slices.Insert(n.kids, i, kid{node: child})
	n.touch()
}

func (n *node) remove(i int) *node {
	child := n.open()[i].node
	n.kids = slices.Delete(n.kids, i, i+1)
	n.touch()
	child.up = nil
	return child
}

// void reports whether n is a container that the patch has emptied. aside: n is, or is in, the array of a primitive's ids
// and extensions, where null only keeps a place.
func (n *node) void(aside bool) bool {
	if !n.changed || n.kind != fhir.Object && n.kind != fhir.Array {
		return false
	}
	for _, k := range n.kids {
		if !(k.void(false) || aside && n.kind == fhir.Array && k.kind == fhir.Null) {
			return false
		}
	}
	return n.opened
}

// render appends the value as JSON.
func (n *node) render(out []byte) []byte {
	switch {
	case !n.changed:
		return append(out, n.value.Raw()...)
	case n.kind == fhir.Object:
		out = append(out, '{')
		for _, k := range n.kids {
			aside := strings.HasPrefix(k.name, "_")
			if k.void(aside) {
				continue
			}
			out = separate(out, '{')
			out = append(append(append(out, '"'), k.raw...), '"', ':')
			if aside && k.kind == fhir.Array && k.changed {
				out = k.renderArray(out, true)
			} else {
				out = k.render(out)
			}
		}
		return append(out, '}')
	case n.kind == fhir.Array:
		return n.renderArray(out, false)
	case n.kind == fhir.Null:
		return append(out, "null"...)
	}
	return append(out, n.value.Raw()...)
}

// renderArray leaves out what was emptied, but keeps its place where places count.
func (n *node) renderArray(out []byte, aside bool) []byte {
	out = append(out, '[')
	for _, k := range n.kids {
		switch empty := k.void(false); {
		case empty && aside:
			out = append(separate(out, '['), "null"...)
		case !empty:
			out = k.render(separate(out, '['))
		}
	}
	return append(out, ']')
}

// separate adds a comma unless a container has just begun.
func separate(out []byte, begin byte) []byte {
	if out[len(out)-1] != begin {
		out = append(out, ',')
	}
	return out
}

// clone copies a node, so that a change of one leaves the other as it is.
func (n *node) clone() *node {
	c := *n
	c.up, c.kids = nil, make([]kid, len(n.kids))
	for i, k := range n.kids {
		child := k.clone()
		child.up = &c
		c.kids[i] = kid{k.name, k.raw, child}
	}
	return &c
}

func quoted(name string) []byte {
	b, _ := json.Marshal(name) // a string always has a JSON form
	return b[1 : len(b)-1]
}

// equal compares as RFC 6902 4.6 says: numbers by value, members in any order.
func equal(a, b *node) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case fhir.String:
		return a.text() == b.text()
	case fhir.Number:
		return sameNumber(a.text(), b.text())
	case fhir.Array:
		return slices.EqualFunc(a.open(), b.open(), func(x, y kid) bool { return equal(x.node, y.node) })
	case fhir.Object:
		if len(a.open()) != len(b.open()) {
			return false
		}
		for _, k := range a.kids {
			if other := b.get(k.name); other == nil || !equal(k.node, other) {
				return false
			}
		}
	}
	return true
}
