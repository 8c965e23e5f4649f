package fhir

import (
	"fmt"
	"strings"
)

// walk is one way from a resource to the values of a parameter. All its values have the same FHIR type.
type walk struct {
	steps []walkStep
	typ   string // FHIR type of the values
	// computed, when set, makes the value: a boolean of the resource.
	computed test
	// fromResource: the steps start at the resource also inside of a composite's component.
	fromResource bool
	system       string   // implied by the binding of a code
	targets      []string // resource types the values may refer to; none means any
}

// walkStep goes from a value to the items of one of its members, or keeps it when it passes a test.
type walkStep struct {
	key  string
	many bool // the element may repeat
	nth  int  // only this item; −1 for all
	pass test // when set, the step is a filter
}

type test func(Value) bool

// compileExpr compiles text for values of type typ inside of resources of type resource. A union's branches for other
// resource types fall away.
func (s *specification) compileExpr(text, resource, typ string) ([]walk, error) {
	e, err := parseExpr(text)
	if err != nil {
		return nil, err
	}
	c := compiler{s, resource}
	walks, err := c.walks(e, typ)
	if err != nil {
		return nil, fmt.Errorf("search expression %q for %s: %w", text, typ, err)
	}
	return walks, nil
}

type compiler struct {
	*specification
	resource string
}

func (c compiler) walks(e *expr, typ string) ([]walk, error) {
	switch e.op {
	case opThis:
		return []walk{{typ: typ}}, nil
	case opResource:
		return []walk{{typ: c.resource, fromResource: true}}, nil
	case opUnion:
		a, err := c.walks(e.a, typ)
		if err != nil {
			return nil, err
		}
		b, err := c.walks(e.b, typ)
		return append(a, b...), err
	case opEqual, opUnequal, opAnd, opExists, opIs, opHasExtension:
		t, err := c.test(e, typ)
		return []walk{{typ: "boolean", computed: t}}, err
	}
	if e.op == opMember && e.a.op == opThis && e.text[0] >= 'A' && e.text[0] <= 'Z' {
		return c.root(e.text, typ)
	}
	before, err := c.walks(e.a, typ)
	if err != nil {
		return nil, err
	}
	var after []walk
	for _, w := range before {
		more, err := c.extend(w, e)
		if err != nil {
			return nil, err
		}
		after = append(after, more...)
	}
	return after, nil
}

// root resolves the type name that a path begins with: nothing when it is another resource type's branch.
func (c compiler) root(name, typ string) ([]walk, error) {
	switch {
	case name == typ, name == "Resource", name == "DomainResource":
		return []walk{{typ: typ}}, nil
	case c.elements[name] == nil:
		return nil, fmt.Errorf("unknown type %s", name)
	}
	return nil, nil
}

// extend adds the step e to w; a choice element gives a walk for each of its types.
func (c compiler) extend(w walk, e *expr) ([]walk, error) {
	switch e.op {
	case opMember:
		return c.member(w, e.text)
	case opIndex:
		if len(w.steps) == 0 {
			return nil, fmt.Errorf("index on the resource")
		}
		steps := append([]walkStep(nil), w.steps...)
		last := &steps[len(steps)-1]
		last.nth, last.many = e.n, false
		w.steps = steps
		return []walk{w}, nil
	case opWhere:
		t, err := c.test(e.b, w.typ)
		w = w.with(walkStep{pass: t, nth: -1}, w.typ)
		if e.b.op == opIs {
			w.targets = []string{e.b.text}
		}
		return []walk{w}, err
	case opAs:
		if !strings.EqualFold(w.typ, e.text) { // R4 writes value.as(DateTime) in one definition
			return nil, nil
		}
		return []walk{w}, nil
	case opExtension:
		w = w.with(walkStep{key: "extension", many: true, nth: -1}, "Extension")
		url := e.text
		return []walk{w.with(walkStep{pass: func(v Value) bool { return v.Get("url").Text() == url }, nth: -1}, "Extension")}, nil
	}
	return nil, fmt.Errorf("cannot walk over operator %d", e.op)
}

