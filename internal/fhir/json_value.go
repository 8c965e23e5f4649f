package fhir

import "iter"

// Value is a place in a Doc. The zero Value is absent; every method works on it.
type Value struct {
	d *Doc
	i uint32
}

func (v Value) node() *node { return &v.d.nodes[v.i] }

// Kind is the JSON type, Absent for the zero Value.
func (v Value) Kind() Kind {
	if v.d == nil {
		return Absent
	}
	return v.node().kind
}

// Get is the member called name, absent when v is no object or has none.
func (v Value) Get(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	nodes := v.d.nodes
	end := v.i + nodes[v.i].size
	for i := v.i + 1; i < end; i += nodes[i].size {
		n := &nodes[i]
		if !n.keyEscaped && int(n.keyEnd-n.key) != len(name) {
			continue
		}
		if v.d.name(int(i)) == name {
			return Value{v.d, i}
		}
	}
	return Value{}
}

// Members yields an object's members in their order; nothing for any other kind.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for m := range v.children() {
			if !yield(v.d.name(int(m.i)), m) {
				return
			}
		}
	}
}

// Items yields an array's values; any other value yields itself, an absent one nothing.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		switch v.Kind() {
		case Absent:
		case Array:
			for m := range v.children() {
				if !yield(m) {
					return
				}
			}
		default:
			yield(v)
		}
	}
}

func (v Value) children() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		nodes := v.d.nodes
		end := v.i + nodes[v.i].size
		for i := v.i + 1; i < end; i += nodes[i].size {
			if !yield(Value{v.d, i}) {
				return
			}
		}
	}
}

// Raw is the value's bytes as sent; the caller must not change them. It is nil when absent.
func (v Value) Raw() []byte {
	if v.d == nil {
		return nil
	}
	n := v.node()
	return v.d.data[n.start:n.end:n.end]
}

// Text is a string's decoded text and the literal of a number or boolean; empty for any other kind.
func (v Value) Text() string {
	if v.d == nil {
		return ""
	}
	switch n := v.node(); n.kind {
	case String:
		s := v.d.text[n.start+1 : n.end-1]
		if n.escaped {
			return unescape(s)
		}
		return s
	case Number, True, False:
		return v.d.text[n.start:n.end]
	}
	return ""
}

// Doc makes v the root of a Doc of its own, which shares v's memory: an entry's resource of a Bundle, say.
// It is nil when v is absent.
func (v Value) Doc() *Doc {
	if v.d == nil {
		return nil
	}
	d := *v.d
	d.nodes = d.nodes[v.i : v.i+v.node().size]
	return &d
}

// name is the decoded member name of node i.
func (d *Doc) name(i int) string {
	n := &d.nodes[i]
	if n.keyEscaped {
		return d.keys[n.key]
	}
	return d.text[n.key:n.keyEnd]
}
