package fhirpatch

import (
	"fmt"
	"strconv"
	"strings"

	"concord/hub"
	"concord/internal/fhir"
)

// JSON compiles a JSON Patch (RFC 6902): an array of operations.
func JSON(doc *fhir.Doc) (*Patch, error) {
	root := doc.Root()
	if root.Kind() != fhir.Array {
		return nil, invalid("a JSON Patch is an array of operations")
	}
	p := &Patch{}
	for item := range root.Items() {
		where := fmt.Sprintf("[%d]", len(p.operations))
		if len(p.operations) == maxOperations {
			return nil, &hub.Error{Kind: hub.TooLarge, Path: where, Msg: fmt.Sprintf("a patch may have %d operations", maxOperations)}
		}
		op := operation{where: where, verb: item.Get("op").Text(), path: strconv.Quote(item.Get("path").Text())}
		var err error
		if op.apply, err = jsonOperation(item); err != nil {
			return nil, op.failed(err)
		}
		p.operations = append(p.operations, op)
	}
	return p, nil
}

func jsonOperation(item fhir.Value) (func(*editor) error, error) {
	verb, value := item.Get("op").Text(), item.Get("value")
	at, err := parsePointer(item, "path")
	if err != nil {
		return nil, err
	}
	switch verb {
	case "add", "replace", "test":
		if value.Kind() == fhir.Absent {
			return nil, invalid("the operation has no value")
		}
	case "move", "copy":
		from, err := parsePointer(item, "from")
		if err != nil {
			return nil, err
		}
		if verb == "move" && len(at) > len(from) && from.contains(at) {
			return nil, invalid("a value cannot be moved into itself")
		}
		return func(e *editor) error { return e.relocate(from, at, verb == "copy") }, nil
	case "remove":
		return func(e *editor) error { _, err := e.take(at); return err }, nil
	default:
		return nil, invalid("the operation is one of add, remove, replace, move, copy, test, not %q", verb)
	}
	switch verb {
	case "add":
		return func(e *editor) error { return e.put(at, sent(value)) }, nil
	case "replace":
		return func(e *editor) error { return e.replace(at, sent(value)) }, nil
	}
	return func(e *editor) error {
		n, err := e.resolve(at)
		if err != nil {
			return &hub.Error{Kind: hub.Conflict, Msg: "the test does not hold: there is no such value"}
		}
		if !equal(n, sent(value)) {
			return &hub.Error{Kind: hub.Conflict, Msg: "the test does not hold"}
		}
		return nil
	}, nil
}

// pointer is a JSON Pointer (RFC 6901), unescaped.
type pointer []string

func parsePointer(item fhir.Value, name string) (pointer, error) {
	v := item.Get(name)
	text := v.Text()
	switch {
	case v.Kind() != fhir.String:
		return nil, invalid("the operation has no %s", name)
	case text == "":
		return pointer{}, nil
	case text[0] != '/':
		return nil, invalid("%s is a JSON Pointer, which begins with /", name)
	}
	steps := strings.Split(text[1:], "/")
	for i, s := range steps {
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(s)
		if strings.Contains(rest, "~") {
			return nil, invalid("%s has a ~ that is neither ~0 nor ~1", name)
		}
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(s)
	}
	return steps, nil
}

// contains reports whether p is q or leads to it.
func (p pointer) contains(q pointer) bool {
	if len(p) > len(q) {
		return false
	}
	for i := range p {
		if p[i] != q[i] {
			return false
		}
	}
	return true
}

// index reads a step into an array of n values; end allows for the place behind the last.
func index(step string, n int, end bool) (int, error) {
	if step == "-" && end {
		return n, nil
	}
	i, err := strconv.Atoi(step)
	if err != nil || strconv.Itoa(i) != step || i < 0 {
		return 0, unfit("%q is not a position in an array", step)
	}
	if i > n || i == n && !end {
		return 0, unfit("the array has %d values, there is no position %d", n, i)
	}
	return i, nil
}

func (e *editor) resolve(p pointer) (*node, error) {
	n := e.root
	for _, step := range p {
		switch n.kind {
		case fhir.Object:
			child := n.get(step)
			if child == nil {
				return nil, unfit("there is no member %q", step)
			}
			n = child
		case fhir.Array:
			i, err := index(step, len(n.open()), false)
			if err != nil {
				return nil, err
			}
			n = n.kids[i].node
		default:
			return nil, unfit("there is nothing inside of a value that is no object or array")
		}
	}
	return n, nil
}

// put is the add operation (RFC 6902 4.1).
func (e *editor) put(p pointer, child *node) error {
	if len(p) == 0 {
		e.root = child
		return nil
	}
	parent, err := e.resolve(p[:len(p)-1])
	if err != nil {
		return err
	}
	last := p[len(p)-1]
	switch parent.kind {
	case fhir.Object:
		parent.set(last, child)
	case fhir.Array:
		i, err := index(last, len(parent.open()), true)
		if err != nil {
			return err
		}
		parent.insert(i, child)
	default:
		return unfit("only objects and arrays have values inside")
	}
	return nil
}

// take is the remove operation (RFC 6902 4.2).
func (e *editor) take(p pointer) (*node, error) {
	if len(p) == 0 {
		return nil, unfit("the resource itself cannot be removed")
	}
	n, err := e.resolve(p)
	if err != nil {
		return nil, err
	}
	parent := n.up
	for i, k := range parent.kids {
		if k.node == n {
			return parent.remove(i), nil
		}
	}
	return nil, unfit("there is no such value")
}

func (e *editor) replace(p pointer, child *node) error {
	n, err := e.resolve(p)
	if err != nil {
		return err
	}
	if n.up == nil {
		e.root = child
		return nil
	}
	parent := n.up
	for i, k := range parent.kids {
		if k.node == n {
			child.up = parent
			parent.kids[i].node = child
			parent.touch()
		}
	}
	return nil
}

// relocate is the move and the copy operation (RFC 6902 4.4, 4.5).
func (e *editor) relocate(from, to pointer, keep bool) error {
	if keep {
		n, err := e.resolve(from)
		if err != nil {
			return err
		}
		if e.copied += len(n.render(nil)); e.copied > maxCopied {
			return &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the copies of a patch may have %d bytes", maxCopied)}
		}
		return e.put(to, n.clone())
	}
	n, err := e.take(from)
	if err != nil {
		return err
	}
	return e.put(to, n)
}