func (c compiler) member(w walk, name string) ([]walk, error) {
	t := c.elements[w.typ]
	if t == nil {
		return nil, fmt.Errorf("%s has no elements", w.typ)
	}
	options, isChoice := t.choices[name]
	if !isChoice {
		m, ok := t.members[name]
		if !ok {
			return nil, fmt.Errorf("%s has no element %s", w.typ, name)
		}
		options = []member{m}
	}
	var walks []walk
	for _, m := range options {
		next := w.with(walkStep{key: m.key, many: m.many, nth: -1}, m.typ)
		next.system, next.targets = m.system, m.targets
		walks = append(walks, next)
	}
	return walks, nil
}

func (w walk) with(s walkStep, typ string) walk {
	w.steps = append(w.steps[:len(w.steps):len(w.steps)], s)
	w.typ = typ
	return w
}

// test compiles a condition on a value of type typ.
func (c compiler) test(e *expr, typ string) (test, error) {
	switch e.op {
	case opAnd:
		a, err := c.test(e.a, typ)
		if err != nil {
			return nil, err
		}
		b, err := c.test(e.b, typ)
		return func(v Value) bool { return a(v) && b(v) }, err
	case opEqual, opUnequal:
		if e.b.op != opLiteral {
			return nil, fmt.Errorf("comparison with something else than a literal")
		}
		want, equal := e.b.text, e.op == opEqual
		return c.any(e.a, typ, func(v Value) bool { return (v.Text() == want) == equal })
	case opExists:
		return c.any(e.a, typ, func(Value) bool { return true })
	case opHasExtension:
		url := e.text
		return c.any(&expr{op: opExtension, a: e.a, text: url}, typ, func(Value) bool { return true })
	case opIs:
		if e.a.op != opResolve {
			return nil, fmt.Errorf("is without resolve()")
		}
		want := e.text
		return c.any(e.a.a, typ, func(v Value) bool { return refersTo(v, want) })
	}
	return nil, fmt.Errorf("operator %d is no condition", e.op)
}

// any compiles "some value of e passes t".
func (c compiler) any(e *expr, typ string, t test) (test, error) {
	walks, err := c.walks(e, typ)
	return func(v Value) bool {
		found := false
		for i := range walks {
			walks[i].run(v, func(v Value) { found = found || t(v) })
		}
		return found
	}, err
}

// run calls visit for each value of the walk from v on.
func (w *walk) run(v Value, visit func(Value)) {
	if w.computed != nil {
		visit(truth(w.computed(v)))
		return
	}
	follow(v, w.steps, visit)
}

// misses tells whether a walk surely finds nothing in a value of these marks.
func (w *walk) misses(marks uint64) bool {
	return w.computed == nil && len(w.steps) > 0 && w.steps[0].pass == nil && marks&markOf(w.steps[0].key) == 0
}

// marks are those of the names of an object's members. Most parameters of a type are about members that a resource does not have:
// to see that for each of them would be a search through all members.
func (v Value) marks() (marks uint64) {
	for name := range v.Members() {
		marks |= markOf(name)
	}
	return marks
}

// markOf is one bit, which other names may share.
func markOf(name string) uint64 {
	if name == "" {
		return 1
	}
	return 1 << ((uint(len(name))*7 ^ uint(name[0])*3 ^ uint(name[len(name)-1])*17) & 63)
}

func follow(v Value, steps []walkStep, visit func(Value)) {
	for i := range steps {
		s := &steps[i]
		if s.pass != nil {
			if !s.pass(v) {
				return
			}
			continue
		}
		v = v.Get(s.key)
		switch {
		case v.d == nil:
			return
		case v.node().kind == Array:
			n := 0
			nodes := v.d.nodes
			for j, end := v.i+1, v.i+nodes[v.i].size; j < end; j += nodes[j].size {
				if s.nth < 0 || s.nth == n {
					follow(Value{v.d, j}, steps[i+1:], visit)
				}
				n++
			}
			return
		}
	}
	visit(v)
}

// truth is a boolean as Value.
func truth(b bool) Value {
	text, kind := "false", False
	if b {
		text, kind = "true", True
	}
	return Value{&Doc{data: []byte(text), text: text, nodes: []node{{end: uint32(len(text)), size: 1, kind: kind}}}, 0}
}
